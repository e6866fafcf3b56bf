/* patio.dead/1 and patio.results/1: here, and with the peers. */
#include <stdlib.h>

#include "tcp.h"

enum { LIST_MAX = 1000000 };

static ask question(uint8_t what, const char *name, const patio_id *id)
{
    ask    a    = {.question = {.what = what}};
    size_t size = strnlen(name, sizeof(a.question.queue) - 1);
    memcpy(a.question.queue, name, size);
    if (id != NULL) {
        a.question.flags = ASK_HAS_ID;
        a.question.id    = *id;
    }
    return a;
}

/* A letter of any process. */
typedef struct letter {
    patio_dead_letter dead;
    patio_buf        *cause; /* of one of our own; else it lies in the answer */
    size_t            index; /* those of one process come oldest first */
    char              task[256];
} letter;

typedef struct letters {
    const patio_host *host;
    const char       *queue;
    letter           *all;
    size_t            count;
    size_t            room;
    bool              failed;
} letters;

static letter *add(letters *l)
{
    if (l->count == l->room) {
        size_t  room = l->room == 0 ? 64 : l->room * 2;
        letter *all =
            room <= LIST_MAX ? l->host->resize(l->host->self, l->all, room * sizeof(*all)) : NULL;
        if (all == NULL) {
            l->failed = true;
            return NULL;
        }
        l->all  = all;
        l->room = room;
    }
    letter *one = &l->all[l->count++];
    memset(one, 0, sizeof(*one));
    one->index = l->count;
    return one;
}

static int32_t add_own(void *arg, const patio_dead_letter *d)
{
    letters *l    = arg;
    letter  *one  = add(l);
    uint8_t *data = NULL;
    if (one == NULL) {
        return 1;
    }
    one->dead = *d;
    (void)snprintf(one->task, sizeof(one->task), "%s", d->task);
    if (d->cause.size > 0) {
        one->cause = l->host->buf_new(l->host->self, d->cause.size, &data);
        if (one->cause == NULL) {
            l->failed = true;
            l->count--;
            return 1;
        }
        memcpy(data, d->cause.data, d->cause.size);
        one->dead.cause = l->host->buf_view(l->host->self, one->cause);
    }
    return 0;
}

static void add_part(letters *l, const part *p)
{
    patio_bytes rest = p->answer.rows;
    while (rest.size > 0) {
        letter *one = add(l);
        if (one == NULL) {
            return;
        }
        if (!frame_next_letter(&rest, &one->dead, one->task)) {
            l->count--;
            return;
        }
    }
}

