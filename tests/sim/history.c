#include "history.h"

#include <stdio.h>
#include <string.h>

history  *h;
uint64_t  playing;
sightings seen;

uint32_t draw(uint32_t below)
{
    h->random = h->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(h->random >> 33) % below;
}

record *task_of(patio_id id)
{
    for (uint32_t i = 0; i < h->count; i++) {
        if (memcmp(&h->tasks[i].id, &id, sizeof(id)) == 0) {
            return &h->tasks[i];
        }
    }
    fail_msg("a task that nobody has sent");
    return NULL;
}

/* One more start: is it allowed? */
static void note_start(record *r)
{
    if (r->gone) {
        fail_msg("task %u runs though it was removed", (uint32_t)(r - h->tasks));
    }
    if (r->dead) {
        fail_msg("task %u runs though it is a dead letter", (uint32_t)(r - h->tasks));
    }
    if (r->ends > 0 || (r->once && r->charged + r->crashes > 0)) {
        fail_msg("task %u runs again", (uint32_t)(r - h->tasks));
    }
    assert_true(r->accepted && !r->repeats);
    assert_in_range(r->charged, 0, MAX_ATTEMPTS - 1);
    assert_in_range(r->crashes, 0, MAX_CRASHES - 1);
    r->starts++;
    seen.once += r->once;
}

static patio_status task_play(patio_context *ctx)
{
    int64_t n = 0;
    assert_int_equal(patio_arg_int64(ctx, 0, &n), PATIO_OK);
    assert_in_range(n, 0, h->count - 1);
    record *r = &h->tasks[n];
    note_start(r);
    assert_int_equal(patio_task_attempt(ctx), r->charged + 1);
    if (r->kind == DO_SNOOZE_ONCE && r->starts == 1) {
        r->charged += r->once; /* it may not, and has failed */
        return patio_task_snooze(ctx, 5000);
    }
    r->charged++;
    switch (r->kind) {
    case DO_FAIL:
        return patio_task_fail(ctx, 1, "Played", "as it was told");
    case DO_RETRY:
        return patio_task_retry(ctx, 0, "again");
    case DO_RETRY_ONCE:
        if (r->starts == 1) {
            return patio_task_retry(ctx, 1000, "once");
        }
        break;
    default:
        break;
    }
    r->ends++;
    return PATIO_OK;
}

void open_worker(uint32_t w, uint32_t slots)
{
    char world[64];
    h->worlds[w].slots = slots;
    (void)snprintf(world, sizeof(world), "executor.world=%llx",
                   (unsigned long long)(uintptr_t)&h->worlds[w]);
    h->workers[w] =
        start_broker(&h->f, h->f.registry, SETTINGS("broker=memory://sim", "executor=sim", world));
}

/* What it holds goes back: leases lost. */
void close_worker(uint32_t w)
{
    if (h->workers[w] != NULL) {
        (void)patio_broker_stop(h->workers[w], 0, NULL);
        patio_broker_destroy(h->workers[w]);
        h->workers[w] = NULL;
    }
}

void run_job(uint32_t w, uint32_t i, bool crashes)
{
    sim_world    *world = &h->worlds[w];
    patio_job    *job   = world->jobs[i];
    patio_outcome out   = {PATIO_SIZED(patio_outcome)};
    world->jobs[i]      = world->jobs[--world->count];
    if (!crashes) {
        job->run(job, &out);
    } else if (job->ops->begin(job, &out)) { /* what runs it dies of it */
        record *r = task_of(job->id);
        note_start(r);
        r->crashes++;
        seen.crashes++;
        (job->ops->fail)(job, PATIO_TASK_CRASHED, 0, 11, "Crash", "as it was drawn", &out);
    }
    world->events->done(world->events->self, job, &out);
}

void play_job(uint32_t w)
{
    if (h->workers[w] != NULL && h->worlds[w].count > 0) {
        uint32_t i = draw(h->worlds[w].count);
        run_job(w, i, draw(12) == 0);
    }
}

void move(uint64_t ms)
{
    assert_ok(patio_runtime_advance(h->f.runtime, ms, 0, &h->f.err), h->f.err);
}

void history_open(uint64_t seed)
{
    playing = seed;
    h       = calloc(1, sizeof(*h));
    assert_non_null(h);
    h->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    fixture_init_with(&h->f, PATIO_RUNTIME_MANUAL_CLOCK | PATIO_RUNTIME_SEEDED, seed);
    assert_ok(patio_runtime_add_plugin_dir(h->f.runtime, SIM_PLUGINS, &h->f.err), h->f.err);
    add_task(h->f.registry, "play", task_play, NULL);
    h->f.broker = start_broker(&h->f, NULL, SETTINGS("broker=memory://sim"));
}

void history_close(void)
{
    for (uint32_t w = 0; w < WORKERS; w++) {
        close_worker(w);
    }
    fixture_close(&h->f);
    free(h);
    playing = 0;
}
