/* Tasks that call tasks. */
#include "tasks.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static patio_status nested(patio_context *ctx)
{
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    int64_t            sum     = 0;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_status       st =
        patio_call(patio_task_broker(ctx), "add", PATIO_ARGS(20, 22), &options, &f, &err);
    if (st != PATIO_OK) {
        return patio_task_fail(ctx, st, "Nested", "%s", err.message);
    }
    st = patio_value_get_int64(patio_future_value(f), &sum);
    patio_future_destroy(f);
    return st == PATIO_OK ? PATIO_RETURN(ctx, sum) : st;
}

/* Calls what nobody has: the error must arrive. */
static patio_status nested_nobody(patio_context *ctx)
{
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_status       st =
        patio_call(patio_task_broker(ctx), "nobody.has.it", PATIO_NO_ARGS, &options, &f, &err);
    patio_future_destroy(f);
    return PATIO_RETURN(ctx, (int64_t)st);
}

/* Calls itself as deep as its argument says; gives the depth. */
static patio_status dives(patio_context *ctx)
{
    int64_t      depth = 0;
    patio_status st    = patio_arg_int64(ctx, 0, &depth);
    if (st != PATIO_OK || depth == 0) {
        return st == PATIO_OK ? PATIO_RETURN(ctx, 0) : st;
    }
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_future      *inner   = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    int64_t            below   = 0;
    st = patio_call(patio_task_broker(ctx), "dives", PATIO_ARGS(depth - 1), &options, &inner, &err);
    if (st != PATIO_OK) {
        return patio_task_fail(ctx, st, "Nested", "%s", err.message);
    }
    st = patio_value_get_int64(patio_future_value(inner), &below);
    patio_future_destroy(inner);
    return st == PATIO_OK ? PATIO_RETURN(ctx, below + 1) : st;
}

/* Sends so many "add", and waits for none. */
static patio_status sends(patio_context *ctx)
{
    int64_t      count = 0;
    patio_error  err   = PATIO_ERROR_INIT;
    patio_status st    = patio_arg_int64(ctx, 0, &count);
    for (int64_t i = 0; i < count && st == PATIO_OK; i++) {
        st = patio_send(patio_task_broker(ctx), "add", PATIO_ARGS(i, 1), NULL, NULL, &err);
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, count)
                          : patio_task_fail(ctx, st, "Send", "%s", err.message);
}

/* Waits for a call that comes back in so many milliseconds. */
static patio_status waits(patio_context *ctx)
{
    int64_t            ms      = 0;
    int64_t            sum     = 0;
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    patio_status       st      = patio_arg_int64(ctx, 0, &ms);
    patio_call_options options = {PATIO_SIZED(patio_call_options), .parent = ctx,
                                  .delay_ms = (uint64_t)ms};
    st                         = st == PATIO_OK
                                     ? patio_call(patio_task_broker(ctx), "add", PATIO_ARGS(1, 1), &options, &f, &err)
                                     : st;
    if (st == PATIO_OK) {
        st = patio_value_get_int64(patio_future_value(f), &sum);
        patio_future_destroy(f);
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, sum) : st;
}

enum { ASKED_MAX = 256, ASKED_BYTES = 20000 };

/* Starts so many calls, has its process stopped while the answers come, and counts those that are
 * right when somebody has let it go on. */
static patio_status asks_and_sleeps(patio_context *ctx)
{
    static uint8_t     bytes[ASKED_BYTES];
    patio_future      *futures[ASKED_MAX] = {NULL};
    patio_call_options options            = {PATIO_SIZED(patio_call_options), .parent = ctx};
    patio_error        err                = PATIO_ERROR_INIT;
    int64_t            count              = 0;
    int64_t            right              = 0;
    patio_status       st                 = patio_arg_int64(ctx, 0, &count);
    count                                 = count < ASKED_MAX ? count : ASKED_MAX;
    for (int64_t i = 0; i < count && st == PATIO_OK; i++) {
        memset(bytes, (int)i, sizeof(bytes));
        st = patio_start(patio_task_broker(ctx), "echo",
                         PATIO_ARGS(patio_blob(bytes, sizeof(bytes))), &options, &futures[i], &err);
    }
    (void)kill(getpid(), SIGSTOP);
    for (int64_t i = 0; i < count; i++) {
        patio_bytes got = {NULL, 0};
        memset(bytes, (int)i, sizeof(bytes));
        bool well = futures[i] != NULL && patio_future_wait(futures[i], 30000) == PATIO_OK &&
                    patio_future_status(futures[i], &err) == PATIO_OK &&
                    patio_value_get_bytes(patio_future_value(futures[i]), &got) == PATIO_OK &&
                    got.size == sizeof(bytes) && memcmp(got.data, bytes, sizeof(bytes)) == 0;
        right += well ? 1 : 0;
        patio_future_destroy(futures[i]);
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, right) : st;
}

static const task_row rows[] = {
    {"nested", nested}, {"nested_nobody", nested_nobody},     {"dives", dives}, {"waits", waits},
    {"sends", sends},   {"asks_and_sleeps", asks_and_sleeps}, {NULL, NULL},
};

const task_row *calling_tasks(void)
{
    return rows;
}
