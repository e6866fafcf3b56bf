/* The arithmetic under the benchmark: percentiles, medians, ratios, payloads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/metrics.h"
#include "src/payload.h"
#include "src/samples.h"

static void percentile_is_the_nearest_rank(void **state)
{
    (void)state;
    uint64_t samples[1000];
    for (size_t i = 0; i < 1000; i++) {
        samples[i] = 1000 - i;
    }
    bench_samples_sort(samples, 1000);
    assert_int_equal(bench_samples_at(samples, 1000, 0.5), 500);
    assert_int_equal(bench_samples_at(samples, 1000, 0.99), 990);
    assert_int_equal(bench_samples_at(samples, 1000, 0.999), 999);
    assert_int_equal(bench_samples_at(samples, 1000, 1.0), 1000);
    assert_int_equal(bench_samples_at(samples, 1000, 0.0), 1);
}

static void percentile_of_one_and_of_none(void **state)
{
    (void)state;
    const uint64_t one = 7;
    assert_int_equal(bench_samples_at(&one, 1, 0.5), 7);
    assert_int_equal(bench_samples_at(&one, 1, 0.999), 7);
    assert_int_equal(bench_samples_at(NULL, 0, 0.5), 0);
}

static void median_of_odd_and_even(void **state)
{
    (void)state;
    double odd[]  = {9.0, 1.0, 5.0};
    double even[] = {4.0, 1.0, 2.0, 9.0};
    assert_true(bench_median(odd, 3) == 5.0);
    assert_true(bench_median(even, 4) == 3.0);
}

static void median_of_what_was_not_measured_is_not_a_number(void **state)
{
    (void)state;
    double some[] = {1.0, NAN, 2.0};
    assert_true(isnan(bench_median(some, 3)));
    assert_true(isnan(bench_median(some, 0)));
}

static void ratio_without_its_floor_is_not_a_number(void **state)
{
    (void)state;
    bench_metrics m;
    bench_metrics_init(&m);
    m.value[BENCH_P50_US]        = 60.0;
    m.value[BENCH_FLOOR_HANDOFF] = 40.0;
    bench_metrics_ratios(&m, true);
    assert_true(m.value[BENCH_RATIO_HANDOFF] == 1.5);
    assert_true(isnan(m.value[BENCH_RATIO_TCP]));
    assert_true(isnan(m.value[BENCH_RATIO_QUEUE]));
}

static void reply_to_another_call_does_not_match(void **state)
{
    (void)state;
    bench_payload p;
    assert_true(bench_payload_init(&p, 20));
    bench_payload_stamp(&p, bench_stamp(1, 2));
    patio_value echo = patio_blob(p.data, p.size);
    assert_true(bench_payload_matches(&p, bench_stamp(1, 2), &echo));
    assert_false(bench_payload_matches(&p, bench_stamp(1, 3), &echo));
    assert_false(bench_payload_matches(&p, bench_stamp(2, 2), &echo));
    echo.size--;
    assert_false(bench_payload_matches(&p, bench_stamp(1, 2), &echo));
    assert_false(bench_payload_matches(&p, bench_stamp(1, 2), NULL));
    bench_payload_fini(&p);
}

static void digests_tell_loss_and_repetition_apart_from_none(void **state)
{
    (void)state;
    const uint8_t one[]   = {1, 0, 0, 0, 0, 0, 0, 0};
    const uint8_t two[]   = {2, 0, 0, 0, 0, 0, 0, 0};
    const uint8_t three[] = {3, 0, 0, 0, 0, 0, 0, 0};
    uint64_t      sent    = bench_payload_digest(one, 8) + bench_payload_digest(three, 8);
    assert_true(sent != 2 * bench_payload_digest(two, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentile_is_the_nearest_rank),
        cmocka_unit_test(percentile_of_one_and_of_none),
        cmocka_unit_test(median_of_odd_and_even),
        cmocka_unit_test(median_of_what_was_not_measured_is_not_a_number),
        cmocka_unit_test(ratio_without_its_floor_is_not_a_number),
        cmocka_unit_test(reply_to_another_call_does_not_match),
        cmocka_unit_test(digests_tell_loss_and_repetition_apart_from_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
