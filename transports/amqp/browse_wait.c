/* Callers that wait for a browse of dead letters to end. */
#include "transport.h"

#include <time.h>

static struct timespec after(uint64_t timeout_ms)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(timeout_ms / 1000u);
    end.tv_nsec += (long)(timeout_ms % 1000u) * 1000000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    return end;
}

/* Under the lock: it has not ended in time. */
static void give_up(patio_transport *t, browse *b)
{
    connection *c = &t->links[CONSUMING];
    if (b->running || b->moving > 0) {
        browse_finish(t, b, PATIO_TIMEOUT, "");
        /* an answer may still come: a fresh channel knows nothing of it */
        amqp_channel_close_t close = {.reply_code = 200, .reply_text = wire_text("late")};
        (void)wire_method(c, CH_BROWSE, AMQP_CHANNEL_CLOSE_METHOD, &close);
        c->channel_open[CH_BROWSE] = false;
        t->browse_opening          = true; /* until close-ok */
        socket_push(c);
        return;
    }
    browse **at = &t->browses;
    while (*at != b) {
        at = &(*at)->next;
    }
    *at = b->next;
}

/* Under the lock, which is open while it waits. */
static patio_status run(patio_transport *t, browse *b, const struct timespec *end)
{
    browse **at     = &t->browses;
    int      failed = 0;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at       = b;
    b->serial = ++t->browse_serial;
    t->work   = true;
    loop_wake(t);
    while (!b->done && failed == 0) {
        failed = pthread_cond_timedwait(&t->calm, &t->lock, end);
    }
    if (!b->done) {
        give_up(t, b);
        return PATIO_TIMEOUT;
    }
    return b->status;
}

patio_status browse_run(patio_transport *t, browse *b, uint64_t timeout_ms, patio_error *err)
{
    struct timespec end = after(timeout_ms);
    pthread_mutex_lock(&t->lock);
    patio_status st = !t->started || t->stopping                ? PATIO_CLOSED
                      : t->links[CONSUMING].state != LINK_READY ? PATIO_UNREACHABLE
                                                                : run(t, b, &end);
    pthread_mutex_unlock(&t->lock);
    if (st == PATIO_OK) {
        return st;
    }
    return patio_fail(err, st, 0, "dead letters of \"%s\": %s", b->queue->name,
                      st == PATIO_CLOSED        ? "the transport is stopped"
                      : st == PATIO_TIMEOUT     ? "no answer in time"
                      : st == PATIO_UNREACHABLE ? "not connected"
                                                : b->why);
}