static int older_first(const void *a, const void *b)
{
    const letter *x = a;
    const letter *y = b;
    if (x->dead.dead_ms != y->dead.dead_ms) {
        return x->dead.dead_ms > y->dead.dead_ms ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

static patio_status show_from(letters *l, const patio_id *after, uint32_t limit,
                              patio_dead_visit_fn visit, void *arg, patio_error *err)
{
    size_t from = 0;
    if (after != NULL) {
        while (from < l->count && memcmp(&l->all[from].dead.id, after, sizeof(*after)) != 0) {
            from++;
        }
        if (from == l->count) {
            return patio_fail(err, PATIO_NOT_FOUND, 0, "list: no such dead letter");
        }
        from++;
    }
    for (size_t i = from; i < l->count && limit-- > 0; i++) {
        l->all[i].dead.queue = l->queue;
        l->all[i].dead.task  = l->all[i].task;
        if (visit(arg, &l->all[i].dead) != 0) {
            break;
        }
    }
    return PATIO_OK;
}

static patio_status dead_list(patio_transport *t, const char *name, const patio_id *after,
                              uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit,
                              void *arg, patio_error *err)
{
    letters l = {.host = t->host, .queue = name};
    ask     a = question(ASK_DEAD_LIST, name, NULL);
    /* where a place in the whole list is meant, all of it is needed to find it */
    uint32_t most    = after != NULL ? UINT32_MAX : limit;
    a.question.limit = most;
    patio_status st  = ask_all(t, &a, timeout_ms, err);
    if (st == PATIO_OK) {
        st = store_dead_list(&t->room, &t->set.bounds, name, NULL, most, add_own, &l, err);
    }
    bool others = false;
    for (const part *p = a.first; p != NULL && st == PATIO_OK; p = p->next) {
        if (p->answer.status != PATIO_OK) {
            st = patio_fail(err, (patio_status)p->answer.status, 0,
                            "list: a process has more dead letters than fit into its answer; use a "
                            "smaller limit");
        }
        others = others || p->answer.rows.size > 0;
        add_part(&l, p);
    }
    if (st == PATIO_OK && l.failed) {
        st = patio_fail(err, PATIO_NO_MEMORY, 0, "list: no memory for %zu dead letters", l.count);
    }
    if (st == PATIO_OK) {
        if (others) {
            qsort(l.all, l.count, sizeof(l.all[0]), older_first);
        }
        st = show_from(&l, after, limit, visit, arg, err);
    }
    for (size_t i = 0; i < l.count; i++) {
        t->host->buf_drop(t->host->self, l.all[i].cause);
    }
    t->host->free(t->host->self, l.all);
    ask_forget(t, &a);
    return st;
}

/* Somebody has it, and it could not be had. */
static bool is_too_large(const ask *a)
{
    const part *p = a->first;
    while (p != NULL && p->answer.status != PATIO_TOO_LARGE) {
        p = p->next;
    }
    return p != NULL;
}

static patio_status dead_get(patio_transport *t, const char *name, const patio_id *id,
                             uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                             patio_error *err)
{
    if (store_dead_get(&t->room, name, id, visit, arg, err) == PATIO_OK) {
        return PATIO_OK;
    }
    ask          a  = question(ASK_DEAD_GET, name, id);
    patio_status st = ask_all(t, &a, timeout_ms, err);
    const part  *p  = a.first;
    while (p != NULL && (p->answer.status != PATIO_OK || p->answer.rows.size == 0)) {
        p = p->next;
    }
    char              task[256];
    patio_dead_letter one;
    patio_bytes       rest = p != NULL ? p->answer.rows : (patio_bytes){NULL, 0};
    if (p != NULL && frame_next_letter(&rest, &one, task)) {
        one.queue = name;
        one.body  = p->tail;
        (void)visit(arg, &one);
        st = PATIO_OK;
    } else if (st == PATIO_OK && is_too_large(&a)) {
        st = patio_fail(err, PATIO_TOO_LARGE, 0,
                        "show: the dead letter is larger than this side takes or has memory for");
    } else if (st == PATIO_OK) {
        st = patio_fail(err, PATIO_NOT_FOUND, 0, "show: no such dead letter");
    }
    ask_forget(t, &a);
    return st;
}

/* Of one letter the first process that has it answers for all; of all letters, the sum. */
static patio_status change(patio_transport *t, uint8_t what, const char *name, const patio_id *id,
                           uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    const char  *word = what == ASK_DEAD_RETRY ? "retry" : "drop";
    uint64_t     done = 0;
    patio_status own  = what == ASK_DEAD_RETRY
                            ? operate_retry(t, name, id, &done, err)
                            : store_dead_drop(&t->room, &t->set.bounds, name, id, &done, err);
    if (own != PATIO_OK && own != PATIO_NOT_FOUND) {
        return own;
    }
    ask          a    = question(what, name, id);
    patio_status st   = id != NULL && own == PATIO_OK ? PATIO_OK : ask_all(t, &a, timeout_ms, err);
    bool         full = false;
    for (const part *p = a.first; p != NULL; p = p->next) {
        done += p->answer.number;
        full = full || p->answer.status == PATIO_FULL;
    }
    ask_forget(t, &a);
    if (st == PATIO_OK && full) {
        st = patio_fail(err, PATIO_FULL, 0, "%s: %llu are back, then max_queued was reached", word,
                        (unsigned long long)done);
    } else if (st == PATIO_OK && id != NULL && done == 0) {
        st = patio_fail(err, PATIO_NOT_FOUND, 0, "%s: no such dead letter", word);
    }
    if (count != NULL && (st == PATIO_OK || done > 0)) {
        *count = done;
    }
    return st;
}

static patio_status dead_retry(patio_transport *t, const char *name, const patio_id *id,
                               uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    return change(t, ASK_DEAD_RETRY, name, id, timeout_ms, count, err);
}

static patio_status dead_drop(patio_transport *t, const char *name, const patio_id *id,
                              uint64_t timeout_ms, uint64_t *count, patio_error *err)
{
    return change(t, ASK_DEAD_DROP, name, id, timeout_ms, count, err);
}

const patio_dead_ops tcp_dead_ops = {
    PATIO_SIZED(patio_dead_ops), .list = dead_list, .get = dead_get,
    .retry = dead_retry,         .drop = dead_drop,
};

/* Who holds the task knows best; a kept result is next. */
static int rank_of(uint32_t state)
{
    switch (state) {
    case PATIO_STATE_QUEUED:
    case PATIO_STATE_RUNNING:
        return 3;
    case PATIO_STATE_UNKNOWN:
        return 0;
    case PATIO_STATE_DEAD:
        return 1;
    default:
        return 2;
    }
}

static patio_status results_get(patio_transport *t, const char *name, const patio_id *id,
                                uint64_t timeout_ms, patio_result *out, patio_error *err)
{
    const patio_host *host = t->host;
    patio_result      best = {PATIO_SIZED(patio_result)};
    store_result_get(&t->room, name, id, &best);
    if (best.state == PATIO_STATE_UNKNOWN) {
        ask          a  = question(ASK_RESULT, name, id);
        patio_status st = ask_all(t, &a, timeout_ms, err);
        for (const part *p = a.first; p != NULL; p = p->next) {
            uint32_t state = (uint32_t)p->answer.number;
            if (p->answer.status != PATIO_TOO_LARGE && p->answer.number <= PATIO_STATE_CANCELLED &&
                rank_of(state) > rank_of(best.state)) {
                host->buf_drop(host->self, best.reply);
                best.state  = state;
                best.ttl_ms = p->answer.rows.size == 8 ? frame_get64(p->answer.rows.data) : 0;
                best.reply  = p->tail != NULL ? host->buf_ref(host->self, p->tail) : NULL;
            }
        }
        if (st == PATIO_OK && best.state == PATIO_STATE_UNKNOWN && is_too_large(&a)) {
            st = patio_fail(err, PATIO_TOO_LARGE, 0,
                            "result: it is larger than this side takes or has memory for");
        }
        ask_forget(t, &a);
        if (st != PATIO_OK && best.state == PATIO_STATE_UNKNOWN) {
            return st; /* it may be with one of those who did not answer */
        }
    }
    best.struct_size = out->struct_size;
    memcpy(out, &best, out->struct_size < sizeof(best) ? out->struct_size : sizeof(best));
    return PATIO_OK;
}

const patio_results_ops tcp_results_ops = {PATIO_SIZED(patio_results_ops), .get = results_get};
