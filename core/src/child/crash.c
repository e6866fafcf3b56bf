/* Last words. What a handler finds out it writes into the shared page, which outlives the process:
 * no socket that may be full, no memory that may be broken. */
#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "child/child.h"

enum { FRAMES_MAX = 40, STACK_BYTES = 64 * 1024, SKIPPED = 1 };

static patio_child_page *page;
static uint8_t           stack[STACK_BYTES] __attribute__((aligned(16)));

_Noreturn void pt_child_die(void)
{
    if (getpgrp() == getpid()) {
        (void)kill(0, SIGKILL); /* and what the tasks have started */
    }
    (void)kill(getpid(), SIGKILL);
    _exit(1);
}

static void parent_died(int number)
{
    (void)number;
    pt_child_die();
}

/* backtrace_symbols_fd writes to a descriptor: to the page's own file, up to its sealed end. */
static void write_backtrace(void)
{
    void *frames[FRAMES_MAX];
    int   count = backtrace(frames, FRAMES_MAX);
    off_t from  = (off_t)offsetof(patio_child_page, crash);
    if (count <= SKIPPED || lseek(PATIO_CHILD_FD_PAGE, from, SEEK_SET) != from) {
        return;
    }
    backtrace_symbols_fd(frames + SKIPPED, count - SKIPPED, PATIO_CHILD_FD_PAGE);
    off_t end = lseek(PATIO_CHILD_FD_PAGE, 0, SEEK_CUR);
    off_t got = end > from ? end - from : 0;
    got       = got < PATIO_CHILD_CRASH_MAX ? got : PATIO_CHILD_CRASH_MAX;
    atomic_store(&page->crash_bytes, (uint32_t)got);
}

static void crashed(int number, siginfo_t *info, void *context)
{
    (void)context;
    page->crash_signal  = number;
    page->crash_code    = info->si_code;
    page->crash_address = (uint64_t)(uintptr_t)info->si_addr;
    write_backtrace();
    /* SA_RESETHAND: what caused it happens once more, and then ends the process as it would have
     * without this; what was sent is sent again */
    if (info->si_code <= 0) {
        (void)raise(number);
    }
}

/* A page that a fork finds empty, however it was made; NULL where the kernel knows no such page. */
static uint32_t *original;
static pid_t     own_pid;

static void mark_original(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void  *at   = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    own_pid     = getpid();
    if (at != MAP_FAILED && madvise(at, size, MADV_WIPEONFORK) == 0) {
        original  = at;
        *original = 1;
    }
}

bool pt_child_is_copy(void)
{
    return original != NULL ? *original == 0 : getpid() != own_pid;
}

/* A task that forks makes a process that has nothing of ours to do. */
static void in_fork(void)
{
    (void)close(PATIO_CHILD_FD_JOBS);
    (void)close(PATIO_CHILD_FD_WORDS);
    (void)close(PATIO_CHILD_FD_BELL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void pt_child_catch(pt_child *child)
{
    static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
    page                      = child->page;
    stack_t          on       = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction act      = {.sa_sigaction = crashed};
    void            *frames[2];
    act.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
    (void)backtrace(frames, 2); /* its first use loads a library, which a handler must not */
    (void)sigaltstack(&on, NULL);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
        (void)sigaction(caught[i], &act, NULL);
    }
    struct sigaction death = {.sa_handler = parent_died};
    (void)sigaction(PT_CHILD_DEATH_SIGNAL, &death, NULL);
    (void)prctl(PR_SET_PDEATHSIG, PT_CHILD_DEATH_SIGNAL);
    if ((uint32_t)getppid() != child->hello.parent) {
        pt_child_die(); /* it died before it could be said */
    }
    mark_original();
    (void)pthread_atfork(NULL, NULL, in_fork);
}
