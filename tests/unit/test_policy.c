#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "wire/envelope.h"
#include "wire/policy.h"

static patio_buf *encode(const pt_policy *policy)
{
    patio_buf *buf     = NULL;
    pt_request request = {
        .kind        = PT_KIND_CALL,
        .task        = "t",
        .project     = "p",
        .queue       = "",
        .traceparent = "",
        .tracestate  = "",
        .dedup_key   = "",
        .ttl_ms      = 5000,
        .policy      = policy,
    };
    assert_int_equal(pt_encode_request(&pt_malloc_allocator, &request, NULL, 1024, &buf, NULL),
                     PATIO_OK);
    return buf;
}

static void what_the_caller_said_wins_over_the_worker(void **state)
{
    (void)state;
    pt_policy  said = {.attempt_timeout_ms = 7,
                       .max_attempts       = 2,
                       .backoff            = 2,
                       .backoff_base_ms    = 40,
                       .queue_ttl_ms       = 9,
                       .result_ttl_ms      = UINT64_MAX};
    patio_buf *buf  = encode(&said);
    pt_policy  mine = {.attempt_timeout_ms = 1,
                       .max_attempts       = 5,
                       .max_crashes        = 3,
                       .backoff_cap_ms     = 600,
                       .backoff_count      = 4};
    uint64_t   ttl  = 0;
    pt_policy_read(pt_buf_view(buf), &mine, &ttl);
    assert_int_equal(ttl, 5000);
    assert_int_equal(mine.attempt_timeout_ms, 7);
    assert_int_equal(mine.max_attempts, 2);
    assert_int_equal(mine.max_crashes, 3); /* nothing was said */
    assert_int_equal(mine.backoff, PATIO_BACKOFF_FIXED);
    assert_int_equal(mine.backoff_base_ms, 40);
    assert_int_equal(mine.backoff_cap_ms, 600);
    assert_int_equal(mine.backoff_count, 0);
    assert_int_equal(mine.queue_ttl_ms, 9);
    assert_true(mine.result_ttl_ms == UINT64_MAX);
    pt_buf_drop(buf);
}

static void a_list_and_an_ack_mode_travel(void **state)
{
    (void)state;
    pt_policy  said = {.ack             = PATIO_ACK_ON_START + 1,
                       .backoff         = PATIO_BACKOFF_FIXED + 1,
                       .backoff_base_ms = 3,
                       .backoff_count   = 3,
                       .backoff_list_ms = {5, 0, 2592000000}};
    patio_buf *buf  = encode(&said);
    pt_policy  mine = {.ack = PATIO_ACK_ON_RECEIVE, .backoff_count = 1};
    uint64_t   ttl  = 0;
    pt_policy_read(pt_buf_view(buf), &mine, &ttl);
    assert_int_equal(mine.ack, PATIO_ACK_ON_START);
    assert_int_equal(mine.backoff_count, 3);
    assert_int_equal(pt_policy_backoff_ms(&mine, 1, 9), 5);
    assert_int_equal(pt_policy_backoff_ms(&mine, 2, 9), 0);
    assert_int_equal(pt_policy_backoff_ms(&mine, 7, 9), 2592000000);
    pt_buf_drop(buf);
}

/* As it may come from a stranger: 40 waits, an ack mode of a later version. */
static void what_is_beyond_bounds_is_cut_or_ignored(void **state)
{
    (void)state;
    uint8_t request[2 + 3 + 4 + 40] = {8 << 3 | 2, 47, 0x82, 0x01, 44, 9 << 3, 77, 10 << 3 | 2, 40};
    memset(request + 9, 1, 40);
    pt_policy mine = {.ack = PATIO_ACK_ON_START};
    uint64_t  ttl  = 0;
    pt_policy_read((patio_bytes){request, sizeof(request)}, &mine, &ttl);
    assert_int_equal(mine.ack, PATIO_ACK_ON_START);
    assert_int_equal(mine.backoff_count, PT_BACKOFF_LIST_MAX);
}

static void nothing_said_changes_nothing(void **state)
{
    (void)state;
    patio_buf *buf  = encode(NULL);
    pt_policy  mine = {.max_attempts = 5};
    uint64_t   ttl  = 0;
    pt_policy_read(pt_buf_view(buf), &mine, &ttl);
    assert_int_equal(mine.max_attempts, 5);
    pt_buf_drop(buf);
}

static void no_cut_or_broken_request_does_harm(void **state)
{
    (void)state;
    pt_policy   said  = {.max_attempts = 2, .queue_ttl_ms = 300};
    patio_buf  *buf   = encode(&said);
    patio_bytes whole = pt_buf_view(buf);
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *copy = pt_alloc(&pt_malloc_allocator, size + 1); /* no byte beyond is readable */
        memcpy(copy, whole.data, size);
        for (unsigned bit = 0; size > 0 && bit < 8; bit++) {
            pt_policy mine = {.max_attempts = 5};
            uint64_t  ttl  = 0;
            copy[size - 1] ^= (uint8_t)(1u << bit);
            pt_policy_read((patio_bytes){copy, size}, &mine, &ttl);
            copy[size - 1] ^= (uint8_t)(1u << bit);
        }
        pt_free(&pt_malloc_allocator, copy);
    }
    pt_buf_drop(buf);
}

static void waits_follow_the_kind(void **state)
{
    (void)state;
    pt_policy fixed       = {.backoff = PATIO_BACKOFF_FIXED, .backoff_base_ms = 30};
    pt_policy listed      = {.backoff_count = 2, .backoff_list_ms = {10, 20}};
    pt_policy exponential = {.backoff_base_ms = 10, .backoff_cap_ms = 25};
    assert_int_equal(pt_policy_backoff_ms(&fixed, 1, 99), 30);
    assert_int_equal(pt_policy_backoff_ms(&fixed, 9, 7), 30);
    assert_int_equal(pt_policy_backoff_ms(&listed, 1, 99), 10);
    assert_int_equal(pt_policy_backoff_ms(&listed, 2, 99), 20);
    assert_int_equal(pt_policy_backoff_ms(&listed, 50, 99), 20);
    for (uint64_t random = 0; random < 100; random++) {
        assert_true(pt_policy_backoff_ms(&exponential, 1, random) <= 10);
        assert_true(pt_policy_backoff_ms(&exponential, 3, random) <= 25);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_caller_said_wins_over_the_worker),
        cmocka_unit_test(a_list_and_an_ack_mode_travel),
        cmocka_unit_test(what_is_beyond_bounds_is_cut_or_ignored),
        cmocka_unit_test(nothing_said_changes_nothing),
        cmocka_unit_test(no_cut_or_broken_request_does_harm),
        cmocka_unit_test(waits_follow_the_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
