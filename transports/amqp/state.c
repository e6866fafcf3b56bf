/* What the host is told of the link. UP means: both connections, every
 * subscription granted, and a message of our own has gone out through one and
 * come back through the other. */
#include "transport.h"

#include <time.h>

void state_fatal(patio_transport *t, patio_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(t->why, sizeof(t->why), format, args);
    va_end(args);
    t->fatal = status;
    t->work  = true;
}

void state_sleep(patio_transport *t, uint64_t ns)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(ns / 1000000000u);
    end.tv_nsec += (long)(ns % 1000000000u);
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&t->calm, &t->lock, &end);
}

bool state_await(patio_transport *t, uint64_t timeout_ms)
{
    enum { LOOK_NS = 20000000 };
    uint64_t until = t->host->now_ns(t->host->self) + timeout_ms * 1000000u;
    while (t->started && !t->stopping && t->fatal == PATIO_OK) {
        if (t->links[CONSUMING].state == LINK_READY && t->links[PUBLISHING].state == LINK_READY &&
            t->inbox_ready) {
            return true;
        }
        uint64_t now = t->host->now_ns(t->host->self);
        if (now >= until) {
            return false;
        }
        state_sleep(t, until - now < LOOK_NS ? until - now : LOOK_NS);
    }
    return false;
}

static bool connected(const patio_transport *t)
{
    return t->links[CONSUMING].state == LINK_READY && t->links[PUBLISHING].state == LINK_READY &&
           t->inbox_ready && subscribe_all_on(t);
}

void state_probe(patio_transport *t)
{
    if (t->proven || t->probing || !connected(t)) {
        return;
    }
    if (t->set.reply == REPLY_DIRECT) {
        t->proven = true; /* the pseudo-queue has no name to send to */
        return;
    }
    post *p = post_new_probe(t);
    if (p != NULL) {
        t->probing  = true;
        t->probe_ns = t->host->now_ns(t->host->self);
        post_submit(t, p);
    }
}

static uint32_t look(patio_transport *t)
{
    if (t->links[PUBLISHING].blocked) {
        return PATIO_LINK_BLOCKED;
    }
    /* what is subscribed later, or anew with another credit, does not take a
     * proven link down */
    bool ready = t->links[CONSUMING].state == LINK_READY &&
                 t->links[PUBLISHING].state == LINK_READY && t->inbox_ready;
    bool was_up = t->raised == PATIO_LINK_UP || t->raised == PATIO_LINK_BLOCKED;
    if (t->proven && (connected(t) || (ready && was_up && t->fatal == PATIO_OK))) {
        t->fatal  = PATIO_OK;
        t->why[0] = '\0';
        return PATIO_LINK_UP;
    }
    return t->fatal != PATIO_OK ? PATIO_LINK_DOWN : PATIO_LINK_CONNECTING;
}

void state_raise(patio_transport *t)
{
    patio_error err  = PATIO_ERROR_INIT;
    bool        news = false;
    pthread_mutex_lock(&t->lock);
    uint32_t now = look(t);
    if (now != t->raised || (now == PATIO_LINK_CONNECTING && !t->raised_why && t->why[0] != '\0')) {
        news          = true;
        t->raised     = now;
        t->raised_why = t->why[0] != '\0';
        (void)patio_fail(&err,
                         t->fatal != PATIO_OK        ? t->fatal
                         : now == PATIO_LINK_BLOCKED ? PATIO_BLOCKED
                                                     : PATIO_UNREACHABLE,
                         0, "%s", t->why);
    }
    pthread_mutex_unlock(&t->lock);
    if (news) {
        t->events->link(t->events->self, now, now == PATIO_LINK_UP || !t->raised_why ? NULL : &err);
    }
}
