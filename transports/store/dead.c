/* Dead letters: kept per queue, bounded by count and age, looked at, given another chance. */
#include "store.h"

static void unlink_dead(store_room *s, entry *e)
{
    queue *q = e->lane->queue;
    list_unlink(&q->dead_letters, e);
    q->dead--;
    s->dead--;
    s->dead_bytes -= store_body_size(e);
    e->state = ENTRY_GONE;
}

static void chain(entry **at, entry *e)
{
    e->next = *at;
    *at     = e;
}

/* Out of the dead letters and into the chain. */
static void move_out(store_room *s, entry *e, entry **gone)
{
    unlink_dead(s, e);
    chain(gone, e);
}

entry *store_dead_expire(store_room *s, const store_bounds *b, queue *q)
{
    entry   *gone = NULL;
    uint64_t now  = s->host->now_ns(s->host->self);
    while (q->dead_letters.first != NULL && now - q->dead_letters.first->dead_ns > b->dead_ttl_ns) {
        move_out(s, q->dead_letters.first, &gone);
    }
    return gone;
}

void store_dead_keep(store_room *s, const store_bounds *b, entry *e, entry **lost, uint64_t *count)
{
    queue *q = e->lane->queue;
    *lost    = store_dead_expire(s, b, q);
    *count   = 0;
    if (b->max_dead == 0) {
        e->state = ENTRY_GONE;
        chain(lost, e);
        ++*count;
        return;
    }
    while (q->dead >= b->max_dead) {
        move_out(s, q->dead_letters.first, lost);
        ++*count;
    }
    e->state   = ENTRY_DEAD;
    e->dead_ns = s->host->now_ns(s->host->self);
    e->order   = ++s->order;
    q->dead++;
    s->dead++;
    s->dead_bytes += store_body_size(e);
    list_append(&q->dead_letters, e);
}

/* ---- the interface ---- */

enum { PAGE = 64 };

/* What a visit needs, out of reach of the lock. */
typedef struct shown {
    patio_dead_letter letter;
    patio_buf        *cause;
    uint64_t          order;
    char              task[256]; /* its lane may go meanwhile */
} shown;

static void show(const patio_host *host, const char *name, entry *e, bool body, shown *out)
{
    (void)snprintf(out->task, sizeof(out->task), "%s", e->lane->task);
    out->order  = e->order;
    out->cause  = e->cause != NULL ? host->buf_ref(host->self, e->cause) : NULL;
    out->letter = (patio_dead_letter){
        PATIO_SIZED(patio_dead_letter),
        .attempts = e->attempt,
        .crashes  = e->crashes,
        .id       = e->id,
        .queue    = name,
        .task     = out->task,
        .dead_ms  = (host->now_ns(host->self) - e->dead_ns) / 1000000u,
        .body     = body ? host->buf_ref(host->self, e->body) : NULL,
    };
    if (out->cause != NULL) {
        out->letter.cause = host->buf_view(host->self, out->cause);
    }
}

static int32_t visit_and_drop(const patio_host *host, shown *s, patio_dead_visit_fn visit,
                              void *arg, int32_t skip)
{
    int32_t stop = skip != 0 ? skip : visit(arg, &s->letter);
    host->buf_drop(host->self, s->cause);
    host->buf_drop(host->self, s->letter.body);
    return stop;
}

static patio_status not_found(const char *what, patio_error *err)
{
    return patio_fail(err, PATIO_NOT_FOUND, 0, "%s: no such dead letter", what);
}

static entry *find_dead(queue *q, const patio_id *id)
{
    for (entry *e = q != NULL ? q->dead_letters.first : NULL; e != NULL; e = e->next) {
        if (memcmp(&e->id, id, sizeof(*id)) == 0) {
            return e;
        }
    }
    return NULL;
}

/* The next ones after an order, at most `room`. */
static uint32_t gather(store_room *s, const store_bounds *b, const char *name, uint64_t order,
                       uint32_t room, shown *page)
{
    uint32_t count = 0;
    entry   *gone  = NULL;
    pthread_mutex_lock(s->lock);
    queue *q = store_queue(s, name, false);
    if (q != NULL) {
        gone = store_dead_expire(s, b, q);
        for (entry *e = q->dead_letters.first; e != NULL && count < room; e = e->next) {
            if (e->order > order) {
                show(s->host, name, e, false, &page[count++]);
            }
        }
    }
    pthread_mutex_unlock(s->lock);
    store_bury(s, gone);
    return count;
}

