/* The one thread that reads from children, starts and ends them. */
#include "pool.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, KIND_BITS = 3 };
#define KIND_MASK ((UINT64_C(1) << KIND_BITS) - 1)
_Static_assert(WATCH_KINDS <= 1 << KIND_BITS, "a child's memory is aligned to this");

/* Bells are never read: each new ring of one is an event. */
bool loop_watch(patio_executor *x, child *c, int fd, unsigned kind)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(uintptr_t)c | kind};
    if (kind == WATCH_BELL) {
        event.events |= EPOLLET;
    } else if (kind == WATCH_WORDS) {
        event.events = 0; /* until one has to wait */
    }
    return epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Closing a descriptor does not take it out of the set while a copy of this process that somebody
 * has forked holds it, too: its events would go on, and name a child that is no more. */
void loop_close(patio_executor *x, int *fd)
{
    if (*fd >= 0) {
        (void)epoll_ctl(x->epoll_fd, EPOLL_CTL_DEL, *fd, NULL); /* it may not be in there */
        (void)close(*fd);
        *fd = -1;
    }
}

/* ---- jobs that go back ---- */

static void finish_refused(patio_executor *x)
{
    pthread_mutex_lock(&x->lock);
    patio_job *list = x->refused;
    x->refused      = NULL;
    bool room       = x->was_full && x->queued < (uint32_t)x->values[OPT_QUEUE_MAX].number;
    x->was_full     = x->was_full && !room;
    pthread_mutex_unlock(&x->lock);
    while (list != NULL) {
        patio_job    *next = list->link[LINK_NEXT];
        patio_outcome out  = {PATIO_SIZED(patio_outcome), .verdict = PATIO_REJECT};
        out.status         = (patio_status)(uintptr_t)list->link[LINK_STATUS];
        out.reply          = list->link[LINK_REPLY];
        out.verdict        = out.status == PATIO_CANCELLED ? PATIO_RETURN : PATIO_REJECT;
        pool_done(x, list, &out);
        list = next;
    }
    if (room) {
        x->events->room(x->events->self);
    }
}

static void give_back_queue(patio_executor *x)
{
    for (;;) {
        pthread_mutex_lock(&x->lock);
        patio_job *job = pool_pop(x);
        pthread_mutex_unlock(&x->lock);
        if (job == NULL) {
            return;
        }
        pool_give_back(x, job, PATIO_CLOSED);
    }
}

/* ---- what is heard in which order ----
 *
 * What a task wrote to its streams, and said, is heard before its result. Results lie in shared
 * memory, all else comes through descriptors; so it is noted how far the results go before the
 * descriptors are looked at, or the child has noted it when it rang its bell, and no more of them
 * is read in that turn.
 */

static bool lends_anew(const child *c)
{
    return atomic_load(&c->page->lending) != c->lending;
}

/* Is there anything new in what is shared with children? */
static bool look_at_pages(patio_executor *x)
{
    bool any = false;
    for (child *c = x->children; c != NULL; c = c->next) {
        c->seen = atomic_load(&c->page->results.head);
        any     = any || (!c->gone && (c->seen != c->result_at || lends_anew(c)));
    }
    return any;
}

static void hear_bell(child *c)
{
    uint64_t rung = atomic_load(&c->page->rung);
    /* one that comes late may be behind what was read meanwhile */
    if ((int64_t)(rung - c->seen) > 0) {
        c->seen = rung;
    }
}

static void hear_one(patio_executor *x, child *c, unsigned kind)
{
    switch (kind) {
    case WATCH_OUT:
    case WATCH_ERR:
        output_read(x, c, kind == WATCH_OUT ? 0 : 1);
        return;
    case WATCH_JOBS:
        if (!hear_packet(x, c)) {
            /* it is ending, or not to be talked to any more: see watch_lost */
            (void)epoll_ctl(x->epoll_fd, EPOLL_CTL_DEL, c->jobs_fd, NULL);
            c->lost_ns = pool_now(x);
        }
        return;
    case WATCH_BELL:
        hear_bell(c);
        return;
    case WATCH_WORDS:
        words_go_on(x, c);
        return;
    default:
        return;
    }
}

