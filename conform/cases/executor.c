/* Cases 301 to 329: executors. */
#include <stdlib.h>

#include "executor_bench.h"

static void it_lives_and_dies_without_work(kit *k)
{
    bench *b = bench_make(k);
    bench_create_or_skip(b);
    k->xops->destroy(b->x); /* never started */
    KIT_STATUS(k, bench_create(b, NULL), PATIO_OK, "create");
    KIT_STATUS(k, k->xops->start(b->x, NULL), PATIO_OK, "start");
    bench_close(b);
    k->xops->destroy(NULL);
}

static void slots_are_constant(kit *k)
{
    bench   *b     = bench_open(k);
    uint32_t slots = k->xops->slots(b->x);
    bool     runs  = (k->xops->caps & PATIO_EXECUTOR_RUNS) != 0;
    KIT_CHECK(k, runs ? slots > 0 : slots == 0, "%u slots of an executor that runs %s", slots,
              runs ? "tasks" : "nothing");
    KIT_EQUAL(k, k->xops->slots(b->x), slots, "slots");
    kit_note(k, "%u slots", slots);
    bench_close(b);
}

static void what_runs_nothing_says_so(kit *k)
{
    if ((k->xops->caps & PATIO_EXECUTOR_RUNS) != 0) {
        kit_skip(k, "it runs tasks");
    }
    bench *b = bench_open(k);
    KIT_STATUS(k, bench_submit(b, 0, BENCH_QUICK), PATIO_UNSUPPORTED, "submit");
    bench_close(b);
}

/* Programs take a thousand times as long. */
static uint32_t many(const bench *b)
{
    return b->external ? 100 : 500;
}

static void each_job_is_done_exactly_once(kit *k)
{
    bench   *b     = bench_open(k);
    uint32_t count = many(b);
    for (uint32_t n = 0; n < count;) {
        patio_status st = bench_submit(b, n, BENCH_QUICK);
        if (st == PATIO_FULL) {
            kit_wait_change(k);
            continue;
        }
        KIT_STATUS(k, st, PATIO_OK, "submit");
        n++;
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) >= count, "%u of %u jobs are done",
              atomic_load(&b->finished), count);
    for (uint32_t n = 0; n < count; n++) {
        KIT_EQUAL(k, atomic_load(&b->runs[n].started), 1, "runs of one job");
        KIT_EQUAL(k, b->runs[n].verdict, PATIO_ACK, "verdict");
        KIT_EQUAL(k, b->runs[n].reply, 50, "bytes of the reply");
    }
    KIT_CHECK(k, atomic_load(&b->most) <= k->xops->slots(b->x), "%u ran at once, %u slots",
              atomic_load(&b->most), k->xops->slots(b->x));
    bench_close(b);
}

static void as_many_run_at_once_as_there_are_slots(kit *k)
{
    bench   *b     = bench_open(k);
    uint32_t slots = k->xops->slots(b->x);
    uint32_t use   = slots < 64 ? slots : 64;
    if (!bench_can_wait(b)) {
        bench_close(b);
        kit_skip(k, "its tasks must not block their thread");
    }
    for (uint32_t n = 0; n < use; n++) {
        KIT_STATUS(k, bench_submit(b, n, BENCH_LASTING), PATIO_OK, "submit");
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->running) == use, "%u of %u run at once",
              atomic_load(&b->running), use);
    for (uint32_t n = 0; n < use; n++) {
        bench_release(b, n);
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) == use, "they do not end");
    bench_close(b);
}

static void done_may_submit_the_next(kit *k)
{
    bench   *b     = bench_open(k);
    uint32_t count = b->external ? 20 : 200;
    atomic_store(&b->chain, count);
    KIT_STATUS(k, bench_submit(b, 0, BENCH_QUICK), PATIO_OK, "submit");
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) >= count + 1, "%u of %u jobs are done",
              atomic_load(&b->finished), count + 1);
    bench_close(b);
}

