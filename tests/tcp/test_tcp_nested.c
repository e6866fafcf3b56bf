/* Two busy peers whose tasks call each other: replies and control need no credit, so what waits
 * for them never waits in vain. Every slot of both sides is held by tasks that call the other side,
 * and more calls wait than there is credit. */
#include "nested_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tcp_world.h"

enum {
    CHAINS_MAX = 10, /* of each side */
    MORE       = 20, /* calls of each side that find no credit */
};

/* Replies, and the replies to what they let go on, while neither side may be given a task. */
static void replies_come_without_credit(void **state)
{
    enum { CHAINS = 2, SLOTS = 3 * CHAINS }; /* levels 0 and 2 run there, level 1 of theirs, too */
    patio_future *chains[2 * CHAINS];
    patio_future *more[2 * MORE];
    begin(*state, "prefetch=0", SETTINGS("executor.workers", "6", "executor.extra_workers", "0"));
    atomic_store(&tickets, 0);
    for (int i = 0; i < 2 * CHAINS; i++) {
        chains[i] = start(i % 2 == 0 ? &a : &b, 2, 1, WAIT_MS);
    }
    wait_count(&innermost, 2 * CHAINS);
    for (int i = 0; i < 2 * MORE; i++) {
        more[i] = start(i % 2 == 0 ? &a : &b, UNTIL_OPEN, 1, WAIT_MS);
    }
    for (int i = 0; i < 2 * CHAINS; i++) {
        size_t which = 0;
        expect_no_credit(&a, SLOTS);
        expect_no_credit(&b, SLOTS);
        atomic_store(&tickets, 1);
        assert_int_equal(patio_future_wait_any(chains, (size_t)(2 * CHAINS - i), WAIT_MS, &which),
                         PATIO_OK);
        end_well(chains[which], 2, 1);
        chains[which] = chains[2 * CHAINS - i - 1];
    }
    expect_no_credit(&a, SLOTS);
    expect_no_credit(&b, SLOTS);
    atomic_store(&gate, true);
    for (int i = 0; i < 2 * MORE; i++) {
        end_well(more[i], 0, 1);
    }
}

/* All slots wait for tasks that find none. It lies in the slots that this cannot go on; a cancel
 * comes through nevertheless, frees one, and all others end in results. */
static void a_cancel_comes_without_credit(void **state)
{
    enum { SLOTS = 2 };
    patio_future *f[2 * SLOTS];
    begin(*state, "prefetch=0", SETTINGS("executor.workers", "2", "executor.extra_workers", "0"));
    atomic_store(&gather, 2 * SLOTS);
    for (int i = 0; i < 2 * SLOTS; i++) {
        f[i] = start(i % 2 == 0 ? &a : &b, 1, 1, WAIT_MS);
    }
    wait_count(&callers, 2 * SLOTS);
    expect_no_credit(&a, SLOTS);
    expect_no_credit(&b, SLOTS);
    patio_future_cancel(f[0]);
    assert_int_equal(patio_future_status(f[0], NULL), PATIO_CANCELLED);
    patio_future_destroy(f[0]);
    for (int i = 1; i < 2 * SLOTS; i++) {
        end_well(f[i], 1, 1);
    }
}

/* The same with nobody who helps: all end by their deadline, and both sides are whole again. */
static void without_slots_calls_end_by_their_deadline(void **state)
{
    enum { SLOTS = 2, DEADLINE_MS = 700 };
    patio_future *f[2 * SLOTS];
    begin(*state, "prefetch=0", SETTINGS("executor.workers", "2", "executor.extra_workers", "0"));
    atomic_store(&gather, 2 * SLOTS);
    for (int i = 0; i < 2 * SLOTS; i++) {
        f[i] = start(i % 2 == 0 ? &a : &b, 1, 1, DEADLINE_MS);
    }
    assert_int_equal(patio_future_wait_all(f, (size_t)2 * SLOTS, DEADLINE_MS + 2000), PATIO_OK);
    for (int i = 0; i < 2 * SLOTS; i++) {
        patio_error  err = PATIO_ERROR_INIT;
        patio_status st  = patio_future_status(f[i], &err);
        /* later ones may get the slot of the first yet */
        if (st != PATIO_TIMEOUT && (i == 0 || st != PATIO_OK)) {
            fail_msg("call %d: %s", i, st == PATIO_OK ? "a result" : err.message);
        }
        patio_future_destroy(f[i]);
    }
    end_well(start(&a, 0, 1, WAIT_MS), 0, 1);
    end_well(start(&b, 0, 1, WAIT_MS), 0, 1);
}

static void chains_of_both_sides(int chains, int64_t depth, size_t size)
{
    patio_future *f[2 * CHAINS_MAX];
    for (int i = 0; i < 2 * chains; i++) {
        f[i] = start(i % 2 == 0 ? &a : &b, depth, size, WAIT_MS);
    }
    for (int i = 0; i < 2 * chains; i++) {
        end_well(f[i], depth, size);
    }
}

/* Threads lend the slots of tasks that wait: what they wait for finds one, however few there are.
 */
static void lent_slots_bring_all_to_their_end(void **state)
{
    begin(*state, "", SETTINGS("executor.workers", "2"));
    chains_of_both_sides(CHAINS_MAX, 4, 1);
}

/* The same where waiting costs no thread, with tasks and replies that fill both write queues. */
static void full_write_queues_bring_all_to_their_end(void **state)
{
    begin(*state, "write_queue_bytes=64KiB",
          SETTINGS("executor", "async", "executor.workers", "400"));
    chains_of_both_sides(CHAINS_MAX, 4, LARGE);
}

int main(void)
{
#define OVER(scheme, name)                                                                         \
    {                                                                                              \
#name ", " #scheme, name, NULL, end, scheme##_scheme                                       \
    }
    static char tcp_scheme[] = "tcp";
    static char tls_scheme[] = "tls";

    const struct CMUnitTest tests[] = {
        OVER(tcp, replies_come_without_credit),
        OVER(tls, replies_come_without_credit),
        OVER(tcp, a_cancel_comes_without_credit),
        OVER(tls, a_cancel_comes_without_credit),
        OVER(tcp, without_slots_calls_end_by_their_deadline),
        OVER(tcp, lent_slots_bring_all_to_their_end),
        OVER(tls, lent_slots_bring_all_to_their_end),
        OVER(tcp, full_write_queues_bring_all_to_their_end),
        OVER(tls, full_write_queues_bring_all_to_their_end),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
