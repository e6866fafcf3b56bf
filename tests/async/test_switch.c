/* From stack to stack and back: what must stay the same stays the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fenv.h>
#include <stdlib.h>
#include <string.h>

#include "switch.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* They would have to be told of each switch, which is fiber.c's affair. */
#define SKIP_IF_SANITIZED() skip()
#else
#define SKIP_IF_SANITIZED() (void)0
#endif

enum { STACKS = 4, STACK_BYTES = 64 * 1024 };

static context  home;
static context  away[STACKS];
static uint8_t *stacks[STACKS];
static int      seen[STACKS];
static double   sums[STACKS];

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < STACKS; i++) {
        stacks[i] = malloc(STACK_BYTES);
        seen[i]   = 0;
        sums[i]   = 0;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < STACKS; i++) {
        free(stacks[i]);
    }
    return 0;
}

static void count(void *arg)
{
    int    me    = *(int *)arg;
    double third = 1.0 / (3 + me);
    /* more than one register's worth, kept over the switch */
    int a = me, b = me * 2, c = me * 3, d = me * 5, e = me * 7, f = me * 11;
    for (;;) {
        seen[me]++;
        sums[me] += third * (a + b + c + d + e + f);
        context_switch(&away[me], &home);
    }
}

static void each_stack_goes_on_where_it_was(void **state)
{
    (void)state;
    SKIP_IF_SANITIZED();
    int places[STACKS] = {0, 1, 2, 3};
    for (int i = 0; i < STACKS; i++) {
        context_make(&away[i], stacks[i], STACK_BYTES, count, &places[i]);
    }
    for (int round = 1; round <= 1000; round++) {
        for (int i = 0; i < STACKS; i++) {
            context_switch(&home, &away[i]);
            assert_int_equal(seen[i], round);
        }
    }
    for (int i = 0; i < STACKS; i++) {
        double each = 1.0 / (3 + i) * (29 * i);
        assert_true(sums[i] >= each * 999.9 && sums[i] < each * 1000.1 + 1e-9);
    }
}

static void use_deeply(void *arg)
{
    for (;;) {
        volatile uint8_t bytes[STACK_BYTES / 2];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)i;
        }
        *(int *)arg += bytes[17];
        context_switch(&away[0], &home);
        *(int *)arg += bytes[18]; /* still there */
    }
}

static void the_stack_is_aligned_and_usable(void **state)
{
    (void)state;
    SKIP_IF_SANITIZED();
    int sum = 0;
    context_make(&away[0], stacks[0], STACK_BYTES - 7, use_deeply, &sum);
    context_switch(&home, &away[0]);
    assert_int_equal(sum, 17);
    context_switch(&home, &away[0]);
    assert_int_equal(sum, 17 + 18 + 17);
}

static void round_up(void *arg)
{
    (void)arg;
    for (;;) {
        fesetround(FE_UPWARD);
        context_switch(&away[0], &home);
        seen[0] = fegetround();
        context_switch(&away[0], &home);
    }
}

static void how_numbers_are_rounded_belongs_to_the_stack(void **state)
{
    (void)state;
    SKIP_IF_SANITIZED();
    context_make(&away[0], stacks[0], STACK_BYTES, round_up, NULL);
    context_switch(&home, &away[0]);
    assert_int_equal(fegetround(), FE_TONEAREST);
    fesetround(FE_DOWNWARD);
    context_switch(&home, &away[0]);
    assert_int_equal(seen[0], FE_UPWARD);
    assert_int_equal(fegetround(), FE_DOWNWARD);
    fesetround(FE_TONEAREST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_stack_goes_on_where_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(the_stack_is_aligned_and_usable, setup, teardown),
        cmocka_unit_test_setup_teardown(how_numbers_are_rounded_belongs_to_the_stack, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
