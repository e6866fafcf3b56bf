/* What is under way: calls that a reply is due for, in so far as a guest must know (turn.h). A few
 * are known by name, for more than one at a time is more than a guest may serve. */
#include "redis.h"

static const uint64_t ms_ns = 1000000;

uint32_t turn_calls(const io_turn *u, uint64_t now)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < AWAITED_MAX; i++) {
        count += u->calls[i].until_ns > now ? 1 : 0;
    }
    return count;
}

/* A reply that never comes is waited for until its caller has given up. */
static void note_call(patio_transport *t, const patio_message *m)
{
    io_turn *u    = &t->turn;
    uint64_t now  = now_ns(t);
    uint64_t left = UINT64_MAX - now;
    uint64_t until =
        m->ttl_ms != 0 && m->ttl_ms < left / ms_ns ? now + m->ttl_ms * ms_ns : UINT64_MAX;
    if (u->more_calls > 0 && u->more_until_ns <= now) {
        u->more_calls = 0;
    }
    for (uint32_t i = 0; i < AWAITED_MAX; i++) {
        if (u->calls[i].until_ns <= now) {
            u->calls[i] = (awaited){m->id, until};
            return;
        }
    }
    u->more_until_ns = u->more_calls > 0 && u->more_until_ns > until ? u->more_until_ns : until;
    u->more_calls++;
}

void turn_published(patio_transport *t, const patio_message *m)
{
    io_turn *u    = &t->turn;
    bool     call = (m->flags & PATIO_MESSAGE_CALL) != 0;
    if (call) {
        note_call(t, m);
    }
    bool silent = !call && (m->flags & PATIO_MESSAGE_NO_RECEIPT) != 0;
    /* only of one thing it is likely that the guest comes at once to wait for it */
    if (u->guest != (uintptr_t)pthread_self() || silent || t->publish_count > 1 ||
        u->more_calls > 0 || turn_calls(u, now_ns(t)) > 1) {
        turn_recall(t);
    }
}

void turn_accepted(patio_transport *t)
{
    t->turn.answered_ns = now_ns(t);
}

void turn_replied(patio_transport *t, const patio_id *id)
{
    io_turn *u     = &t->turn;
    u->answered_ns = now_ns(t);
    for (uint32_t i = 0; i < AWAITED_MAX; i++) {
        if (u->calls[i].until_ns != 0 && memcmp(&u->calls[i].id, id, sizeof(*id)) == 0) {
            u->calls[i].until_ns = 0;
            return;
        }
    }
    u->more_calls -= u->more_calls > 0 ? 1 : 0;
}
