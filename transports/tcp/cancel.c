/* Cancel: here, or by asking whoever has it. */
#include "tcp.h"

/* A cancel is rare and looks at every entry; publishing stays free of an index by id. */
static entry *find_by_id(patio_transport *t, const char *name, const patio_id *id)
{
    for (uint32_t c = 0; c < t->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e = &t->chunks[c][i];
            bool   live =
                e->state == ENTRY_READY || e->state == ENTRY_GIVEN || e->state == ENTRY_DELAYED;
            if (live && memcmp(&e->id, id, sizeof(*id)) == 0 &&
                strcmp(e->lane->queue->name, name) == 0) {
                return e;
            }
        }
    }
    return NULL;
}

static void outcome(const patio_id *id, uint32_t what, effects *fx)
{
    effect *x = effects_add(fx, EFFECT_CANCELLED);
    x->id     = *id;
    x->status = (patio_status)what;
}

/* The peer has it: ask. Our own subscription answers at once. */
static void ask(entry *e, effects *fx)
{
    conn        *c = e->link;
    frame_header h = {.type = FRAME_CANCEL, .id = e->tag};
    if (e->asked) {
        outcome(&e->id, PATIO_CANCEL_TOLD, fx);
        return;
    }
    e->asked = true;
    if (c->self) {
        cancel_asked(c, e->tag, (patio_bytes){e->id.bytes, sizeof(e->id.bytes)}, fx);
    } else if (write_frame(c, &h, (patio_bytes){e->id.bytes, sizeof(e->id.bytes)}, NULL, 0)) {
        write_kick(c, fx);
    }
}

patio_status tcp_cancel(patio_transport *t, const char *name, const patio_id *id, patio_error *err)
{
    effects  fx;
    entry   *gone  = NULL;
    uint64_t timer = 0;
    effects_begin(&fx, t);
    if (!t->running) {
        effects_end(&fx);
        return patio_fail(err, PATIO_CLOSED, 0, "cancel: the transport is stopped");
    }
    entry *e = find_by_id(t, name, id);
    if (e == NULL) {
        outcome(id, PATIO_CANCEL_TOO_LATE, &fx);
    } else if (e->state == ENTRY_GIVEN) {
        ask(e, &fx);
    } else if (e->state == ENTRY_READY) {
        outcome(id, PATIO_CANCEL_REMOVED, &fx);
        hub_unlink_ready(e);
        hub_entry_free(e);
    } else {
        outcome(id, PATIO_CANCEL_REMOVED, &fx);
        e->lane->queue->delayed--;
        e->state = ENTRY_GONE;
        timer    = e->timer;
        gone     = e;
    }
    effects_end(&fx);
    if (gone != NULL) {
        /* not under the lock, which a timer that runs right now waits for */
        (void)t->host->cancel(t->host->self, timer);
        pthread_mutex_lock(&t->lock);
        hub_entry_free(gone);
        pthread_mutex_unlock(&t->lock);
    }
    return PATIO_OK;
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
    } else if (write_frame(c, &h, (patio_bytes){body, sizeof(body)}, NULL, 0)) {
        write_kick(c, fx);
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
    e->asked = false;
    outcome(&e->id, what, fx);
    if (what == PATIO_CANCEL_REMOVED) {
        peersub *ps = e->holder;
        route_take_back(e);
        hub_entry_free(e);
        route_fill(ps, fx);
    }
}
