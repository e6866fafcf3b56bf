/* Tasks that do to their process what no task should. */
#include "tasks.h"

#include <patio/child_ring.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Closes everything, and returns as if nothing were. */
static patio_status closes_and_returns(patio_context *ctx)
{
    for (int fd = 0; fd < 256; fd++) {
        (void)close(fd);
    }
    return PATIO_RETURN(ctx, 1);
}

/* No handler, no mask: only SIGKILL ends a process that is stopped. */
static patio_status stops_itself(patio_context *ctx)
{
    (void)ctx;
    while (forever) {
        (void)kill(getpid(), SIGSTOP);
    }
    return PATIO_OK;
}

/* Writes over what it shares with its worker: with what, says the argument. */
static patio_status scribbles(patio_context *ctx)
{
    unsigned long from = 0;
    unsigned long to   = 0;
    char          line[512];
    int64_t       seed = 0;
    patio_status  st   = patio_arg_int64(ctx, 0, &seed);
    FILE         *maps = fopen("/proc/self/maps", "re");
    uint64_t      word = (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    if (st != PATIO_OK || maps == NULL) {
        return st != PATIO_OK ? st : PATIO_IO;
    }
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (strstr(line, "memfd:patio-child") == NULL || sscanf(line, "%lx-%lx", &from, &to) != 2) {
            continue;
        }
        for (unsigned long at = from; at < to; at += sizeof(word)) {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            uint64_t what = seed == 0 ? 0 : seed == 1 ? UINT64_MAX : word;
            /* below is what a clever one would write: small numbers, everywhere */
            what = seed % 4 == 3 ? what % 1024 : what;
            memcpy((void *)at, &what, sizeof(what)); /* NOLINT(performance-no-int-to-ptr) */
        }
    }
    (void)fclose(maps);
    return PATIO_RETURN(ctx, 1);
}

/* What it shares with its worker; NULL: not found. */
static patio_child_page *shared_page(void)
{
    unsigned long from = 0;
    char          line[512];
    FILE         *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && from == 0 && fgets(line, sizeof(line), maps) != NULL) {
        if (strstr(line, "memfd:patio-child") != NULL) {
            (void)sscanf(line, "%lx-", &from);
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
    return (patio_child_page *)from; /* NOLINT(performance-no-int-to-ptr) */
}

/* Says that its child has not begun with it, and lasts. */
static patio_status pretends(patio_context *ctx)
{
    patio_child_page *page = shared_page();
    (void)ctx;
    if (page == NULL) {
        return PATIO_IO;
    }
    atomic_store(&page->turn, 0xC0000000u);
    for (;;) {
        (void)pause();
    }
}

/* Leaves noise in its child's ring of jobs, and ends well. */
static patio_status soils(patio_context *ctx)
{
    patio_child_page *page = shared_page();
    if (page == NULL) {
        return PATIO_IO;
    }
    atomic_fetch_add(&page->jobs.head, 4096);
    return PATIO_RETURN(ctx, 1);
}

static const task_row rows[] = {
    {"segv", crash_segv},     {"abort", crash_abort},
    {"exit", crash_exit},     {"kill", crash_kill},
    {"loops", loops},         {"deaf", deaf},
    {"eats", eats},           {"forks", forks},
    {"leaves", leaves},       {"closes", closes},
    {"floods", floods},       {"overflows", overflows},
    {"stops", stops_itself},  {"closes_and_returns", closes_and_returns},
    {"scribbles", scribbles}, {"pretends", pretends},
    {"soils", soils},         {NULL, NULL},
};

const task_row *hostile_tasks(void)
{
    return rows;
}
