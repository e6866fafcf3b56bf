/* The bytes of the protocol, as they are checked in: tests/golden/README.md. What is encoded here
 * must be them, and what is decoded from them must be what their text says. test_golden write
 * writes them anew, after a change of the protocol */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <demo.pb-c.h>
#include <patio/v1/dead_letter.pb-c.h>

#include "base/alloc.h"
#include "golden.h"
#include "wire/records.h"

enum { BODY_MAX = 1 << 20 };

/* ---- what they are made of ---- */

static patio_buf *encode_request(const pt_request *request, const patio_payload *payload)
{
    patio_buf *buf = NULL;
    assert_int_equal(
        pt_encode_request(&pt_malloc_allocator, request, payload, BODY_MAX, &buf, NULL), PATIO_OK);
    return buf;
}

static patio_buf *encode_reply(const pt_reply *reply, const patio_payload *payload)
{
    patio_buf *buf = NULL;
    assert_int_equal(pt_encode_reply(&pt_malloc_allocator, reply, payload, BODY_MAX, &buf, NULL),
                     PATIO_OK);
    return buf;
}

static patio_bytes details_of(pt_arena *arena)
{
    patio_bytes details;
    assert_int_equal(pt_encode_values(arena, PATIO_ARGS(PATIO_MAP("line", 7)), &details, NULL),
                     PATIO_OK);
    return details;
}

static patio_buf *make(const char *name)
{
    pt_request      request = golden_call("math.mul");
    pt_reply        ok      = {.id = golden_id};
    Demo__V1__Order order;
    char            sku[]    = "patio-1";
    double          prices[] = {1.5, 2.0};
    demo__v1__order__init(&order);
    order.sku      = sku;
    order.count    = 300;
    order.prices   = prices;
    order.n_prices = 2;
    if (strcmp(name, "call_ints") == 0) {
        return encode_request(&request, PATIO_ARGS(6, -7));
    }
    if (strcmp(name, "call_no_args") == 0) {
        return encode_request(&request, PATIO_NO_ARGS);
    }
    if (strcmp(name, "call_nested") == 0) {
        return encode_request(&request, GOLDEN_NESTED);
    }
    if (strcmp(name, "call_raw") == 0) {
        return encode_request(&request, PATIO_RAW("image/png", golden_png, sizeof(golden_png)));
    }
    if (strcmp(name, "call_protobuf") == 0) {
        return encode_request(&request, PATIO_PROTOBUF(&order));
    }
    if (strcmp(name, "send_full") == 0) {
        request = golden_send();
        return encode_request(&request, PATIO_ARGS("2024"));
    }
    if (strcmp(name, "reply_int") == 0) {
        return encode_reply(&ok, PATIO_ARGS(-42));
    }
    if (strcmp(name, "reply_null") == 0) {
        return encode_reply(&ok, PATIO_ARGS(patio_null()));
    }
    if (strcmp(name, "reply_nothing") == 0) {
        return encode_reply(&ok, PATIO_NO_ARGS);
    }
    if (strcmp(name, "reply_raw") == 0) {
        return encode_reply(&ok, PATIO_RAW("text/plain", "done", 4));
    }
    pt_arena arena;
    pt_reply failed = golden_error();
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, 65536);
    assert_string_equal(name, "reply_error");
    failed.error_details = details_of(&arena);
    patio_buf *buf       = encode_reply(&failed, PATIO_NO_ARGS);
    pt_arena_reset(&arena);
    return buf;
}

static const char *const names[] = {
    "call_ints", "call_no_args", "call_nested",   "call_raw",  "call_protobuf", "send_full",
    "reply_int", "reply_null",   "reply_nothing", "reply_raw", "reply_error",
};
enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

static void our_encoder_writes_these_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        patio_buf  *buf  = make(names[i]);
        patio_bytes got  = pt_buf_view(buf);
        patio_bytes want = golden_read(names[i]);
        if (got.size != want.size || memcmp(got.data, want.data, want.size) != 0) {
            fail_msg("%s: %zu bytes were encoded that are not the %zu of its .hex", names[i],
                     got.size, want.size);
        }
        pt_buf_drop(buf);
    }
}

/* ---- decoding ---- */

typedef struct decoded {
    pt_arena        arena;
    pt_request      request;
    pt_reply        reply;
    pt_payload_view payload;
    pt_values       values;
} decoded;

