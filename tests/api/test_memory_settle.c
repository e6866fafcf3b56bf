/* The memory transport: settling, replies, cancelling, dead letters, and leaving. */
#include "memory_bench.h"

#include <string.h>

enum { CALL = PATIO_MESSAGE_CALL | PATIO_MESSAGE_NO_RECEIPT, PUBLISHERS = 4 };

static fake_host host;
static instance  a;
static instance  b;

static int open_both(void **state)
{
    (void)state;
    fake_host_init(&host);
    instance_open(&a, &host, NULL);
    instance_open(&b, &host, NULL);
    return 0;
}

static void close_both(void)
{
    instance_close(&a);
    instance_close(&b);
    fake_host_check_empty(&host);
}

/* ---- settling ---- */

static void settling_twice_or_by_a_wrong_tag_is_stale(void **state)
{
    (void)state;
    subscribe(&a, 5, "a", NULL);
    subscribe(&b, 0, "a", NULL);
    assert_status(publish(&a, 1, "a", 0, 0), PATIO_OK);
    patio_tag tag = delivery(&a, 0)->tag;
    assert_status(settle(&a, 0, PATIO_ACK, 0, NULL), PATIO_STALE);
    assert_status(settle(&a, tag + 1, PATIO_ACK, 0, NULL), PATIO_STALE);
    assert_status(settle(&a, UINT64_MAX, PATIO_ACK, 0, NULL), PATIO_STALE);
    assert_status(settle(&b, tag, PATIO_ACK, 0, NULL), PATIO_STALE); /* of another instance */
    assert_status(settle(&a, tag, 99, 0, NULL), PATIO_INVALID);
    expect_counts(&a, 0, 1, 0, 0);
    settle_ok(&a, tag, PATIO_ACK, 0);
    assert_status(settle(&a, tag, PATIO_ACK, 0, NULL), PATIO_STALE);
    expect_counts(&a, 0, 0, 0, 0);
    /* the slot of the first is used again: its tag is not */
    assert_status(publish(&a, 2, "a", 0, 0), PATIO_OK);
    assert_true(delivery(&a, 1)->tag != tag);
    assert_status(settle(&a, tag, PATIO_ACK, 0, NULL), PATIO_STALE);
    settle_ok(&a, delivery(&a, 1)->tag, PATIO_ACK, 0);
    close_both();
}

static void retry_costs_an_attempt_and_return_does_not(void **state)
{
    (void)state;
    subscribe(&a, 1, "a", NULL);
    assert_status(publish(&a, 1, "a", 0, 0), PATIO_OK);
    assert_int_equal(delivery(&a, 0)->attempt, 1);
    assert_int_equal(delivery(&a, 0)->flags & PATIO_MESSAGE_REDELIVERED, 0);
    settle_ok(&a, delivery(&a, 0)->tag, PATIO_RETRY, 0);
    assert_int_equal(delivery(&a, 1)->attempt, 2);
    assert_int_equal(delivery(&a, 1)->fence, 2);
    assert_int_not_equal(delivery(&a, 1)->flags & PATIO_MESSAGE_REDELIVERED, 0);
    settle_ok(&a, delivery(&a, 1)->tag, PATIO_RETURN, 0);
    assert_int_equal(delivery(&a, 2)->attempt, 2);
    assert_int_equal(delivery(&a, 2)->fence, 3);
    settle_ok(&a, delivery(&a, 2)->tag, PATIO_RETRY, 20);
    expect_counts(&a, 0, 0, 1, 0);
    assert_int_equal(a.delivered, 3);
    fake_host_advance(&host, 20);
    assert_int_equal(delivery(&a, 3)->attempt, 3);
    settle_ok(&a, delivery(&a, 3)->tag, PATIO_RETURN, 20);
    expect_counts(&a, 0, 0, 1, 0);
    fake_host_advance(&host, 20);
    assert_int_equal(delivery(&a, 4)->attempt, 3);
    settle_ok(&a, delivery(&a, 4)->tag, PATIO_ACK, 0);
    expect_counts(&a, 0, 0, 0, 0);
    close_both();
}

static void a_reply_reaches_the_instance_that_called_and_no_other(void **state)
{
    (void)state;
    subscribe(&b, 5, "a", NULL);
    assert_status(publish(&a, 7, "a", CALL, 0), PATIO_OK);
    assert_status(settle(&b, delivery(&b, 0)->tag, PATIO_ACK, 0, "result"), PATIO_OK);
    assert_int_equal(a.replies, 1);
    assert_int_equal(number_of(a.reply_id), 7);
    assert_int_equal(b.replies, 0);
    /* nobody waits for a send: a reply goes nowhere */
    assert_status(publish(&a, 8, "a", 0, 0), PATIO_OK);
    assert_status(settle(&b, delivery(&b, 1)->tag, PATIO_ACK, 0, "result"), PATIO_OK);
    assert_int_equal(a.replies + b.replies, 1);
    /* a caller that has gone costs nothing */
    assert_status(publish(&a, 9, "a", CALL, 0), PATIO_OK);
    instance_stop(&a);
    assert_status(settle(&b, delivery(&b, 2)->tag, PATIO_ACK, 0, "result"), PATIO_OK);
    assert_int_equal(a.replies, 1);
    close_both();
}

