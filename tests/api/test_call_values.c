/* What calls carry there and back: values, raw bytes, protobuf messages; and arguments. */
#include "fixture.h"

#include <math.h>
#include <string.h>

#include <api_test.pb-c.h>

static void expect_echo(fixture *f, patio_value v)
{
    patio_future *future = NULL;
    assert_ok(patio_call(f->broker, "echo", PATIO_ARGS(v), NULL, &future, &f->err), f->err);
    assert_int_equal(patio_future_kind(future), PATIO_PAYLOAD_VALUES);
    assert_value(patio_future_value(future), v);
    patio_future_destroy(future);
}

static void every_type_of_value_comes_back_as_it_went(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    expect_echo(&f, patio_null());
    expect_echo(&f, patio_bool(true));
    expect_echo(&f, patio_bool(false));
    expect_echo(&f, patio_int(0));
    expect_echo(&f, patio_int(-1));
    expect_echo(&f, patio_int(INT64_MIN));
    expect_echo(&f, patio_int(INT64_MAX));
    expect_echo(&f, patio_uint(0));
    expect_echo(&f, patio_uint(UINT64_MAX));
    expect_echo(&f, patio_double(0.0));
    expect_echo(&f, patio_double(1.5e300));
    expect_echo(&f, patio_double(-INFINITY));
    expect_echo(&f, patio_double(NAN));
    expect_echo(&f, patio_string(""));
    expect_echo(&f, patio_string("grüße, 世界 🌍"));
    expect_echo(&f, patio_string_n("a\0b", 3));
    expect_echo(&f, patio_blob("", 0));
    expect_echo(&f, patio_blob("\0\xff\x80", 3));
    expect_echo(&f, patio_list(NULL, 0));
    expect_echo(&f, patio_map(NULL, 0));
    fixture_close(&f);
}

static void nested_lists_and_maps_come_back_as_they_went(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    expect_echo(&f, PATIO_LIST(1, "two", 3.0, patio_null(), PATIO_LIST(patio_bool(true))));
    expect_echo(&f, PATIO_MAP("sizes", PATIO_LIST(PATIO_LIST(1, 2), PATIO_LIST(3u)), "by",
                              PATIO_MAP("name", "ann", "raw", patio_blob("xy", 2)), "", -1));
    fixture_close(&f);
}

static void values_may_nest_as_deep_as_the_limit(void **state)
{
    (void)state;
    fixture     f;
    patio_value levels[PATIO_VALUE_DEPTH_MAX + 1];
    fixture_open(&f, NULL);
    levels[0] = patio_int(7);
    for (unsigned i = 1; i <= PATIO_VALUE_DEPTH_MAX; i++) {
        levels[i] = patio_list(&levels[i - 1], 1);
    }
    expect_echo(&f, levels[PATIO_VALUE_DEPTH_MAX]);
    fixture_close(&f);
}

static patio_status task_long_string(patio_context *ctx)
{
    int64_t      size = 0;
    patio_status st   = patio_arg_int64(ctx, 0, &size);
    char        *text = st == PATIO_OK ? patio_task_alloc(ctx, (size_t)size) : NULL;
    if (text == NULL) {
        return PATIO_NO_MEMORY;
    }
    memset(text, 'x', (size_t)size);
    st = patio_return(ctx, patio_string_n(text, (size_t)size));
    memset(text, 'y', (size_t)size); /* the result was taken at once */
    return st;
}

static void a_result_above_the_body_limit_is_the_tasks_error(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_init(&f);
    add_task(f.registry, "long", task_long_string, NULL);
    f.broker = start_broker(&f, f.registry, SETTINGS("max_body_bytes=4KiB"));
    assert_ok(patio_call(f.broker, "long", PATIO_ARGS(4000), NULL, &future, &f.err), f.err);
    const patio_value *v = patio_future_value(future);
    assert_int_equal(v->size, 4000);
    assert_int_equal(v->as.string[3999], 'x');
    assert_int_equal(v->as.string[4000], '\0'); /* and it ends in a NUL */
    patio_future_destroy(future);

    assert_ok(patio_start(f.broker, "long", PATIO_ARGS(4097), NULL, &future, &f.err), f.err);
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    assert_status(patio_future_status(future, &f.err), PATIO_TASK_FAILED);
    assert_int_equal(patio_future_error(future)->code, PATIO_TOO_LARGE);
    assert_contains(patio_future_error(future)->message, "max_body_bytes");
    patio_future_destroy(future);
    fixture_close(&f);
}