static void values_are(decoded *d, const patio_payload *want)
{
    assert_int_equal(d->payload.kind, PATIO_PAYLOAD_VALUES);
    assert_int_equal(pt_decode_values(&d->arena, d->payload.bytes, &d->values, NULL), PATIO_OK);
    assert_int_equal(d->values.count, want->value_count);
    for (size_t i = 0; i < want->value_count; i++) {
        assert_true(patio_value_equal(&d->values.positional[i], &want->values[i]));
    }
    patio_value keywords = patio_map(want->keywords, want->keyword_count);
    assert_true(patio_value_equal(&d->values.keywords, &keywords));
}

static decoded *request_of(const char *name, const pt_request *want)
{
    static decoded d;
    pt_arena_init(&d.arena, &pt_malloc_allocator, NULL, 0, 1 << 20);
    assert_int_equal(pt_decode_request(&d.arena, golden_read(name), &d.request, &d.payload, NULL),
                     PATIO_OK);
    assert_int_equal(d.request.kind, want->kind);
    assert_memory_equal(&d.request.id, &want->id, sizeof(golden_id));
    assert_string_equal(d.request.task, want->task);
    assert_string_equal(d.request.project, want->project);
    assert_int_equal(d.request.ttl_ms, want->ttl_ms);
    assert_int_equal(d.request.attempt, want->attempt);
    assert_int_equal(d.request.priority, want->priority);
    assert_int_equal(d.request.task_version, want->task_version);
    assert_string_equal(d.request.queue, want->queue);
    assert_string_equal(d.request.traceparent, want->traceparent);
    assert_string_equal(d.request.tracestate, want->tracestate);
    assert_string_equal(d.request.dedup_key, want->dedup_key);
    assert_int_equal(d.request.dedup_window_ms, want->dedup_window_ms);
    assert_int_equal(d.request.dedup_conflict, want->dedup_conflict);
    assert_int_equal(d.request.header_count, want->header_count);
    for (size_t i = 0; i < want->header_count; i++) {
        assert_string_equal(d.request.headers[i].name, want->headers[i].name);
        assert_string_equal(d.request.headers[i].value, want->headers[i].value);
    }
    return &d;
}

static decoded *reply_of(const char *name, const pt_reply *want)
{
    static decoded d;
    pt_arena_init(&d.arena, &pt_malloc_allocator, NULL, 0, 1 << 20);
    assert_int_equal(pt_decode_reply(&d.arena, golden_read(name), &d.reply, &d.payload, NULL),
                     PATIO_OK);
    assert_memory_equal(&d.reply.id, &golden_id, sizeof(golden_id));
    assert_int_equal(d.reply.status, want->status);
    assert_int_equal(d.reply.code, want->code);
    assert_string_equal(d.reply.error_type, want->error_type);
    assert_string_equal(d.reply.error_message, want->error_message);
    return &d;
}

static void end(decoded *d)
{
    pt_arena_reset(&d->arena);
}

static void requests_decode_to_what_they_say(void **state)
{
    (void)state;
    pt_request call = golden_call("math.mul");
    decoded   *d    = request_of("call_ints", &call);
    values_are(d, PATIO_ARGS(6, -7));
    end(d);
    d = request_of("call_no_args", &call);
    assert_int_equal(d->payload.bytes.size, 0);
    end(d);
    d = request_of("call_nested", &call);
    values_are(d, GOLDEN_NESTED);
    end(d);
    d = request_of("call_raw", &call);
    assert_int_equal(d->payload.kind, PATIO_PAYLOAD_RAW);
    assert_string_equal(d->payload.content_type, "image/png");
    assert_int_equal(d->payload.bytes.size, sizeof(golden_png));
    assert_memory_equal(d->payload.bytes.data, golden_png, sizeof(golden_png));
    end(d);
    pt_request send = golden_send();
    d               = request_of("send_full", &send);
    values_are(d, PATIO_ARGS("2024"));
    end(d);
}

static void a_users_message_decodes(void **state)
{
    (void)state;
    pt_request        call = golden_call("math.mul");
    decoded          *d    = request_of("call_protobuf", &call);
    ProtobufCMessage *out  = NULL;
    assert_int_equal(
        pt_decode_message(&d->arena, &d->payload, &demo__v1__order__descriptor, &out, NULL),
        PATIO_OK);
    const Demo__V1__Order *order = (const Demo__V1__Order *)(const void *)out;
    assert_string_equal(order->sku, "patio-1");
    assert_int_equal(order->count, 300);
    assert_int_equal(order->n_prices, 2);
    assert_true(order->prices[0] == 1.5 && order->prices[1] == 2.0);
    end(d);
}