static void a_call_that_ends_without_a_reply_is_told(void **state)
{
    (void)state;
    static const uint32_t ends[] = {PATIO_ACK, PATIO_REJECT};
    subscribe(&b, 5, "a", NULL);
    for (uint32_t i = 0; i < 2; i++) {
        assert_status(publish(&a, i, "a", CALL, 0), PATIO_OK);
        settle_ok(&b, delivery(&b, i)->tag, ends[i], 0);
        assert_int_equal(a.receipts, i + 1);
        assert_int_equal(a.accepted + a.replies, 0);
    }
    /* who has had a receipt has no second one */
    assert_status(publish(&a, 3, "a", PATIO_MESSAGE_CALL, 0), PATIO_OK);
    settle_ok(&b, delivery(&b, 2)->tag, PATIO_ACK, 0);
    assert_int_equal(a.receipts, 3);
    assert_int_equal(a.accepted, 1);
    close_both();
}

static void partial_replies_come_before_the_last(void **state)
{
    (void)state;
    subscribe(&b, 5, "a", NULL);
    assert_status(publish(&a, 7, "a", CALL, 0), PATIO_OK);
    patio_buf *part = fake_buf(&host, "part");
    patio_tag  tag  = delivery(&b, 0)->tag;
    assert_status(b.ops->notify(b.t, tag, part, NULL), PATIO_OK);
    assert_status(b.ops->notify(b.t, tag, part, NULL), PATIO_OK);
    assert_status(settle(&b, tag, PATIO_ACK, 0, "last"), PATIO_OK);
    assert_status(b.ops->notify(b.t, tag, part, NULL), PATIO_STALE);
    assert_int_equal(a.partials, 2);
    assert_int_equal(a.replies, 1);
    host.table.buf_drop(&host, part);
    close_both();
}

static void a_claimed_task_is_settled_once_more_and_never_redelivered(void **state)
{
    (void)state;
    subscribe(&b, 5, "a", NULL);
    assert_status(publish(&a, 1, "a", CALL, 0), PATIO_OK);
    settle_ok(&b, delivery(&b, 0)->tag, PATIO_CLAIM, 0);
    expect_counts(&a, 0, 1, 0, 0);
    assert_status(settle(&b, delivery(&b, 0)->tag, PATIO_ACK, 0, "result"), PATIO_OK);
    assert_int_equal(a.replies, 1);
    expect_counts(&a, 0, 0, 0, 0);

    assert_status(publish(&a, 2, "a", 0, 0), PATIO_OK);
    settle_ok(&b, delivery(&b, 1)->tag, PATIO_CLAIM, 0);
    settle_ok(&b, delivery(&b, 1)->tag, PATIO_REJECT, 0);
    expect_counts(&a, 0, 0, 0, 1);

    /* its worker leaves: another must not run it, and the log says that it is gone */
    assert_status(publish(&a, 3, "a", 0, 0), PATIO_OK);
    settle_ok(&b, delivery(&b, 2)->tag, PATIO_CLAIM, 0);
    instance_stop(&b);
    subscribe(&a, 5, "a", NULL);
    assert_int_equal(a.delivered, 0);
    assert_int_equal(atomic_load(&host.log_lines), 1);
    expect_counts(&a, 0, 0, 0, 1);
    close_both();
}

/* ---- dead letters ---- */

static void dead_letters_are_kept_counted_and_bounded(void **state)
{
    (void)state;
    fake_host_init(&host);
    instance_open(&a, &host, &(instance_options){.max_dead = 3});
    instance_open(&b, &host, NULL);
    subscribe(&a, 1, "a", NULL);
    for (uint32_t n = 0; n < 5; n++) {
        assert_status(publish(&b, n, "a", n == 0 ? CALL : 0, 0), PATIO_OK);
        assert_status(settle(&a, delivery(&a, n)->tag, PATIO_REJECT, 0, "error"), PATIO_OK);
        expect_counts(&a, 0, 0, 0, n < 3 ? n + 1 : 3);
        assert_int_equal(atomic_load(&host.log_lines), n < 3 ? 0 : n - 2);
    }
    assert_int_equal(b.replies, 1); /* also for a dead one the caller hears why */
    assert_int_equal(a.delivered, 5);
    close_both();
}

