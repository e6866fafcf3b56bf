/* Messages on their way: numbered, sent, and sent again after a reconnect. */
#include "transport.h"

enum { RING_FIRST = 256 };

void post_list_init(post_list *list)
{
    list->first = NULL;
    list->end   = &list->first;
}

void post_list_add(post_list *list, post *p)
{
    p->next    = NULL;
    *list->end = p;
    list->end  = &p->next;
}

post *post_list_take(post_list *list)
{
    post *p = list->first;
    if (p != NULL) {
        list->first = p->next;
        if (list->first == NULL) {
            list->end = &list->first;
        }
    }
    return p;
}

void post_free(patio_transport *t, post *p)
{
    t->host->buf_drop(t->host->self, p->body);
    t->host->free(t->host->self, p);
}

static bool grow_ring(patio_transport *t)
{
    uint32_t size = t->ring_size > 0 ? 2 * t->ring_size : RING_FIRST;
    post   **ring = t->host->alloc(t->host->self, size * sizeof(*ring));
    if (ring == NULL) {
        return false;
    }
    for (uint64_t n = t->ring_first; n < t->ring_next; n++) {
        ring[n & (size - 1)] = t->ring[n & (t->ring_size - 1)];
    }
    t->host->free(t->host->self, t->ring);
    t->ring      = ring;
    t->ring_size = size;
    return true;
}

/* Replies to it are to go to where our queue is now. */
static void readdress(const patio_transport *t, post *p)
{
    size_t   known = strlen(t->inbox) - INBOX_DIGITS;
    uint8_t *at    = t->inbox_moves > 0 && p->kind == POST_TASK
                         ? memmem(p->head, p->head_size, t->inbox, known)
                         : NULL;
    if (at != NULL) {
        memcpy(at + known, t->inbox + known, INBOX_DIGITS);
    }
}

static bool send_now(patio_transport *t, post *p)
{
    connection *c    = &t->links[PUBLISHING];
    size_t      mark = c->out.size;
    if (t->ring_next - t->ring_first >= t->ring_size && !grow_ring(t)) {
        return false;
    }
    readdress(t, p);
    patio_bytes body = {NULL, 0};
    if (p->body != NULL) {
        body = t->host->buf_view(t->host->self, p->body);
    }
    if (!obuf_add(t, &c->out, p->head, p->head_size) || !wire_body(c, CH_PUBLISH, body)) {
        c->out.size = mark;
        return false;
    }
    t->ring[t->ring_next++ & (t->ring_size - 1)] = p;
    p->sent                                      = true;
    p->returned                                  = false;
    return true;
}

void post_submit(patio_transport *t, post *p)
{
    connection *c = &t->links[PUBLISHING];
    if (p->place != NULL && !place_ensure(t, p->place)) {
        post_list_add(&p->place->waiting, p);
        t->work = true;
        loop_wake(t);
        return;
    }
    if (c->state != LINK_READY || t->resend.first != NULL || !send_now(t, p)) {
        post_list_add(&t->resend, p);
        t->work = true;
        loop_wake(t);
        return;
    }
    socket_push(c);
}

post *post_ring_take(patio_transport *t, uint64_t number)
{
    if (number < t->ring_first || number >= t->ring_next) {
        return NULL;
    }
    post **at = &t->ring[number & (t->ring_size - 1)];
    post  *p  = *at;
    *at       = NULL;
    while (t->ring_first < t->ring_next && t->ring[t->ring_first & (t->ring_size - 1)] == NULL) {
        t->ring_first++;
    }
    return p;
}

void post_link_lost(patio_transport *t)
{
    post_list all;
    post     *p = NULL;
    post_list_init(&all);
    for (uint64_t n = t->ring_first; n < t->ring_next; n++) {
        p = t->ring[n & (t->ring_size - 1)];
        if (p != NULL && (p->kind == POST_PROBE || p->kind == POST_RENEW || p->orphan)) {
            post_free(t, p);
        } else if (p != NULL) {
            post_list_add(&all, p);
        }
    }
    t->ring_first = t->ring_next = 1;
    refused_forget(t);
    while ((p = post_list_take(&t->resend)) != NULL) {
        post_list_add(&all, p);
    }
    t->resend = all;
    if (all.first == NULL) {
        t->resend.end = &t->resend.first;
    }
}

void post_link_ready(patio_transport *t)
{
    t->ring_first = t->ring_next = 1;
    post_step(t);
}

void post_step(patio_transport *t)
{
    connection *c   = &t->links[PUBLISHING];
    post_list   all = t->resend;
    post       *p   = NULL;
    if (all.first == NULL || c->state != LINK_READY) {
        return;
    }
    post_list_init(&t->resend);
    while (all.first != NULL) {
        p         = all.first;
        all.first = p->next;
        if (p->orphan) {
            post_free(t, p);
        } else if (p->place != NULL && !place_ensure(t, p->place)) {
            post_list_add(&p->place->waiting, p);
        } else if (!send_now(t, p)) {
            post_list_add(&t->resend, p);
        }
    }
}

/* Copies that were on their way when their lease went are not repeated: the
 * original comes again. A reply is: its caller has it so much the sooner. */
static void orphan_in(post *p, patio_tag tag, bool settlements)
{
    if (p != NULL && p->renews == tag) {
        p->orphan = true;
    } else if (p != NULL && settlements && p->tag == tag) {
        p->tag    = 0;
        p->orphan = p->kind == POST_MOVE;
    }
}

static void orphan_list(post_list *list, patio_tag tag, bool settlements)
{
    for (post *p = list->first; p != NULL; p = p->next) {
        orphan_in(p, tag, settlements);
    }
}

void post_orphan(patio_transport *t, patio_tag tag, bool settlements)
{
    for (uint64_t n = t->ring_first; n < t->ring_next; n++) {
        orphan_in(t->ring[n & (t->ring_size - 1)], tag, settlements);
    }
    orphan_list(&t->resend, tag, settlements);
    orphan_list(&t->refused, tag, settlements);
    for (queue *q = t->queues; q != NULL; q = q->next) {
        for (int i = 0; i < PLACES; i++) {
            if (place_at(q, i) != NULL) {
                orphan_list(&place_at(q, i)->waiting, tag, settlements);
            }
        }
    }
}
