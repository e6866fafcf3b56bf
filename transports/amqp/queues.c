/* patio.queues/1: queues listed, emptied, paused and drained. A paused or
 * draining queue is marked by an empty queue of the broker's beside it, so the
 * state outlives every process. */
#include "transport.h"

#include <patio/queues.h>

static const char *const marks[] = {
    [PATIO_QUEUE_PAUSED] = "paused", [PATIO_QUEUE_DRAINING] = "draining"};

static void mark_name(const queue *q, uint32_t state, char *out, size_t size)
{
    (void)snprintf(out, size, "%.230s:%.10s", q->work.name, marks[state]);
}

static patio_status find(patio_transport *t, const char *name, queue **out, patio_error *err)
{
    patio_status st = place_check_name(name, err);
    if (st != PATIO_OK) {
        return st;
    }
    pthread_mutex_lock(&t->lock);
    *out = place_queue(t, name, true);
    pthread_mutex_unlock(&t->lock);
    return *out != NULL ? PATIO_OK : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
}

/* One question, one answer; the messages it tells of are added. A queue that is
 * not there has none. */
static patio_status ask_one(patio_transport *t, uint32_t kind, const char *name,
                            uint64_t timeout_ms, uint64_t *messages, patio_error *err)
{
    rpc *r = rpc_new(t, kind, name);
    if (r == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_status st = rpc_wait(t, r, timeout_ms, err);
    *messages += st == PATIO_OK ? r->messages : 0;
    t->host->free(t->host->self, r);
    return st;
}

static patio_status list(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                         void *arg, patio_error *err)
{
    enum { MOST = 256 };
    const char *names[MOST];
    uint32_t    count = 0;
    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&t->lock);
    for (const queue *q = t->queues; q != NULL && count < MOST; q = q->next) {
        if (q->work.state == PLACE_READY || q->subscribed) {
            names[count++] = q->name; /* never freed before the instance */
        }
    }
    pthread_mutex_unlock(&t->lock);
    for (uint32_t i = 0; i < count; i++) {
        if (visit(arg, names[i]) != 0) {
            break;
        }
    }
    return PATIO_OK;
}

static patio_status purge(patio_transport *t, const char *name, uint64_t timeout_ms,
                          uint64_t *count, patio_error *err)
{
    queue       *q    = NULL;
    uint64_t     gone = 0;
    patio_status st   = find(t, name, &q, err);
    if (st == PATIO_OK) {
        st = ask_one(t, RPC_PURGE, q->work.name, timeout_ms, &gone, err);
        st = st == PATIO_NOT_FOUND ? PATIO_OK : st;
    }
    for (int i = 0; i < DELAY_STEPS && st == PATIO_OK; i++) {
        pthread_mutex_lock(&t->lock);
        place *p      = place_step_at(t, q, i);
        bool   absent = p != NULL && p->absent;
        pthread_mutex_unlock(&t->lock);
        if (p == NULL) {
            st = patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        } else if (!absent) {
            st = ask_one(t, RPC_PURGE, p->name, timeout_ms, &gone, err);
            st = st == PATIO_NOT_FOUND ? PATIO_OK : st;
        }
    }
    if (st == PATIO_OK && count != NULL) {
        *count = gone;
    }
    return st;
}

static patio_status get_state(patio_transport *t, const char *name, uint64_t timeout_ms,
                              uint32_t *state, patio_error *err)
{
    queue       *q  = NULL;
    patio_status st = find(t, name, &q, err);
    uint32_t     is = PATIO_QUEUE_OPEN;
    for (uint32_t s = PATIO_QUEUE_PAUSED; s <= PATIO_QUEUE_DRAINING && st == PATIO_OK; s++) {
        char     mark[NAME_MAX_BYTES];
        uint64_t nothing = 0;
        mark_name(q, s, mark, sizeof(mark));
        st = ask_one(t, RPC_PASSIVE, mark, timeout_ms, &nothing, err);
        is = st == PATIO_OK ? s : is;
        st = st == PATIO_NOT_FOUND ? PATIO_OK : st;
    }
    if (st == PATIO_OK) {
        *state = is;
    }
    return st;
}

static patio_status set_state(patio_transport *t, const char *name, uint32_t state,
                              uint64_t timeout_ms, patio_error *err)
{
    if (state > PATIO_QUEUE_DRAINING) {
        return patio_fail(err, PATIO_INVALID, 0, "queue \"%s\": there is no state %u", name, state);
    }
    if (!control_can(t, err, "pause a queue")) {
        return PATIO_UNSUPPORTED;
    }
    queue       *q  = NULL;
    patio_status st = find(t, name, &q, err);
    for (uint32_t s = PATIO_QUEUE_PAUSED; s <= PATIO_QUEUE_DRAINING && st == PATIO_OK; s++) {
        char     mark[NAME_MAX_BYTES];
        uint64_t nothing = 0;
        mark_name(q, s, mark, sizeof(mark));
        st = ask_one(t, s == state ? RPC_MARK : RPC_DELETE, mark, timeout_ms, &nothing, err);
        st = st == PATIO_NOT_FOUND ? PATIO_OK : st;
    }
    if (st == PATIO_OK) {
        char words[NAME_MAX_BYTES + 16];
        (void)snprintf(words, sizeof(words), "state %u %s", state, name);
        pthread_mutex_lock(&t->lock);
        queues_follow(t, q, state);
        control_tell_all(t, words);
        pthread_mutex_unlock(&t->lock);
    }
    return st;
}

static patio_status set_limit(patio_transport *t, const char *name, uint64_t max_in_flight,
                              uint64_t timeout_ms, patio_error *err)
{
    (void)t;
    (void)max_in_flight;
    (void)timeout_ms;
    return patio_fail(err, PATIO_UNSUPPORTED, 0,
                      "queue \"%s\": RabbitMQ bounds consumers, not queues "
                      "(capability \"limits\")",
                      name);
}

void queues_follow(patio_transport *t, queue *q, uint32_t state)
{
    q->operator_state = (uint8_t)state;
    t->work           = true;
    loop_wake(t);
}

/* A queue is about to be used: has somebody paused it? The answers come through
 * queues_marked. */
bool queues_ask(patio_transport *t, queue *q)
{
    if (q->mark_state == MARKS_KNOWN || t->set.reply == REPLY_DIRECT) {
        return true;
    }
    for (uint32_t s = PATIO_QUEUE_PAUSED;
         s <= PATIO_QUEUE_DRAINING && q->mark_state == MARKS_UNKNOWN; s++) {
        char mark[NAME_MAX_BYTES];
        mark_name(q, s, mark, sizeof(mark));
        rpc *r = rpc_new(t, RPC_PASSIVE, mark);
        if (r == NULL) {
            return true;
        }
        r->marked = q;
        r->mark   = s;
        q->marks_due++;
        rpc_add(t, r);
    }
    q->mark_state = MARKS_ASKED;
    return false;
}

void queues_marked(patio_transport *t, const rpc *r)
{
    queue *q = r->marked;
    if (r->status == PATIO_OK) {
        q->operator_state = (uint8_t)r->mark;
    } else if (r->status != PATIO_NOT_FOUND && q->marks_due == 2) {
        q->mark_state = MARKS_UNKNOWN;
    }
    q->marks_due--;
    if (q->marks_due == 0) {
        q->mark_state = MARKS_KNOWN;
    }
    t->work = true;
}

const patio_queues_ops queues_ops = {
    PATIO_SIZED(patio_queues_ops), .list = list,           .purge = purge,
    .set_state = set_state,        .get_state = get_state, .set_limit = set_limit};
