/* The executor async, driven as a host drives it, with a clock that the test moves. */
#include "executor_world.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- what jobs do ---- */

static void park_for_good(job *j)
{
    j->world->suspend->park(j->world->x, &j->base, UINT64_MAX);
}

static void park_until(job *j)
{
    while (j->world->host.table.now_ns(j->world->host.table.self) < j->until_ns) {
        j->world->suspend->park(j->world->x, &j->base, j->until_ns);
    }
}

static void yield_often(job *j)
{
    for (int i = 0; i < 1000; i++) {
        j->world->suspend->yield(j->world->x, &j->base);
    }
}

static void block(job *j)
{
    (void)j;
    gate_pass(&the_gate);
}

static void wait_for_fd(job *j)
{
    j->status = j->world->suspend->wait_fd(j->world->x, &j->base, j->fd, PATIO_FD_READ, UINT64_MAX,
                                           &j->ready);
}

static void wake(world *w, int i)
{
    w->suspend->wake(w->x, &w->jobs[i].base);
}

/* ---- */

static void it_says_what_it_is(void **state)
{
    (void)state;
    static world w;
    world_open(&w, (setup){.workers = 7});
    assert_int_equal(w.ops->slots(w.x), 7);
    assert_int_equal(w.ops->caps, PATIO_EXECUTOR_RUNS | PATIO_EXECUTOR_ASYNC);
    assert_non_null(w.suspend);
    assert_null(w.ops->query(w.x, "patio.other/1"));
    for (size_t i = 0; w.ops->options[i] != NULL; i++) {
        assert_true(w.ops->options[i]->max > w.ops->options[i]->min);
        assert_non_null(w.ops->options[i]->fallback);
        assert_non_null(w.ops->options[i]->help);
    }
    world_close(&w);
}

static void one_that_never_started_can_be_destroyed(void **state)
{
    (void)state;
    static world w;
    assert_status(world_create(&w, (setup){.workers = 3}), PATIO_OK);
    w.ops->destroy(w.x);
    w.ops->destroy(NULL);
    fake_host_check_empty(&w.host);
    free(w.jobs);
}

static void thousands_are_parked_at_once_and_woken_by_many_threads(void **state)
{
    (void)state;
    for (int64_t loops = 1; loops <= 3; loops++) {
        static world w;
        world_open(&w, (setup){.workers = JOBS_MAX, .loops = loops});
        for (int i = 0; i < JOBS_MAX; i++) {
            assert_status(submit(&w, i, park_for_good), PATIO_OK);
        }
        AWAIT(atomic_load(&w.begun) == JOBS_MAX);
        assert_int_equal(atomic_load(&w.ended), 0);
        for (int i = 0; i < JOBS_MAX; i++) {
            wake(&w, i);
        }
        AWAIT(atomic_load(&w.ended) == JOBS_MAX);
        for (int i = 0; i < JOBS_MAX; i++) {
            assert_int_equal(atomic_load(&w.jobs[i].verdict), PATIO_ACK);
            assert_true(w.jobs[i].same_thread);
        }
        world_close(&w);
    }
}

static void block_then_park(job *j)
{
    gate_pass(&the_gate);
    park_for_good(j);
}

static void a_wake_before_the_park_is_not_lost(void **state)
{
    (void)state;
    static world w;
    world_open(&w, (setup){.workers = 2});
    assert_status(submit(&w, 0, block_then_park), PATIO_OK);
    AWAIT_ARRIVED(&the_gate, 1);
    wake(&w, 0);
    wake(&w, 0);
    gate_open(&the_gate);
    AWAIT(atomic_load(&w.ended) == 1);
    world_close(&w);
}

static void a_cancel_wakes_as_well(void **state)
{
    (void)state;
    static world w;
    world_open(&w, (setup){.workers = 2});
    assert_status(submit(&w, 0, park_for_good), PATIO_OK);
    AWAIT(atomic_load(&w.begun) == 1);
    assert_status(w.ops->cancel(w.x, &w.jobs[0].base, NULL), PATIO_OK);
    AWAIT(atomic_load(&w.ended) == 1);
    world_close(&w);
}

static void a_job_that_waits_to_be_started_is_forgotten_when_cancelled(void **state)
{
    (void)state;
    static world w;
    world_open(&w, (setup){.workers = 1, .queue_max = 10});
    for (int i = 0; i < 6; i++) {
        assert_status(submit(&w, i, park_for_good), PATIO_OK);
    }
    AWAIT(atomic_load(&w.begun) == 1);
    for (int i = 5; i >= 1; i -= 2) {
        assert_status(w.ops->cancel(w.x, &w.jobs[i].base, NULL), PATIO_OK);
        AWAIT(atomic_load(&w.jobs[i].done) == 1);
        assert_int_equal(atomic_load(&w.jobs[i].verdict), PATIO_RETURN);
        assert_int_equal(atomic_load(&w.jobs[i].order), 0);
    }
    for (int i = 0; i < 6; i += 2) {
        AWAIT(atomic_load(&w.jobs[i].order) != 0);
        wake(&w, i);
        AWAIT(atomic_load(&w.jobs[i].done) == 1);
        assert_int_equal(atomic_load(&w.jobs[i].verdict), PATIO_ACK);
    }
    world_close(&w);
}

