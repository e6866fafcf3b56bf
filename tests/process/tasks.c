/* Tasks as they should be, and the registry of all. */
#include "tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static patio_status add(patio_context *ctx)
{
    int64_t      a  = 0;
    int64_t      b  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &a);
    if (st == PATIO_OK) {
        st = patio_arg_int64(ctx, 1, &b);
    }
    return st == PATIO_OK ? PATIO_RETURN(ctx, a + b) : st;
}

static patio_status echo(patio_context *ctx)
{
    return patio_return(ctx, *patio_arg(ctx, 0));
}

static patio_status who(patio_context *ctx)
{
    return PATIO_RETURN(ctx, (int64_t)getpid());
}

static patio_status fails(patio_context *ctx)
{
    return patio_task_fail(ctx, 7, "Wrong", "attempt %u", patio_task_attempt(ctx));
}

static patio_status retries(patio_context *ctx)
{
    return patio_task_attempt(ctx) < 3 ? patio_task_retry(ctx, 1, "not yet")
                                       : PATIO_RETURN(ctx, (int64_t)patio_task_attempt(ctx));
}

/* Sum of the bytes, and the same bytes back. */
static patio_status reverse(patio_context *ctx)
{
    patio_bytes  bytes;
    patio_status st = patio_arg_bytes(ctx, 0, &bytes);
    if (st != PATIO_OK) {
        return st;
    }
    uint8_t *copy = malloc(bytes.size + 1);
    for (size_t i = 0; copy != NULL && i < bytes.size; i++) {
        copy[i] = bytes.data[bytes.size - 1 - i];
    }
    st = copy != NULL ? patio_return(ctx, patio_blob(copy, bytes.size)) : PATIO_NO_MEMORY;
    free(copy);
    return st;
}

static patio_status slow(patio_context *ctx)
{
    int64_t      ms = 0;
    patio_status st = patio_arg_int64(ctx, 0, &ms);
    st              = st == PATIO_OK ? patio_sleep_ms(ctx, (uint64_t)ms) : st;
    return st == PATIO_OK ? PATIO_RETURN(ctx, (int64_t)getpid()) : st;
}

/* How many of these two its child has run. */
static int64_t turns;

static patio_status turn(patio_context *ctx)
{
    return PATIO_RETURN(ctx, ++turns);
}

static patio_status other_turn(patio_context *ctx)
{
    return PATIO_RETURN(ctx, ++turns);
}

/* ---- what its process is like ---- */

static patio_status niceness(patio_context *ctx)
{
    return PATIO_RETURN(ctx, (int64_t)getpriority(PRIO_PROCESS, 0));
}

/* Bytes of a core dump; -1: any. */
static patio_status core_bytes(patio_context *ctx)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_CORE, &limit);
    return PATIO_RETURN(ctx,
                        limit.rlim_cur == RLIM_INFINITY ? INT64_C(-1) : (int64_t)limit.rlim_cur);
}

static patio_status where(patio_context *ctx)
{
    char path[4096];
    return getcwd(path, sizeof(path)) != NULL ? PATIO_RETURN(ctx, path) : PATIO_IO;
}

/* Does malloc give so many bytes? */
static patio_status grabs(patio_context *ctx)
{
    int64_t      bytes = 0;
    patio_status st    = patio_arg_int64(ctx, 0, &bytes);
    void        *got   = st == PATIO_OK ? malloc((size_t)bytes) : NULL;
    if (got != NULL) {
        *(volatile char *)got = 1;
    }
    free(got);
    return st == PATIO_OK ? PATIO_RETURN(ctx, (int64_t)(got != NULL)) : st;
}

/* Uses so much CPU time. */
static patio_status burns(patio_context *ctx)
{
    int64_t         ms = 0;
    patio_status    st = patio_arg_int64(ctx, 0, &ms);
    struct timespec from;
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    do {
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 < ms);
    return st == PATIO_OK ? PATIO_RETURN(ctx, ms) : st;
}

static patio_status talks(patio_context *ctx)
{
    printf("a line of %s\n", patio_task_name(ctx));
    fprintf(stderr, "an error without end");
    patio_task_log(ctx, PATIO_LOG_WARN, "a line for the log");
    patio_task_progress(ctx, 1, 2, "half");
    return PATIO_OK;
}

static const task_row rows[] = {
    {"add", add},           {"echo", echo},
    {"who", who},           {"fails", fails},
    {"retries", retries},   {"reverse", reverse},
    {"slow", slow},         {"talks", talks},
    {"turn", turn},         {"other_turn", other_turn},
    {"niceness", niceness}, {"core_bytes", core_bytes},
    {"where", where},       {"grabs", grabs},
    {"burns", burns},       {NULL, NULL},
};

patio_status make_registry(patio_registry **out, patio_error *err)
{
    const task_row *const all[] = {rows, calling_tasks(), hostile_tasks()};
    patio_status          st    = patio_registry_create(NULL, out, err);
    for (size_t i = 0; i < 3; i++) {
        for (const task_row *row = all[i]; row->name != NULL && st == PATIO_OK; row++) {
            st = PATIO_ADD_AS(*out, row->name, row->fn, err);
        }
    }
    return st;
}