static void hear_all(patio_executor *x, const struct epoll_event *events, int count)
{
    static const unsigned order[] = {WATCH_OUT, WATCH_ERR, WATCH_JOBS, WATCH_BELL, WATCH_WORDS};
    for (unsigned k = 0; k < sizeof(order) / sizeof(order[0]) && count > 0; k++) {
        for (int i = 0; i < count; i++) {
            child *c = (child *)(uintptr_t)(events[i].data.u64 & ~KIND_MASK);
            if (c != NULL && (events[i].data.u64 & KIND_MASK) == order[k] && !c->gone) {
                hear_one(x, c, order[k]);
            }
        }
    }
    for (child *c = x->children; c != NULL; c = c->next) {
        if (c->seen != c->result_at && !c->gone) {
            results_read(x, c, c->seen);
        }
    }
    for (int i = 0; i < count; i++) {
        child *c = (child *)(uintptr_t)(events[i].data.u64 & ~KIND_MASK);
        if (c != NULL && (events[i].data.u64 & KIND_MASK) == WATCH_PID && !c->gone) {
            end_child(x, c);
        }
    }
}

/* ---- a turn ---- */

static int wait_ms(uint64_t now, uint64_t next)
{
    if (next == NEVER) {
        return -1;
    }
    uint64_t ms = next > now ? (next - now) / NS_PER_MS + 1 : 0;
    return (int)(ms < 60000 ? ms : 60000);
}

/* Whoever has something for the loop from here on wakes it. */
static bool lie_down(patio_executor *x)
{
    for (child *c = x->children; c != NULL; c = c->next) {
        if (atomic_load(&c->page->parent_sleeps) == 0) {
            atomic_store(&c->page->parent_sleeps, 1);
        }
    }
    atomic_store(&x->asleep, true);
    return !look_at_pages(x) && !atomic_load(&x->woken);
}

/* The idle ones may ring once in vain. */
static void get_up(patio_executor *x)
{
    atomic_store_explicit(&x->asleep, false, memory_order_relaxed);
    for (child *c = x->children; c != NULL; c = c->next) {
        if (c->held > 0) {
            atomic_store_explicit(&c->page->parent_sleeps, 0, memory_order_relaxed);
        }
    }
}

/* It does not look on for a moment as others do before they sleep: what it waits for needs the core
 * that it would look on with. */
static int wait_for_events(patio_executor *x, struct epoll_event *events, int timeout_ms,
                           bool *moved)
{
    bool news  = look_at_pages(x) || atomic_load(&x->woken) || timeout_ms == 0;
    bool lies  = !news && lie_down(x);
    int  count = epoll_wait(x->epoll_fd, events, EVENTS_MAX, lies ? timeout_ms : 0);
    if (!news) {
        get_up(x);
    }
    *moved = count > 0 || news || !lies;
    atomic_store(&x->woken, false);
    return count > 0 ? count : 0;
}

static void tick(patio_executor *x, bool moved, uint64_t *next)
{
    uint64_t now = pool_now(x);
    reload_look(x, now);
    staff_retire(x, now);
    finish_refused(x);
    if (x->stopping) {
        give_back_queue(x);
        staff_retire(x, now);
    } else {
        staff_lend(x);
        staff_spawn(x, now);
        deal_all(x);
    }
    /* what is given from here on may be given behind the look at its child */
    pthread_mutex_lock(&x->lock);
    x->given_until_ns = NEVER;
    pthread_mutex_unlock(&x->lock);
    now              = pool_now(x);
    uint64_t watched = watch_all(x, now);
    uint64_t staffed = staff_next(x, now);
    *next            = watched < staffed ? watched : staffed;
    if (x->deal_again && *next > now + STUCK_NS) {
        *next = now + STUCK_NS;
    }
    /* while there is traffic it comes back soon, so that a submit need not wake it for a deadline
     */
    if (moved && *next > now + LINGER_NS) {
        *next = now + LINGER_NS;
    }
    pthread_mutex_lock(&x->lock);
    *next            = x->given_until_ns < *next ? x->given_until_ns : *next;
    x->wait_until_ns = *next;
    pthread_mutex_unlock(&x->lock);
}

void *loop_run(void *arg)
{
    patio_executor    *x = arg;
    struct epoll_event events[EVENTS_MAX];
    uint64_t           next  = 0;
    bool               moved = false;
    pthread_mutex_lock(&x->lock);
    x->loop = pthread_self();
    pthread_mutex_unlock(&x->lock);
    while (!x->stopping || x->children != NULL) {
        tick(x, moved, &next);
        int count = wait_for_events(x, events, wait_ms(pool_now(x), next), &moved);
        hear_all(x, events, count);
        staff_bury(x);
    }
    finish_refused(x);
    give_back_queue(x);
    return NULL;
}
