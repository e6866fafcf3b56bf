/* What comes to this process: replies to its calls, control messages, and the probe of the link.
 * I/O thread. */
#include "transport.h"

void inbox_name(patio_transport *t)
{
    (void)snprintf(t->inbox, sizeof(t->inbox), "patio:%.100s:@reply:%0*llx", t->address,
                   INBOX_DIGITS, (unsigned long long)(t->incarnation + t->inbox_moves));
}

bool inbox_move(patio_transport *t)
{
    uint64_t link = t->links[CONSUMING].generation;
    rpc     *r    = link != t->inbox_moved_on ? rpc_new(t, RPC_INBOX, "") : NULL;
    if (r == NULL) {
        return false; /* not on this connection again: that does not help */
    }
    t->inbox_moved_on = link;
    t->inbox_moves++;
    inbox_name(t);
    (void)snprintf(r->name, sizeof(r->name), "%s", t->inbox);
    rpc_add(t, r);
    return true;
}

/* A reply may come again after a cut; of two with one id the second is no news.
 */
static bool is_news(patio_transport *t, const patio_id *id)
{
    enum { REMEMBERED = 4096 };
    if (t->replied == NULL) {
        t->replied = t->host->alloc(t->host->self, REMEMBERED * sizeof(*t->replied));
        if (t->replied == NULL) {
            return true;
        }
        memset(t->replied, 0, REMEMBERED * sizeof(*t->replied));
    }
    uint64_t hash;
    memcpy(&hash, id->bytes + 8, sizeof(hash));
    patio_id *at   = &t->replied[(hash * UINT64_C(0x9E3779B97F4A7C15)) >> 52];
    bool      news = memcmp(at, id, sizeof(*id)) != 0;
    *at            = *id;
    return news;
}

void deliver_inbox(patio_transport *t, inbound *in)
{
    const props *p      = &in->props;
    bool         direct = t->set.reply == REPLY_DIRECT;
    t->hurried          = true;
    pthread_mutex_lock(&t->lock);
    t->turn.answered_ns = t->links[direct ? PUBLISHING : CONSUMING].heard_ns;
    if (!direct) {
        t->inbox_ack = in->number;
        t->work      = true;
        if (strcmp(p->task, "patio.probe") == 0) {
            t->proven  = true;
            t->probing = false;
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (strncmp(p->task, "patio.control", 13) == 0) {
        control_input(t, in);
        return;
    }
    if (!p->has_id || strcmp(p->task, "patio.probe") == 0) {
        return;
    }
    if (in->skip) {
        patio_error err = PATIO_ERROR_INIT;
        (void)patio_fail(&err, PATIO_TOO_LARGE, 0,
                         "the reply has %llu bytes, at most %llu are taken",
                         (unsigned long long)in->size, (unsigned long long)t->max_body_bytes);
        patio_receipt receipt = {PATIO_SIZED(patio_receipt), .outcome = PATIO_UNKNOWN, .id = p->id,
                                 .error = &err};
        t->events->published(t->events->self, &receipt);
        return;
    }
    patio_reply reply = {
        PATIO_SIZED(patio_reply),
        .flags = strcmp(p->task, "patio.partial") == 0 ? PATIO_REPLY_PARTIAL : 0,
        .id    = p->id,
        .body  = in->body,
    };
    if (reply.flags == 0 && !is_news(t, &p->id)) {
        return;
    }
    t->events->replied(t->events->self, &reply);
}
