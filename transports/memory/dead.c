/* Dead letters: kept per queue, bounded by count and age, looked at, given another chance. */
#include "memory.h"

#include <patio/dead.h>

static size_t body_size(const entry *e)
{
    const patio_host *host = e->hub->host;
    return host->buf_view(host->self, e->body).size;
}

/* Out of the dead letters, from behind `before` (NULL: the first). */
static entry *unlink_after(queue *q, entry *before)
{
    list  *l = &q->dead_letters;
    entry *e = before != NULL ? before->next : l->first;
    if (before != NULL) {
        before->next = e->next;
    } else {
        l->first = e->next;
    }
    if (l->last == e) {
        l->last = before;
    }
    q->dead--;
    q->hub->dead--;
    q->hub->dead_bytes -= body_size(e);
    e->state = ENTRY_GONE;
    return e;
}

static void chain(entry **at, entry *e)
{
    e->next = *at;
    *at     = e;
}

entry *dead_expire(patio_transport *t, queue *q)
{
    entry   *gone = NULL;
    uint64_t now  = t->host->now_ns(t->host->self);
    while (q->dead_letters.first != NULL && now - q->dead_letters.first->dead_ns > t->dead_ttl_ns) {
        chain(&gone, unlink_after(q, NULL));
    }
    return gone;
}

void dead_keep(patio_transport *t, entry *e, entry **lost, uint64_t *count)
{
    queue *q = e->lane->queue;
    *lost    = dead_expire(t, q);
    *count   = 0;
    if (t->max_dead == 0) {
        e->state = ENTRY_GONE;
        chain(lost, e);
        ++*count;
        return;
    }
    while (q->dead >= t->max_dead) {
        chain(lost, unlink_after(q, NULL));
        ++*count;
    }
    e->state   = ENTRY_DEAD;
    e->origin  = NULL;
    e->dead_ns = t->host->now_ns(t->host->self);
    e->order   = ++q->hub->order;
    q->dead++;
    q->hub->dead++;
    q->hub->dead_bytes += body_size(e);
    hub_append(&q->dead_letters, e);
}

/* ---- the interface ---- */

enum { PAGE = 64 };

/* What a visit needs, out of reach of the lock. */
typedef struct shown {
    patio_dead_letter letter;
    patio_buf        *cause;
    uint64_t          order;
} shown;

static void show(patio_transport *t, entry *e, bool body, shown *out)
{
    const patio_host *host = t->host;
    out->order             = e->order;
    out->cause             = e->cause != NULL ? host->buf_ref(host->self, e->cause) : NULL;
    out->letter            = (patio_dead_letter){
                   PATIO_SIZED(patio_dead_letter),
                   .attempts = e->attempt,
                   .crashes  = e->crashes,
                   .id       = e->id,
                   .queue    = e->lane->queue->name,
                   .task     = e->lane->task,
                   .dead_ms  = (host->now_ns(host->self) - e->dead_ns) / 1000000u,
                   .body     = body ? host->buf_ref(host->self, e->body) : NULL,
    };
    if (out->cause != NULL) {
        out->letter.cause = host->buf_view(host->self, out->cause);
    }
}

static int32_t visit_and_drop(patio_transport *t, shown *s, patio_dead_visit_fn visit, void *arg,
                              int32_t skip)
{
    int32_t stop = skip != 0 ? skip : visit(arg, &s->letter);
    t->host->buf_drop(t->host->self, s->cause);
    t->host->buf_drop(t->host->self, s->letter.body);
    return stop;
}

static patio_status not_found(const char *what, patio_error *err)
{
    return patio_fail(err, PATIO_NOT_FOUND, 0, "%s: no such dead letter", what);
}

static entry *find_dead(queue *q, const patio_id *id, entry **before)
{
    entry *last = NULL;
    for (entry *e = q != NULL ? q->dead_letters.first : NULL; e != NULL; last = e, e = e->next) {
        if (memcmp(&e->id, id, sizeof(*id)) == 0) {
            *before = last;
            return e;
        }
    }
    return NULL;
}

/* The next ones after an order, at most `room`. */
static uint32_t gather(patio_transport *t, const char *name, uint64_t order, uint32_t room,
                       shown *page)
{
    hub     *h     = t->hub;
    uint32_t count = 0;
    entry   *gone  = NULL;
    pthread_mutex_lock(&h->lock);
    queue *q = hub_queue(h, name, false);
    if (q != NULL) {
        gone = dead_expire(t, q);
        for (entry *e = q->dead_letters.first; e != NULL && count < room; e = e->next) {
            if (e->order > order) {
                show(t, e, false, &page[count++]);
            }
        }
    }
    pthread_mutex_unlock(&h->lock);
    hub_bury(h, gone);
    return count;
}

