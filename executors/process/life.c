/* How the end of a child is noticed: by a descriptor of the kernel's for it. Where there is none
 * (kernels before 5.3, some sandboxes, valgrind) a thread waits for the child and rings: for the
 * end of its socket is not its own end, as what a task has forked may hold that open. */
#include "pool.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_BYTES = 256 * 1024 };

/* The child is left to be reaped by the loop. */
static void *wait_for_end(void *arg)
{
    const child *c    = arg;
    uint64_t     one  = 1;
    siginfo_t    info = {0};
    while (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    (void)!write(c->pid_fd, &one, sizeof(one));
    return NULL;
}

/* Signals are for threads of the program. */
static bool start_waiter(child *c)
{
    pthread_attr_t attr;
    sigset_t       all;
    sigset_t       before;
    sigfillset(&all);
    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&c->waiter, &attr, wait_for_end, c);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    c->has_waiter = rc == 0;
    errno         = rc;
    return c->has_waiter;
}

bool life_watch(child *c)
{
    c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pid_fd >= 0 || (errno != ENOSYS && errno != EPERM)) {
        return c->pid_fd >= 0;
    }
    c->pid_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return c->pid_fd >= 0 && start_waiter(c);
}

void life_fini(child *c)
{
    if (c->has_waiter) {
        (void)pthread_join(c->waiter, NULL);
    }
}
