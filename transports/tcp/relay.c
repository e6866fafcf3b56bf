/* Questions of one peer's that are passed on to the others, and the way back of their answers. */
#include "tcp.h"

static const uint64_t relayed = UINT64_C(1) << 63; /* in the number of one that was passed on */

static uint64_t number_of(const patio_transport *t, const relay *r)
{
    return relayed | (uint64_t)(r->generation & 0x7fffffffu) << 32 | (uint64_t)(r - t->ask.relays);
}

static relay *new_relay(patio_transport *t)
{
    ask_room *room = &t->ask;
    if (room->relay_free == 0) {
        uint32_t size = room->relay_room == 0 ? 16 : room->relay_room * 2;
        if (size > ASK_RELAYS_MAX) {
            return NULL;
        }
        relay *all = t->host->resize(t->host->self, room->relays, size * sizeof(*all));
        if (all == NULL) {
            return NULL;
        }
        for (uint32_t i = size; i-- > room->relay_room;) {
            all[i]           = (relay){.next_free = room->relay_free};
            room->relay_free = i + 1;
        }
        room->relays     = all;
        room->relay_room = size;
    }
    relay *r         = &room->relays[room->relay_free - 1];
    room->relay_free = r->next_free;
    room->relay_count++;
    return r;
}

void relay_free(patio_transport *t, relay *r)
{
    r->from      = NULL;
    r->next_free = t->ask.relay_free;
    r->generation++;
    t->ask.relay_free = (uint32_t)(r - t->ask.relays) + 1;
    t->ask.relay_count--;
}

relay *relay_find(patio_transport *t, uint64_t id, const conn *to)
{
    uint32_t slot = (uint32_t)id;
    if ((id & relayed) == 0 || slot >= t->ask.relay_room) {
        return NULL;
    }
    relay *r = &t->ask.relays[slot];
    return r->from != NULL && r->to == to && number_of(t, r) == id ? r : NULL;
}

bool relay_all(conn *from, uint64_t id, const frame_ask *question, uint32_t *others, effects *fx)
{
    patio_transport *t    = from->t;
    frame_ask        next = *question;
    next.flags &= (uint8_t)~ASK_RELAY;
    *others = 0;
    for (conn *c = t->conns; c != NULL; c = c->next) {
        /* who asks in the end knows what it holds itself, and may be linked to us twice */
        if (c == from || !ask_can(c) || c->version < ASK_VERSION ||
            c->peer_incarnation == from->peer_incarnation ||
            c->peer_incarnation == question->origin) {
            continue;
        }
        relay *r = new_relay(t);
        if (r == NULL) {
            return false;
        }
        r->from     = from;
        r->to       = c;
        r->id       = id;
        r->what     = question->what;
        r->until_ns = fx->now + question->timeout_ms * UINT64_C(1000000);
        if (ask_write(c, number_of(t, r), &next, fx)) {
            ++*others;
        } else {
            relay_free(t, r);
        }
    }
    return true;
}

bool relay_conn_left(conn *c, effects *fx)
{
    patio_transport *t = c->t;
    for (uint32_t i = 0; t->ask.relay_count > 0 && i < t->ask.relay_room; i++) {
        relay *r = &t->ask.relays[i];
        if (r->from == c) {
            relay_free(t, r);
        } else if (r->from != NULL && r->to == c) {
            /* it is gone, and what it held with it: nothing more comes from there */
            frame_answer gone = {.what        = r->what,
                                 .flags       = ANSWER_LAST | ANSWER_AGAIN,
                                 .incarnation = c->peer_incarnation};
            conn        *from = r->from;
            uint64_t     id   = r->id;
            relay_free(t, r);
            answer_write(from, id, &gone, NULL, fx);
        }
    }
    return false;
}

void relay_tick(patio_transport *t, uint64_t now)
{
    for (uint32_t i = 0; t->ask.relay_count > 0 && i < t->ask.relay_room; i++) {
        relay *r = &t->ask.relays[i];
        if (r->from != NULL && now > r->until_ns) {
            relay_free(t, r);
        }
    }
}
