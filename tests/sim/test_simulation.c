/* Thousands of interleavings of publish, deliver, run, settle, cancel, expire, retry, lost leases
 * and operators, on one thread, with a clock and a random source that the test owns. Each seed is
 * one history; a ledger decides. `sim_test_simulation SEED` repeats one. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "world.h"

enum {
    TASKS_MAX = 400,
    STEPS     = 160,
    WORKERS   = 2,
    HISTORIES = 4000,
    BUDGET_MS = 12000,
    HOUR      = 3600000
};

/* What a task does is in its argument. */
enum { DO_OK, DO_FAIL, DO_RETRY, DO_RETRY_ONCE, DO_SNOOZE_ONCE, DO_KINDS };

typedef struct record {
    patio_id      id;
    patio_future *future; /* of a call */
    uint32_t      kind;
    uint32_t      starts;
    uint32_t      ends; /* that were OK */
    bool          accepted;
    bool          removed; /* by a cancel or a purge, or it may have been */
    bool          dead;
    bool          calls_back;
} record;

typedef struct history {
    fixture       f;
    uint64_t      random;
    sim_world     worlds[WORKERS];
    patio_broker *workers[WORKERS];
    record        tasks[TASKS_MAX];
    uint32_t      count;
} history;

static history *h; /* the one that is played */

static uint32_t draw(uint32_t below)
{
    h->random = h->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(h->random >> 33) % below;
}

static patio_status task_play(patio_context *ctx)
{
    int64_t n = 0;
    assert_int_equal(patio_arg_int64(ctx, 0, &n), PATIO_OK);
    assert_in_range(n, 0, h->count);
    record *r = &h->tasks[n];
    r->starts++;
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
    case DO_SNOOZE_ONCE:
        if (r->starts == 1) {
            return patio_task_snooze(ctx, 5000);
        }
        break;
    default:
        break;
    }
    r->ends++;
    return PATIO_OK;
}

static void open_worker(uint32_t w)
{
    char world[64];
    h->worlds[w].slots = 1 + draw(4);
    (void)snprintf(world, sizeof(world), "executor.world=%llx",
                   (unsigned long long)(uintptr_t)&h->worlds[w]);
    h->workers[w] =
        start_broker(&h->f, h->f.registry, SETTINGS("broker=memory://sim", "executor=sim", world));
}

/* What it holds goes back: leases lost. */
static void close_worker(uint32_t w)
{
    if (h->workers[w] != NULL) {
        (void)patio_broker_stop(h->workers[w], 0, NULL);
        patio_broker_destroy(h->workers[w]);
        h->workers[w] = NULL;
    }
}

static void play_job(uint32_t w)
{
    sim_world *world = &h->worlds[w];
    if (h->workers[w] == NULL || world->count == 0) {
        return;
    }
    uint32_t   i      = draw(world->count);
    patio_job *job    = world->jobs[i];
    world->jobs[i]    = world->jobs[--world->count];
    patio_outcome out = {PATIO_SIZED(patio_outcome)};
    job->run(job, &out);
    world->events->done(world->events->self, job, &out);
}

static void move(uint64_t ms)
{
    assert_ok(patio_runtime_advance(h->f.runtime, ms, 0, &h->f.err), h->f.err);
}

static void begin_task(void)
{
    if (h->count == TASKS_MAX) {
        return;
    }
    record            *r = &h->tasks[h->count];
    patio_call_options o = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE,
                            .priority = PATIO_PRIORITY(draw(10))};
    r->kind              = draw(DO_KINDS);
    r->calls_back        = draw(2) == 0;
    o.delay_ms           = draw(4) == 0 ? draw(10000) : 0;
    h->count++;
    if (r->calls_back) {
        o.timeout_ms = 1 + draw(60000);
        r->accepted  = patio_start(h->f.broker, "play", PATIO_ARGS((int64_t)h->count - 1), &o,
                                   &r->future, &h->f.err) == PATIO_OK;
        r->id        = r->accepted ? patio_future_id(r->future) : r->id;
        return;
    }
    o.queue_ttl_ms = draw(5) == 0 ? 1 + draw(20000) : 0;
    r->accepted    = patio_send(h->f.broker, "play", PATIO_ARGS((int64_t)h->count - 1), &o, &r->id,
                                &h->f.err) == PATIO_OK;
}

static void cancel_one(void)
{
    uint32_t outcome = 0;
    if (h->count == 0) {
        return;
    }
    record *r = &h->tasks[draw(h->count)];
    if (r->accepted && r->future != NULL && draw(2) == 0) {
        patio_future_cancel(r->future);
        r->removed = true;
    } else if (r->accepted) {
        assert_ok(patio_cancel(h->f.broker, NULL, r->id, 0, &outcome, &h->f.err), h->f.err);
        r->removed = r->removed || outcome != PATIO_CANCEL_TOO_LATE;
    }
}

/* What waits is gone, and may be counted as removed from here on. */
static void purge(void)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        patio_task_report report = {PATIO_SIZED(patio_task_report)};
        assert_ok(patio_result_get(h->f.broker, NULL, h->tasks[i].id, 0, &report, NULL, &h->f.err),
                  h->f.err);
        h->tasks[i].removed = h->tasks[i].removed || report.state == PATIO_STATE_QUEUED;
    }
    assert_ok(patio_queue_purge(h->f.broker, NULL, 0, &count, &h->f.err), h->f.err);
}

