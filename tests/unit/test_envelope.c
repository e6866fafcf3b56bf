/* Envelopes there and back: what a field's value is on one side it is on the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <demo.pb-c.h>

#include "base/alloc.h"
#include "wire/envelope.h"

enum { BUDGET = 1 << 20, BODY_MAX = 1 << 20 };

/* One message and what it was decoded to. */
typedef struct fixture {
    pt_arena        arena;
    patio_buf      *buf;
    pt_request      request;
    pt_payload_view payload;
    pt_values       values;
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

static const patio_id some_id = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff},
};

/* Every text of a request is set: that is the encoder's contract. */
static pt_request plain_request(void)
{
    return (pt_request){
        .kind        = PT_KIND_CALL,
        .id          = some_id,
        .task        = "math.mul",
        .project     = "demo",
        .queue       = "",
        .traceparent = "",
        .tracestate  = "",
        .dedup_key   = "",
    };
}

static void send_request(fixture *f, const pt_request *request, const patio_payload *payload)
{
    assert_int_equal(
        pt_encode_request(&pt_malloc_allocator, request, payload, BODY_MAX, &f->buf, &f->err),
        PATIO_OK);
    assert_int_equal(
        pt_decode_request(&f->arena, pt_buf_view(f->buf), &f->request, &f->payload, &f->err),
        PATIO_OK);
}

static void read_values(fixture *f)
{
    assert_int_equal(f->payload.kind, PATIO_PAYLOAD_VALUES);
    assert_int_equal(pt_decode_values(&f->arena, f->payload.bytes, &f->values, &f->err), PATIO_OK);
}

/* ---- requests ---- */

static void a_plain_call_has_defaults_everywhere(void **state)
{
    fixture   *f = *state;
    pt_request r = plain_request();
    send_request(f, &r, PATIO_NO_ARGS);
    assert_int_equal(f->request.kind, PT_KIND_CALL);
    assert_memory_equal(&f->request.id, &some_id, sizeof(some_id));
    assert_string_equal(f->request.task, "math.mul");
    assert_string_equal(f->request.project, "demo");
    assert_string_equal(f->request.queue, "");
    assert_string_equal(f->request.traceparent, "");
    assert_string_equal(f->request.tracestate, "");
    assert_string_equal(f->request.dedup_key, "");
    assert_int_equal(f->request.ttl_ms, 0);
    assert_int_equal(f->request.attempt, 0);
    assert_int_equal(f->request.priority, 0);
    assert_int_equal(f->request.task_version, 0);
    assert_int_equal(f->request.header_count, 0);
    assert_int_equal(f->payload.kind, PATIO_PAYLOAD_VALUES);
    assert_int_equal(f->payload.bytes.size, 0);
    read_values(f);
    assert_int_equal(f->values.count, 0);
    assert_int_equal(f->values.keywords.size, 0);
}

static void a_send_with_everything_arrives_with_everything(void **state)
{
    static const patio_header headers[] = {{"a", "1"}, {"b", ""}, {"a", "2"}, {"c", NULL}};
    fixture                  *f         = *state;
    pt_request                r         = plain_request();

    r.kind            = PT_KIND_SEND;
    r.attempt         = 3;
    r.queue           = "slow";
    r.ttl_ms          = UINT64_MAX - 1;
    r.priority        = PATIO_PRIORITY(9);
    r.task_version    = UINT32_MAX;
    r.traceparent     = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    r.tracestate      = "congo=t61rcWkgMzE";
    r.dedup_key       = "k\xc3\xa4se";
    r.dedup_window_ms = 60000;
    r.dedup_conflict  = 2;
    r.headers         = headers;
    r.header_count    = 4;
    send_request(f, &r, PATIO_ARGS(1));
    assert_int_equal(f->request.kind, PT_KIND_SEND);
    assert_int_equal(f->request.attempt, 3);
    assert_string_equal(f->request.queue, r.queue);
    assert_true(f->request.ttl_ms == UINT64_MAX - 1);
    assert_int_equal(f->request.priority, 10);
    assert_int_equal(f->request.task_version, UINT32_MAX);
    assert_string_equal(f->request.traceparent, r.traceparent);
    assert_string_equal(f->request.tracestate, r.tracestate);
    assert_string_equal(f->request.dedup_key, r.dedup_key);
    assert_int_equal(f->request.dedup_window_ms, 60000);
    assert_int_equal(f->request.dedup_conflict, 2);
    assert_int_equal(f->request.header_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(f->request.headers[i].name, headers[i].name);
        assert_string_equal(f->request.headers[i].value, i < 3 ? headers[i].value : "");
    }
}

static void each_rare_field_travels_alone(void **state)
{
    fixture            *f      = *state;
    static patio_header header = {"only", "one"};
    pt_request          alone[6];
    for (size_t i = 0; i < 6; i++) {
        alone[i] = plain_request();
    }
    alone[0].attempt      = 2;
    alone[1].priority     = 1;
    alone[2].task_version = 7;
    alone[3].traceparent  = "00-1";
    alone[4].dedup_key    = "k";
    alone[5].headers      = &header;
    alone[5].header_count = 1;
    for (size_t i = 0; i < 6; i++) {
        send_request(f, &alone[i], PATIO_NO_ARGS);
        assert_int_equal(f->request.attempt, alone[i].attempt);
        assert_int_equal(f->request.priority, alone[i].priority);
        assert_int_equal(f->request.task_version, alone[i].task_version);
        assert_string_equal(f->request.traceparent, alone[i].traceparent);
        assert_string_equal(f->request.dedup_key, alone[i].dedup_key);
        assert_int_equal(f->request.header_count, alone[i].header_count);
        pt_buf_drop(f->buf);
        f->buf = NULL;
    }
}

