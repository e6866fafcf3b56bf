/* Replies there and back, and errors that must arrive whatever they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <demo.pb-c.h>

#include "base/alloc.h"
#include "base/text.h"
#include "wire/envelope.h"
#include "wire/records.h"
#include "wire_bytes.h"

enum { BUDGET = 1 << 20, BODY_MAX = 1 << 20 };

typedef struct fixture {
    pt_arena        arena;
    patio_buf      *buf;
    pt_reply        reply;
    pt_payload_view payload;
    patio_error     err;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->err.struct_size = sizeof(f->err);
    pt_arena_init(&f->arena, &pt_malloc_allocator, NULL, 0, BUDGET);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pt_arena_reset(&f->arena);
    pt_buf_drop(f->buf);
    free(f);
    return 0;
}

static const patio_id some_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static void send_reply(fixture *f, const pt_reply *reply, const patio_payload *payload)
{
    assert_int_equal(
        pt_encode_reply(&pt_malloc_allocator, reply, payload, BODY_MAX, &f->buf, &f->err),
        PATIO_OK);
    assert_int_equal(
        pt_decode_reply(&f->arena, pt_buf_view(f->buf), &f->reply, &f->payload, &f->err), PATIO_OK);
    assert_memory_equal(&f->reply.id, &some_id, sizeof(some_id));
}

static pt_values values_of(fixture *f)
{
    pt_values values;
    assert_int_equal(f->payload.kind, PATIO_PAYLOAD_VALUES);
    assert_int_equal(pt_decode_values(&f->arena, f->payload.bytes, &values, &f->err), PATIO_OK);
    return values;
}

/* ---- success ---- */

static void a_result_of_values_arrives(void **state)
{
    fixture *f     = *state;
    pt_reply reply = {.id = some_id};
    send_reply(f, &reply, PATIO_ARGS(PATIO_LIST(1, 2.5, "three")));
    assert_int_equal(f->reply.status, PATIO_OK);
    assert_string_equal(f->reply.error_type, "");
    assert_string_equal(f->reply.error_message, "");
    assert_int_equal(f->reply.error_details.size, 0);
    pt_values   values = values_of(f);
    patio_value want   = PATIO_LIST(1, 2.5, "three");
    assert_int_equal(values.count, 1);
    assert_true(patio_value_equal(&values.positional[0], &want));
}

static void null_comes_in_two_forms(void **state)
{
    fixture *f     = *state;
    pt_reply reply = {.id = some_id};
    send_reply(f, &reply, PATIO_NO_ARGS); /* nothing was returned */
    assert_int_equal(f->payload.bytes.size, 0);
    assert_int_equal(values_of(f).count, 0);
    pt_buf_drop(f->buf);
    f->buf = NULL;
    send_reply(f, &reply, PATIO_ARGS(patio_null()));
    pt_values values = values_of(f);
    assert_int_equal(values.count, 1);
    assert_int_equal(values.positional[0].type, PATIO_TYPE_NULL);
}

static void empty_lists_and_maps_stay_what_they_are(void **state)
{
    fixture    *f       = *state;
    pt_reply    reply   = {.id = some_id};
    patio_value empty[] = {patio_list(NULL, 0), patio_map(NULL, 0), patio_string(""),
                           patio_blob(NULL, 0)};
    for (size_t i = 0; i < 4; i++) {
        send_reply(f, &reply, PATIO_ARGS(empty[i]));
        pt_values values = values_of(f);
        assert_int_equal(values.count, 1);
        assert_true(patio_value_equal(&values.positional[0], &empty[i]));
        pt_buf_drop(f->buf);
        f->buf = NULL;
    }
}

static void a_raw_and_a_protobuf_result_arrive(void **state)
{
    fixture          *f     = *state;
    pt_reply          reply = {.id = some_id};
    Demo__V1__Order   order;
    ProtobufCMessage *out = NULL;
    demo__v1__order__init(&order);
    order.count = 9;
    send_reply(f, &reply, PATIO_RAW("text/plain", "abc", 3));
    assert_int_equal(f->payload.kind, PATIO_PAYLOAD_RAW);
    assert_string_equal(f->payload.content_type, "text/plain");
    assert_memory_equal(f->payload.bytes.data, "abc", 3);
    pt_buf_drop(f->buf);
    f->buf = NULL;
    send_reply(f, &reply, PATIO_PROTOBUF(&order));
    assert_int_equal(f->payload.kind, PATIO_PAYLOAD_PROTOBUF);
    assert_int_equal(
        pt_decode_message(&f->arena, &f->payload, &demo__v1__order__descriptor, &out, &f->err),
        PATIO_OK);
    assert_int_equal(((const Demo__V1__Order *)(const void *)out)->count, 9);
}

/* ---- errors ---- */

