/* Words to this worker: a task is to be cancelled, something was set, something is due. */
#include "redis.h"

enum { CONTROL_MS = 500 };
static const uint64_t ms_ns = 1000000;

/* Words that no read brings: while none waits at the server, or where one took them along when its
 * connection ended, as at the end of a subscription. So all that lies there is looked at, whether
 * it was handed out or not; what is heard is removed, and to hear it twice does no harm. */
void control_encode(queue *q, uint64_t now)
{
    conn *c       = &q->node->w;
    bool  regular = q->unsettled > 0 && !q->armed && !queue_listens(q) && now >= q->control_ns;
    if ((!regular && !q->words) || q->controlling || command(c, CMD_CONTROL, q, 6) == NULL) {
        return;
    }
    arg_text(c, "XRANGE");
    arg_key(c, q, ":n:", q->t->owner);
    arg_text(c, "-");
    arg_text(c, "+");
    arg_text(c, "COUNT");
    arg_text(c, "100");
    q->controlling = true;
    q->words       = false;
    q->control_ns  = now + CONTROL_MS * ms_ns;
}

static void cancelled_here(queue *q, const char *hex)
{
    patio_transport *t = q->t;
    patio_id         id;
    patio_tag        tag = 0;
    if (!id_from_hex(hex, 32, &id)) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < t->delivery_room && tag == 0; i++) {
        delivery *d = &t->deliveries[i];
        if (d->state == DELIVERY_HELD && d->q == q && !d->told &&
            memcmp(&d->id, &id, sizeof(id)) == 0) {
            d->told = true;
            tag     = d->tag;
        }
    }
    pthread_mutex_unlock(&t->lock);
    if (tag != 0) {
        t->events->cancel_wanted(t->events->self, tag);
    }
}

static void control_word(queue *q, const char *word, size_t size)
{
    if (size == 34 && word[0] == 'c') {
        cancelled_here(q, word + 2);
        return;
    }
    pthread_mutex_lock(&q->t->lock);
    if (size == 1 && word[0] == 'd') {
        q->due_ns = now_ns(q->t);
        pthread_mutex_unlock(&q->t->lock);
        return;
    }
    if (size == 1 && word[0] == 'l') {
        q->more = q->freed = true;
        pthread_mutex_unlock(&q->t->lock);
        return;
    }
    q->asking  = q->beating ? 2 : 1;
    q->beat_ns = 0;
    pthread_mutex_unlock(&q->t->lock);
}

void control_answer(conn *c, const cmd *k, const resp *r)
{
    queue  *q       = k->q;
    uint8_t trouble = trouble_of(r);
    pthread_mutex_lock(&q->t->lock);
    q->controlling = false;
    pthread_mutex_unlock(&q->t->lock);
    if (trouble != TROUBLE_NONE) {
        (void)trouble_note(c, k, trouble, r);
        return;
    }
    control_entries(q, r);
}

void control_entries(queue *q, const resp *entries)
{
    patio_transport *t = q->t;
    for (size_t i = 0; entries != NULL && i < entries->count; i++) {
        const resp *e    = resp_at(entries, i);
        const resp *word = resp_at(resp_at(e, 1), 1);
        if (word != NULL && word->text != NULL) {
            control_word(q, word->text, word->size);
        }
        const resp *id = resp_at(e, 0);
        pthread_mutex_lock(&t->lock);
        conn *w = &q->node->w;
        if (id != NULL && id->text != NULL && w->state == CONN_OPEN &&
            command(w, CMD_IGNORE, q, 4) != NULL) {
            arg_text(w, "XACK");
            arg_key(w, q, ":n:", t->owner);
            arg_text(w, "w");
            arg_text(w, id->text);
            if (command(w, CMD_IGNORE, q, 3) != NULL) {
                arg_text(w, "XDEL");
                arg_key(w, q, ":n:", t->owner);
                arg_text(w, id->text);
            }
        }
        pthread_mutex_unlock(&t->lock);
    }
}