static void replies_decode_to_what_they_say(void **state)
{
    (void)state;
    pt_reply ok = {.error_type = "", .error_message = ""};
    decoded *d  = reply_of("reply_int", &ok);
    values_are(d, PATIO_ARGS(-42));
    end(d);
    d = reply_of("reply_null", &ok);
    values_are(d, PATIO_ARGS(patio_null()));
    end(d);
    d = reply_of("reply_nothing", &ok);
    assert_int_equal(d->payload.bytes.size, 0);
    end(d);
    d = reply_of("reply_raw", &ok);
    assert_int_equal(d->payload.kind, PATIO_PAYLOAD_RAW);
    assert_memory_equal(d->payload.bytes.data, "done", 4);
    end(d);
    pt_reply failed  = golden_error();
    d                = reply_of("reply_error", &failed);
    d->payload.bytes = d->reply.error_details;
    values_are(d, PATIO_ARGS(PATIO_MAP("line", 7)));
    end(d);
}

/* Written by protoc: fields that this patio reads over, and one it must not read over. */
static void what_others_may_write_is_understood(void **state)
{
    (void)state;
    pt_request send = golden_send();
    decoded   *d    = request_of("foreign_every_field", &send);
    values_are(d, PATIO_ARGS("2024"));
    end(d);
    patio_error     err = PATIO_ERROR_INIT;
    pt_payload_view payload;
    pt_request      request;
    pt_arena_init(&d->arena, &pt_malloc_allocator, NULL, 0, 1 << 20);
    assert_int_equal(
        pt_decode_request(&d->arena, golden_read("foreign_codec"), &request, &payload, &err),
        PATIO_UNSUPPORTED);
    assert_non_null(strstr(err.message, "\"zstd\""));
    end(d);
    assert_int_equal(
        pt_decode_request(&d->arena, golden_read("foreign_version_2"), &request, &payload, &err),
        PATIO_PROTOCOL);
    assert_non_null(strstr(err.message, "version 2"));
    end(d);
}

/* Its time of death is the clock's: all but that field is compared. */
static patio_bytes dead_letter(pt_arena *arena)
{
    const pt_death death = {
        .cause      = "attempts",
        .status     = PATIO_TASK_FAILED,
        .message    = "b is zero",
        .error_type = "ZeroDivision",
        .attempts   = 5,
        .crashes    = 1,
    };
    return pt_write_death(arena, &death);
}

static void a_dead_letter_is_what_it_was(void **state)
{
    (void)state;
    enum { TIME_BYTES = 7 }; /* tag, and a varint of 6 bytes from 2004 to 2109 */
    pt_arena arena;
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, 65536);
    patio_bytes got  = dead_letter(&arena);
    patio_bytes want = golden_read("dead_letter");
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, want.size - TIME_BYTES);
    assert_int_equal(got.data[want.size - TIME_BYTES], want.data[want.size - TIME_BYTES]);
    Patio__V1__DeadLetter *letter = patio__v1__dead_letter__unpack(NULL, want.size, want.data);
    assert_non_null(letter);
    assert_string_equal(letter->cause, "attempts");
    assert_int_equal(letter->status, PATIO_TASK_FAILED);
    assert_string_equal(letter->message, "b is zero");
    assert_string_equal(letter->error_type, "ZeroDivision");
    assert_int_equal(letter->attempts, 5);
    assert_int_equal(letter->crashes, 1);
    assert_true(letter->died_at_unix_ms > UINT64_C(1700000000000));
    patio__v1__dead_letter__free_unpacked(letter, NULL);
    pt_arena_reset(&arena);
}

static int write_all(void)
{
    pt_arena arena;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        patio_buf *buf = make(names[i]);
        golden_write(names[i], pt_buf_view(buf));
        pt_buf_drop(buf);
    }
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, 65536);
    golden_write("dead_letter", dead_letter(&arena));
    pt_arena_reset(&arena);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_encoder_writes_these_bytes),
        cmocka_unit_test(requests_decode_to_what_they_say),
        cmocka_unit_test(a_users_message_decodes),
        cmocka_unit_test(replies_decode_to_what_they_say),
        cmocka_unit_test(what_others_may_write_is_understood),
        cmocka_unit_test(a_dead_letter_is_what_it_was),
    };
    if (argc == 2 && strcmp(argv[1], "write") == 0) {
        return write_all();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
