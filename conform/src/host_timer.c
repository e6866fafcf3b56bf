/* host_timer.c: the host's timers: the library's own, with a list of what is still set. */
#include <stdlib.h>

#include "base/alloc.h"
#include "host_inside.h"
#include "runtime/timers.h"

struct host_timer {
    struct host_timer *next;
    kit_host          *h;
    uint64_t           number;
    patio_fn           fn;
    void              *arg;
};

static bool unlink_timer(kit_host *h, struct host_timer *t)
{
    struct host_timer **at = &h->pending;
    while (*at != NULL && *at != t) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return false;
    }
    *at = t->next;
    return true;
}

static void run_timer(void *arg)
{
    struct host_timer *t    = arg;
    kit_host          *h    = t->h;
    patio_fn           fn   = t->fn;
    void              *each = t->arg;
    pthread_mutex_lock(&h->lock);
    bool mine = unlink_timer(h, t);
    pthread_mutex_unlock(&h->lock);
    fn(each);
    if (mine) {
        free(t);
    }
}

static uint64_t host_after(void *self, uint64_t delay_ns, patio_fn fn, void *arg)
{
    kit_host          *h = kit_host_of(self);
    struct host_timer *t = kit_host_fails(h) ? NULL : calloc(1, sizeof(*t));
    if (t == NULL) {
        return 0;
    }
    *t = (struct host_timer){.h = h, .fn = fn, .arg = arg};
    pthread_mutex_lock(&h->lock);
    t->next         = h->pending;
    h->pending      = t;
    uint64_t number = pt_timers_after(h->timers, delay_ns, run_timer, t);
    t->number       = number;
    if (number == 0) {
        (void)unlink_timer(h, t);
        free(t);
    }
    pthread_mutex_unlock(&h->lock);
    return number;
}

static int32_t host_cancel(void *self, uint64_t number)
{
    kit_host *h = kit_host_of(self);
    if (!pt_timers_cancel(h->timers, number)) {
        return 0;
    }
    pthread_mutex_lock(&h->lock);
    struct host_timer *t = h->pending;
    while (t != NULL && t->number != number) {
        t = t->next;
    }
    if (t != NULL) {
        (void)unlink_timer(h, t);
        free(t);
    }
    pthread_mutex_unlock(&h->lock);
    return 1;
}

void kit_host_init_timers(kit_host *h)
{
    h->table.after  = host_after;
    h->table.cancel = host_cancel;
    if (pt_timers_create(&pt_malloc_allocator, NULL, &h->timers, NULL) != PATIO_OK) {
        abort();
    }
}

void kit_host_fini_timers(kit_host *h)
{
    pt_timers_destroy(h->timers);
    while (h->pending != NULL) {
        struct host_timer *next = h->pending->next;
        free(h->pending);
        h->pending = next;
    }
}
