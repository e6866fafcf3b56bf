/* A look-up and its thread, which may outlive the instance that began it: it uses nothing of that,
 * nor of the host, but what is here and stays. */
#include "lookup.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { FREE = 0, RUNNING = 1, DONE = 2, LEFT = 3 };

struct lookup {
    _Atomic int state;
    pthread_t   thread;
    void (*done)(void *arg);
    void            *arg;
    int              error;
    struct addrinfo *found;
    char             host[256];
    char             port[8];
};

static lookup lookups[LOOKUPS_MAX];

static int look(const char *host, const char *port, int flags, struct addrinfo **found)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC, .ai_flags = flags};
    *found = NULL;
    return getaddrinfo(host, port, &hints, found);
}

static void forget(lookup *l)
{
    if (l->found != NULL) {
        freeaddrinfo(l->found);
    }
    atomic_store(&l->state, FREE);
}

static void *run(void *arg)
{
    lookup *l = arg;
    l->error  = look(l->host, l->port, 0, &l->found);
    if (atomic_exchange(&l->state, DONE) == LEFT) {
        forget(l);
    } else if (l->done != NULL) {
        l->done(l->arg); /* both are there until this thread was joined */
    }
    return NULL;
}

/* Signals are for the threads of the program. */
static bool begin_thread(lookup *l)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&l->thread, NULL, run, l);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

static lookup *take_free(void)
{
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        int expected = FREE;
        if (atomic_compare_exchange_strong(&lookups[i].state, &expected, RUNNING)) {
            return &lookups[i];
        }
    }
    return NULL;
}

struct addrinfo *lookup_at_once(const char *host, uint32_t port)
{
    char             text[8];
    struct addrinfo *found = NULL;
    (void)snprintf(text, sizeof(text), "%u", port);
    bool got = look(host, text, AI_NUMERICHOST, &found) == 0 ||
               (strcmp(host, "localhost") == 0 && look(host, text, 0, &found) == 0);
    return got ? found : NULL;
}

lookup *lookup_begin(const char *host, uint32_t port, void (*done)(void *arg), void *arg)
{
    lookup *l = take_free();
    if (l == NULL) {
        return NULL;
    }
    l->done  = done;
    l->arg   = arg;
    l->found = NULL;
    (void)snprintf(l->host, sizeof(l->host), "%s", host);
    (void)snprintf(l->port, sizeof(l->port), "%u", port);
    if (!begin_thread(l)) {
        forget(l);
        return NULL;
    }
    return l;
}

bool lookup_is_done(const lookup *l)
{
    return atomic_load(&l->state) == DONE;
}

int lookup_end(lookup *l, struct addrinfo **found)
{
    (void)pthread_join(l->thread, NULL);
    int error = l->error;
    *found    = l->found;
    l->found  = NULL;
    forget(l);
    return error;
}

void lookup_leave(lookup *l)
{
    pthread_t thread = l->thread; /* before another has this place */
    if (atomic_exchange(&l->state, LEFT) == RUNNING) {
        (void)pthread_detach(thread);
        return;
    }
    (void)pthread_join(thread, NULL); /* it is at its end */
    forget(l);
}
