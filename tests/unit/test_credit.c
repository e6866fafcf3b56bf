#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/credit.h"

enum { CAPACITY = 8 };

static void share(pt_claim *shares, size_t count, bool strict)
{
    pt_credit_share(shares, count, CAPACITY, strict);
}

static void queues_that_want_share_by_weight(void **state)
{
    (void)state;
    pt_claim s[] = {{.weight = 3, .most = 8, .wants = true},
                    {.weight = 1, .most = 8, .wants = true}};
    share(s, 2, false);
    assert_int_equal(s[0].credit, 6 + 1);
    assert_int_equal(s[1].credit, 2 + 1);
}

static void an_idle_queue_lends_its_share_and_keeps_one(void **state)
{
    (void)state;
    pt_claim s[] = {{.weight = 3, .most = 8, .held = 0},
                    {.weight = 1, .most = 8, .held = 8, .wants = true}};
    share(s, 2, false);
    assert_int_equal(s[0].credit, 1);
    assert_int_equal(s[1].credit, 8 + 1);
}

static void what_a_quiet_queue_holds_is_not_lent(void **state)
{
    (void)state;
    pt_claim s[] = {{.weight = 1, .most = 8, .held = 3},
                    {.weight = 1, .most = 8, .held = 4, .wants = true}};
    share(s, 2, false);
    assert_int_equal(s[0].credit, 4);
    assert_int_equal(s[1].credit, 5 + 1);
}

static void the_executor_bounds_a_share_and_the_rest_goes_to_others(void **state)
{
    (void)state;
    pt_claim s[] = {{.weight = 9, .most = 2, .wants = true},
                    {.weight = 1, .most = 8, .wants = true}};
    share(s, 2, false);
    assert_int_equal(s[0].credit, 2 + 1);
    assert_int_equal(s[1].credit, 6 + 1);
}

static void in_strict_order_the_first_gets_all_it_wants(void **state)
{
    (void)state;
    pt_claim s[] = {{.weight = 1, .most = 8, .wants = true},
                    {.weight = 1, .most = 8, .wants = true},
                    {.weight = 1, .most = 8, .held = 0}};
    share(s, 3, true);
    assert_int_equal(s[0].credit, 8 + 1);
    assert_int_equal(s[1].credit, 1);
    assert_int_equal(s[2].credit, 1);
}

static void in_strict_order_a_quiet_first_leaves_the_rest(void **state)
{
    (void)state;
    pt_claim s[] = {{.weight = 1, .most = 8, .held = 2},
                    {.weight = 1, .most = 8, .held = 8, .wants = true}};
    share(s, 2, true);
    assert_int_equal(s[0].credit, 3);
    assert_int_equal(s[1].credit, 6 + 1);
}

/* Its one more is all that a small weight needs. */
static void a_small_weight_leaves_the_slots_to_a_large_one(void **state)
{
    (void)state;
    pt_claim s[] = {{.weight = 1, .most = 8, .wants = true},
                    {.weight = 9, .most = 8, .wants = true}};
    share(s, 2, false);
    assert_int_equal(s[0].credit, 0 + 1);
    assert_int_equal(s[1].credit, 8 + 1);
}

static void one_queue_alone_has_what_there_is(void **state)
{
    (void)state;
    pt_claim s[] = {{.weight = 1, .most = 8, .wants = true}};
    share(s, 1, false);
    assert_int_equal(s[0].credit, 8);
}

static void more_queues_than_slots_have_one_each_at_least(void **state)
{
    (void)state;
    uint32_t sum = 0;
    pt_claim s[10];
    for (size_t i = 0; i < 10; i++) {
        s[i] = (pt_claim){.weight = (uint32_t)i + 1, .most = 8, .wants = true};
    }
    share(s, 10, false);
    for (size_t i = 0; i < 10; i++) {
        assert_in_range(s[i].credit, 1, 3);
        sum += s[i].credit;
    }
    assert_int_equal(sum, CAPACITY + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_that_want_share_by_weight),
        cmocka_unit_test(an_idle_queue_lends_its_share_and_keeps_one),
        cmocka_unit_test(what_a_quiet_queue_holds_is_not_lent),
        cmocka_unit_test(the_executor_bounds_a_share_and_the_rest_goes_to_others),
        cmocka_unit_test(in_strict_order_the_first_gets_all_it_wants),
        cmocka_unit_test(in_strict_order_a_quiet_first_leaves_the_rest),
        cmocka_unit_test(a_small_weight_leaves_the_slots_to_a_large_one),
        cmocka_unit_test(one_queue_alone_has_what_there_is),
        cmocka_unit_test(more_queues_than_slots_have_one_each_at_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
