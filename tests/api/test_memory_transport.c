/* The memory transport, driven as a host drives it: docs/delivery.md word by word. */
#include "memory_bench.h"

#include <string.h>

enum { CALL = PATIO_MESSAGE_CALL | PATIO_MESSAGE_NO_RECEIPT };

/* ---- publishing ---- */

static void every_publish_has_exactly_one_outcome(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    for (uint32_t n = 0; n < 10; n++) {
        assert_status(publish(&i, n, "a", 0, n % 2 * 1000), PATIO_OK);
        assert_int_equal(i.receipts, n + 1);
    }
    assert_int_equal(i.accepted, 10);
    /* with NO_RECEIPT only a failure is told */
    assert_status(publish(&i, 10, "a", PATIO_MESSAGE_NO_RECEIPT, 0), PATIO_OK);
    assert_int_equal(i.receipts, 10);
    /* what is refused by its return has no other outcome */
    assert_status(publish(&i, 11, "nobody", PATIO_MESSAGE_CALL, 0), PATIO_NO_ROUTE);
    assert_int_equal(i.receipts, 10);
    expect_counts(&i, 6, 0, 5, 0);
    instance_close(&i);
    fake_host_check_empty(&host);
}

static void bounds_are_exact(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(
        &i, &host,
        &(instance_options){.max_queued = 3, .max_queued_bytes = 10, .max_body_bytes = 8});
    patio_message m = {.body = fake_buf(&host, "ninebytes")};
    assert_status(publish_message(&i, &m), PATIO_TOO_LARGE);
    host.table.buf_drop(&host, m.body);
    m.body = fake_buf(&host, "8 bytes!");
    assert_status(publish_message(&i, &m), PATIO_OK);
    assert_status(publish_message(&i, &m), PATIO_FULL); /* 16 bytes would be held */
    host.table.buf_drop(&host, m.body);
    m.body = fake_buf(&host, "2b");
    assert_status(publish_message(&i, &m), PATIO_OK);
    assert_status(publish_message(&i, &m), PATIO_FULL);
    host.table.buf_drop(&host, m.body);
    m.body = fake_buf(&host, "");
    assert_status(publish_message(&i, &m), PATIO_OK);
    assert_status(publish_message(&i, &m), PATIO_FULL); /* a fourth */
    host.table.buf_drop(&host, m.body);
    subscribe(&i, 1, "a", NULL);
    settle_ok(&i, delivery(&i, 0)->tag, PATIO_ACK, 0); /* 8 bytes are free again */
    m.body = fake_buf(&host, "8 bytes!");
    assert_status(publish_message(&i, &m), PATIO_OK);
    host.table.buf_drop(&host, m.body);
    instance_close(&i);
    fake_host_check_empty(&host);
}

static void what_is_not_supported_is_named(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    patio_error      err = PATIO_ERROR_INIT;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    patio_message m = {PATIO_SIZED(patio_message), .queue = "q", .task = "a",
                       .body = fake_buf(&host, ""), .level = PATIO_LEVEL_PEER};
    assert_status(i.ops->publish(i.t, &m, &err), PATIO_UNSUPPORTED);
    assert_contains(err.message, "level");
    host.table.buf_drop(&host, m.body);
    assert_int_equal(i.ops->caps & PATIO_CAP_PERSIST, 0);
    expect_counts(&i, 0, 0, 0, 0);
    instance_close(&i);
    fake_host_check_empty(&host);
}

/* ---- delivering ---- */

static void credit_is_never_exceeded(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    for (uint32_t n = 0; n < 50; n++) {
        assert_status(publish(&i, n, "a", 0, 0), PATIO_OK);
    }
    subscribe(&i, 3, "a", NULL);
    assert_int_equal(i.delivered, 3);
    expect_counts(&i, 47, 3, 0, 0);
    static const uint32_t verdicts[] = {PATIO_ACK, PATIO_RETRY, PATIO_RETURN, PATIO_REJECT};
    for (uint32_t n = 0; n < 200; n++) {
        settle_ok(&i, delivery(&i, n)->tag, verdicts[n % 4], n % 8 == 1 ? 50 : 0);
        fake_host_advance(&host, 10);
        if (i.delivered <= n + 1) {
            break;
        }
    }
    assert_int_equal(i.most_unsettled, 3);
    subscribe(&i, 0, "a", NULL); /* pauses */
    uint32_t before = i.delivered;
    assert_status(publish(&i, 100, "a", 0, 0), PATIO_OK);
    assert_int_equal(i.delivered, before);
    subscribe(&i, 10, "a", NULL);
    assert_true(i.delivered > before);
    assert_in_range(i.most_unsettled, 0, 10);
    instance_close(&i);
    fake_host_check_empty(&host);
}

static void only_known_tasks_are_delivered_by_priority_and_age(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    static const uint16_t priorities[] = {4, 9, 0, 4, 9, 0};
    for (uint32_t n = 0; n < 6; n++) {
        patio_message m = {.id       = id_of(n),
                           .task     = n % 2 != 0 ? "b" : "a",
                           .priority = priorities[n],
                           .attempt  = 1};
        assert_status(publish_message(&i, &m), PATIO_OK);
        assert_status(publish(&i, 10 + n, "strange", 0, 0), PATIO_OK);
    }
    subscribe(&i, 100, "a", "b");
    static const uint32_t order[] = {1, 4, 0, 3, 2, 5};
    assert_int_equal(i.delivered, 6);
    for (uint32_t n = 0; n < 6; n++) {
        assert_int_equal(number_of(delivery(&i, n)->id), order[n]);
        assert_int_equal(delivery(&i, n)->priority, priorities[order[n]]);
        assert_int_equal(delivery(&i, n)->fence, 1);
    }
    expect_counts(&i, 6, 6, 0, 0);
    instance_close(&i);
    fake_host_check_empty(&host);
}