static patio_status task_no_result(patio_context *ctx)
{
    (void)ctx;
    return PATIO_OK;
}

static patio_status task_two_results(patio_context *ctx)
{
    patio_status st = PATIO_RETURN(ctx, "first");
    return st == PATIO_OK ? PATIO_RETURN(ctx, "second") : st;
}

static void without_a_result_it_is_null_and_the_last_one_counts(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_init(&f);
    add_task(f.registry, "none", task_no_result, NULL);
    add_task(f.registry, "two", task_two_results, NULL);
    f.broker = start_broker(&f, f.registry, NULL);
    assert_ok(patio_call(f.broker, "none", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_non_null(patio_future_value(future));
    assert_int_equal(patio_future_value(future)->type, PATIO_TYPE_NULL);
    patio_future_destroy(future);
    assert_ok(patio_call(f.broker, "two", PATIO_NO_ARGS, NULL, &future, &f.err), f.err);
    assert_string_equal(patio_future_value(future)->as.string, "second");
    patio_future_destroy(future);
    fixture_close(&f);
}

/* ---- raw ---- */

/* Sends the bytes back, under the same type or under "out" + type. */
static patio_status task_raw(patio_context *ctx)
{
    patio_bytes  in;
    const char  *type = NULL;
    patio_status st   = patio_arg_raw(ctx, &in, &type);
    if (st != PATIO_OK) {
        return st;
    }
    if (patio_arg_kind(ctx) != PATIO_PAYLOAD_RAW || patio_arg_count(ctx) != 0) {
        return PATIO_INTERNAL;
    }
    return patio_return_payload(ctx, PATIO_RAW(type, in.data, in.size));
}

static void expect_raw(fixture *f, const char *type, const char *data, size_t size,
                       const char *expected_type)
{
    patio_future *future = NULL;
    patio_bytes   out;
    const char   *got = NULL;
    assert_ok(patio_call(f->broker, "raw", PATIO_RAW(type, data, size), NULL, &future, &f->err),
              f->err);
    assert_int_equal(patio_future_kind(future), PATIO_PAYLOAD_RAW);
    assert_null(patio_future_value(future));
    assert_status(patio_future_raw(future, &out, &got), PATIO_OK);
    assert_string_equal(got, expected_type);
    assert_int_equal(out.size, size);
    assert_true(size == 0 || memcmp(out.data, data, size) == 0);
    assert_status(patio_future_raw(future, &out, NULL), PATIO_OK);
    patio_future_destroy(future);
}

static void raw_bytes_go_both_ways_with_their_content_type(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    patio_bytes   out;
    fixture_init(&f);
    add_task(f.registry, "raw", task_raw, NULL);
    add_task(f.registry, "echo", task_echo, NULL);
    f.broker = start_broker(&f, f.registry, NULL);
    expect_raw(&f, "image/png", "\x89PNG\0\r\n", 7, "image/png");
    expect_raw(&f, "text/plain", "", 0, "text/plain");
    expect_raw(&f, NULL, "abc", 3, "application/octet-stream");

    /* values where raw is asked for, on both sides */
    assert_ok(patio_call(f.broker, "echo", PATIO_ARGS(1), NULL, &future, &f.err), f.err);
    assert_status(patio_future_raw(future, &out, NULL), PATIO_TYPE);
    patio_future_destroy(future);
    assert_status(patio_call(f.broker, "raw", PATIO_ARGS(1), NULL, NULL, &f.err),
                  PATIO_TASK_FAILED);
    assert_contains(f.err.message, "raw expects a raw payload, got values");
    fixture_close(&f);
}

/* ---- protobuf ---- */

static patio_status task_resize(patio_context *ctx)
{
    struct ProtobufCMessage *message = NULL;
    patio_status             st = patio_arg_protobuf(ctx, &api__test__resize__descriptor, &message);
    if (st != PATIO_OK) {
        return st;
    }
    const Api__Test__Resize *in = (const Api__Test__Resize *)message;
    Api__Test__Resize        out;
    api__test__resize__init(&out);
    out.width   = in->width * 2;
    out.mode    = in->mode;
    out.n_sizes = in->n_sizes;
    out.sizes   = in->sizes;
    return patio_return_payload(ctx, PATIO_PROTOBUF(&out));
}

static void a_protobuf_message_goes_both_ways(void **state)
{
    (void)state;
    fixture                  f;
    patio_future            *future   = NULL;
    struct ProtobufCMessage *message  = NULL;
    int32_t                  sizes[3] = {-1, 0, 70000};
    char                     mode[]   = "fit";
    patio_bytes              raw;
    const char              *type = NULL;
    fixture_init(&f);
    add_task(f.registry, "resize", task_resize, NULL);
    f.broker = start_broker(&f, f.registry, NULL);
    Api__Test__Resize in;
    api__test__resize__init(&in);
    in.width   = 64;
    in.mode    = mode;
    in.n_sizes = 3;
    in.sizes   = sizes;
    assert_ok(patio_call(f.broker, "resize", PATIO_PROTOBUF(&in), NULL, &future, &f.err), f.err);
    assert_int_equal(patio_future_kind(future), PATIO_PAYLOAD_PROTOBUF);
    assert_status(patio_future_protobuf(future, &api__test__resize__descriptor, &message),
                  PATIO_OK);
    const Api__Test__Resize *out = (const Api__Test__Resize *)message;
    assert_int_equal(out->width, 128);
    assert_string_equal(out->mode, "fit");
    assert_int_equal(out->n_sizes, 3);
    assert_memory_equal(out->sizes, sizes, sizeof(sizes));
    assert_status(patio_future_protobuf(future, &api__test__other__descriptor, &message),
                  PATIO_TYPE);
    assert_status(patio_future_raw(future, &raw, &type), PATIO_OK);
    assert_string_equal(type, "api.test.Resize");
    assert_null(patio_future_value(future));
    patio_future_destroy(future);

    /* of another type */
    Api__Test__Other other;
    api__test__other__init(&other);
    assert_ok(patio_start(f.broker, "resize", PATIO_PROTOBUF(&other), NULL, &future, &f.err),
              f.err);
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    assert_status(patio_future_status(future, NULL), PATIO_TASK_FAILED);
    assert_int_equal(patio_future_error(future)->code, PATIO_TYPE);
    assert_contains(patio_future_error(future)->message, "api.test.Resize");
    assert_contains(patio_future_error(future)->message, "api.test.Other");
    patio_future_destroy(future);
    fixture_close(&f);
}

/* ---- arguments ---- */

static patio_status task_typed(patio_context *ctx)
{
    bool         boolean = false;
    int64_t      i64     = 0;
    uint64_t     u64     = 0;
    double       f64     = 0;
    const char  *text    = NULL;
    patio_bytes  bytes   = {NULL, 0};
    patio_status st      = patio_arg_bool(ctx, 0, &boolean);
    st                   = st == PATIO_OK ? patio_arg_int64(ctx, 1, &i64) : st;
    st                   = st == PATIO_OK ? patio_arg_uint64(ctx, 2, &u64) : st;
    st                   = st == PATIO_OK ? patio_arg_double(ctx, 3, &f64) : st;
    st                   = st == PATIO_OK ? patio_arg_string(ctx, 4, &text) : st;
    st                   = st == PATIO_OK ? patio_arg_bytes(ctx, 5, &bytes) : st;
    if (st != PATIO_OK) {
        return st;
    }
    return patio_return(ctx, PATIO_LIST(patio_bool(boolean), i64, u64, f64, text, bytes.size));
}

static void expect_argument_error(fixture *f, const patio_payload *payload, int32_t code,
                                  const char *message)
{
    patio_future *future = NULL;
    assert_ok(patio_start(f->broker, "typed", payload, NULL, &future, &f->err), f->err);
    assert_status(patio_future_wait(future, PATIO_FOREVER), PATIO_OK);
    assert_status(patio_future_status(future, NULL), PATIO_TASK_FAILED);
    assert_string_equal(patio_future_error(future)->type, "ArgumentError");
    assert_int_equal(patio_future_error(future)->code, code);
    assert_string_equal(patio_future_error(future)->message, message);
    patio_future_destroy(future);
}

static void a_wrong_argument_is_named_to_the_caller(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_init(&f);
    add_task(f.registry, "typed", task_typed, NULL);
    f.broker        = start_broker(&f, f.registry, NULL);
    patio_value yes = patio_bool(true);
    /* numbers convert where nothing is lost: 3u, 4, 5 */
    assert_ok(patio_call(f.broker, "typed", PATIO_ARGS(yes, 3u, 4, 5, "six", patio_blob("7", 1)),
                         NULL, &future, &f.err),
              f.err);
    assert_value(patio_future_value(future), PATIO_LIST(yes, 3, 4u, 5.0, "six", 1u));
    patio_future_destroy(future);

    expect_argument_error(&f, PATIO_NO_ARGS, PATIO_INVALID,
                          "argument 0 of typed: expected bool, got none");
    expect_argument_error(&f, PATIO_ARGS(1), PATIO_TYPE,
                          "argument 0 of typed: expected bool, got int64");
    expect_argument_error(&f, PATIO_ARGS(yes, "x"), PATIO_TYPE,
                          "argument 1 of typed: expected int64, got string");
    expect_argument_error(&f, PATIO_ARGS(yes, UINT64_MAX), PATIO_TYPE,
                          "argument 1 of typed: expected int64, got uint64");
    expect_argument_error(&f, PATIO_ARGS(yes, 1, -1), PATIO_TYPE,
                          "argument 2 of typed: expected uint64, got int64");
    expect_argument_error(&f, PATIO_ARGS(yes, 1, 1, patio_null()), PATIO_TYPE,
                          "argument 3 of typed: expected double, got null");
    expect_argument_error(&f, PATIO_ARGS(yes, 1, 1, 1.5, PATIO_LIST(1)), PATIO_TYPE,
                          "argument 4 of typed: expected string, got list");
    expect_argument_error(&f, PATIO_ARGS(yes, 1, 1, 1.5, "s", PATIO_MAP("k", 1)), PATIO_TYPE,
                          "argument 5 of typed: expected bytes, got map");
    fixture_close(&f);
}

/* [count, kwargs, width or null] */
static patio_status task_keywords(patio_context *ctx)
{
    const patio_value *width = patio_kwarg(ctx, "width");
    return patio_return(ctx, PATIO_LIST(patio_arg_count(ctx), *patio_kwargs(ctx),
                                        width != NULL ? *width : patio_null()));
}

static void expect_keywords(fixture *f, const patio_payload *payload, patio_value expected)
{
    patio_future *future = NULL;
    assert_ok(patio_call(f->broker, "keywords", payload, NULL, &future, &f->err), f->err);
    assert_value(patio_future_value(future), expected);
    patio_future_destroy(future);
}

static void keyword_arguments_stand_beside_positional_ones(void **state)
{
    (void)state;
    fixture     f;
    patio_value none = patio_map(NULL, 0);
    fixture_init(&f);
    add_task(f.registry, "keywords", task_keywords, NULL);
    f.broker = start_broker(&f, f.registry, NULL);
    expect_keywords(&f, PATIO_NO_ARGS, PATIO_LIST(0u, none, patio_null()));
    expect_keywords(&f, PATIO_ARGS(1, 2), PATIO_LIST(2u, none, patio_null()));
    expect_keywords(&f, PATIO_KW("width", 128), PATIO_LIST(0u, PATIO_MAP("width", 128), 128));
    expect_keywords(&f, PATIO_ARGS_KW(("a", "b", "c"), ("mode", "fit", "width", 3.5)),
                    PATIO_LIST(3u, PATIO_MAP("mode", "fit", "width", 3.5), 3.5));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_of_value_comes_back_as_it_went),
        cmocka_unit_test(nested_lists_and_maps_come_back_as_they_went),
        cmocka_unit_test(values_may_nest_as_deep_as_the_limit),
        cmocka_unit_test(a_result_above_the_body_limit_is_the_tasks_error),
        cmocka_unit_test(without_a_result_it_is_null_and_the_last_one_counts),
        cmocka_unit_test(raw_bytes_go_both_ways_with_their_content_type),
        cmocka_unit_test(a_protobuf_message_goes_both_ways),
        cmocka_unit_test(a_wrong_argument_is_named_to_the_caller),
        cmocka_unit_test(keyword_arguments_stand_beside_positional_ones),
    };
    return RUN_TESTS("call values", tests);
}
