/* The thread executor, driven as a host drives it. */
#include "fake_host.h"

#include <string.h>
#include <sys/resource.h>

enum { JOBS_MAX = 256, OPTIONS_MAX = 8 };

typedef struct job {
    patio_job        base;  /* first */
    gate            *waits; /* NULL: it ends at once */
    _Atomic uint32_t ran;
    _Atomic uint32_t done;
    _Atomic uint32_t verdict;
    _Atomic(bool)    done_on_runner; /* `done` came on the thread that ran it */
    pthread_t        runner;
} job;

typedef struct pool {
    fake_host                 host;
    const patio_executor_ops *ops;
    patio_executor           *x;
    patio_executor_events     events;
    _Atomic uint32_t          rooms;
    _Atomic uint32_t          ended; /* `done` so far */
    job                       jobs[JOBS_MAX];
} pool;

static void run(patio_job *base, patio_outcome *out)
{
    job *j    = (job *)base;
    j->runner = pthread_self();
    atomic_fetch_add(&j->ran, 1);
    if (j->waits != NULL) {
        gate_pass(j->waits);
    }
    out->verdict = PATIO_ACK;
}

static void on_done(void *self, patio_job *base, const patio_outcome *outcome)
{
    pool *p = self;
    job  *j = (job *)base;
    atomic_store(&j->verdict, outcome->verdict);
    atomic_store(&j->done_on_runner, pthread_equal(j->runner, pthread_self()) != 0);
    atomic_fetch_add(&j->done, 1);
    atomic_fetch_add(&p->ended, 1);
}

static void on_room(void *self)
{
    pool *p = self;
    atomic_fetch_add(&p->rooms, 1);
}

static patio_status pool_create(pool *p, int64_t workers, int64_t queue_max)
{
    patio_option_value values[OPTIONS_MAX] = {{.text = ""}};
    memset(p, 0, sizeof(*p));
    gate_reset(&the_gate);
    fake_host_init(&p->host);
    p->ops    = load_plugin("executors", "thread", PATIO_EXECUTOR_ID);
    p->events = (patio_executor_events){PATIO_SIZED(patio_executor_events), .self = p,
                                        .done = on_done, .room = on_room};
    values[option_at(p->ops->options, "workers")].number     = workers;
    values[option_at(p->ops->options, "queue_max")].number   = queue_max;
    values[option_at(p->ops->options, "stack_bytes")].number = 256 * 1024;
    patio_executor_params params = {PATIO_SIZED(patio_executor_params), .values = values,
                                    .stack_bytes = 64 * 1024, .events = &p->events};
    return p->ops->create(&p->host.table, &params, &p->x, NULL);
}

static void pool_open(pool *p, int64_t workers, int64_t queue_max)
{
    assert_status(pool_create(p, workers, queue_max), PATIO_OK);
    assert_status(p->ops->start(p->x, NULL), PATIO_OK);
}

static void pool_close(pool *p)
{
    gate_open(&the_gate);
    assert_status(p->ops->stop(p->x, 20000, NULL), PATIO_OK);
    p->ops->destroy(p->x);
    fake_host_check_empty(&p->host);
    for (int i = 0; i < JOBS_MAX; i++) { /* exactly once for each that was taken */
        assert_int_equal(atomic_load(&p->jobs[i].done), p->jobs[i].base.task != NULL ? 1 : 0);
    }
}

static patio_status submit(pool *p, int i, gate *waits)
{
    job *j              = &p->jobs[i];
    j->base.struct_size = sizeof(j->base);
    j->base.task        = "job";
    j->base.run         = run;
    j->waits            = waits;
    patio_status st     = p->ops->submit(p->x, &j->base, NULL);
    if (st != PATIO_OK) {
        j->base.task = NULL;
    }
    return st;
}

static void slots_are_the_workers_and_ids_are_right(void **state)
{
    (void)state;
    static pool p;
    pool_open(&p, 7, 0);
    assert_int_equal(p.ops->slots(p.x), 7);
    assert_int_equal(p.ops->caps, PATIO_EXECUTOR_RUNS | PATIO_EXECUTOR_BLOCKING);
    pool_close(&p);
}

static void an_executor_that_never_started_can_be_destroyed(void **state)
{
    (void)state;
    static pool p;
    assert_status(pool_create(&p, 3, 0), PATIO_OK);
    p.ops->destroy(p.x);
    p.ops->destroy(NULL);
    fake_host_check_empty(&p.host);
}