static void without_room_for_dead_letters_each_is_dropped_and_logged(void **state)
{
    (void)state;
    fake_host_init(&host);
    instance_open(&a, &host, &(instance_options){.max_dead = -1});
    instance_open(&b, &host, NULL);
    subscribe(&a, 1, "a", NULL);
    assert_status(publish(&b, 1, "a", 0, 0), PATIO_OK);
    settle_ok(&a, delivery(&a, 0)->tag, PATIO_REJECT, 0);
    expect_counts(&a, 0, 0, 0, 0);
    assert_int_equal(atomic_load(&host.log_lines), 1);
    close_both(); /* nothing leaks */
}

/* ---- cancelling ---- */

static void cancel(instance *i, uint32_t number, uint32_t outcome)
{
    uint32_t before = i->cancels;
    patio_id id     = id_of(number);
    assert_status(i->ops->cancel(i->t, "q", &id, NULL), PATIO_OK);
    assert_int_equal(i->cancels, before + 1);
    assert_int_equal(i->cancel_outcome, outcome);
}

static void cancel_removes_the_queued_and_the_delayed_and_tells_the_running(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 4; n++) {
        assert_status(publish(&a, n, "a", 0, n == 4 ? 1000 : 0), PATIO_OK);
    }
    expect_counts(&a, 3, 0, 1, 0);
    cancel(&b, 2, PATIO_CANCEL_REMOVED); /* out of the middle */
    expect_counts(&a, 2, 0, 1, 0);
    cancel(&b, 4, PATIO_CANCEL_REMOVED);
    expect_counts(&a, 2, 0, 0, 0);
    fake_host_advance(&host, 2000);
    subscribe(&a, 5, "a", NULL);
    assert_int_equal(a.delivered, 2);
    assert_int_equal(number_of(delivery(&a, 0)->id), 1);
    assert_int_equal(number_of(delivery(&a, 1)->id), 3);

    cancel(&b, 3, PATIO_CANCEL_TOLD);
    assert_int_equal(a.cancel_wanted, 1);
    assert_true(a.cancel_tag == delivery(&a, 1)->tag);
    cancel(&b, 3, PATIO_CANCEL_TOLD);
    assert_int_equal(a.cancel_wanted, 1); /* at most once per tag */
    settle_ok(&a, delivery(&a, 1)->tag, PATIO_ACK, 0);
    cancel(&b, 3, PATIO_CANCEL_TOO_LATE);
    cancel(&b, 99, PATIO_CANCEL_TOO_LATE);
    settle_ok(&a, delivery(&a, 0)->tag, PATIO_REJECT, 0);
    cancel(&b, 1, PATIO_CANCEL_TOO_LATE); /* dead */
    close_both();
}

static void a_worker_that_drains_still_hears_of_a_cancel(void **state)
{
    (void)state;
    subscribe(&a, 5, "a", NULL);
    assert_status(publish(&b, 1, "a", 0, 0), PATIO_OK);
    assert_status(a.ops->unsubscribe(a.t, "q", NULL), PATIO_OK);
    cancel(&b, 1, PATIO_CANCEL_TOLD);
    assert_int_equal(a.cancel_wanted, 1);
    settle_ok(&a, delivery(&a, 0)->tag, PATIO_ACK, 0);
    close_both();
}

/* ---- leaving ---- */

static void what_a_leaving_worker_held_goes_to_another_with_a_higher_fence(void **state)
{
    (void)state;
    subscribe(&a, 5, "a", NULL);
    assert_status(publish(&b, 1, "a", 0, 0), PATIO_OK);
    settle_ok(&a, delivery(&a, 0)->tag, PATIO_RETRY, 0);
    assert_int_equal(delivery(&a, 1)->attempt, 2);
    assert_int_equal(delivery(&a, 1)->fence, 2);
    subscribe(&b, 5, "a", NULL);
    instance_stop(&a);
    assert_int_equal(b.delivered, 1);
    assert_int_equal(delivery(&b, 0)->attempt, 2);
    assert_int_equal(delivery(&b, 0)->fence, 3);
    assert_int_not_equal(delivery(&b, 0)->flags & PATIO_MESSAGE_REDELIVERED, 0);
    assert_status(settle(&a, delivery(&a, 1)->tag, PATIO_ACK, 0, NULL), PATIO_CLOSED);
    assert_status(settle(&b, delivery(&a, 1)->tag, PATIO_ACK, 0, NULL), PATIO_STALE);
    settle_ok(&b, delivery(&b, 0)->tag, PATIO_ACK, 0);
    expect_counts(&b, 0, 0, 0, 0);
    close_both();
}

