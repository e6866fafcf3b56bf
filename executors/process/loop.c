/* The one thread that reads from children, starts and ends them. */
#include "pool.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, KIND_BITS = 3, RETRY_MIN_MS = 100, RETRY_MAX_MS = 5000 };

bool loop_watch(patio_executor *x, child *c, int fd, unsigned kind)
{
    /* a child's memory is aligned: its low bits are free for the kind */
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(uintptr_t)c | kind};
    return epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ---- children that come and go ---- */

void loop_note_failure(patio_executor *x, patio_status status, const char *why)
{
    uint64_t pause = RETRY_MIN_MS;
    for (uint32_t i = 0; i < x->failures && pause < RETRY_MAX_MS; i++) {
        pause *= 2;
    }
    uint64_t now = pool_now(x);
    pthread_mutex_lock(&x->lock);
    x->failures++;
    x->spawn_after_ns = now + (pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS) * NS_PER_MS;
    if (x->start_error.status == PATIO_OK) {
        (void)patio_fail(&x->start_error, status, 0, "%s", why);
    }
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    patio_host_log(x->host, PATIO_LOG_ERROR, "start a child process: %s", why);
}

static void spawn_missing(patio_executor *x, uint64_t now)
{
    uint32_t have = 0;
    for (const child *c = x->children; c != NULL; c = c->next) {
        have += c->state == CHILD_STARTING || c->state == CHILD_READY ? 1 : 0;
    }
    while (have < x->workers && !x->stopping && now >= x->spawn_after_ns) {
        patio_error err = PATIO_ERROR_INIT;
        if (spawn_child(x, &err) != PATIO_OK) {
            loop_note_failure(x, err.status, err.message);
            return;
        }
        have++;
    }
}

/* Under the lock. */
static void leave(patio_executor *x, child *c)
{
    x->ready -= c->state == CHILD_READY ? 1 : 0;
    c->state = CHILD_LEAVING;
}

static bool is_old(const patio_executor *x, const child *c, uint64_t now)
{
    uint64_t tasks  = (uint64_t)x->values[OPT_MAX_TASKS].number;
    uint64_t age_ms = (uint64_t)x->values[OPT_MAX_AGE].number;
    return (tasks != 0 && c->number >= tasks) ||
           (age_ms != 0 && now - c->born_ns >= age_ms * NS_PER_MS);
}

/* Those that have served enough, or are to stop, get nothing more; those that have nothing more are
 * closed, and end by themselves. */
static void retire(patio_executor *x, uint64_t now)
{
    for (child *c = x->children; c != NULL; c = c->next) {
        pthread_mutex_lock(&x->lock);
        if (!c->taken && (c->state == CHILD_READY || c->state == CHILD_STARTING) &&
            (x->stopping || (c->state == CHILD_READY && is_old(x, c, now)))) {
            leave(x, c);
            (void)give_withdraw(x, c);
        }
        bool over = c->state == CHILD_LEAVING && c->held == 0 && !c->taken;
        if (over) {
            c->state    = CHILD_CLOSED;
            c->moved_ns = now;
            (void)shutdown(c->jobs_fd, SHUT_WR);
        }
        pthread_mutex_unlock(&x->lock);
    }
}