static void options_have_limits_that_hold_for_their_defaults(void **state)
{
    (void)state;
    const patio_executor_ops *ops = load_plugin("executors", "thread", PATIO_EXECUTOR_ID);
    const patio_option       *o   = ops->options[option_at(ops->options, "workers")];
    assert_int_equal(o->min, 1);
    assert_int_equal(o->max, 4096);
    for (size_t i = 0; ops->options[i] != NULL; i++) {
        assert_true(ops->options[i]->max > ops->options[i]->min);
        assert_non_null(ops->options[i]->fallback);
        assert_non_null(ops->options[i]->help);
    }
}

static void a_full_queue_refuses_until_there_is_room(void **state)
{
    (void)state;
    static pool p;
    patio_error err = PATIO_ERROR_INIT;
    pool_open(&p, 1, 3);
    assert_status(submit(&p, 0, &the_gate), PATIO_OK);
    AWAIT_ARRIVED(&the_gate, 1);
    for (int i = 1; i <= 3; i++) {
        assert_status(submit(&p, i, NULL), PATIO_OK);
    }
    assert_int_equal(atomic_load(&p.rooms), 0);
    p.jobs[4].base.run = run;
    assert_status(p.ops->submit(p.x, &p.jobs[4].base, &err), PATIO_FULL);
    assert_contains(err.message, "queue_max");
    gate_open(&the_gate);
    AWAIT(atomic_load(&p.rooms) > 0);
    AWAIT(atomic_load(&p.ended) == 4);
    assert_status(submit(&p, 4, NULL), PATIO_OK);
    AWAIT(atomic_load(&p.ended) == 5);
    pool_close(&p);
}

static void jobs_of_one_worker_run_in_the_order_of_submitting(void **state)
{
    (void)state;
    static pool p;
    pool_open(&p, 1, 100);
    assert_status(submit(&p, 0, &the_gate), PATIO_OK);
    AWAIT_ARRIVED(&the_gate, 1);
    for (int i = 1; i < 50; i++) {
        assert_status(submit(&p, i, &the_gate), PATIO_OK);
    }
    gate_open(&the_gate);
    AWAIT(atomic_load(&p.ended) == 50);
    assert_int_equal(the_gate.most, 1); /* never two at once */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(atomic_load(&p.jobs[i].verdict), PATIO_ACK);
        assert_true(atomic_load(&p.jobs[i].done_on_runner));
    }
    pool_close(&p);
}

/* All must be inside before the first gets out: were two of them behind one another it would hang.
 */
static void as_many_long_jobs_as_workers_run_side_by_side(void **state)
{
    (void)state;
    for (int64_t workers = 1; workers <= 8; workers++) {
        static pool p;
        pool_open(&p, workers, 0);
        for (int i = 0; i < workers; i++) {
            assert_status(submit(&p, i, &the_gate), PATIO_OK);
        }
        AWAIT_ARRIVED(&the_gate, (unsigned)workers);
        pool_close(&p);
    }
}

static void long_jobs_after_many_short_ones_run_side_by_side(void **state)
{
    (void)state;
    static pool p;
    pool_open(&p, 4, 200);
    for (int i = 0; i < 200; i++) {
        assert_status(submit(&p, i, NULL), PATIO_OK);
    }
    AWAIT(atomic_load(&p.ended) == 200);
    for (int i = 200; i < 204; i++) {
        assert_status(submit(&p, i, &the_gate), PATIO_OK);
    }
    AWAIT_ARRIVED(&the_gate, 4);
    pool_close(&p);
}

static void a_long_job_never_holds_others_while_a_worker_is_idle(void **state)
{
    (void)state;
    for (int64_t workers = 2; workers <= 4; workers++) {
        static pool p;
        int         held = (int)workers - 1;
        pool_open(&p, workers, 200);
        for (int i = 0; i < held; i++) {
            assert_status(submit(&p, i, &the_gate), PATIO_OK);
        }
        for (int i = held; i < held + 100; i++) {
            assert_status(submit(&p, i, NULL), PATIO_OK);
        }
        AWAIT(atomic_load(&p.ended) == 100);
        AWAIT_ARRIVED(&the_gate, (unsigned)held);
        pool_close(&p);
    }
}

static void short_jobs_before_a_long_one_that_was_submitted_behind_them_all_run(void **state)
{
    (void)state;
    static pool p;
    pool_open(&p, 2, 200);
    for (int i = 0; i < 50; i++) {
        assert_status(submit(&p, i, NULL), PATIO_OK);
    }
    assert_status(submit(&p, 50, &the_gate), PATIO_OK);
    for (int i = 51; i < 100; i++) {
        assert_status(submit(&p, i, NULL), PATIO_OK);
    }
    AWAIT(atomic_load(&p.ended) == 99);
    pool_close(&p);
}

