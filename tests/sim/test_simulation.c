/* Thousands of interleavings of publish, deliver, run, crash, settle, cancel, expire, retry, lost
 * leases, dedup keys and operators, on one thread, with a clock and a random source that the test
 * owns. Each seed is one history; a ledger decides. Each day has other seeds; one that fails is
 * named. `sim_test_simulation SEED [COUNT]` repeats one, or so many from there on. */
#include "history.h"

#include <time.h>

enum {
    STEPS     = 160,
    ORDERS    = 50,
    ORDERED   = 40,
    PLENTY    = 4000, /* histories; enough, and they take no longer than BUDGET_MS … */
    BUDGET_MS = 12000,
    FEWEST    = SIM_FEWEST /* … but for these, however long they take */
};

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
            open_worker(w, 1 + draw(4));
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

/* Nothing that was accepted is missing; every call has one end; nothing runs more than it may. */
static void judge(void)
{
    if (!is_empty()) {
        fail_msg("something never ended");
    }
    look_at_the_dead();
    for (uint32_t i = 0; i < h->count; i++) {
        record *r = &h->tasks[i];
        if (!r->accepted) {
            assert_int_equal(r->starts, 0);
            continue;
        }
        if (r->calls_back && !patio_future_done(r->future)) {
            fail_msg("call %u has no end", i);
        }
        if (r->calls_back && !r->repeats && r->ends == 0 &&
            patio_future_status(r->future, NULL) == PATIO_OK) {
            fail_msg("call %u is answered and was never done", i);
        }
        if (!r->calls_back && r->ends == 0 && !r->dead && !r->removed) {
            fail_msg("task %u (kind %u, %u starts) is lost", i, r->kind, r->starts);
        }
    }
}

/* Plays one history and returns what is left of it as a number. */
static uint64_t play(uint64_t seed)
{
    uint64_t digest = 0;
    history_open(seed);
    for (uint32_t n = 0; n < STEPS; n++) {
        step();
    }
    finish();
    judge();
    for (uint32_t i = 0; i < h->count; i++) {
        const record *r = &h->tasks[i];
        uint64_t      x = r->starts + 17u * r->ends + 31u * r->dead + 63u * r->removed;
        digest          = (digest ^ x ^ r->id.bytes[3]) * UINT64_C(0x100000001b3);
        patio_future_destroy(r->future);
    }
    history_close();
    return digest;
}

static uint64_t first;
static uint64_t wanted; /* histories; 0: as many as there is time for */

static void no_history_loses_a_task(void **state)
{
    (void)state;
    uint64_t until  = test_now_ms() + BUDGET_MS;
    uint64_t played = 0;
    while (wanted != 0 ? played < wanted
                       : played < FEWEST || (played < PLENTY && test_now_ms() < until)) {
        (void)play(first + played);
        played++;
    }
    print_message(
        "%llu histories from %llu on: %llu crashes, %llu runs acknowledged before, %llu "
        "duplicates, %llu replaced, %llu cancelled, %llu purged, %llu back from the dead\n",
        (unsigned long long)played, (unsigned long long)first, (unsigned long long)seen.crashes,
        (unsigned long long)seen.once, (unsigned long long)seen.repeats,
        (unsigned long long)seen.replaced, (unsigned long long)seen.cancelled,
        (unsigned long long)seen.purged, (unsigned long long)seen.back);
    assert_true(wanted != 0 ||
                (seen.crashes > 0 && seen.once > 0 && seen.repeats > 0 && seen.replaced > 0 &&
                 seen.cancelled > 0 && seen.purged > 0 && seen.back > 0));
}

/* One worker that runs one at a time, and nothing goes wrong: the higher priority is first, and of
 * one priority the older one. */
static void without_faults_the_order_holds(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < ORDERS; n++) {
        uint32_t levels[ORDERED];
        uint32_t before = UINT32_MAX;
        history_open(first + n);
        for (uint32_t i = 0; i < ORDERED; i++) {
            record            *r = &h->tasks[h->count++];
            patio_call_options o = {PATIO_SIZED(patio_call_options)};
            levels[i]            = draw(10);
            o.priority           = PATIO_PRIORITY(levels[i]);
            r->accepted = patio_send(h->f.broker, "play", PATIO_ARGS((int64_t)i), &o, &r->id,
                                     &h->f.err) == PATIO_OK;
            assert_true(r->accepted);
        }
        open_worker(0, 1);
        for (uint32_t i = 0; i < ORDERED; i++) {
            assert_int_equal(h->worlds[0].count, 1);
            uint32_t now = (uint32_t)(task_of(h->worlds[0].jobs[0]->id) - h->tasks);
            assert_true(before == UINT32_MAX || levels[now] < levels[before] ||
                        (levels[now] == levels[before] && now > before));
            before = now;
            run_job(0, 0, false);
        }
        history_close();
    }
}

static void a_seed_repeats_its_history(void **state)
{
    (void)state;
    assert_true(play(3) == play(3));
    assert_true(play(3) != play(4));
}

static int say_how_to_repeat(void **state)
{
    (void)state;
    if (playing != 0) {
        print_message("to repeat it: sim_test_simulation %llu\n", (unsigned long long)playing);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_seed_repeats_its_history, say_how_to_repeat),
        cmocka_unit_test_teardown(without_faults_the_order_holds, say_how_to_repeat),
        cmocka_unit_test_teardown(no_history_loses_a_task, say_how_to_repeat),
    };
    uint64_t day = (uint64_t)time(NULL) / 86400;
    first        = argc > 1 ? strtoull(argv[1], NULL, 10) : day * 100000;
    wanted       = argc > 1 ? 1 : 0;
    wanted       = argc > 2 ? strtoull(argv[2], NULL, 10) : wanted;
    return RUN_TESTS("simulation", tests);
}
