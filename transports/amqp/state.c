/* What the host is told of the link. UP means: both connections, every
 * subscription granted, and a message of our own has gone out through one and
 * come back through the other. */
#include "transport.h"

void state_fatal(patio_transport *t, patio_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(t->why, sizeof(t->why), format, args);
    va_end(args);
    t->fatal = status;
    t->work  = true;
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