static void stop_gives_back_what_has_not_started(void **state)
{
    (void)state;
    static pool p;
    patio_error err = PATIO_ERROR_INIT;
    pool_open(&p, 1, 10);
    assert_status(submit(&p, 0, &the_gate), PATIO_OK);
    AWAIT_ARRIVED(&the_gate, 1);
    for (int i = 1; i <= 5; i++) {
        assert_status(submit(&p, i, NULL), PATIO_OK);
    }
    assert_status(p.ops->stop(p.x, 0, &err), PATIO_TIMEOUT);
    assert_contains(err.message, "1 tasks still run");
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(atomic_load(&p.jobs[i].done), 1);
        assert_int_equal(atomic_load(&p.jobs[i].ran), 0);
        assert_int_equal(atomic_load(&p.jobs[i].verdict), PATIO_RETURN);
    }
    assert_status(submit(&p, 6, NULL), PATIO_CLOSED);
    assert_status(p.ops->stop(p.x, 1, NULL), PATIO_TIMEOUT);
    gate_open(&the_gate);
    assert_status(p.ops->stop(p.x, 20000, NULL), PATIO_OK);
    assert_int_equal(atomic_load(&p.jobs[0].verdict), PATIO_ACK);
    assert_status(p.ops->stop(p.x, 0, NULL), PATIO_OK);
    pool_close(&p);
}

static void *submit_many(void *arg)
{
    pool *p = arg;
    for (int i = 0; i < 100; i++) {
        (void)submit(p, i, NULL);
    }
    return NULL;
}

static void what_is_submitted_while_stopping_is_done_or_refused(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        static pool p;
        pool_open(&p, 3, 1000);
        pthread_t thread = run_thread(submit_many, &p);
        assert_status(p.ops->stop(p.x, 20000, NULL), PATIO_OK);
        join_thread(thread);
        pool_close(&p); /* checks that each had its one outcome */
    }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEASURED = 0 };
#else
enum { MEASURED = 1 };
#endif

static uint64_t cpu_ms(void)
{
    struct rusage use;
    assert_int_equal(getrusage(RUSAGE_SELF, &use), 0);
    return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
           (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
}

static void an_idle_pool_uses_no_cpu(void **state)
{
    (void)state;
    static pool p;
    if (!MEASURED || getenv("PATIO_TEST_NO_TIMING") != NULL) {
        skip();
    }
    pool_open(&p, 8, 200);
    for (int i = 0; i < 100; i++) { /* so that it has been awake */
        assert_status(submit(&p, i, NULL), PATIO_OK);
    }
    AWAIT(atomic_load(&p.ended) == 100);
    uint64_t until  = test_now_ms() + 300;
    uint64_t before = cpu_ms();
    /* one sleep of this thread, which therefore uses none itself */
    struct timespec idle = {.tv_nsec = 300 * 1000000};
    while (test_now_ms() < until) {
        nanosleep(&idle, NULL);
    }
    assert_in_range(cpu_ms() - before, 0, 100);
    pool_close(&p);
}

static void without_memory_there_is_no_executor(void **state)
{
    (void)state;
    static pool p;
    assert_status(pool_create(&p, 2, 0), PATIO_OK);
    p.ops->destroy(p.x);
    p.host.memory.fail_at                     = atomic_load(&p.host.memory.calls) + 1;
    patio_option_value    values[OPTIONS_MAX] = {{.number = 1}, {.number = 1}, {.number = 65536}};
    patio_executor_params params = {PATIO_SIZED(patio_executor_params), .values = values,
                                    .events = &p.events};
    assert_status(p.ops->create(&p.host.table, &params, &p.x, NULL), PATIO_NO_MEMORY);
    fake_host_check_empty(&p.host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_the_workers_and_ids_are_right),
        cmocka_unit_test(an_executor_that_never_started_can_be_destroyed),
        cmocka_unit_test(options_have_limits_that_hold_for_their_defaults),
        cmocka_unit_test(a_full_queue_refuses_until_there_is_room),
        cmocka_unit_test(jobs_of_one_worker_run_in_the_order_of_submitting),
        cmocka_unit_test(as_many_long_jobs_as_workers_run_side_by_side),
        cmocka_unit_test(long_jobs_after_many_short_ones_run_side_by_side),
        cmocka_unit_test(a_long_job_never_holds_others_while_a_worker_is_idle),
        cmocka_unit_test(short_jobs_before_a_long_one_that_was_submitted_behind_them_all_run),
        cmocka_unit_test(stop_gives_back_what_has_not_started),
        cmocka_unit_test(what_is_submitted_while_stopping_is_done_or_refused),
        cmocka_unit_test(an_idle_pool_uses_no_cpu),
        cmocka_unit_test(without_memory_there_is_no_executor),
    };
    return RUN_TESTS("thread executor", tests);
}
