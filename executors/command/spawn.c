/* A program, begun.
 *
 * Neither fork, which copies the page tables of a large process and leaves locks held by threads
 * that are not there, nor posix_spawn, which cannot tie the child's life to ours: clone with
 * CLONE_VM | CLONE_VFORK, as posix_spawn does it inside. The child runs on a stack of its own, in
 * our memory, while this thread waits, until it is the program. So it makes system calls and
 * nothing else: no allocation, no lock, no errno of ours, no signal handler. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct birth {
    const spawn_request *request;
    pid_t                parent;
    volatile int         problem; /* an errno, if it did not become the program */
} birth;

/* The sanitizers know nothing of a second process in the same memory. */
#define BARE __attribute__((no_sanitize("address", "thread", "undefined"), no_stack_protector))
#ifdef __clang__
#undef BARE
#define BARE __attribute__((no_sanitize("address", "thread", "undefined")))
#endif

/* ThreadSanitizer takes clone for a fork, after which there may be no more threads. Here there are:
 * this process goes on as it was. So its interceptor is passed by, under glibc's other name. */
#if defined(__SANITIZE_THREAD__)
#define PLAIN_CLONE 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PLAIN_CLONE 1
#endif
#endif
#ifdef PLAIN_CLONE
extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

/* Straight to the kernel: the C library's wrappers may be intercepted, and set errno. */
#define CALL(...) syscall(__VA_ARGS__)

BARE static int failed(birth *b)
{
    b->problem = errno;
    CALL(SYS_exit_group, PROGRAM_MISSING);
    return 0;
}

/* What this process ignores, its children shall not; what it handles, exec resets by itself. */
BARE static void reset_signals(void)
{
    struct {
        void    *handler;
        uint64_t flags;
        void    *restorer;
        uint64_t mask;
    } by_default    = {NULL, 0, NULL, 0};
    uint64_t nobody = 0;
    for (int number = 1; number <= 64; number++) {
        if (number != SIGKILL && number != SIGSTOP) {
            CALL(SYS_rt_sigaction, number, &by_default, NULL, sizeof(uint64_t));
        }
    }
    CALL(SYS_rt_sigprocmask, SIG_SETMASK, &nobody, NULL, sizeof(uint64_t));
}

BARE static int become(void *arg)
{
    birth               *b = arg;
    const spawn_request *r = b->request;
    /* Signals are still blocked here: nothing of the parent's runs. */
    if (CALL(SYS_setpgid, 0, 0) != 0 ||
        (!r->outlives && CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)) {
        return failed(b);
    }
    if (CALL(SYS_getppid) != b->parent) {
        CALL(SYS_exit_group, PROGRAM_MISSING); /* it died before we could be told */
    }
    if (CALL(SYS_dup3, r->in, STDIN_FILENO, 0) < 0 ||
        CALL(SYS_dup3, r->out, STDOUT_FILENO, 0) < 0 ||
        CALL(SYS_dup3, r->err, STDERR_FILENO, 0) < 0) {
        return failed(b);
    }
    /* whatever of this process is not closed by exec; kernels before 5.9 cannot, and need not */
    CALL(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
    if (r->directory[0] != '\0' && CALL(SYS_chdir, r->directory) != 0) {
        return failed(b);
    }
    reset_signals();
    CALL(SYS_execve, r->program, r->argv, r->env);
    return failed(b);
}

int spawn(const spawn_request *request, pid_t *pid, int *pidfd)
{
    birth    b = {.request = request, .parent = getpid()};
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int saved   = errno;
    int flags   = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    *pidfd      = -1;
    *pid        = clone(become, (char *)request->stack + request->stack_bytes, flags, &b, pidfd);
    int problem = *pid < 0 ? errno : b.problem;
    errno       = saved;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (*pid > 0 && problem != 0) {
        siginfo_t gone;
        while (waitid(P_PID, (id_t)*pid, &gone, WEXITED) != 0 && errno == EINTR) {
        }
        (void)close(*pidfd);
        *pidfd = -1;
    }
    return problem;
}
