/* patio.dead/1: dead letters listed, shown, sent to work again, removed. */
#include "transport.h"

static browse *make(patio_transport *t, uint32_t verb, const char *name, const patio_id *id,
                    patio_error *err)
{
    browse *b =
        place_check_name(name, err) == PATIO_OK ? t->host->alloc(t->host->self, sizeof(*b)) : NULL;
    if (b == NULL) {
        (void)patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    memset(b, 0, sizeof(*b));
    b->verb  = verb;
    b->end   = &b->letters;
    b->limit = UINT64_MAX;
    b->one   = id != NULL;
    if (id != NULL) {
        b->id = *id;
    }
    pthread_mutex_lock(&t->lock);
    b->queue = place_queue(t, name, true);
    pthread_mutex_unlock(&t->lock);
    if (b->queue == NULL) {
        browse_free(t, b);
        (void)patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    return b;
}

/* A queue that nobody has made has no dead letters. */
static bool exists(patio_transport *t, const browse *b, uint64_t timeout_ms, patio_status *st,
                   patio_error *err)
{
    rpc *r = rpc_new(t, RPC_PASSIVE, b->queue->dead.name);
    if (r == NULL) {
        *st = patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        return false;
    }
    *st = rpc_wait(t, r, timeout_ms, err);
    t->host->free(t->host->self, r);
    if (*st == PATIO_NOT_FOUND) {
        *st = PATIO_OK;
        return false;
    }
    return *st == PATIO_OK;
}

static void show(const patio_transport *t, const letter *l, const queue *q, bool with_body,
                 patio_dead_visit_fn visit, void *arg, bool *stop)
{
    const props      *p    = &l->props;
    bool              ours = p->dead_at_ms != 0;
    uint64_t          died = ours ? p->dead_at_ms : p->moved_at_ms;
    uint64_t          wall = props_wall_ms();
    patio_dead_letter out  = {
         PATIO_SIZED(patio_dead_letter),
         .attempts = p->attempt - (uint16_t)(!ours && p->moved_at_ms != 0 && p->attempt > 0),
         .crashes  = p->crashes,
         .id       = p->id,
         .queue    = q->name,
         .task     = p->task,
         .dead_ms  = died != 0 && wall > died ? wall - died : 0,
         .body     = with_body ? l->body : NULL,
    };
    if (l->cause != NULL) {
        out.cause = t->host->buf_view(t->host->self, l->cause);
    }
    *stop = visit(arg, &out) != 0;
}

static patio_status list(patio_transport *t, const char *name, const patio_id *after,
                         uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                         patio_error *err)
{
    browse *b = make(t, BROWSE_LIST, name, NULL, err);
    if (b == NULL) {
        return PATIO_NO_MEMORY;
    }
    patio_status st   = PATIO_OK;
    bool         stop = limit == 0;
    b->limit          = limit;
    b->skip           = after != NULL;
    if (after != NULL) {
        b->after = *after;
    }
    if (!stop && exists(t, b, timeout_ms, &st, err)) {
        st = browse_run(t, b, timeout_ms, err);
    }
    if (st == PATIO_OK && b->skip && !stop) {
        st = patio_fail(err, PATIO_NOT_FOUND, 0, "that dead letter of \"%s\" is gone", name);
    }
    for (const letter *l = b->letters; st == PATIO_OK && l != NULL && !stop; l = l->next) {
        show(t, l, b->queue, false, visit, arg, &stop);
    }
    browse_free(t, b);
    return st;
}

static patio_status not_there(const char *name, patio_error *err)
{
    return patio_fail(err, PATIO_NOT_FOUND, 0, "queue \"%s\" has no such dead letter", name);
}

static patio_status get(patio_transport *t, const char *name, const patio_id *id,
                        uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg, patio_error *err)
{
    browse *b = make(t, BROWSE_LIST, name, id, err);
    if (b == NULL) {
        return PATIO_NO_MEMORY;
    }
    patio_status st   = PATIO_OK;
    bool         stop = false;
    if (exists(t, b, timeout_ms, &st, err)) {
        st = browse_run(t, b, timeout_ms, err);
    }
    if (st == PATIO_OK && b->letters != NULL) {
        show(t, b->letters, b->queue, true, visit, arg, &stop);
    } else if (st == PATIO_OK) {
        st = not_there(name, err);
    }
    browse_free(t, b);
    return st;
}

static patio_status change(patio_transport *t, uint32_t verb, const char *name, const patio_id *id,
                           uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    browse *b = make(t, verb, name, id, err);
    if (b == NULL) {
        return PATIO_NO_MEMORY;
    }
    patio_status st = PATIO_OK;
    if (exists(t, b, timeout_ms, &st, err)) {
        st = browse_run(t, b, timeout_ms, err);
    }
    if (st == PATIO_OK && id != NULL && b->count == 0) {
        st = not_there(name, err);
    }
    if (st == PATIO_OK && count != NULL) {
        *count = b->count;
    }
    browse_free(t, b);
    return st;
}

static patio_status retry(patio_transport *t, const char *name, const patio_id *id,
                          uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    return change(t, BROWSE_RETRY, name, id, timeout_ms, count, err);
}

static patio_status drop(patio_transport *t, const char *name, const patio_id *id,
                         uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    return change(t, BROWSE_DROP, name, id, timeout_ms, count, err);
}

const patio_dead_ops dead_ops = {PATIO_SIZED(patio_dead_ops), .list = list, .get = get,
                                 .retry = retry, .drop = drop};
