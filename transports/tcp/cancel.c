/* Cancel: here, by asking whoever has the task, or by asking whoever may hold it. */
#include "tcp.h"

/* Our own host hears of it by an event, a peer by its answer. */
static void tell(patio_transport *t, const cancelling *one, uint32_t what, effects *fx)
{
    if (one->from == NULL) {
        effect *x = effects_add(fx, EFFECT_CANCELLED);
        x->id     = one->id;
        x->status = (patio_status)what;
        x->times  = one->times;
        return;
    }
    frame_answer a = {
        .what = ASK_CANCEL, .flags = ANSWER_LAST, .incarnation = t->incarnation, .number = what};
    answer_write(one->from, one->ask, &a, NULL, fx);
}

bool cancel_outcome(patio_transport *t, const patio_id *id, uint32_t what, effects *fx)
{
    bool somebody_else = false;
    for (cancelling **at = &t->ask.cancels; *at != NULL;) {
        cancelling *one = *at;
        if (memcmp(&one->id, id, sizeof(*id)) != 0) {
            at = &one->next;
            continue;
        }
        *at           = one->next;
        somebody_else = somebody_else || one->from != NULL;
        if (one->from != NULL) {
            one->from->cancels--;
        }
        tell(t, one, what, fx);
        t->host->free(t->host->self, one);
    }
    return somebody_else;
}

static const char why_gone[] = "it was cancelled by somebody else";

/* The peer has it: ask. Our own subscription answers at once. */
static void ask_holder(entry *e, effects *fx)
{
    conn        *c = e->link;
    frame_header h = {.type = FRAME_CANCEL, .id = e->tag};
    if (e->asked) {
        return; /* its answer is for all who wait */
    }
    e->asked = true;
    if (c->self) {
        cancel_asked(c, e->tag, (patio_bytes){e->id.bytes, sizeof(e->id.bytes)}, fx);
    } else if (write_frame(c, &h, (patio_bytes){e->id.bytes, sizeof(e->id.bytes)}, NULL, 0)) {
        write_kick(c, fx);
    }
}

/* Out of the queue; a delayed one is the caller's to free once its timer is cancelled. */
static entry *remove_waiting(entry *e, effects *fx)
{
    bool delayed = e->state == ENTRY_DELAYED;
    hub_keep_gone(e, true);
    hub_take_out(e);
    hub_end_key(e, NULL, PATIO_CANCELLED, "it was cancelled", fx);
    if (cancel_outcome(e->t, &e->id, PATIO_CANCEL_REMOVED, fx)) {
        hub_say_gone(e, PATIO_CANCELLED, why_gone, fx);
    }
    if (delayed) {
        return e;
    }
    hub_entry_free(e);
    return NULL;
}

/* What this host waits for already is one effect however often it asks: those are bounded. So is
 * what one peer may wait for. */
static patio_status wait_for(patio_transport *t, const cancelling *who)
{
    for (cancelling *one = t->ask.cancels; one != NULL && who->from == NULL; one = one->next) {
        if (one->from == NULL && memcmp(&one->id, &who->id, sizeof(who->id)) == 0) {
            one->times++;
            return PATIO_OK;
        }
    }
    if (who->from != NULL && who->from->cancels >= ASK_CANCELS_MAX) {
        return PATIO_FULL;
    }
    cancelling *one = t->host->alloc(t->host->self, sizeof(*one));
    if (one == NULL) {
        return PATIO_NO_MEMORY;
    }
    *one           = *who;
    one->next      = t->ask.cancels;
    t->ask.cancels = one;
    if (who->from != NULL) {
        who->from->cancels++;
    }
    return PATIO_OK;
}

/* A task that is held here. *gone as in remove_waiting; *st: NO_MEMORY, FULL. False: it is not. */
static bool cancel_here(patio_transport *t, const cancelling *who, const char *name, entry **gone,
                        patio_status *st, effects *fx)
{
    queue *q = hub_queue(t, name, false);
    entry *e = q != NULL ? store_entry_by_id(q, &who->id, false) : NULL;
    *gone    = NULL;
    if (e == NULL) {
        return false;
    }
    *st = wait_for(t, who);
    if (*st != PATIO_OK) {
        return true;
    }
    if (e->state == ENTRY_GIVEN) {
        ask_holder(e, fx);
    } else {
        *gone = remove_waiting(e, fx);
    }
    return true;
}