/* Has somebody set a timer of the host for this moment? */
static bool is_armed(fake_host *h, uint64_t due_ns)
{
    bool armed = false;
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < FAKE_TIMERS; i++) {
        armed = armed || (h->timers[i].number != 0 && h->timers[i].due_ns == due_ns);
    }
    pthread_mutex_unlock(&h->lock);
    return armed;
}

/* In the order in which they are due, and none before the host's clock says so. */
static void sleepers_wake_in_order_on_the_hosts_clock(void **state)
{
    (void)state;
    enum { MANY = 300 };
    static world w;
    world_open(&w, (setup){.workers = MANY});
    uint64_t now = w.host.table.now_ns(w.host.table.self);
    for (int i = 0; i < MANY; i++) {
        w.jobs[i].until_ns = now + (uint64_t)(i * 7 % MANY + 1) * 1000000;
        assert_status(submit(&w, i, park_until), PATIO_OK);
    }
    AWAIT(atomic_load(&w.begun) == MANY);
    for (uint32_t ms = 1; ms <= MANY; ms++) {
        assert_int_equal(atomic_load(&w.ended), ms - 1);
        AWAIT(is_armed(&w.host, now + ms * 1000000));
        fake_host_advance(&w.host, 1);
        AWAIT(atomic_load(&w.ended) == ms);
    }
    world_close(&w);
}

static void who_yields_lets_others_run(void **state)
{
    (void)state;
    static world w;
    world_open(&w, (setup){.workers = 10});
    for (int i = 0; i < 10; i++) {
        assert_status(submit(&w, i, yield_often), PATIO_OK);
    }
    AWAIT(atomic_load(&w.ended) == 10);
    world_close(&w);
}

static void a_descriptor_wakes_its_waiter_and_has_only_one(void **state)
{
    (void)state;
    static world w;
    int          fds[2];
    assert_int_equal(pipe(fds), 0);
    world_open(&w, (setup){.workers = 4});
    w.jobs[0].fd = fds[0];
    w.jobs[1].fd = fds[0];
    assert_status(submit(&w, 0, wait_for_fd), PATIO_OK);
    AWAIT(atomic_load(&w.begun) == 1);
    assert_status(submit(&w, 1, wait_for_fd), PATIO_OK);
    AWAIT(atomic_load(&w.ended) == 1);
    assert_status(w.jobs[1].status, PATIO_EXISTS);
    assert_int_equal(write(fds[1], "x", 1), 1);
    AWAIT(atomic_load(&w.ended) == 2);
    assert_status(w.jobs[0].status, PATIO_OK);
    assert_int_equal(w.jobs[0].ready, PATIO_FD_READ);
    close(fds[0]);
    close(fds[1]);
    world_close(&w);
}

static void no_more_are_in_work_than_workers_and_none_is_beyond_the_queue(void **state)
{
    (void)state;
    static world w;
    patio_error  err = PATIO_ERROR_INIT;
    world_open(&w, (setup){.workers = 2, .queue_max = 3});
    for (int i = 0; i < 5; i++) {
        assert_status(submit(&w, i, park_for_good), PATIO_OK);
    }
    AWAIT(atomic_load(&w.begun) == 2);
    w.jobs[5].base.run = run_job;
    assert_status(w.ops->submit(w.x, &w.jobs[5].base, &err), PATIO_FULL);
    assert_contains(err.message, "queue_max");
    assert_int_equal(atomic_load(&w.rooms), 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(atomic_load(&w.begun), i + 2 < 5 ? i + 2 : 5);
        for (int k = 0; k < 5; k++) { /* whichever was begun in this place */
            if (atomic_load(&w.jobs[k].order) == i + 1) {
                wake(&w, k);
            }
        }
        AWAIT(atomic_load(&w.ended) == i + 1);
        AWAIT(atomic_load(&w.begun) == (i + 3 < 5 ? i + 3 : 5));
    }
    assert_true(atomic_load(&w.rooms) > 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(atomic_load(&w.jobs[i].order), i + 1);
    }
    world_close(&w);
}