static patio_status dead_list(patio_transport *t, const char *name, const patio_id *after,
                              uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit,
                              void *arg, patio_error *err)
{
    (void)timeout_ms;
    hub     *h     = t->hub;
    uint64_t order = 0;
    if (after != NULL) {
        entry *before = NULL;
        pthread_mutex_lock(&h->lock);
        entry *e = find_dead(hub_queue(h, name, false), after, &before);
        order    = e != NULL ? e->order : 0;
        pthread_mutex_unlock(&h->lock);
        if (e == NULL) {
            return not_found("list", err);
        }
    }
    int32_t stop = 0;
    while (limit > 0 && stop == 0) {
        shown    page[PAGE];
        uint32_t room  = limit < PAGE ? limit : PAGE;
        uint32_t count = gather(t, name, order, room, page);
        for (uint32_t i = 0; i < count; i++) {
            order = page[i].order;
            stop  = visit_and_drop(t, &page[i], visit, arg, stop);
        }
        limit -= count;
        stop = count < room ? 1 : stop;
    }
    return PATIO_OK;
}

static patio_status dead_get(patio_transport *t, const char *name, const patio_id *id,
                             uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                             patio_error *err)
{
    (void)timeout_ms;
    hub   *h      = t->hub;
    entry *before = NULL;
    shown  one;
    pthread_mutex_lock(&h->lock);
    entry *e = find_dead(hub_queue(h, name, false), id, &before);
    if (e != NULL) {
        show(t, e, true, &one);
    }
    pthread_mutex_unlock(&h->lock);
    if (e == NULL) {
        return not_found("show", err);
    }
    (void)visit_and_drop(t, &one, visit, arg, 0);
    return PATIO_OK;
}

/* One more task, as far as the bounds go. */
static bool room_for(const patio_transport *t, const entry *e)
{
    const hub *h = t->hub;
    return h->held - h->dead < t->max_queued &&
           body_size(e) <= t->max_queued_bytes - (h->held_bytes - h->dead_bytes);
}

static patio_buf *bring_back(queue *q, entry *before)
{
    entry     *e     = unlink_after(q, before);
    patio_buf *cause = e->cause;
    e->cause         = NULL;
    e->attempt       = 1;
    e->crashes       = 0;
    e->deadline_ns   = 0;
    e->flags &= ~(uint32_t)PATIO_MESSAGE_CALL;
    e->claimed     = false;
    e->accepted_ns = q->hub->host->now_ns(q->hub->host->self);
    hub_push_ready(e);
    return cause;
}

static patio_status dead_retry(patio_transport *t, const char *name, const patio_id *id,
                               uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    (void)timeout_ms;
    hub         *h    = t->hub;
    uint64_t     done = 0;
    patio_status st   = PATIO_OK;
    bool         more = true;
    while (more && st == PATIO_OK) {
        patio_buf *cause  = NULL;
        entry     *before = NULL;
        pthread_mutex_lock(&h->lock);
        queue *q = hub_queue(h, name, false);
        entry *e =
            id != NULL ? find_dead(q, id, &before) : (q != NULL ? q->dead_letters.first : NULL);
        if (e == NULL) {
            st   = id != NULL ? PATIO_NOT_FOUND : PATIO_OK;
            more = false;
        } else if (!room_for(t, e)) {
            st = PATIO_FULL;
        } else {
            cause = bring_back(q, before);
            done++;
            more = id == NULL;
        }
        pthread_mutex_unlock(&h->lock);
        t->host->buf_drop(t->host->self, cause);
    }
    memory_hand_out_all(h);
    if (count != NULL && (st == PATIO_OK || done > 0)) {
        *count = done;
    }
    if (st == PATIO_FULL) {
        return patio_fail(err, st, 0, "retry: %llu are back, then max_queued (%llu) was reached",
                          (unsigned long long)done, (unsigned long long)t->max_queued);
    }
    return st == PATIO_OK ? st : not_found("retry", err);
}

static patio_status dead_drop(patio_transport *t, const char *name, const patio_id *id,
                              uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    (void)timeout_ms;
    hub     *h      = t->hub;
    entry   *gone   = NULL;
    entry   *before = NULL;
    uint64_t done   = 0;
    pthread_mutex_lock(&h->lock);
    queue *q = hub_queue(h, name, false);
    if (id != NULL && find_dead(q, id, &before) != NULL) {
        chain(&gone, unlink_after(q, before));
        done = 1;
    }
    while (id == NULL && q != NULL && q->dead_letters.first != NULL) {
        chain(&gone, unlink_after(q, NULL));
        done++;
    }
    pthread_mutex_unlock(&h->lock);
    hub_bury(h, gone);
    if (id != NULL && done == 0) {
        return not_found("drop", err);
    }
    if (count != NULL) {
        *count = done;
    }
    return PATIO_OK;
}

const patio_dead_ops memory_dead_ops = {
    PATIO_SIZED(patio_dead_ops), .list = dead_list, .get = dead_get,
    .retry = dead_retry,         .drop = dead_drop,
};