static void an_error_arrives_with_its_details(void **state)
{
    fixture    *f = *state;
    patio_bytes details;
    assert_int_equal(
        pt_encode_values(&f->arena, PATIO_ARGS(PATIO_MAP("row", 7)), &details, &f->err), PATIO_OK);
    pt_reply reply = {
        .id            = some_id,
        .status        = PATIO_TASK_FAILED,
        .code          = INT32_MIN,
        .error_type    = "ZeroDivision",
        .error_message = "b is zero",
        .error_details = details,
    };
    send_reply(f, &reply, PATIO_NO_ARGS);
    assert_int_equal(f->reply.status, PATIO_TASK_FAILED);
    assert_int_equal(f->reply.code, INT32_MIN);
    assert_string_equal(f->reply.error_type, "ZeroDivision");
    assert_string_equal(f->reply.error_message, "b is zero");
    pt_values   values;
    patio_value want = PATIO_MAP("row", 7);
    assert_int_equal(pt_decode_values(&f->arena, f->reply.error_details, &values, &f->err),
                     PATIO_OK);
    assert_true(patio_value_equal(&values.positional[0], &want));
}

static void an_error_without_a_status_is_a_failed_task(void **state)
{
    fixture   *f        = *state;
    wire_bytes envelope = {NULL, 0, 0};
    wire_put_number(&envelope, 2, PT_KIND_REPLY);
    wire_put_bytes(&envelope, 3, some_id.bytes, 16);
    wire_put_bytes(&envelope, 9, NULL, 0);
    assert_int_equal(
        pt_decode_reply(&f->arena, wire_view(&envelope), &f->reply, &f->payload, &f->err),
        PATIO_OK);
    assert_int_equal(f->reply.status, PATIO_TASK_FAILED);
    assert_string_equal(f->reply.error_type, "");
    assert_string_equal(f->reply.error_message, "");
    wire_free(&envelope);
}

static void error_texts_are_repaired_on_both_sides(void **state)
{
    fixture *f     = *state;
    pt_reply reply = {
        .id            = some_id,
        .status        = PATIO_TASK_FAILED,
        .error_type    = "\xff\xfe",
        .error_message = "caf\xc3\xa9 \xc3",
    };
    send_reply(f, &reply, PATIO_NO_ARGS);
    assert_string_equal(f->reply.error_type, "??");
    assert_string_equal(f->reply.error_message, "caf\xc3\xa9 ?");

    wire_bytes error    = {NULL, 0, 0};
    wire_bytes envelope = {NULL, 0, 0};
    wire_put_text(&error, 2, "\xe2\x82");
    wire_put_text(&error, 3, "ok");
    wire_put_number(&envelope, 2, PT_KIND_REPLY);
    wire_put_bytes(&envelope, 3, some_id.bytes, 16);
    wire_put_message(&envelope, 9, &error);
    assert_int_equal(
        pt_decode_reply(&f->arena, wire_view(&envelope), &f->reply, &f->payload, &f->err),
        PATIO_OK);
    assert_string_equal(f->reply.error_type, "??");
    assert_string_equal(f->reply.error_message, "ok");
    wire_free(&envelope);
}

static void an_error_that_is_too_long_still_arrives(void **state)
{
    static char    message[200000];
    static uint8_t details[70000];
    fixture       *f = *state;
    for (size_t i = 0; i + 2 < sizeof(message); i += 3) {
        memcpy(message + i, "\xe2\x82\xac", 3); /* a cut at 16384 falls into a character */
    }
    pt_reply reply = {
        .id            = some_id,
        .status        = PATIO_TASK_FAILED,
        .code          = 5,
        .error_type    = message,
        .error_message = message,
        .error_details = {details, sizeof(details)},
    };
    send_reply(f, &reply, PATIO_NO_ARGS);
    assert_int_equal(f->reply.code, 5);
    assert_int_equal(strlen(f->reply.error_type), 255);
    assert_int_equal(strlen(f->reply.error_message), 16383);
    assert_true(pt_is_utf8(f->reply.error_message, 16383));
    assert_int_equal(f->reply.error_details.size, 0);
    assert_true(pt_buf_view(f->buf).size < PT_ENVELOPE_HEAD_MAX);
}

static void details_fit_up_to_the_head_limit(void **state)
{
    static uint8_t details[70000];
    fixture       *f    = *state;
    size_t         most = 0;
    for (size_t size = PT_ENVELOPE_HEAD_MAX - 128; size <= PT_ENVELOPE_HEAD_MAX; size++) {
        pt_reply reply = {
            .id            = some_id,
            .status        = PATIO_TASK_FAILED,
            .error_type    = "",
            .error_message = "",
            .error_details = {details, size},
        };
        send_reply(f, &reply, PATIO_NO_ARGS);
        if (f->reply.error_details.size != 0) {
            assert_int_equal(f->reply.error_details.size, size);
            assert_int_equal(most, 0);
            assert_true(pt_buf_view(f->buf).size <= PT_ENVELOPE_HEAD_MAX - 12);
        } else if (most == 0) {
            most = size - 1;
        }
        pt_buf_drop(f->buf);
        f->buf = NULL;
        pt_arena_reset(&f->arena);
    }
    /* 20 bytes of kind and id; 7 of tags, lengths and status, 4 of the error's tag and length */
    assert_int_equal(most, PT_ENVELOPE_HEAD_MAX - 12 - 20 - 7 - 4);
}