static void stop_gives_back_what_has_not_started(kit *k)
{
    bench   *b     = bench_open(k);
    uint32_t slots = k->xops->slots(b->x);
    if (slots > 64 || !bench_can_wait(b)) {
        bench_close(b);
        kit_skip(k, "it has too many slots to fill, or its tasks must not block");
    }
    uint32_t taken = 0;
    while (taken < slots + 10 && bench_submit(b, taken, BENCH_LASTING) == PATIO_OK) {
        taken++;
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->running) == slots, "they do not run");
    patio_error  err  = PATIO_ERROR_INIT;
    uint64_t     from = kit_now_ms();
    patio_status st   = k->xops->stop(b->x, 100, &err);
    uint64_t     took = kit_now_ms() - from;
    bool         ends = (k->xops->caps & PATIO_EXECUTOR_KILL) != 0;
    KIT_CHECK(k, took < 100 + KIT_SOON_MS / 2, "stop with a grace of 100 ms took %llu ms",
              (unsigned long long)took);
    KIT_STATUS(k, st, ends ? PATIO_OK : PATIO_TIMEOUT, "stop while tasks run");
    if (ends) {
        atomic_store(&b->stopped, true);
        for (uint32_t n = 0; n < slots; n++) {
            KIT_EQUAL(k, atomic_load(&b->runs[n].done), 1, "completions of a job that was ended");
        }
    } else {
        kit_check_error(k, &err, PATIO_TIMEOUT, "stop");
    }
    for (uint32_t n = slots; n < taken; n++) {
        KIT_EQUAL(k, atomic_load(&b->runs[n].done), 1, "completions of a job that waited");
        KIT_EQUAL(k, b->runs[n].verdict, PATIO_RETURN, "verdict of a job that waited");
        KIT_EQUAL(k, atomic_load(&b->runs[n].started), 0, "starts of a job that waited");
    }
    KIT_STATUS(k, bench_submit(b, 100, BENCH_QUICK), PATIO_CLOSED, "submit after stop");
    for (uint32_t n = 0; n < slots && !ends; n++) {
        bench_release(b, n);
    }
    bench_close(b);
}

static void submit_after_stop_is_closed(kit *k)
{
    bench *b = bench_open(k);
    KIT_STATUS(k, k->xops->stop(b->x, 1000, NULL), PATIO_OK, "stop");
    atomic_store(&b->stopped, true);
    patio_status st = bench_submit(b, 0, BENCH_QUICK);
    KIT_CHECK(k, st == PATIO_CLOSED || st == PATIO_UNSUPPORTED, "submit after stop returned %s",
              kit_status_name(st));
    bench_close(b);
}

typedef struct feeder {
    bench    *b;
    uint32_t  first;
    uint32_t  count;
    pthread_t thread;
} feeder;

static void *feed(void *arg)
{
    feeder *f = arg;
    for (uint32_t n = 0; n < f->count;) {
        patio_status st = bench_submit(f->b, f->first + n, BENCH_QUICK);
        n += st == PATIO_OK;
        if (st == PATIO_FULL) {
            kit_wait_change(f->b->k);
        } else if (st != PATIO_OK) {
            kit_breach(f->b->k, "submit returned %s", kit_status_name(st));
            break;
        }
    }
    return NULL;
}

static void many_threads_submit_at_once(kit *k)
{
    feeder   f[16];
    bench   *b    = bench_open(k);
    uint32_t each = b->external ? 10 : 200;
    for (uint32_t n = 0; n < 16; n++) {
        f[n] = (feeder){.b = b, .first = n * each, .count = each};
        KIT_CHECK(k, pthread_create(&f[n].thread, NULL, feed, &f[n]) == 0, "no thread");
    }
    for (uint32_t n = 0; n < 16; n++) {
        (void)pthread_join(f[n].thread, NULL);
    }
    KIT_AWAIT(k, 40000, atomic_load(&b->finished) == 16 * each, "%u of %u jobs are done",
              atomic_load(&b->finished), 16 * each);
    bench_close(b);
}

/* Submit from *taken on until it is FULL, or until that is enough. How often room had been said
 * before the FULL: once a job has left the queue for a slot, it may be said before its submit has
 * returned. */
static uint32_t fill_up(bench *b, uint32_t *taken, int task)
{
    uint32_t rooms = atomic_load(&b->rooms);
    while (*taken < BENCH_JOBS && bench_submit(b, *taken, task) == PATIO_OK) {
        rooms = atomic_load(&b->rooms);
        ++*taken;
    }
    return rooms;
}

static void a_full_executor_says_when_there_is_room(kit *k)
{
    bench   *b     = bench_open(k);
    uint32_t taken = 0;
    if (!bench_can_wait(b)) {
        bench_close(b);
        kit_skip(k, "its tasks must not block their thread");
    }
    uint32_t rooms = fill_up(b, &taken, BENCH_LASTING);
    for (uint32_t n = 0; n < taken; n++) {
        bench_release(b, n);
    }
    if (taken < BENCH_JOBS) {
        KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->rooms) > rooms, "FULL, and no room came");
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) == taken, "they do not end");
    kit_note(k, taken < BENCH_JOBS ? "full after %u" : "not full after %u", taken);
    bench_close(b);
}

