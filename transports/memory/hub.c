#include "hub.h"

void *hub_make(void *arg)
{
    const patio_host *host = arg;
    hub              *h    = host->alloc(host->self, sizeof(*h));
    if (h == NULL) {
        return NULL;
    }
    memset(h, 0, sizeof(*h));
    store_init(&h->room, host, &h->lock);
    pthread_mutexattr_t adaptive;
    pthread_mutexattr_init(&adaptive);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    /* held for a few dozen nanoseconds: looking again beats sleeping */
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(&h->lock, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
    return h;
}

static void forget_queue(const patio_host *host, queue *q)
{
    (void)host;
    (void)q; /* its subscriptions went with their instances */
}

void hub_free(void *arg)
{
    hub              *h    = arg;
    const patio_host *host = h->room.host;
    /* a timer may be running, about to take the lock or about to leave it */
    pthread_mutex_lock(&h->lock);
    h->closing = true;
    pthread_mutex_unlock(&h->lock);
    store_fini(&h->room, forget_queue);
    pthread_mutex_destroy(&h->lock);
    host->free(host->self, h);
}

void hub_push(entry *e)
{
    e->order = ++e->hub->room.order;
    store_push_ready(e);
}
