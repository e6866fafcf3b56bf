/* What tcp adds to the room of tasks: who has a task, who may still wait for it, what stop waits
 * for. */
#include "tcp.h"

queue *hub_queue(patio_transport *t, const char *name, bool make)
{
    queue *q = store_queue(&t->room, name, make);
    if (q != NULL) {
        q->t = t;
    }
    return q;
}

entry *hub_entry_new(patio_transport *t)
{
    entry *e = store_entry_new(&t->room);
    if (e != NULL) {
        e->t       = t;
        e->link    = NULL;
        e->holder  = NULL;
        e->asked   = false;
        e->aside   = false;
        e->returns = 0;
    }
    return e;
}

entry *hub_entry_find(patio_transport *t, uint64_t tag, uint8_t state)
{
    return store_entry_find(&t->room, tag, state);
}

void hub_count_out(const entry *e)
{
    patio_transport *t = e->t;
    if ((e->flags & PATIO_MESSAGE_CALL) == 0) {
        t->sends--;
    }
    if (t->waiting_calm && t->sends == 0) {
        pthread_cond_broadcast(&t->calm);
    }
}

void hub_entry_free(entry *e)
{
    const patio_host *host  = e->t->host;
    patio_buf        *body  = e->body;
    patio_buf        *cause = e->cause;
    if (e->state == ENTRY_READY || e->state == ENTRY_GIVEN || e->state == ENTRY_DELAYED) {
        hub_count_out(e);
    }
    store_entry_free(&e->t->room, e);
    host->buf_drop(host->self, body);
    host->buf_drop(host->self, cause);
}

void hub_take_out(entry *e)
{
    store_take_out(e);
    hub_count_out(e);
}

void hub_end_key(entry *e, patio_buf *reply, patio_status status, const char *why, effects *fx)
{
    const patio_host *host    = e->t->host;
    attached         *waiting = e->key != NULL ? dedup_end(e, reply) : NULL;
    if (waiting != NULL) {
        effect *x  = effects_add(fx, EFFECT_ATTACHED);
        x->waiting = waiting;
        x->body    = reply != NULL ? host->buf_ref(host->self, reply) : NULL;
        x->status  = status;
        x->text    = why;
    }
}

void hub_say_gone(const entry *e, patio_status status, const char *why, effects *fx)
{
    const uint32_t silent = PATIO_MESSAGE_CALL | PATIO_MESSAGE_NO_RECEIPT;
    if ((e->flags & silent) == silent) {
        effect *x = effects_add(fx, EFFECT_UNKNOWN);
        x->id     = e->id;
        x->status = status;
        x->text   = why;
    }
}

static const uint8_t expired[]           = {0x0a, 7, 'e', 'x', 'p', 'i', 'r', 'e', 'd'};
static const uint8_t crashes[]           = {0x0a, 7, 'c', 'r', 'a', 's', 'h', 'e', 's'};
static const uint8_t too_large[]         = "\x0a\x07refused\x1a\x36"
                                           "larger than any connected worker that has it will take";
static const uint8_t forbidden[]         = "\x0a\x07refused\x1a\x32"
                                           "the peer does not allow this side to call the task";
const patio_bytes    hub_cause_expired   = {expired, sizeof(expired)};
const patio_bytes    hub_cause_crashes   = {crashes, sizeof(crashes)};
const patio_bytes    hub_cause_too_large = {too_large, sizeof(too_large) - 1};
const patio_bytes    hub_cause_forbidden = {forbidden, sizeof(forbidden) - 1};

void hub_bury(entry *e, patio_bytes cause, effects *fx)
{
    patio_transport  *t    = e->t;
    const patio_host *host = t->host;
    uint8_t          *data = NULL;
    entry            *lost = NULL;
    uint64_t          many = 0;
    hub_count_out(e);
    hub_end_key(e, NULL, PATIO_PEER_LOST, "the task with the same dedup key is a dead letter", fx);
    e->cause = cause.size > 0 ? host->buf_new(host->self, cause.size, &data) : NULL;
    if (e->cause != NULL) {
        memcpy(data, cause.data, cause.size);
    }
    store_dead_keep(&t->room, &t->set.bounds, e, &lost, &many);
    while (lost != NULL) {
        entry *next = lost->next;
        hub_entry_free(lost);
        lost = next;
    }
    if (many > 0) {
        patio_host_log(host, PATIO_LOG_WARN, "a dead letter was dropped: max_dead (%llu) are kept",
                       (unsigned long long)t->set.bounds.max_dead);
    }
}

void hub_keep_result(entry *e, uint32_t state, uint64_t ttl_ms, patio_buf *reply)
{
    kept *out = NULL;
    store_result_keep(&e->t->room, &e->t->set.bounds, e, state, ttl_ms, reply, &out);
    store_result_free(e->t->host, out);
}

void hub_keep_gone(const entry *e, bool named)
{
    kept *out = NULL;
    store_result_gone(&e->t->room, &e->t->set.bounds, e, PATIO_STATE_CANCELLED, named, &out);
    store_result_free(e->t->host, out);
}

void hub_link(conn *c, entry **first, entry *e)
{
    e->link      = c;
    e->link_prev = NULL;
    e->link_next = *first;
    if (*first != NULL) {
        (*first)->link_prev = e;
    }
    *first = e;
}

void hub_unlink_link(entry **first, entry *e)
{
    if (e->link_prev != NULL) {
        e->link_prev->link_next = e->link_next;
    } else {
        *first = e->link_next;
    }
    if (e->link_next != NULL) {
        e->link_next->link_prev = e->link_prev;
    }
    e->link = NULL;
}

static void forget_queue(const patio_host *host, queue *q)
{
    for (uint32_t i = 0; i < q->lane_count; i++) {
        host->free(host->self, q->lanes[i]->routes);
    }
    host->free(host->self, q->own);
}

void hub_fini(patio_transport *t)
{
    store_fini(&t->room, forget_queue);
}
