#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "exits.h"

/* Who ends a process and its group, as timeout(1) does, sends it the same signal twice. */
enum { ECHO_MS = 100 };

static sem_t       arrived;
static atomic_int  first_signal;
static atomic_bool hung_up;

/* A thread of its own, so that the second signal is heard while everything else is busy or stuck.
 */
static void *listen_for_signals(void *arg)
{
    static const char goodbye[] = "patio: second signal, ending at once\n";
    sigset_t         *signals   = arg;
    uint64_t          first_ns  = 0;
    for (;;) {
        int number;
        if (sigwait(signals, &number) != 0) {
            continue;
        }
        if (number == SIGHUP) {
            atomic_store(&hung_up, true);
            (void)sem_post(&arrived);
            continue;
        }
        int none = 0;
        if (atomic_compare_exchange_strong(&first_signal, &none, number)) {
            first_ns = pt_now_ns();
            (void)sem_post(&arrived);
            continue;
        }
        if (number == none && pt_now_ns() < first_ns + ECHO_MS * PT_NS_PER_MS) {
            continue;
        }
        ssize_t written = write(STDERR_FILENO, goodbye, sizeof(goodbye) - 1);
        (void)written;
        _exit(CLI_EXIT_INTERRUPTED);
    }
    return NULL;
}

bool cli_signals_start(void)
{
    static sigset_t signals;
    pthread_t       listener;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    /* A closed pipe is an error of one write, not the end of a worker. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (sem_init(&arrived, 0, 0) != 0 || pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0 ||
        pthread_create(&listener, NULL, listen_for_signals, &signals) != 0) {
        return false;
    }
    return pthread_detach(listener) == 0;
}

void cli_signals_wake(void)
{
    (void)sem_post(&arrived);
}

int cli_signals_wait(uint32_t timeout_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (sem_clockwait(&arrived, CLOCK_MONOTONIC, &until) != 0) {
        if (errno != EINTR) {
            return 0;
        }
    }
    int first = atomic_load(&first_signal);
    return first == 0 && atomic_exchange(&hung_up, false) ? SIGHUP : first;
}