static void a_stopped_instance_is_closed_and_what_it_sent_lives_on(void **state)
{
    (void)state;
    patio_id           id = id_of(1);
    patio_subscription s  = {PATIO_SIZED(patio_subscription), .credit = 1, .queue = "q"};
    assert_status(publish(&a, 1, "a", 0, 0), PATIO_OK);
    assert_status(publish(&a, 2, "a", 0, 100), PATIO_OK);
    instance_stop(&a);
    assert_status(publish(&a, 3, "a", 0, 0), PATIO_CLOSED);
    assert_status(settle(&a, 1, PATIO_ACK, 0, NULL), PATIO_CLOSED);
    assert_status(a.ops->cancel(a.t, "q", &id, NULL), PATIO_CLOSED);
    assert_status(a.ops->subscribe(a.t, &s, NULL), PATIO_CLOSED);
    a.ops->destroy(a.t);
    a.ops->destroy(NULL);
    subscribe(&b, 5, "a", NULL);
    fake_host_advance(&host, 100);
    assert_int_equal(b.delivered, 2);
    instance_close(&b);
    fake_host_check_empty(&host);
}

static void what_is_left_when_the_last_one_goes_is_freed(void **state)
{
    (void)state;
    subscribe(&a, 2, "a", NULL);
    for (uint32_t n = 0; n < 500; n++) {
        assert_status(
            publish(&a, n, n % 3 != 0 ? "a" : "b", n % 2 != 0 ? CALL : 0, n % 50 == 7 ? 1000 : 0),
            n % 3 == 0 && n % 2 != 0 ? PATIO_NO_ROUTE : PATIO_OK);
    }
    settle_ok(&a, delivery(&a, 0)->tag, PATIO_REJECT, 0);
    close_both();
}

typedef struct publisher {
    instance        *from;
    _Atomic uint32_t closed;
    uint32_t         first;
    uint32_t         taken;
} publisher;

static void *publish_until_closed(void *arg)
{
    publisher *p = arg;
    for (uint32_t n = 0; n < 200000; n++) {
        patio_status st = publish(p->from, p->first + n, "a", n % 2 != 0 ? CALL : 0, 0);
        p->taken += st == PATIO_OK;
        if (st == PATIO_CLOSED) {
            break;
        }
        if (n == 50) {
            atomic_store(&p->closed, 1);
        }
    }
    atomic_store(&p->closed, 1);
    return NULL;
}

/* Two publish through the instance that stops, two through another that stays. */
static void no_event_comes_after_stop(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        static publisher p[PUBLISHERS];
        pthread_t        threads[PUBLISHERS];
        assert_int_equal(open_both(NULL), 0);
        subscribe(&a, 100000, "a", NULL);
        for (uint32_t i = 0; i < PUBLISHERS; i++) {
            p[i]       = (publisher){.from = i < 2 ? &a : &b, .first = i * 1000000};
            threads[i] = run_thread(publish_until_closed, &p[i]);
        }
        for (uint32_t i = 0; i < PUBLISHERS; i++) {
            AWAIT(atomic_load(&p[i].closed) != 0);
        }
        instance_stop(&a);
        uint32_t delivered = a.delivered;
        join_thread(threads[0]);
        join_thread(threads[1]);
        assert_int_equal(a.delivered, delivered);
        a.ops->destroy(a.t); /* while the other two go on: they must not touch it any more */
        instance_stop(&b);
        join_thread(threads[2]);
        join_thread(threads[3]);
        assert_int_equal(atomic_load(&a.after_stop), 0);
        instance_close(&b);
        fake_host_check_empty(&host);
    }
}

int main(void)
{
#define WITH_BOTH(test) cmocka_unit_test_setup(test, open_both)
    const struct CMUnitTest tests[] = {
        WITH_BOTH(settling_twice_or_by_a_wrong_tag_is_stale),
        WITH_BOTH(retry_costs_an_attempt_and_return_does_not),
        WITH_BOTH(a_reply_reaches_the_instance_that_called_and_no_other),
        WITH_BOTH(a_call_that_ends_without_a_reply_is_told),
        WITH_BOTH(partial_replies_come_before_the_last),
        WITH_BOTH(a_claimed_task_is_settled_once_more_and_never_redelivered),
        cmocka_unit_test(dead_letters_are_kept_counted_and_bounded),
        cmocka_unit_test(without_room_for_dead_letters_each_is_dropped_and_logged),
        WITH_BOTH(cancel_removes_the_queued_and_the_delayed_and_tells_the_running),
        WITH_BOTH(a_worker_that_drains_still_hears_of_a_cancel),
        WITH_BOTH(what_a_leaving_worker_held_goes_to_another_with_a_higher_fence),
        WITH_BOTH(a_stopped_instance_is_closed_and_what_it_sent_lives_on),
        WITH_BOTH(what_is_left_when_the_last_one_goes_is_freed),
        cmocka_unit_test(no_event_comes_after_stop),
    };
    return RUN_TESTS("memory settle", tests);
}
