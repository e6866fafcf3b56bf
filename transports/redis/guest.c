#include "redis.h"

enum { LONGEST_MS = 1000, PARK_NS = 2 * 1000 * 1000 };

/* What is waited for is all there is to do here: one call, or one task to be accepted. */
static bool is_alone(const void *self)
{
    const patio_transport *t     = self;
    uint32_t               calls = awaited_count(&t->awaited, now_ns(t));
    return t->running && !t->stopping && !t->quit && !t->turn.serves &&
           awaited_more(&t->awaited) == 0 && calls <= 1 && t->publish_count <= 1 &&
           calls + t->publish_count > 0;
}

static bool has_rest(const void *self)
{
    const patio_transport *t = self;
    return awaited_count(&t->awaited, now_ns(t)) > 0 || awaited_more(&t->awaited) > 0 || t->woken;
}

static bool run_once(void *self, patio_poll_done_fn done, const void *arg, uint64_t until_ns)
{
    patio_transport *t       = self;
    int              most_ms = turn_sleep_ms(until_ns);
    if (most_ms > 0) {
        pthread_mutex_unlock(&t->lock);
        loop_once(t, done, arg, most_ms < LONGEST_MS ? most_ms : LONGEST_MS);
        pthread_mutex_lock(&t->lock);
    }
    return most_ms > 0;
}

static void kick(void *self)
{
    loop_kick(self);
}

static void hurry(void *self)
{
    patio_transport *t = self;
    t->again           = true;
}

static uint64_t host_ns(const void *self)
{
    return now_ns(self);
}

const io_turn_ops redis_turn = {
    .alone   = is_alone,
    .rest    = has_rest,
    .run     = run_once,
    .kick    = kick,
    .hurry   = hurry,
    .now_ns  = host_ns,
    .park_ns = PARK_NS,
};

/* ---- what is waited for ---- */

void guest_published(patio_transport *t, const patio_message *m)
{
    bool call = (m->flags & PATIO_MESSAGE_CALL) != 0;
    if (call) {
        awaited_add(&t->awaited, m, now_ns(t));
    }
    bool silent = !call && (m->flags & PATIO_MESSAGE_NO_RECEIPT) != 0;
    /* only of one thing it is likely that the guest comes at once to wait for it */
    if (!turn_will_poll(&t->turn) || silent || t->publish_count > 1 ||
        awaited_more(&t->awaited) > 0 || awaited_count(&t->awaited, now_ns(t)) > 1) {
        turn_recall(&t->turn);
    }
}

void guest_accepted(patio_transport *t)
{
    t->turn.answered_ns = now_ns(t);
}

void guest_replied(patio_transport *t, const patio_id *id)
{
    t->turn.answered_ns = now_ns(t);
    awaited_remove(&t->awaited, id);
}

/* ---- patio.poll/1 ---- */

static patio_status poll_reply(patio_transport *t, patio_poll_done_fn done, const void *arg,
                               uint64_t until_ns)
{
    /* a look without the lock, which others use just then */
    return awaited_more(&t->awaited) > 0 ? PATIO_STATE : turn_poll(&t->turn, done, arg, until_ns);
}

static void interrupt(patio_transport *t)
{
    turn_interrupt(&t->turn);
}

const patio_poll_ops redis_poll = {PATIO_SIZED(patio_poll_ops), .poll = poll_reply,
                                   .interrupt = interrupt};