static void step(void)
{
    static const uint32_t states[] = {PATIO_QUEUE_OPEN, PATIO_QUEUE_OPEN, PATIO_QUEUE_PAUSED,
                                      PATIO_QUEUE_DRAINING};
    uint32_t              w        = draw(WORKERS);
    uint32_t              what     = draw(100);
    if (what < 40) {
        begin_task();
    } else if (what < 70) {
        play_job(w);
    } else if (what < 82) {
        move(draw(8000));
    } else if (what < 88) {
        cancel_one();
    } else if (what < 91) {
        close_worker(w);
    } else if (what < 95) {
        if (h->workers[w] == NULL) {
            open_worker(w);
        }
    } else if (what < 97) {
        assert_ok(patio_queue_set_state(h->f.broker, NULL, states[draw(4)], 0, &h->f.err),
                  h->f.err);
    } else if (what < 98) {
        assert_ok(patio_queue_set_limit(h->f.broker, NULL, draw(3), 0, &h->f.err), h->f.err);
    } else if (what < 99) {
        assert_ok(patio_dead_retry(h->f.broker, NULL, NULL, 0, NULL, &h->f.err), h->f.err);
    } else {
        purge();
    }
}

static bool is_empty(void)
{
    patio_counts c = counts_of(h->f.broker, NULL);
    return c.ready + c.leased + c.delayed == 0;
}

/* Until nothing is left to do; a retry's last back-off is ten minutes. */
static void finish(void)
{
    assert_ok(patio_queue_set_state(h->f.broker, NULL, PATIO_QUEUE_OPEN, 0, &h->f.err), h->f.err);
    assert_ok(patio_queue_set_limit(h->f.broker, NULL, 0, 0, &h->f.err), h->f.err);
    for (uint32_t w = 0; w < WORKERS; w++) {
        if (h->workers[w] == NULL) {
            open_worker(w);
        }
    }
    for (uint32_t n = 0; n < 10000 && !is_empty(); n++) {
        for (uint32_t w = 0; w < WORKERS; w++) {
            while (h->worlds[w].count > 0) {
                play_job(w);
            }
        }
        move(n % 8 == 0 ? 60000 : 1000);
    }
    move(2 * (uint64_t)HOUR);
}

static int32_t note_dead(void *arg, const patio_dead_info *d)
{
    uint32_t *count = arg;
    for (uint32_t i = 0; i < h->count; i++) {
        if (memcmp(&h->tasks[i].id, &d->id, sizeof(d->id)) == 0) {
            assert_false(h->tasks[i].dead); /* in there once */
            h->tasks[i].dead = true;
            ++*count;
        }
    }
    return 0;
}

/* Nothing that was accepted is missing; every call has one end; nothing runs more than it may. */
static void judge(uint64_t seed)
{
    uint32_t dead = 0;
    if (!is_empty()) {
        fail_msg("seed %llu: something never ended", (unsigned long long)seed);
    }
    assert_ok(patio_dead_list(h->f.broker, NULL, NULL, TASKS_MAX, 0, note_dead, &dead, &h->f.err),
              h->f.err);
    assert_int_equal(dead, counts_of(h->f.broker, NULL).dead);
    for (uint32_t i = 0; i < h->count; i++) {
        record *r = &h->tasks[i];
        if (!r->accepted) {
            assert_int_equal(r->starts, 0);
            continue;
        }
        if (r->calls_back && !patio_future_done(r->future)) {
            fail_msg("seed %llu: call %u has no end", (unsigned long long)seed, i);
        }
        if (!r->calls_back && r->ends == 0 && !r->dead && !r->removed) {
            fail_msg("seed %llu: task %u (kind %u, %u starts) is lost", (unsigned long long)seed, i,
                     r->kind, r->starts);
        }
        if (r->ends > 1) {
            fail_msg("seed %llu: task %u was done %u times", (unsigned long long)seed, i, r->ends);
        }
    }
}

/* Plays one history and returns what is left of it as a number. */
static uint64_t play(uint64_t seed)
{
    uint64_t digest = 0;
    h               = calloc(1, sizeof(*h));
    assert_non_null(h);
    h->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    fixture_init_with(&h->f, PATIO_RUNTIME_MANUAL_CLOCK | PATIO_RUNTIME_SEEDED, seed);
    assert_ok(patio_runtime_add_plugin_dir(h->f.runtime, SIM_PLUGINS, &h->f.err), h->f.err);
    add_task(h->f.registry, "play", task_play, NULL);
    h->f.broker = start_broker(&h->f, NULL, SETTINGS("broker=memory://sim"));
    for (uint32_t n = 0; n < STEPS; n++) {
        step();
    }
    finish();
    judge(seed);
    for (uint32_t i = 0; i < h->count; i++) {
        const record *r = &h->tasks[i];
        uint64_t      x = r->starts + 17u * r->ends + 31u * r->dead + 63u * r->removed;
        digest          = (digest ^ x ^ r->id.bytes[3]) * UINT64_C(0x100000001b3);
        patio_future_destroy(r->future);
    }
    for (uint32_t w = 0; w < WORKERS; w++) {
        close_worker(w);
    }
    fixture_close(&h->f);
    free(h);
    return digest;
}

static uint64_t only;

static void no_history_loses_a_task(void **state)
{
    (void)state;
    uint64_t until  = test_now_ms() + BUDGET_MS;
    uint64_t played = 0;
    if (only != 0) {
        (void)play(only);
        return;
    }
    for (uint64_t seed = 1; seed <= HISTORIES && test_now_ms() < until; seed++) {
        (void)play(seed);
        played++;
    }
    print_message("%llu histories\n", (unsigned long long)played);
    assert_true(played > 20);
}

static void a_seed_repeats_its_history(void **state)
{
    (void)state;
    assert_true(play(3) == play(3));
    assert_true(play(3) != play(4));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_seed_repeats_its_history),
                                       cmocka_unit_test(no_history_loses_a_task)};
    only                            = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    return RUN_TESTS("simulation", tests);
}
