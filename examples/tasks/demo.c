/* demo.c: a task module to play with and to test against: patio worker -m demo
 *
 *   mul, div, sub, pow      arithmetic (demo_arithmetic.c)
 *   echo                    gives back what it gets, values or raw
 *   sleep SECONDS           returns early, as failed, when it is cancelled; says how far it is
 *   fail [MESSAGE]          fails; keywords: code, type, details
 *   crash                   takes its process down with SIGSEGV
 *   retry N                 asks to be tried again until attempt N; gives the attempt; keyword:
 *                           after_ms, 0: as its back-off says
 */
#include "demo.h"

#include <signal.h>
#include <time.h>

/* One argument is the result itself; more are a list; keywords are a map. */
static patio_status echo_values(patio_context *ctx)
{
    const size_t       count    = patio_arg_count(ctx);
    const patio_value *keywords = patio_kwargs(ctx);
    if (count == 1) {
        return patio_return(ctx, *patio_arg(ctx, 0));
    }
    if (count == 0 && keywords != NULL && keywords->size > 0) {
        return patio_return(ctx, *keywords);
    }
    patio_value *items = patio_task_alloc(ctx, (count + 1) * sizeof(*items));
    if (items == NULL) {
        return PATIO_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = *patio_arg(ctx, i);
    }
    return patio_return(ctx, patio_list(items, count));
}

static patio_status echo(patio_context *ctx)
{
    if (patio_arg_kind(ctx) == PATIO_PAYLOAD_VALUES) {
        return echo_values(ctx);
    }
    patio_payload same = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_RAW};
    patio_status  st   = patio_arg_raw(ctx, &same.raw, &same.content_type);
    return st == PATIO_OK ? patio_return_payload(ctx, &same) : st;
}

static double now_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Sleeps in slices, because nobody can wake a task that does not look. */
static patio_status sleep_for(patio_context *ctx)
{
    static const double slice = 0.05;
    double              seconds;
    patio_status        st = patio_arg_double(ctx, 0, &seconds);
    if (st != PATIO_OK) {
        return st;
    }
    const double start = now_seconds();
    for (;;) {
        double left = seconds - (now_seconds() - start);
        if (!(left > 0)) {
            return PATIO_RETURN(ctx, seconds);
        }
        /* may be said each time round: what is too much is not sent */
        patio_task_progress(ctx, (uint64_t)((seconds - left) * 1000), (uint64_t)(seconds * 1000),
                            "ms");
        if (patio_task_cancelled(ctx)) {
            return patio_task_fail(ctx, 1, "Cancelled", "cancelled with %.3f s left", left);
        }
        struct timespec nap = {0, (long)((left < slice ? left : slice) * 1e9)};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    }
}

static const char *text_or(const patio_value *value, const char *fallback)
{
    const char *text = fallback;
    return patio_value_get_string(value, &text) == PATIO_OK ? text : fallback;
}

static patio_status fail(patio_context *ctx)
{
    int64_t            code    = 1;
    const patio_value *details = patio_kwarg(ctx, "details");
    const patio_value *wanted  = patio_kwarg(ctx, "code");
    if (wanted != NULL && (patio_value_get_int64(wanted, &code) != PATIO_OK || code < INT32_MIN ||
                           code > INT32_MAX)) {
        return patio_task_fail(ctx, 2, "Arguments", "code of fail: expected a 32-bit integer");
    }
    const char *type    = text_or(patio_kwarg(ctx, "type"), "Failed");
    const char *message = text_or(patio_arg(ctx, 0), "failed on demand");
    if (details == NULL) {
        return patio_task_fail(ctx, (int32_t)code, type, "%s", message);
    }
    patio_payload payload = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                             .values = details, .value_count = 1};
    return patio_task_fail_with(ctx, (int32_t)code, type, message, &payload);
}

static patio_status crash(patio_context *ctx)
{
    (void)ctx;
    (void)raise(SIGSEGV);
    return PATIO_INTERNAL;
}

static patio_status retry(patio_context *ctx)
{
    int64_t            after_ms = 10;
    uint64_t           wanted;
    const patio_value *after = patio_kwarg(ctx, "after_ms");
    patio_status       st    = patio_arg_uint64(ctx, 0, &wanted);
    if (st != PATIO_OK) {
        return st;
    }
    if (after != NULL && (patio_value_get_int64(after, &after_ms) != PATIO_OK || after_ms < 0)) {
        return patio_task_fail(ctx, 2, "Arguments", "after_ms of retry: expected milliseconds");
    }
    uint32_t attempt = patio_task_attempt(ctx);
    if (attempt < wanted) {
        return patio_task_retry(ctx, (uint64_t)after_ms, "attempt %u of %llu", attempt,
                                (unsigned long long)wanted);
    }
    return PATIO_RETURN(ctx, (int64_t)attempt);
}

static patio_status add_tasks(patio_registry *registry, patio_error *err)
{
    static const struct {
        const char   *name;
        patio_task_fn fn;
    } tasks[] = {
        {"mul", demo_mul}, {"div", demo_div}, {"sub", demo_sub},
        {"pow", demo_pow}, {"echo", echo},    {"sleep", sleep_for},
        {"fail", fail},    {"crash", crash},  {"retry", retry},
    };
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
        patio_status st = PATIO_ADD_AS(registry, tasks[i].name, tasks[i].fn, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    return PATIO_OK;
}

PATIO_TASK_MODULE(add_tasks)