/* A hundred of one name delay one of another by one. */
static void names_take_turns_in_the_queue(void **state)
{
    (void)state;
    enum { MANY = 100 };
    static const char many[] = "many";
    static const char rare[] = "rare";
    static world      w;
    world_open(&w, (setup){.workers = 1, .queue_max = 2 * MANY});
    assert_status(submit(&w, 0, block), PATIO_OK);
    AWAIT(atomic_load(&w.begun) == 1);
    for (int i = 1; i <= MANY; i++) {
        assert_status(submit_as(&w, i, many, NULL), PATIO_OK);
    }
    assert_status(submit_as(&w, MANY + 1, rare, NULL), PATIO_OK);
    assert_status(submit_as(&w, MANY + 2, rare, NULL), PATIO_OK);
    gate_open(&the_gate);
    AWAIT(atomic_load(&w.ended) == MANY + 3);
    assert_int_equal(atomic_load(&w.jobs[1].order), 2);
    assert_int_equal(atomic_load(&w.jobs[MANY + 1].order), 3);
    assert_int_equal(atomic_load(&w.jobs[2].order), 4);
    assert_int_equal(atomic_load(&w.jobs[MANY + 2].order), 5);
    for (int i = 3; i <= MANY; i++) {
        assert_int_equal(atomic_load(&w.jobs[i].order), i + 3);
    }
    world_close(&w);
}

static void several_loops_together_have_no_more_in_work_than_workers(void **state)
{
    (void)state;
    for (int64_t workers = 1; workers <= 7; workers++) {
        static world w;
        world_open(&w, (setup){.workers = workers, .loops = 3});
        for (int i = 0; i < 2 * workers; i++) {
            assert_status(submit(&w, i, park_for_good), PATIO_OK);
        }
        AWAIT(atomic_load(&w.begun) == (uint32_t)workers);
        for (int i = 0; i < 2 * workers; i++) { /* in each loop they begin in this order */
            AWAIT(atomic_load(&w.jobs[i].order) != 0);
            assert_true(atomic_load(&w.begun) - atomic_load(&w.ended) <= (uint32_t)workers);
            wake(&w, i);
        }
        AWAIT(atomic_load(&w.ended) == 2 * (uint32_t)workers);
        world_close(&w);
    }
}

static void stop_gives_back_what_has_not_started_and_waits_for_the_rest(void **state)
{
    (void)state;
    static world w;
    patio_error  err = PATIO_ERROR_INIT;
    world_open(&w, (setup){.workers = 1, .queue_max = 10});
    for (int i = 0; i <= 5; i++) {
        assert_status(submit(&w, i, park_for_good), PATIO_OK);
    }
    AWAIT(atomic_load(&w.begun) == 1);
    assert_status(w.ops->stop(w.x, 1, NULL), PATIO_TIMEOUT);
    AWAIT(atomic_load(&w.ended) == 5);
    assert_status(w.ops->stop(w.x, 1, &err), PATIO_TIMEOUT);
    assert_contains(err.message, "1 tasks still run");
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(atomic_load(&w.jobs[i].done), 1);
        assert_int_equal(atomic_load(&w.jobs[i].verdict), PATIO_RETURN);
    }
    assert_status(submit(&w, 6, NULL), PATIO_CLOSED);
    wake(&w, 0);
    assert_status(w.ops->stop(w.x, 20000, NULL), PATIO_OK);
    assert_int_equal(atomic_load(&w.jobs[0].verdict), PATIO_ACK);
    assert_status(w.ops->stop(w.x, 0, NULL), PATIO_OK);
    world_close(&w);
}

static void *submit_many(void *arg)
{
    world *w = arg;
    for (int i = 0; i < 200; i++) {
        (void)submit(w, i, i % 2 == 0 ? yield_often : NULL);
    }
    return NULL;
}

static void what_is_submitted_while_stopping_is_done_or_refused(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        static world w;
        world_open(&w, (setup){.workers = 50, .loops = 1 + round % 3, .queue_max = 1000});
        pthread_t thread = run_thread(submit_many, &w);
        assert_status(w.ops->stop(w.x, 20000, NULL), PATIO_OK);
        join_thread(thread);
        world_close(&w); /* checks that each had its one outcome */
    }
}

static void who_holds_the_loop_is_named_once_and_again_when_it_lets_go(void **state)
{
    (void)state;
    static world w;
    world_open(&w, (setup){.workers = 2, .block_warn_ms = 100});
    assert_status(submit(&w, 0, block), PATIO_OK);
    AWAIT_ARRIVED(&the_gate, 1);
    /* the first look may come before the task was begun */
    for (int i = 0; i < 3; i++) {
        fake_host_advance(&w.host, 100);
    }
    assert_int_equal(atomic_load(&w.host.log_lines), 1);
    for (int i = 0; i < 5; i++) {
        fake_host_advance(&w.host, 100);
    }
    assert_int_equal(atomic_load(&w.host.log_lines), 1);
    gate_open(&the_gate);
    AWAIT(atomic_load(&w.ended) == 1);
    assert_int_equal(atomic_load(&w.host.log_lines), 2);
    /* one that waits is not named */
    assert_status(submit(&w, 1, park_for_good), PATIO_OK);
    AWAIT(atomic_load(&w.begun) == 2);
    for (int i = 0; i < 5; i++) {
        fake_host_advance(&w.host, 100);
    }
    wake(&w, 1);
    AWAIT(atomic_load(&w.ended) == 2);
    assert_int_equal(atomic_load(&w.host.log_lines), 2);
    world_close(&w);
}

