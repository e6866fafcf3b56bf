#include "starting.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "exits.h"
#include "signals.h"

enum { LOOK_MS = 1000, AGAIN_MS = 50 };

typedef struct starting {
    const cli_session *session;
    atomic_bool        over;
    int                number; /* of the signal that came; 0: none */
} starting;

/* This thread stops it, and not the other way round: what an executor has begun may depend on the
 * thread that did so. */
static void *watch(void *arg)
{
    starting *s = arg;
    do {
        int number = cli_signals_wait(LOOK_MS);
        s->number  = number != SIGHUP ? number : 0;
    } while (s->number == 0 && !atomic_load(&s->over));
    while (s->number != 0 && !atomic_load(&s->over)) {
        /* it may not have begun yet, and then this stops nothing */
        (void)patio_broker_stop(s->session->broker, cli_session_drain_ms(s->session), NULL);
        (void)cli_signals_wait(AGAIN_MS);
    }
    return NULL;
}

int cli_start(cli_session *session, int *number)
{
    starting    s   = {.session = session};
    patio_error err = PATIO_ERROR_INIT;
    pthread_t   watcher;
    if (pthread_create(&watcher, NULL, watch, &s) != 0) {
        return cli_fail("start a thread", PATIO_NO_MEMORY, &err);
    }
    patio_status st = patio_broker_start(session->broker, &err);
    atomic_store(&s.over, true);
    cli_signals_wake();
    (void)pthread_join(watcher, NULL);
    *number = s.number;
    return st == PATIO_OK || s.number != 0 ? CLI_EXIT_OK : cli_fail("start the broker", st, &err);
}