static void bury(patio_executor *x)
{
    for (child **at = &x->children; *at != NULL;) {
        child *c = *at;
        if (!c->gone) {
            at = &c->next;
            continue;
        }
        pthread_mutex_lock(&x->lock);
        /* somebody is about to send to it, and will fail, and then wake this thread */
        bool taken = c->taken || c->pins > 0;
        if (!taken) {
            *at = c->next;
        }
        pthread_mutex_unlock(&x->lock);
        if (taken) {
            at = &c->next;
        } else {
            spawn_close(x, c);
        }
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
        out.status         = (patio_status)(uintptr_t)list->link[LINK_BEGUN];
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

/* ---- a turn ---- */

/* First what was written to the standard streams: it was written before the result that is here. */
static void hear_all(patio_executor *x, const struct epoll_event *events, int count)
{
    static const unsigned order[] = {WATCH_OUT, WATCH_ERR, WATCH_JOBS, WATCH_PID};
    for (unsigned k = 0; k < 4; k++) {
        for (int i = 0; i < count; i++) {
            unsigned kind = events[i].data.u64 & ((1u << KIND_BITS) - 1);
            child   *c =
                (child *)(uintptr_t)(events[i].data.u64 & ~(uint64_t)((1u << KIND_BITS) - 1));
            if (c == NULL || kind != order[k] || c->gone) {
                continue;
            }
            if (kind == WATCH_PID) {
                end_child(x, c);
            } else if (kind == WATCH_JOBS) {
                if (!hear_packet(x, c)) {
                    /* it is ending, or not to be talked to any more: see watch_idle */
                    (void)epoll_ctl(x->epoll_fd, EPOLL_CTL_DEL, c->jobs_fd, NULL);
                    c->lost_ns = pool_now(x);
                }
            } else {
                output_read(x, c, kind == WATCH_OUT ? 0 : 1);
            }
        }
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When to look again by itself, if nothing happens. */
static uint64_t next_look(patio_executor *x, uint64_t now, uint64_t watched, bool moved)
{
    uint64_t next   = watched;
    uint64_t age_ms = (uint64_t)x->values[OPT_MAX_AGE].number;
    uint32_t have   = 0;
    for (const child *c = x->children; c != NULL; c = c->next) {
        if (age_ms != 0 && c->state == CHILD_READY) {
            next = sooner(next, c->born_ns + age_ms * NS_PER_MS);
        }
        have += c->state == CHILD_STARTING || c->state == CHILD_READY ? 1 : 0;
    }
    if (have < x->workers && !x->stopping) {
        next = sooner(next, x->spawn_after_ns);
    }
    /* while there is traffic it comes back soon, so that a submit need not wake it for a deadline
     */
    return moved ? sooner(next, now + LINGER_NS) : next;
}

static int wait_ms(uint64_t now, uint64_t next)
{
    if (next == NEVER) {
        return -1;
    }
    return next <= now ? 0 : (int)sooner((next - now) / NS_PER_MS + 1, 60000);
}

static bool any_event(const void *arg)
{
    const patio_executor *x = arg;
    struct epoll_event    event;
    return epoll_wait(x->epoll_fd, &event, 1, 0) > 0;
}

static bool is_busy(patio_executor *x)
{
    bool busy = false;
    pthread_mutex_lock(&x->lock);
    for (const child *c = x->children; c != NULL && !busy; c = c->next) {
        busy = c->held > 0;
    }
    pthread_mutex_unlock(&x->lock);
    return busy;
}

/* Sleep until something happens, or a moment longer awake where that has paid. */
static int wait_for_events(patio_executor *x, struct epoll_event *events, int timeout_ms)
{
    uint64_t from = patio_spin_now_ns();
    if (timeout_ms != 0 && is_busy(x)) {
        (void)patio_spin_until(&x->spin, any_event, x);
    }
    int count = epoll_wait(x->epoll_fd, events, EVENTS_MAX, timeout_ms);
    patio_spin_learn(&x->spin, patio_spin_now_ns() - from);
    uint64_t drained = 0;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == 0) {
            (void)!read(x->wake_fd, &drained, sizeof(drained));
        }
    }
    return count > 0 ? count : 0;
}

static void tick(patio_executor *x, bool moved, uint64_t *next)
{
    uint64_t now = pool_now(x);
    retire(x, now);
    finish_refused(x);
    if (x->stopping) {
        give_back_queue(x);
        retire(x, now);
    } else {
        spawn_missing(x, now);
        give_all(x);
    }
    now              = pool_now(x);
    uint64_t watched = watch_all(x, now);
    *next            = next_look(x, now, watched, moved);
    pthread_mutex_lock(&x->lock);
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
        int count = wait_for_events(x, events, wait_ms(pool_now(x), next));
        moved     = count > 0;
        hear_all(x, events, count);
        bury(x);
    }
    finish_refused(x);
    give_back_queue(x);
    return NULL;
}
