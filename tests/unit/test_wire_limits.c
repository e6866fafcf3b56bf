/* Limits of what is written, at their borders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "counted_alloc.h"
#include "wire/envelope.h"

enum { MIB = 1 << 20 };

static pt_request plain_request(void)
{
    return (pt_request){.kind        = PT_KIND_CALL,
                        .task        = "t",
                        .project     = "p",
                        .queue       = "",
                        .traceparent = "",
                        .tracestate  = "",
                        .dedup_key   = ""};
}

static void the_payload_may_be_max_bytes_long(void **state)
{
    (void)state;
    uint8_t     data[1001] = {0};
    pt_request  request    = plain_request();
    pt_reply    reply      = {.status = PATIO_OK};
    patio_buf  *buf        = NULL;
    patio_error err        = PATIO_ERROR_INIT;
    for (size_t size = 999; size <= 1001; size++) {
        patio_status want = size <= 1000 ? PATIO_OK : PATIO_TOO_LARGE;
        assert_int_equal(pt_encode_request(&pt_malloc_allocator, &request,
                                           PATIO_RAW("x", data, size), 1000, &buf, &err),
                         want);
        pt_buf_drop(buf);
        buf = NULL;
        assert_int_equal(pt_encode_reply(&pt_malloc_allocator, &reply, PATIO_RAW("x", data, size),
                                         1000, &buf, &err),
                         want);
        pt_buf_drop(buf);
        buf = NULL;
    }
    assert_non_null(strstr(err.message, "1001 bytes exceeds max_body_bytes (1000)"));
}

static void values_above_max_bytes_are_too_large(void **state)
{
    (void)state;
    static patio_value many[200000]; /* nulls: a byte each, the cheapest there are */
    pt_request         request = plain_request();
    patio_buf         *buf     = NULL;
    patio_payload      payload = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                                  .values = many, .value_count = 200000};
    counted_alloc      ca;
    counted_alloc_init(&ca);
    assert_int_equal(pt_encode_request(&ca.mem, &request, &payload, 1000, &buf, NULL),
                     PATIO_TOO_LARGE);
    assert_int_equal(ca.live_blocks, 0);
    assert_int_equal(pt_encode_request(&ca.mem, &request, &payload, 200008, &buf, NULL), PATIO_OK);
    assert_int_equal(ca.live_blocks, 1);
    pt_buf_drop(buf);
    assert_int_equal(ca.live_blocks, 0);
}

static void a_head_may_be_64_kib_long(void **state)
{
    (void)state;
    static char  value[70000];
    patio_header header  = {"h", value};
    pt_request   request = plain_request();
    patio_buf   *buf     = NULL;
    patio_error  err     = PATIO_ERROR_INIT;
    size_t       most    = 0;
    request.headers      = &header;
    request.header_count = 1;
    memset(value, 'v', sizeof(value));
    for (size_t size = PT_ENVELOPE_HEAD_MAX - 100; size <= PT_ENVELOPE_HEAD_MAX; size++) {
        value[size]     = '\0';
        patio_status st = pt_encode_request(&pt_malloc_allocator, &request,
                                            PATIO_RAW("x", "payload", 7), MIB, &buf, &err);
        value[size]     = 'v';
        if (st == PATIO_OK) {
            assert_int_equal(most, size == PT_ENVELOPE_HEAD_MAX - 100 ? 0 : size - 1);
            most = size;
            /* the whole with its payload's tag and length stays below limit + payload */
            assert_true(pt_buf_view(buf).size <= PT_ENVELOPE_HEAD_MAX + 7);
            pt_buf_drop(buf);
            buf = NULL;
        } else {
            assert_int_equal(st, PATIO_TOO_LARGE);
            assert_non_null(strstr(err.message, "at most 65524 are allowed"));
        }
    }
    /* kind 2, id 18, task 3, project 3, type 3; extra 4, header 4, name 3, value 4 */
    assert_int_equal(most, PT_ENVELOPE_HEAD_MAX - 12 - 44);
}

static void many_headers_are_too_large_not_out_of_memory(void **state)
{
    (void)state;
    static patio_header headers[20000];
    pt_request          request = plain_request();
    patio_buf          *buf     = NULL;
    for (size_t i = 0; i < 20000; i++) {
        headers[i] = (patio_header){"n", ""};
    }
    request.headers      = headers;
    request.header_count = 20000;
    assert_int_equal(
        pt_encode_request(&pt_malloc_allocator, &request, PATIO_NO_ARGS, 1, &buf, NULL),
        PATIO_TOO_LARGE);
    request.header_count = 1000; /* a small body limit does not limit headers */
    assert_int_equal(
        pt_encode_request(&pt_malloc_allocator, &request, PATIO_NO_ARGS, 1, &buf, NULL), PATIO_OK);
    pt_buf_drop(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_may_be_max_bytes_long),
        cmocka_unit_test(values_above_max_bytes_are_too_large),
        cmocka_unit_test(a_head_may_be_64_kib_long),
        cmocka_unit_test(many_headers_are_too_large_not_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
