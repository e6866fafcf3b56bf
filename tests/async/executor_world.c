#include "executor_world.h"

#include <string.h>

void run_job(patio_job *base, patio_outcome *out)
{
    job *j    = (job *)base;
    j->order  = atomic_fetch_add(&j->world->order, 1) + 1;
    j->runner = pthread_self();
    atomic_fetch_add(&j->world->begun, 1);
    out->verdict = PATIO_ACK;
    if (j->fn != NULL) {
        j->fn(j);
    }
    j->same_thread = pthread_equal(j->runner, pthread_self()) != 0;
}

static void on_done(void *self, patio_job *base, const patio_outcome *outcome)
{
    world *w = self;
    job   *j = (job *)base;
    atomic_store(&j->verdict, outcome->verdict);
    atomic_fetch_add(&j->done, 1);
    atomic_fetch_add(&w->ended, 1);
}

static void on_room(void *self)
{
    world *w = self;
    atomic_fetch_add(&w->rooms, 1);
}

patio_status world_create(world *w, setup s)
{
    patio_option_value values[OPTIONS_MAX] = {{.text = ""}};
    memset(w, 0, sizeof(*w));
    gate_reset(&the_gate);
    fake_host_init(&w->host);
    w->jobs    = calloc(JOBS_MAX, sizeof(job));
    w->ops     = load_plugin("executors", "async", PATIO_EXECUTOR_ID);
    w->suspend = w->ops->query(NULL, PATIO_SUSPEND_ID);
    w->events  = (patio_executor_events){PATIO_SIZED(patio_executor_events), .self = w,
                                         .done = on_done, .room = on_room};
    values[option_at(w->ops->options, "workers")].number       = s.workers;
    values[option_at(w->ops->options, "loops")].number         = s.loops != 0 ? s.loops : 1;
    values[option_at(w->ops->options, "queue_max")].number     = s.queue_max;
    values[option_at(w->ops->options, "stack_bytes")].number   = 64 * 1024;
    values[option_at(w->ops->options, "keep_stacks")].number   = 16;
    values[option_at(w->ops->options, "block_warn_ms")].number = s.block_warn_ms;
    patio_executor_params params = {PATIO_SIZED(patio_executor_params), .values = values,
                                    .stack_bytes = 16 * 1024, .events = &w->events};
    return w->ops->create(&w->host.table, &params, &w->x, NULL);
}

void world_open(world *w, setup s)
{
    assert_status(world_create(w, s), PATIO_OK);
    assert_status(w->ops->start(w->x, NULL), PATIO_OK);
}

void world_close(world *w)
{
    gate_open(&the_gate);
    assert_status(w->ops->stop(w->x, 20000, NULL), PATIO_OK);
    w->ops->destroy(w->x);
    fake_host_check_empty(&w->host);
    for (int i = 0; i < JOBS_MAX; i++) { /* exactly once for each that was taken */
        assert_int_equal(atomic_load(&w->jobs[i].done), w->jobs[i].base.task != NULL ? 1 : 0);
    }
    free(w->jobs);
}

patio_status submit_as(world *w, int i, const char *task, job_fn fn)
{
    job *j              = &w->jobs[i];
    j->base.struct_size = sizeof(j->base);
    j->base.task        = task;
    j->base.run         = run_job;
    j->world            = w;
    j->fn               = fn;
    patio_status st     = w->ops->submit(w->x, &j->base, NULL);
    if (st != PATIO_OK) {
        j->base.task = NULL;
    }
    return st;
}

patio_status submit(world *w, int i, job_fn fn)
{
    return submit_as(w, i, "job", fn);
}
