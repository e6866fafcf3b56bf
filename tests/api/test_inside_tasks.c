/* What a task knows of its call: deadline, trace context, headers; and calls that it makes itself.
 */
#include "fixture.h"

#include <string.h>

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static patio_status task_inner(patio_context *ctx)
{
    return patio_return(ctx, PATIO_LIST(patio_task_traceparent(ctx), patio_task_remaining_ms(ctx)));
}

static patio_status task_outer(patio_context *ctx)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_future      *inner   = NULL;
    uint64_t           left    = patio_task_remaining_ms(ctx);
    patio_status       st =
        patio_call(patio_task_broker(ctx), "inner", PATIO_NO_ARGS, &options, &inner, NULL);
    if (st != PATIO_OK) {
        return st;
    }
    st = patio_return(ctx, PATIO_LIST(left, *patio_value_at(patio_future_value(inner), 0),
                                      *patio_value_at(patio_future_value(inner), 1)));
    patio_future_destroy(inner);
    return st;
}

static void a_call_inside_a_task_inherits_deadline_and_trace(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_init(&f);
    add_task(f.registry, "inner", task_inner, NULL);
    add_task(f.registry, "outer", task_outer, NULL);
    f.broker = start_broker(&f, f.registry, SETTINGS("executor.workers=2"));

    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 15000,
                                  .traceparent = TRACE};
    assert_ok(patio_call(f.broker, "outer", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    const patio_value *result = patio_future_value(future);
    const char        *trace  = NULL;
    uint64_t           outer  = 0;
    uint64_t           inner  = 0;
    assert_status(patio_value_get_uint64(patio_value_at(result, 0), &outer), PATIO_OK);
    assert_status(patio_value_get_string(patio_value_at(result, 1), &trace), PATIO_OK);
    assert_status(patio_value_get_uint64(patio_value_at(result, 2), &inner), PATIO_OK);
    assert_in_range(outer, 1, 15000);
    assert_in_range(inner, 1, outer + 1); /* each hop rounds up to a millisecond */
    assert_string_equal(trace, TRACE);
    patio_future_destroy(future);
    fixture_close(&f);
}

static _Atomic(patio_status) late_status;

static patio_status task_calls_too_late(patio_context *ctx)
{
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_future      *inner   = NULL;
    while (patio_task_remaining_ms(ctx) > 0) {
        test_pause();
    }
    patio_status st =
        patio_start(patio_task_broker(ctx), "inner", PATIO_NO_ARGS, &options, &inner, NULL);
    atomic_store(&late_status, st != PATIO_OK ? st : 1);
    patio_future_destroy(inner);
    return PATIO_OK;
}

static void a_call_inside_a_task_whose_time_is_up_is_refused(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    atomic_store(&late_status, 0);
    add_task(f.registry, "inner", task_inner, NULL);
    add_task(f.registry, "late", task_calls_too_late, NULL);
    f.broker = start_broker(&f, f.registry, NULL);
    /* one that has not started by its deadline is not started at all: then a longer one */
    for (uint64_t ms = 20; atomic_load(&late_status) == 0; ms *= 2) {
        patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = ms};
        /* the caller gives up, unless the reply, late as it is, comes before it notices */
        patio_status st = patio_call(f.broker, "late", PATIO_NO_ARGS, &options, NULL, NULL);
        assert_true(st == PATIO_TIMEOUT || st == PATIO_OK);
        AWAIT(counts_of(f.broker, NULL).leased == 0);
    }
    assert_status(atomic_load(&late_status), PATIO_TIMEOUT);
    fixture_close(&f);
}

static patio_status task_headers(patio_context *ctx)
{
    return patio_return(ctx,
                        PATIO_LIST(patio_task_header(ctx, "tenant"), patio_task_header(ctx, "user"),
                                   patio_task_header(ctx, "absent"), patio_task_traceparent(ctx)));
}

static void headers_reach_the_task(void **state)
{
    (void)state;
    fixture       f;
    patio_future *future = NULL;
    fixture_init(&f);
    add_task(f.registry, "headers", task_headers, NULL);
    f.broker                     = start_broker(&f, f.registry, NULL);
    const patio_header headers[] = {{"tenant", "acme"}, {"user", "Łukasz"}};
    patio_call_options options   = {PATIO_SIZED(patio_call_options), .headers = headers,
                                    .header_count = 2};
    assert_ok(patio_call(f.broker, "headers", PATIO_NO_ARGS, &options, &future, &f.err), f.err);
    assert_value(patio_future_value(future), PATIO_LIST("acme", "Łukasz", patio_null(), ""));
    patio_future_destroy(future);

    const patio_header nameless[] = {{"ok", "ok"}, {"", "x"}};
    options.headers               = nameless;
    assert_status(patio_call(f.broker, "headers", PATIO_NO_ARGS, &options, NULL, &f.err),
                  PATIO_INVALID);
    assert_contains(f.err.message, "header 1");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_inside_a_task_inherits_deadline_and_trace),
        cmocka_unit_test(a_call_inside_a_task_whose_time_is_up_is_refused),
        cmocka_unit_test(headers_reach_the_task),
    };
    return RUN_TESTS("inside tasks", tests);
}
