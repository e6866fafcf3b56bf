/* What is kept back for a moment, so that many messages share one write.
 *
 * While many tasks are under way on a connection, a message that goes out has company soon: the
 * next answer, or the next call of a thread that has just got one. So it is left where it is until
 * enough has gathered, the thread that appends comes to wait, the I/O thread passes by on its way
 * to sleep, or HOLD_NS are over at the next message; as in Nagle's algorithm (RFC 896), with the
 * answers for acknowledgements. Should nothing of that come, because a task takes longer than those
 * before it, the I/O thread looks every HOLD_LIMIT_MS for as long as something is kept back now and
 * then; an idle one does not.
 */
#include "tcp.h"

enum {
    BURST_FROM    = 16, /* tasks under way; until all but one are answered */
    HOLD_BYTES    = 16 * 1024,
    HOLD_NS       = 100 * 1000,
    HOLD_LIMIT_MS = 1,
};

bool hold_on(const conn *c)
{
    const patio_transport *t = c->t;
    return (c->burst && t->hold_on) || (turn_will_poll(&t->turn) && turn_is_free(&t->turn));
}

bool hold_may(conn *c, uint64_t now_ns)
{
    patio_transport *t    = c->t;
    uint32_t         many = c->given_count + c->received_count;
    c->burst              = many >= BURST_FROM || (c->burst && many > 1);
    if (many <= 1 || write_backlog(c) >= HOLD_BYTES || now_ns > c->flushed_ns + HOLD_NS) {
        return false;
    }
    t->holds += c->burst ? 1 : 0;
    return hold_on(c);
}

static void on_limit(uv_timer_t *timer)
{
    patio_transport *t = timer->data;
    pthread_mutex_lock(&t->lock);
    bool over     = t->holds == t->holds_seen;
    t->holds_seen = t->holds;
    t->hold_on    = !over;
    pthread_mutex_unlock(&t->lock);
    if (over) {
        (void)uv_timer_stop(timer);
    }
    /* what was kept back goes out before the loop sleeps */
}

void hold_watch(patio_transport *t)
{
    if (!t->hold_on && t->holds != t->holds_seen && !t->parting) {
        t->hold_on    = true;
        t->holds_seen = t->holds;
        (void)uv_timer_start(&t->hold_limit, on_limit, HOLD_LIMIT_MS, HOLD_LIMIT_MS);
    }
}

void hold_release(patio_transport *t)
{
    conn *c = NULL;
    if (!atomic_load_explicit(&t->held, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    atomic_store_explicit(&t->held, false, memory_order_relaxed);
    for (c = t->running ? t->dirty : NULL; c != NULL; c = c->dirty_next) {
        if (c->burst && !c->flushing && !c->want_write && write_backlog(c) > 0) {
            c->flushing = true;
            c->refs++;
            atomic_fetch_add_explicit(&t->calls, 1, memory_order_relaxed);
            break; /* of more than one the others are the I/O thread's */
        }
    }
    if (c != NULL) {
        write_flush(c, t->host->now_ns(t->host->self));
        effects_release(t);
    } else {
        pthread_mutex_unlock(&t->lock);
    }
}