/* ---- what is not a reply ---- */

static void a_request_is_not_a_reply(void **state)
{
    static const uint64_t kinds[] = {0, 1, 2, 4, 5, 99, UINT64_MAX};
    fixture              *f       = *state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        wire_bytes envelope = {NULL, 0, 0};
        wire_put_number(&envelope, 2, kinds[i]);
        wire_put_bytes(&envelope, 3, some_id.bytes, 16);
        wire_put_text(&envelope, 4, "t");
        assert_int_equal(
            pt_decode_reply(&f->arena, wire_view(&envelope), &f->reply, &f->payload, &f->err),
            PATIO_PROTOCOL);
        assert_non_null(strstr(f->err.message, "kind"));
        wire_free(&envelope);
    }
}

static void a_codec_of_a_reply_is_refused_by_name(void **state)
{
    fixture   *f        = *state;
    wire_bytes extra    = {NULL, 0, 0};
    wire_bytes envelope = {NULL, 0, 0};
    wire_put_text(&extra, 9, "zstd");
    wire_put_number(&envelope, 2, PT_KIND_REPLY);
    wire_put_bytes(&envelope, 3, some_id.bytes, 16);
    wire_put_message(&envelope, 8, &extra);
    assert_int_equal(
        pt_decode_reply(&f->arena, wire_view(&envelope), &f->reply, &f->payload, &f->err),
        PATIO_UNSUPPORTED);
    assert_non_null(strstr(f->err.message, "\"zstd\""));
    wire_free(&envelope);
}

static void a_content_type_that_is_not_utf8_is_refused(void **state)
{
    fixture   *f        = *state;
    wire_bytes envelope = {NULL, 0, 0};
    wire_put_number(&envelope, 2, PT_KIND_REPLY);
    wire_put_bytes(&envelope, 3, some_id.bytes, 16);
    wire_put_text(&envelope, 7, "text/\xff");
    assert_int_equal(
        pt_decode_reply(&f->arena, wire_view(&envelope), &f->reply, &f->payload, &f->err),
        PATIO_PROTOCOL);
    wire_free(&envelope);
}

/* ---- dead letters ---- */

static void a_death_with_a_long_message_keeps_its_cause(void **state)
{
    static char message[9000];
    fixture    *f = *state;
    memset(message, 'x', sizeof(message) - 1);
    pt_death death = {
        .cause      = "failed",
        .status     = PATIO_TASK_FAILED,
        .message    = message,
        .error_type = message,
        .attempts   = 5,
    };
    pt_arena small;
    pt_arena_init(&small, &pt_malloc_allocator, NULL, 0, 4096); /* as the worker has it */
    patio_bytes record = pt_write_death(&small, &death);
    assert_non_null(record.data);
    assert_memory_equal(record.data,
                        "\x0a\x06"
                        "failed",
                        8);
    assert_true(record.size > 1024 && record.size < 1400);
    pt_arena_reset(&small);
    pt_arena_init(&f->arena, &pt_malloc_allocator, NULL, 0, 10);
    assert_null(pt_write_death(&f->arena, &death).data);
}

/* ---- reports ---- */

static void a_report_arrives(void **state)
{
    fixture             *f    = *state;
    const patio_progress sent = {PATIO_SIZED(patio_progress), .numerator = UINT64_MAX,
                                 .denominator = 0, .note = "fünf"};
    patio_progress       got;
    assert_int_equal(pt_encode_progress(&pt_malloc_allocator, &some_id, &sent, &f->buf, &f->err),
                     PATIO_OK);
    assert_int_equal(pt_decode_progress(&f->arena, pt_buf_view(f->buf), &got, &f->err), PATIO_OK);
    assert_memory_equal(&got, &sent, sizeof(sent));
    /* and is no reply */
    assert_int_equal(
        pt_decode_reply(&f->arena, pt_buf_view(f->buf), &f->reply, &f->payload, &f->err),
        PATIO_PROTOCOL);
}

static void a_reply_is_not_a_report(void **state)
{
    fixture       *f     = *state;
    pt_reply       reply = {.id = some_id};
    patio_progress got;
    send_reply(f, &reply, PATIO_ARGS(1u, 2u, "three"));
    assert_int_equal(pt_decode_progress(&f->arena, pt_buf_view(f->buf), &got, &f->err),
                     PATIO_PROTOCOL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_result_of_values_arrives),
        T(null_comes_in_two_forms),
        T(empty_lists_and_maps_stay_what_they_are),
        T(a_raw_and_a_protobuf_result_arrive),
        T(an_error_arrives_with_its_details),
        T(an_error_without_a_status_is_a_failed_task),
        T(error_texts_are_repaired_on_both_sides),
        T(an_error_that_is_too_long_still_arrives),
        T(details_fit_up_to_the_head_limit),
        T(a_request_is_not_a_reply),
        T(a_codec_of_a_reply_is_refused_by_name),
        T(a_content_type_that_is_not_utf8_is_refused),
        T(a_death_with_a_long_message_keeps_its_cause),
        T(a_report_arrives),
        T(a_reply_is_not_a_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