static void a_queued_job_is_forgotten_when_cancelled(kit *k)
{
    bench      *b     = bench_open(k);
    patio_error err   = PATIO_ERROR_INIT;
    uint32_t    slots = k->xops->slots(b->x);
    if (slots > 64 || !bench_can_wait(b)) {
        bench_close(b);
        kit_skip(k, "it has too many slots to fill, or its tasks must not block");
    }
    for (uint32_t n = 0; n < slots; n++) {
        KIT_STATUS(k, bench_submit(b, n, BENCH_LASTING), PATIO_OK, "submit");
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->running) == slots, "they do not run");
    patio_status st     = bench_submit(b, slots, BENCH_QUICK);
    bool         queued = st == PATIO_OK;
    if (queued) {
        st = bench_cancel(b, slots, &err);
        if (st == PATIO_UNSUPPORTED) {
            kit_check_error(k, &err, st, "cancel");
            kit_note(k, "it cannot cancel, and says so");
        } else {
            KIT_STATUS(k, st, PATIO_OK, "cancel");
            KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->runs[slots].done) == 1, "no completion");
            KIT_EQUAL(k, b->runs[slots].verdict, PATIO_RETURN, "verdict");
            KIT_STATUS(k, b->runs[slots].status, PATIO_CANCELLED, "the outcome");
            KIT_EQUAL(k, atomic_load(&b->runs[slots].started), 0, "starts");
        }
    }
    for (uint32_t n = 0; n < slots; n++) {
        bench_release(b, n);
    }
    bench_close(b);
}

/* Fill the slots with jobs that last, for what waits behind them; false: that cannot be. */
static bool fill_slots(bench *b, uint32_t *slots)
{
    kit *k = b->k;
    *slots = k->xops->slots(b->x);
    if (*slots > 64 || !bench_can_wait(b)) {
        return false;
    }
    for (uint32_t n = 0; n < *slots; n++) {
        KIT_STATUS(k, bench_submit(b, n, BENCH_LASTING), PATIO_OK, "submit");
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->running) == *slots, "they do not run");
    return true;
}

/* Behind the others of one name comes one of another: it waits for one of them at most. */
static void task_names_take_turns(kit *k)
{
    enum { OF_ONE = 4 };
    bench   *b     = bench_open(k);
    uint32_t slots = 0;
    uint32_t n     = 0;
    if (!fill_slots(b, &slots)) {
        bench_close(b);
        kit_skip(k, "it has too many slots to fill, or its tasks must not block");
    }
    while (n <= OF_ONE &&
           bench_submit(b, slots + n, n < OF_ONE ? BENCH_QUICK : BENCH_OTHER) == PATIO_OK) {
        n++;
    }
    bool all = n == OF_ONE + 1;
    bench_release(b, 0); /* one slot: they run one after the other */
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) == n + 1, "%u of %u jobs are done",
              atomic_load(&b->finished), n + 1);
    if (all) {
        KIT_EQUAL(k, atomic_load(&b->runs[slots].order), slots + 1, "the turn of the first");
        KIT_EQUAL(k, atomic_load(&b->runs[slots + OF_ONE].order), slots + 2,
                  "the turn of another name");
    } else {
        kit_note(k, "its queue has only room for %u", n);
    }
    for (n = 1; n < slots; n++) {
        bench_release(b, n);
    }
    bench_close(b);
}

/* Not only the start of a job makes room. */
static void room_comes_also_when_what_waits_is_cancelled(kit *k)
{
    bench      *b     = bench_open(k);
    patio_error err   = PATIO_ERROR_INIT;
    uint32_t    slots = 0;
    if (!fill_slots(b, &slots)) {
        bench_close(b);
        kit_skip(k, "it has too many slots to fill, or its tasks must not block");
    }
    uint32_t     taken = slots;
    uint32_t     rooms = fill_up(b, &taken, BENCH_QUICK);
    patio_status st    = PATIO_OK;
    for (uint32_t n = slots; n < taken && st == PATIO_OK; n++) {
        st = bench_cancel(b, n, &err);
    }
    if (st == PATIO_UNSUPPORTED) {
        kit_note(k, "it cannot cancel, and says so");
    } else {
        KIT_STATUS(k, st, PATIO_OK, "cancel");
        KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) == taken - slots,
                  "%u of %u that were cancelled are done", atomic_load(&b->finished),
                  taken - slots);
        if (taken > slots && taken < BENCH_JOBS) {
            KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->rooms) > rooms,
                      "FULL, then all that waited was cancelled, and no room came");
        }
    }
    for (uint32_t n = 0; n < slots; n++) {
        bench_release(b, n);
    }
    bench_close(b);
}

static void what_the_host_refuses_is_not_run(kit *k)
{
    bench *b = bench_open(k);
    if (!b->external) {
        bench_close(b);
        kit_skip(k, "its jobs ask the host by themselves");
    }
    b->runs[0].refused = true;
    KIT_STATUS(k, bench_submit(b, 0, BENCH_QUICK), PATIO_OK, "submit");
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->runs[0].done) == 1, "it is not done");
    KIT_EQUAL(k, b->runs[0].verdict, PATIO_REJECT, "verdict");
    KIT_STATUS(k, b->runs[0].status, PATIO_TIMEOUT, "the outcome");
    bench_close(b);
}