static void values_arrive_by_position_and_by_name(void **state)
{
    fixture             *f = *state;
    pt_request           r = plain_request();
    const patio_payload *payload =
        PATIO_ARGS_KW((6, "seven"), ("width", 128, "fast", patio_bool(1)));
    send_request(f, &r, payload);
    read_values(f);
    assert_int_equal(f->values.count, 2);
    assert_true(patio_value_equal(&f->values.positional[0], &payload->values[0]));
    assert_true(patio_value_equal(&f->values.positional[1], &payload->values[1]));
    patio_value keywords = patio_map(payload->keywords, payload->keyword_count);
    assert_true(patio_value_equal(&f->values.keywords, &keywords));
}

static void raw_bytes_keep_their_content_type(void **state)
{
    static const uint8_t data[] = {0, 0xff, 0xa2, 0x06, 1};
    fixture             *f      = *state;
    pt_request           r      = plain_request();
    send_request(f, &r, PATIO_RAW("image/png", data, sizeof(data)));
    assert_int_equal(f->payload.kind, PATIO_PAYLOAD_RAW);
    assert_string_equal(f->payload.content_type, "image/png");
    assert_int_equal(f->payload.bytes.size, sizeof(data));
    assert_memory_equal(f->payload.bytes.data, data, sizeof(data));
}

static void raw_bytes_without_a_type_are_octets(void **state)
{
    fixture   *f = *state;
    pt_request r = plain_request();
    send_request(f, &r, PATIO_RAW(NULL, NULL, 0));
    assert_int_equal(f->payload.kind, PATIO_PAYLOAD_RAW);
    assert_string_equal(f->payload.content_type, "application/octet-stream");
    assert_int_equal(f->payload.bytes.size, 0);
}

static void a_protobuf_message_names_its_type(void **state)
{
    fixture          *f = *state;
    pt_request        r = plain_request();
    Demo__V1__Order   order;
    char              sku[] = "x-1";
    ProtobufCMessage *out   = NULL;
    demo__v1__order__init(&order);
    order.sku   = sku;
    order.count = 3;
    send_request(f, &r, PATIO_PROTOBUF(&order));
    assert_int_equal(f->payload.kind, PATIO_PAYLOAD_PROTOBUF);
    assert_string_equal(f->payload.content_type, "demo.v1.Order");
    assert_int_equal(
        pt_decode_message(&f->arena, &f->payload, &demo__v1__order__descriptor, &out, &f->err),
        PATIO_OK);
    const Demo__V1__Order *got = (const Demo__V1__Order *)(const void *)out;
    assert_string_equal(got->sku, "x-1");
    assert_int_equal(got->count, 3);
    assert_int_equal(
        pt_decode_message(&f->arena, &f->payload, &demo__v1__tree__descriptor, &out, &f->err),
        PATIO_TYPE);
    assert_non_null(strstr(f->err.message, "demo.v1.Tree"));
}

static void payloads_that_cannot_be_written_are_refused(void **state)
{
    static char          long_type[257];
    fixture             *f     = *state;
    pt_request           r     = plain_request();
    const patio_payload *bad[] = {
        PATIO_RAW("x", NULL, 1),
        PATIO_RAW("\xff", "", 0),
        PATIO_RAW(long_type, "", 0),
        &(const patio_payload){PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_PROTOBUF},
        &(const patio_payload){PATIO_SIZED(patio_payload), .kind = 99},
        &(const patio_payload){PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                               .value_count = 1},
        &(const patio_payload){PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                               .keyword_count = 1},
    };
    memset(long_type, 'x', 256);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            pt_encode_request(&pt_malloc_allocator, &r, bad[i], BODY_MAX, &f->buf, &f->err),
            PATIO_INVALID);
        assert_null(f->buf);
    }
    long_type[255] = '\0';
    send_request(f, &r, PATIO_RAW(long_type, "", 0));
}

static void texts_that_are_not_utf8_are_refused_by_name(void **state)
{
    fixture     *f      = *state;
    patio_header name   = {"\x80", ""};
    patio_header value  = {"x", "\xc3"};
    pt_request   bad[6] = {plain_request(), plain_request(), plain_request(),
                           plain_request(), plain_request(), plain_request()};
    const char  *says[] = {"traceparent", "tracestate", "dedup key", "queue", "header", "header"};
    bad[0].traceparent  = "\xed\xa0\x80";
    bad[1].traceparent  = "00";
    bad[1].tracestate   = "\xf5";
    bad[2].dedup_key    = "\xc0\xaf";
    bad[3].queue        = "\xff";
    bad[4].headers      = &name;
    bad[4].header_count = 1;
    bad[5].headers      = &value;
    bad[5].header_count = 1;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(pt_encode_request(&pt_malloc_allocator, &bad[i], PATIO_NO_ARGS, BODY_MAX,
                                           &f->buf, &f->err),
                         PATIO_INVALID);
        assert_non_null(strstr(f->err.message, says[i]));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_plain_call_has_defaults_everywhere),
        T(a_send_with_everything_arrives_with_everything),
        T(each_rare_field_travels_alone),
        T(values_arrive_by_position_and_by_name),
        T(raw_bytes_keep_their_content_type),
        T(raw_bytes_without_a_type_are_octets),
        T(a_protobuf_message_names_its_type),
        T(payloads_that_cannot_be_written_are_refused),
        T(texts_that_are_not_utf8_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