patio_status store_dead_list(store_room *s, const store_bounds *b, const char *name,
                             const patio_id *after, uint32_t limit, patio_dead_visit_fn visit,
                             void *arg, patio_error *err)
{
    uint64_t order = 0;
    if (after != NULL) {
        pthread_mutex_lock(s->lock);
        const entry *e = find_dead(store_queue(s, name, false), after);
        order          = e != NULL ? e->order : 0;
        pthread_mutex_unlock(s->lock);
        if (e == NULL) {
            return not_found("list", err);
        }
    }
    int32_t stop = 0;
    while (limit > 0 && stop == 0) {
        shown    page[PAGE];
        uint32_t room  = limit < PAGE ? limit : PAGE;
        uint32_t count = gather(s, b, name, order, room, page);
        for (uint32_t i = 0; i < count; i++) {
            order = page[i].order;
            stop  = visit_and_drop(s->host, &page[i], visit, arg, stop);
        }
        limit -= count;
        stop = count < room ? 1 : stop;
    }
    return PATIO_OK;
}

patio_status store_dead_get(store_room *s, const char *name, const patio_id *id,
                            patio_dead_visit_fn visit, void *arg, patio_error *err)
{
    shown one;
    pthread_mutex_lock(s->lock);
    entry *e = find_dead(store_queue(s, name, false), id);
    if (e != NULL) {
        show(s->host, name, e, true, &one);
    }
    pthread_mutex_unlock(s->lock);
    if (e == NULL) {
        return not_found("show", err);
    }
    (void)visit_and_drop(s->host, &one, visit, arg, 0);
    return PATIO_OK;
}

static patio_buf *bring_back(store_room *s, entry *e, void (*ready)(entry *e))
{
    unlink_dead(s, e);
    patio_buf *cause = e->cause;
    e->cause         = NULL;
    e->attempt       = 1;
    e->crashes       = 0;
    e->deadline_ns   = 0;
    e->flags &= ~(uint32_t)PATIO_MESSAGE_CALL;
    e->claimed     = false;
    e->accepted_ns = s->host->now_ns(s->host->self);
    e->order       = ++s->order;
    ready(e);
    return cause;
}

patio_status store_dead_retry(store_room *s, const store_bounds *b, const char *name,
                              const patio_id *id, void (*ready)(entry *e), uint64_t *count,
                              patio_error *err)
{
    uint64_t     done = 0;
    patio_status st   = PATIO_OK;
    bool         more = true;
    while (more && st == PATIO_OK) {
        patio_buf *cause = NULL;
        pthread_mutex_lock(s->lock);
        queue *q = store_queue(s, name, false);
        entry *e = id != NULL ? find_dead(q, id) : (q != NULL ? q->dead_letters.first : NULL);
        if (e == NULL) {
            st   = id != NULL ? PATIO_NOT_FOUND : PATIO_OK;
            more = false;
        } else if (!store_has_room(s, b, store_body_size(e))) {
            st = PATIO_FULL;
        } else {
            cause = bring_back(s, e, ready);
            done++;
            more = id == NULL;
        }
        pthread_mutex_unlock(s->lock);
        s->host->buf_drop(s->host->self, cause);
    }
    if (count != NULL && (st == PATIO_OK || done > 0)) {
        *count = done;
    }
    if (st == PATIO_FULL) {
        return patio_fail(err, st, 0, "retry: %llu are back, then max_queued (%llu) was reached",
                          (unsigned long long)done, (unsigned long long)b->max_queued);
    }
    return st == PATIO_OK ? st : not_found("retry", err);
}

/* It has been a dead letter, and that is still known. */
static void drop(store_room *s, const store_bounds *b, entry *e, bool named, entry **gone,
                 kept **out)
{
    store_result_gone(s, b, e, PATIO_STATE_DEAD, named, out);
    move_out(s, e, gone);
}

patio_status store_dead_drop(store_room *s, const store_bounds *b, const char *name,
                             const patio_id *id, uint64_t *count, patio_error *err)
{
    entry   *gone = NULL;
    kept    *out  = NULL;
    uint64_t done = 0;
    pthread_mutex_lock(s->lock);
    queue *q = store_queue(s, name, false);
    entry *e = id != NULL ? find_dead(q, id) : NULL;
    if (e != NULL) {
        drop(s, b, e, true, &gone, &out);
        done = 1;
    }
    while (id == NULL && q != NULL && q->dead_letters.first != NULL) {
        drop(s, b, q->dead_letters.first, false, &gone, &out);
        done++;
    }
    pthread_mutex_unlock(s->lock);
    store_bury(s, gone);
    store_result_free(s->host, out);
    if (id != NULL && done == 0) {
        return not_found("drop", err);
    }
    if (count != NULL) {
        *count = done;
    }
    return PATIO_OK;
}