static void without_memory_jobs_go_back_and_later_ones_run(void **state)
{
    (void)state;
    static world w;
    world_open(&w, (setup){.workers = 500});
    /* each allocation that a first job needs, until it needs no more */
    int i = 0;
    for (; i < 100 && atomic_load(&w.ended) == (uint32_t)i; i++) {
        w.host.memory.fail_at = atomic_load(&w.host.memory.calls) + 1 + (size_t)i;
        atomic_store(&w.host.memory.failed, false);
        assert_status(submit(&w, i, NULL), PATIO_OK);
        AWAIT(atomic_load(&w.ended) == (uint32_t)i + 1);
        if (!atomic_load(&w.host.memory.failed)) {
            break;
        }
        assert_int_equal(atomic_load(&w.jobs[i].verdict), PATIO_RETURN);
    }
    assert_int_equal(atomic_load(&w.jobs[i].verdict), PATIO_ACK);
    assert_true(i > 1);
    w.host.memory.fail_at = 0;
    world_close(&w);
}

static void without_memory_there_is_no_executor(void **state)
{
    (void)state;
    static world w;
    assert_status(world_create(&w, (setup){.workers = 2}), PATIO_OK);
    w.ops->destroy(w.x);
    w.host.memory.fail_at                     = atomic_load(&w.host.memory.calls) + 1;
    patio_option_value    values[OPTIONS_MAX] = {{.number = 1}, {.number = 1}, {.number = 1}};
    patio_executor_params params = {PATIO_SIZED(patio_executor_params), .values = values,
                                    .events = &w.events};
    assert_status(w.ops->create(&w.host.table, &params, &w.x, NULL), PATIO_NO_MEMORY);
    fake_host_check_empty(&w.host);
    free(w.jobs);
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

static void an_idle_loop_uses_no_cpu(void **state)
{
    (void)state;
    static world w;
    if (!MEASURED || getenv("PATIO_TEST_NO_TIMING") != NULL) {
        skip();
    }
    world_open(&w, (setup){.workers = 200, .loops = 2, .block_warn_ms = 100});
    for (int i = 0; i < 200; i++) { /* half of them stay, and wait */
        assert_status(submit(&w, i, i % 2 == 0 ? yield_often : park_for_good), PATIO_OK);
    }
    AWAIT(atomic_load(&w.ended) == 100);
    uint64_t until  = test_now_ms() + 300;
    uint64_t before = cpu_ms();
    /* one sleep of this thread, which therefore uses none itself */
    struct timespec idle = {.tv_nsec = 300 * 1000000};
    while (test_now_ms() < until) {
        nanosleep(&idle, NULL);
    }
    assert_in_range(cpu_ms() - before, 0, 50);
    for (int i = 1; i < 200; i += 2) {
        wake(&w, i);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_it_is),
        cmocka_unit_test(one_that_never_started_can_be_destroyed),
        cmocka_unit_test(thousands_are_parked_at_once_and_woken_by_many_threads),
        cmocka_unit_test(a_wake_before_the_park_is_not_lost),
        cmocka_unit_test(a_cancel_wakes_as_well),
        cmocka_unit_test(a_job_that_waits_to_be_started_is_forgotten_when_cancelled),
        cmocka_unit_test(sleepers_wake_in_order_on_the_hosts_clock),
        cmocka_unit_test(who_yields_lets_others_run),
        cmocka_unit_test(a_descriptor_wakes_its_waiter_and_has_only_one),
        cmocka_unit_test(no_more_are_in_work_than_workers_and_none_is_beyond_the_queue),
        cmocka_unit_test(names_take_turns_in_the_queue),
        cmocka_unit_test(several_loops_together_have_no_more_in_work_than_workers),
        cmocka_unit_test(stop_gives_back_what_has_not_started_and_waits_for_the_rest),
        cmocka_unit_test(what_is_submitted_while_stopping_is_done_or_refused),
        cmocka_unit_test(who_holds_the_loop_is_named_once_and_again_when_it_lets_go),
        cmocka_unit_test(without_memory_jobs_go_back_and_later_ones_run),
        cmocka_unit_test(without_memory_there_is_no_executor),
        cmocka_unit_test(an_idle_loop_uses_no_cpu),
    };
    return RUN_TESTS("async executor", tests);
}