static void a_running_job_ends_when_cancelled(kit *k)
{
    bench   *b     = bench_open(k);
    uint32_t slots = 0;
    if ((k->xops->caps & PATIO_EXECUTOR_KILL) == 0 || !fill_slots(b, &slots)) {
        bench_close(b);
        kit_skip(k, "it cannot end what runs");
    }
    for (uint32_t n = 0; n < slots; n++) {
        KIT_STATUS(k, bench_cancel(b, n, NULL), PATIO_OK, "cancel");
    }
    KIT_AWAIT(k, KIT_SOON_MS, atomic_load(&b->finished) == slots, "%u of %u have ended",
              atomic_load(&b->finished), slots);
    bench_close(b);
}

static void every_allocation_may_fail(kit *k)
{
    uint64_t tried = 0;
    for (bool whole = false; !whole && tried < 300; tried++) {
        bench      *b    = bench_make(k);
        patio_error err  = PATIO_ERROR_INIT;
        uint64_t    from = atomic_load(&k->host.allocs);
        atomic_store(&k->host.fail_at, from + tried + 1);
        patio_status st = bench_create(b, &err);
        if (st == PATIO_OK) {
            st = bench_add_tasks(b, &err);
            st = st == PATIO_OK ? k->xops->start(b->x, &err) : st;
            if (st == PATIO_OK) {
                st = k->xops->stop(b->x, 1000, NULL);
                atomic_store(&b->stopped, true);
            }
            k->xops->destroy(b->x);
        }
        whole = atomic_load(&k->host.allocs) <= from + tried;
        atomic_store(&k->host.fail_at, 0);
        KIT_CHECK(k, whole || st == PATIO_OK || st == PATIO_NO_MEMORY, "it returned %s",
                  kit_status_name(st));
        if (st != PATIO_OK) {
            kit_check_error(k, &err, st, "create or start");
        }
        bench_free(b);
        kit_host_check_empty(&k->host);
    }
    kit_note(k, "%llu allocations failed in turn", (unsigned long long)tried);
}

const kit_case kit_executor_cases[] = {
#define X(number, name, rule, flags, fn)                                                           \
    {                                                                                              \
        number, 0, name, rule, 0, KIT_EXECUTOR | (flags), NULL, fn                                 \
    }
    X(301, "the_executor_lives_and_dies_without_work", "executor.h life", 0,
      it_lives_and_dies_without_work),
    X(302, "slots_are_constant", "executor.h slots", 0, slots_are_constant),
    X(303, "what_runs_nothing_says_so", "executor.h submit", 0, what_runs_nothing_says_so),
    X(304, "each_job_is_done_exactly_once", "abi: exactly one completion", KIT_RUNS,
      each_job_is_done_exactly_once),
    X(305, "as_many_run_at_once_as_there_are_slots", "executor.h slots", KIT_RUNS,
      as_many_run_at_once_as_there_are_slots),
    X(306, "done_may_submit_the_next", "executor.h done", KIT_RUNS, done_may_submit_the_next),
    X(307, "stop_gives_back_what_has_not_started", "executor.h stop", KIT_RUNS,
      stop_gives_back_what_has_not_started),
    X(308, "submit_after_stop_is_closed", "executor.h submit", 0, submit_after_stop_is_closed),
    X(309, "many_threads_submit_at_once", "executor.h submit", KIT_RUNS,
      many_threads_submit_at_once),
    X(310, "a_full_executor_says_when_there_is_room", "executor.h room", KIT_RUNS,
      a_full_executor_says_when_there_is_room),
    X(311, "a_queued_job_is_forgotten_when_cancelled", "executor.h cancel", KIT_RUNS,
      a_queued_job_is_forgotten_when_cancelled),
    X(313, "task_names_take_turns", "executor.h: fair between names", KIT_RUNS,
      task_names_take_turns),
    X(314, "room_comes_also_when_what_waits_is_cancelled", "executor.h room", KIT_RUNS,
      room_comes_also_when_what_waits_is_cancelled),
    X(315, "what_the_host_refuses_is_not_run", "executor.h begin", KIT_RUNS,
      what_the_host_refuses_is_not_run),
    X(316, "a_running_job_ends_when_cancelled", "executor.h cancel", KIT_RUNS,
      a_running_job_ends_when_cancelled),
    X(312, "an_executor_survives_every_failing_allocation", "abi: memory", 0,
      every_allocation_may_fail),
#undef X
    {0},
};
