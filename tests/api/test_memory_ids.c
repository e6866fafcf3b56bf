/* The memory transport, asked for tasks by their ids among many. */
#include "memory_bench.h"

enum { MANY = 3000, UNASKED = 70000 };

static void cancel(instance *i, uint32_t number, uint32_t outcome)
{
    uint32_t before = i->cancels;
    patio_id id     = id_of(number);
    assert_status(i->ops->cancel(i->t, "q", &id, NULL), PATIO_OK);
    assert_int_equal(i->cancels, before + 1);
    assert_int_equal(i->cancel_outcome, outcome);
}

static void publish_some(instance *i, uint32_t from, uint32_t count)
{
    for (uint32_t n = from; n < from + count; n++) {
        assert_status(publish(i, n, n % 2 != 0 ? "a" : "b", 0, 0), PATIO_OK);
    }
}

/* Every second one, in an order that jumps; then again. */
static void cancel_every_second(instance *i)
{
    for (uint32_t n = 0; n < MANY / 2; n++) {
        cancel(i, 1 + 2 * (n * 7 % (MANY / 2)), PATIO_CANCEL_REMOVED);
    }
    expect_counts(i, MANY / 2, 0, 0, 0);
    for (uint32_t n = 0; n < MANY / 2; n++) {
        cancel(i, 1 + 2 * n, PATIO_CANCEL_TOO_LATE);
    }
}

static void each_is_found_and_what_is_gone_is_not(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    publish_some(&i, 1, MANY);
    cancel_every_second(&i);
    /* their places are taken by others, under other ids */
    publish_some(&i, MANY + 1, MANY);
    cancel(&i, 1, PATIO_CANCEL_TOO_LATE);
    for (uint32_t n = MANY + 1; n <= 2 * MANY; n++) {
        cancel(&i, n, PATIO_CANCEL_REMOVED);
    }
    expect_counts(&i, MANY / 2, 0, 0, 0);
    /* a settled one is gone, too */
    subscribe(&i, 1, "b", NULL);
    cancel(&i, 2, PATIO_CANCEL_TOLD);
    settle_ok(&i, delivery(&i, 0)->tag, PATIO_ACK, 0);
    cancel(&i, 2, PATIO_CANCEL_TOO_LATE);
    instance_close(&i);
    fake_host_check_empty(&host);
}

/* The index goes when nobody asks for long, and comes back; many more than it was made for. */
static void who_asks_again_after_long_finds_them_all(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    publish_some(&i, 1, MANY);
    cancel(&i, MANY, PATIO_CANCEL_REMOVED);
    publish_some(&i, MANY + 1, UNASKED);
    for (uint32_t n = 1; n <= MANY + UNASKED; n += 97) {
        cancel(&i, n, PATIO_CANCEL_REMOVED);
        cancel(&i, n, PATIO_CANCEL_TOO_LATE);
    }
    instance_close(&i);
    fake_host_check_empty(&host);
}

static void without_memory_for_an_index_it_looks_at_all(void **state)
{
    (void)state;
    static fake_host host;
    static instance  i;
    fake_host_init(&host);
    instance_open(&i, &host, NULL);
    publish_some(&i, 1, MANY);
    host.memory.fail_at = atomic_load(&host.memory.calls) + 1;
    cancel(&i, MANY, PATIO_CANCEL_REMOVED);
    assert_true(atomic_load(&host.memory.failed));
    cancel(&i, MANY, PATIO_CANCEL_TOO_LATE);
    cancel(&i, MANY - 1, PATIO_CANCEL_REMOVED);
    instance_close(&i);
    fake_host_check_empty(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_and_what_is_gone_is_not),
        cmocka_unit_test(who_asks_again_after_long_finds_them_all),
        cmocka_unit_test(without_memory_for_an_index_it_looks_at_all),
    };
    return RUN_TESTS("memory: ids", tests);
}
