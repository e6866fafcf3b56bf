#include "tasks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- good ones ---- */

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

static patio_status talks(patio_context *ctx)
{
    printf("a line of %s\n", patio_task_name(ctx));
    fprintf(stderr, "an error without end");
    patio_task_log(ctx, PATIO_LOG_WARN, "a line for the log");
    patio_task_progress(ctx, 1, 2, "half");
    return PATIO_OK;
}

/* ---- bad ones ---- */

/* Never changes, but the compiler does not know. */
static volatile bool forever = true;

static patio_status crash_segv(patio_context *ctx)
{
    (void)ctx;
    volatile int *nowhere = NULL;
    *nowhere              = 1;
    return PATIO_OK;
}

static patio_status crash_abort(patio_context *ctx)
{
    (void)ctx;
    abort();
}

static patio_status crash_exit(patio_context *ctx)
{
    (void)ctx;
    exit(3);
}

static patio_status crash_kill(patio_context *ctx)
{
    (void)ctx;
    (void)kill(getpid(), SIGKILL);
    while (forever) {
        (void)pause();
    }
    return PATIO_OK;
}

static patio_status loops(patio_context *ctx)
{
    (void)ctx;
    while (forever) {
    }
    return PATIO_OK;
}

/* As loop, but no signal that can be blocked reaches it. */
static patio_status deaf(patio_context *ctx)
{
    (void)ctx;
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)signal(SIGTERM, SIG_IGN);
    while (forever) {
        (void)pause();
    }
    return PATIO_OK;
}

static patio_status eats(patio_context *ctx)
{
    (void)ctx;
    const size_t step = (size_t)4 << 20;
    while (forever) {
        void *p = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p != MAP_FAILED) {
            memset(p, 1, step);
        }
    }
    return PATIO_OK;
}

/* Two of us return: only one was asked. */
static patio_status forks(patio_context *ctx)
{
    pid_t pid = fork();
    return PATIO_RETURN(ctx, (int64_t)(pid == 0 ? -1 : 5));
}

/* Leaves a process behind, and says which. */
static patio_status leaves(patio_context *ctx)
{
    pid_t pid = fork();
    while (pid == 0) {
        (void)pause();
    }
    return PATIO_RETURN(ctx, (int64_t)pid);
}

static patio_status closes(patio_context *ctx)
{
    (void)ctx;
    for (int fd = 0; fd < 256; fd++) {
        (void)close(fd);
    }
    while (forever) {
        (void)pause();
    }
    return PATIO_OK;
}

static patio_status floods(patio_context *ctx)
{
    (void)ctx;
    static const char line[] =
        "a line of sixty-four bytes, as many times as there is room for it\n";
    while (forever) {
        (void)!write(1, line, sizeof(line) - 1);
    }
    return PATIO_OK;
}

__attribute__((noinline)) static int deeper(volatile char *above)
{
    volatile char room[4096];
    room[0] = above[0];
    return forever ? deeper(room) + room[17] : 0;
}

static patio_status overflows(patio_context *ctx)
{
    volatile char first[1] = {0};
    return PATIO_RETURN(ctx, deeper(first));
}

patio_status make_registry(patio_registry **out, patio_error *err)
{
    static const struct {
        const char   *name;
        patio_task_fn fn;
    } all[] = {
        {"add", add},
        {"echo", echo},
        {"who", who},
        {"fails", fails},
        {"retries", retries},
        {"reverse", reverse},
        {"slow", slow},
        {"nested", nested},
        {"nested_nobody", nested_nobody},
        {"talks", talks},
        {"segv", crash_segv},
        {"abort", crash_abort},
        {"exit", crash_exit},
        {"kill", crash_kill},
        {"loops", loops},
        {"deaf", deaf},
        {"eats", eats},
        {"forks", forks},
        {"leaves", leaves},
        {"closes", closes},
        {"floods", floods},
        {"overflows", overflows},
    };
    patio_status st = patio_registry_create(NULL, out, err);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && st == PATIO_OK; i++) {
        st = PATIO_ADD_AS(*out, all[i].name, all[i].fn, err);
    }
    return st;
}