patio_status tcp_cancel(patio_transport *t, const char *name, const patio_id *id, patio_error *err)
{
    effects      fx;
    cancelling   who   = {.id = *id, .times = 1};
    entry       *gone  = NULL;
    patio_status st    = PATIO_OK;
    bool         asked = false;
    effects_begin(&fx, t);
    if (!t->running) {
        st = patio_fail(err, PATIO_CLOSED, 0, "cancel: the transport is stopped");
    } else if (cancel_here(t, &who, name, &gone, &st, &fx)) {
        st = st == PATIO_OK ? st : patio_fail(err, st, 0, "out of memory");
    } else {
        st = ask_cancel(t, name, id, &asked, &fx, err);
        if (st == PATIO_OK && !asked) {
            tell(t, &who, PATIO_CANCEL_TOO_LATE, &fx);
        }
    }
    effects_end(&fx);
    store_bury(&t->room, gone); /* not under the lock, which a timer that runs now waits for */
    return st;
}

typedef struct burial {
    patio_transport *t;
    entry           *gone;
} burial;

static void bury(void *arg)
{
    burial *b = arg;
    store_bury(&b->t->room, b->gone);
}

void cancel_for_peer(conn *c, uint64_t id, const frame_ask *question, effects *fx)
{
    patio_transport *t    = c->t;
    cancelling       who  = {.from = c, .ask = id, .id = question->id};
    burial           b    = {.t = t};
    patio_status     st   = PATIO_OK;
    bool             here = cancel_here(t, &who, question->queue, &b.gone, &st, fx);
    if (!here || st != PATIO_OK) {
        frame_answer a = {.what        = ASK_CANCEL,
                          .flags       = ANSWER_LAST,
                          .status      = (uint16_t)st,
                          .incarnation = t->incarnation,
                          .number      = here ? 0 : PATIO_CANCEL_TOO_LATE};
        answer_write(c, id, &a, NULL, fx);
    }
    if (b.gone != NULL) {
        effects_aside(fx, bury, &b);
    }
}

static entry *find_received(const conn *c, uint64_t remote)
{
    entry *e = c->received;
    while (e != NULL && e->remote != remote) {
        e = e->link_next;
    }
    return e;
}

void cancel_asked(conn *c, uint64_t tag, patio_bytes id, effects *fx)
{
    uint32_t what = PATIO_CANCEL_TOO_LATE;
    entry   *e    = find_received(c, tag);
    if (e != NULL && e->state == ENTRY_INBOX) {
        what = PATIO_CANCEL_REMOVED;
        inbox_forget(e, fx);
    } else if (e != NULL) {
        what = PATIO_CANCEL_TOLD;
        if (!e->asked) {
            e->asked                                   = true;
            effects_add(fx, EFFECT_CANCEL_WANTED)->tag = e->tag;
        }
    }
    uint8_t body[20];
    memcpy(body, id.data, 16);
    frame_put32(body + 16, what);
    frame_header h = {.type = FRAME_CANCELLED, .id = tag};
    if (c->self) {
        cancel_came(c, tag, (patio_bytes){body, sizeof(body)}, fx);
    } else {
        echo_write(c, &h, (patio_bytes){body, sizeof(body)}, fx);
    }
}

void cancel_came(conn *c, uint64_t tag, patio_bytes body, effects *fx)
{
    entry   *e    = hub_entry_find(c->t, tag, ENTRY_GIVEN);
    uint32_t what = frame_get32(body.data + 16);
    if (e == NULL || e->link != c || !e->asked || what < PATIO_CANCEL_REMOVED ||
        what > PATIO_CANCEL_TOO_LATE) {
        return; /* settled meanwhile: its outcome has been told */
    }
    e->asked           = false;
    bool somebody_else = cancel_outcome(c->t, &e->id, what, fx);
    if (what == PATIO_CANCEL_REMOVED) {
        peersub *ps = e->holder;
        hub_keep_gone(e, true);
        route_take_back(e);
        hub_end_key(e, NULL, PATIO_CANCELLED, "it was cancelled", fx);
        if (somebody_else) {
            hub_say_gone(e, PATIO_CANCELLED, why_gone, fx);
        }
        hub_entry_free(e);
        route_fill(ps, fx);
    }
}
