#include "transport.h"

enum {
    FEW     = 4, /* messages that are not confirmed */
    PARK_NS = 8 * 1000 * 1000,
};

bool guest_will_poll(const patio_transport *t)
{
    return turn_is_free(&t->turn) && turn_will_poll(&t->turn);
}

void guest_publishes(patio_transport *t, bool call)
{
    if (!(call && turn_will_poll(&t->turn))) {
        turn_recall(&t->turn);
    }
}

/* One call is all there is to do here, and the confirmations of those before it, which may come
 * after their replies. TLS is left to the I/O thread: it writes there, too. */
static bool is_alone(const void *self)
{
    const patio_transport *t = self;
    if (!t->started || t->stopping || t->quit || t->set.tls || t->raised != PATIO_LINK_UP ||
        t->posts > FEW || t->ring_next - t->ring_first > FEW || t->resend.first != NULL ||
        t->rpc_first != NULL || t->decided != NULL || t->asks != NULL || t->browses != NULL ||
        t->leases.next != &t->leases) {
        return false;
    }
    for (const queue *q = t->queues; q != NULL; q = q->next) {
        if (q->subscribed) {
            return false;
        }
    }
    return true;
}

static bool has_rest(const void *self)
{
    return !is_alone(self);
}

static bool run_once(void *self, patio_poll_done_fn done, const void *arg, uint64_t until_ns)
{
    patio_transport *t       = self;
    int              most_ms = turn_sleep_ms(until_ns);
    if (most_ms > 0) {
        pthread_mutex_unlock(&t->lock);
        loop_round(t, done, arg, most_ms);
        pthread_mutex_lock(&t->lock);
    }
    return most_ms > 0;
}

static void kick(void *self)
{
    loop_wake(self);
}

static uint64_t now_ns(const void *self)
{
    const patio_transport *t = self;
    return t->host->now_ns(t->host->self);
}

const io_turn_ops amqp_turn = {
    .alone   = is_alone,
    .rest    = has_rest,
    .run     = run_once,
    .kick    = kick,
    .hurry   = kick,
    .now_ns  = now_ns,
    .park_ns = PARK_NS,
};

/* ---- patio.poll/1 ---- */

static patio_status poll_reply(patio_transport *t, patio_poll_done_fn done, const void *arg,
                               uint64_t until_ns)
{
    return turn_poll(&t->turn, done, arg, until_ns);
}

static void interrupt(patio_transport *t)
{
    turn_interrupt(&t->turn);
}

const patio_poll_ops amqp_poll = {PATIO_SIZED(patio_poll_ops), .poll = poll_reply,
                                  .interrupt = interrupt};