static void a_delayed_task_waits_for_its_time(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    subscribe(&i, 10, "a", NULL);
    assert_status(publish(&i, 1, "a", 0, 100), PATIO_OK);
    assert_status(publish(&i, 2, "a", 0, 50), PATIO_OK);
    expect_counts(&i, 0, 0, 2, 0);
    fake_host_advance(&host, 49);
    assert_int_equal(i.delivered, 0);
    fake_host_advance(&host, 1);
    assert_int_equal(i.delivered, 1);
    assert_int_equal(number_of(delivery(&i, 0)->id), 2);
    fake_host_advance(&host, 50);
    assert_int_equal(number_of(delivery(&i, 1)->id), 1);
    expect_counts(&i, 0, 2, 0, 0);
    instance_close(&i);
    fake_host_check_empty(&host);
}

static void a_deadline_travels_as_what_is_left_and_expiry_is_told(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    patio_message m = {.id = id_of(1), .ttl_ms = 100, .attempt = 1};
    assert_status(publish_message(&i, &m), PATIO_OK);
    m.id     = id_of(2);
    m.ttl_ms = 10;
    assert_status(publish_message(&i, &m), PATIO_OK);
    fake_host_advance(&host, 30);
    patio_counts c = {PATIO_SIZED(patio_counts)};
    assert_status(i.ops->counts(i.t, "q", 0, &c, NULL), PATIO_OK);
    assert_int_equal(c.oldest_age_ms, 30);
    subscribe(&i, 10, "a", NULL);
    assert_int_equal(delivery(&i, 0)->ttl_ms, 70);
    assert_int_equal(delivery(&i, 0)->flags & PATIO_MESSAGE_EXPIRED, 0);
    assert_int_not_equal(delivery(&i, 1)->flags & PATIO_MESSAGE_EXPIRED, 0);
    instance_close(&i);
    fake_host_check_empty(&host);
}

static void two_projects_or_names_never_meet(void **state)
{
    (void)state;
    static fake_host host;
    static instance  a;
    static instance  b;
    static instance  c;
    static instance  d;
    fake_host_init(&host);
    instance_open(&a, &host, &(instance_options){.name = "n", .project = "p"});
    instance_open(&b, &host, &(instance_options){.name = "n", .project = "other"});
    instance_open(&c, &host, &(instance_options){.name = "m", .project = "p"});
    instance_open(&d, &host, &(instance_options){.name = "n", .project = "p"});
    subscribe(&b, 10, "a", NULL);
    subscribe(&c, 10, "a", NULL);
    assert_status(publish(&a, 1, "a", CALL, 0), PATIO_NO_ROUTE);
    subscribe(&d, 10, "a", NULL);
    assert_status(publish(&a, 1, "a", CALL, 0), PATIO_OK);
    assert_int_equal(b.delivered + c.delivered, 0);
    assert_int_equal(d.delivered, 1);
    instance_close(&a);
    instance_close(&b);
    instance_close(&c);
    instance_close(&d);
    fake_host_check_empty(&host);
}

/* Work goes to the one with the fewest unsettled. */
static void two_workers_share_the_work(void **state)
{
    (void)state;
    static fake_host host;
    static instance  a;
    static instance  b;
    fake_host_init(&host);
    instance_open(&a, &host, NULL);
    instance_open(&b, &host, NULL);
    subscribe(&a, 5, "a", NULL);
    subscribe(&b, 5, "a", NULL);
    for (uint32_t n = 0; n < 6; n++) {
        assert_status(publish(&a, n, "a", 0, 0), PATIO_OK);
    }
    assert_int_equal(a.delivered, 3);
    assert_int_equal(b.delivered, 3);
    assert_status(a.ops->unsubscribe(a.t, "q", NULL), PATIO_OK);
    assert_status(a.ops->unsubscribe(a.t, "q", NULL), PATIO_NOT_FOUND);
    assert_status(publish(&a, 6, "a", 0, 0), PATIO_OK);
    settle_ok(&a, delivery(&a, 0)->tag, PATIO_RETURN, 0);
    assert_int_equal(a.delivered, 3);
    assert_int_equal(b.delivered, 5);
    instance_close(&a);
    instance_close(&b);
    fake_host_check_empty(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_publish_has_exactly_one_outcome),
        cmocka_unit_test(bounds_are_exact),
        cmocka_unit_test(what_is_not_supported_is_named),
        cmocka_unit_test(credit_is_never_exceeded),
        cmocka_unit_test(only_known_tasks_are_delivered_by_priority_and_age),
        cmocka_unit_test(a_delayed_task_waits_for_its_time),
        cmocka_unit_test(a_deadline_travels_as_what_is_left_and_expiry_is_told),
        cmocka_unit_test(two_projects_or_names_never_meet),
        cmocka_unit_test(two_workers_share_the_work),
    };
    return RUN_TESTS("memory transport", tests);
}
