/* What peers answer to questions of ours, and to those that were passed on. */
#include "tcp.h"

static void take_part(ask *a, const conn *c, const frame_answer *in, patio_buf *tail, uint64_t now)
{
    const patio_host *host = c->t->host;
    size_t size = in->rows.size + (tail != NULL ? host->buf_view(host->self, tail).size : 0);
    if (a->bytes + size > ASK_BYTES_MAX) {
        ask_fail(a, PATIO_TOO_LARGE, "and others answered more than is taken; ask for less",
                 c->name);
        return;
    }
    part *p = host->alloc(host->self, sizeof(*p) + in->rows.size + 1);
    if (p == NULL) {
        ask_fail(a, PATIO_NO_MEMORY, "answered, but memory is out", c->name);
        return;
    }
    uint8_t *rows = (uint8_t *)(p + 1);
    if (in->rows.size > 0) {
        memcpy(rows, in->rows.data, in->rows.size);
    }
    *p             = (part){.at_ns = now, .answer = *in};
    p->answer.rows = (patio_bytes){rows, in->rows.size};
    p->tail        = tail != NULL ? host->buf_ref(host->self, tail) : NULL;
    if (a->last != NULL) {
        a->last->next = p;
    } else {
        a->first = p;
    }
    a->last = p;
    a->bytes += size;
}

/* What a peer refuses is an answer to us; of what lies behind it is said by its own. */
static void note_refusal(ask *a, const conn *c, const frame_answer *in)
{
    if (in->incarnation != c->peer_incarnation) {
        return;
    }
    if (in->status == PATIO_AUTH) {
        ask_fail(a, PATIO_AUTH,
                 "does not let this side operate it: its allow-list lacks \"operate\"", c->name);
    } else if (in->status == PATIO_UNSUPPORTED) {
        ask_fail(a, PATIO_UNSUPPORTED, "does not know this question", c->name);
    } else if (in->status == PATIO_FULL && in->what != ASK_DEAD_RETRY) {
        ask_fail(a, PATIO_FULL, "has no room for more questions now; ask again later", c->name);
    }
}

static const char *answer_to(ask *a, conn *c, const frame_answer *in, patio_buf *tail, effects *fx)
{
    ask_target *target = NULL;
    for (uint32_t i = 0; i < a->target_count; i++) {
        target = a->targets[i].c == c ? &a->targets[i] : target;
    }
    uint32_t more = in->others;
    uint32_t less = (in->flags & ANSWER_LAST) != 0 ? 1 : 0;
    if (target == NULL || target->pending == 0 || more > ASK_RELAYS_MAX ||
        target->pending + more > 2 * ASK_RELAYS_MAX) {
        return "an ANSWER to nothing";
    }
    target->pending += more - less;
    a->pending += more - less;
    if ((in->flags & ANSWER_AGAIN) == 0 && in->what == a->question.what) {
        note_refusal(a, c, in);
        take_part(a, c, in, tail, fx->now);
    }
    ask_changed(c->t, a, fx);
    return NULL;
}

const char *ask_answered(conn *c, uint64_t id, const frame_answer *in, patio_buf *tail, effects *fx)
{
    patio_transport *t = c->t;
    relay           *r = relay_find(t, id, c);
    if (r != NULL) {
        /* the link between us is all that it is told of */
        frame_answer out = *in;
        out.others       = 0;
        conn *to         = r->from;
        id               = r->id;
        if ((in->flags & ANSWER_LAST) != 0) {
            relay_free(t, r);
        }
        answer_write(to, id, &out, tail, fx);
        return NULL;
    }
    for (ask *a = t->ask.asks; a != NULL; a = a->next) {
        if (a->question.number == id) {
            return answer_to(a, c, in, tail, fx);
        }
    }
    return NULL; /* too late: nobody waits any more */
}
