/* Answers to our calls: one stream per queue, read by a connection that waits. */
#include "redis.h"

enum { READ_MOST = 512, TRIM_AFTER = 64 };

void replies_encode(conn *c)
{
    queue *q = c->q;
    if (c->cmd_count > 0 || q->t->stopping) {
        return;
    }
    if (q->untrimmed >= TRIM_AFTER && command(c, CMD_IGNORE, q, 4) != NULL) {
        /* what was read is not needed any more */
        place at = {0};
        (void)place_parse(q->last_reply, strlen(q->last_reply), &at);
        at.seq++;
        arg_text(c, "XTRIM");
        arg_key(c, q, ":a:", q->t->owner);
        arg_text(c, "MINID");
        arg_place(c, &at);
        q->untrimmed = 0;
    }
    if (command(c, CMD_REPLIES, q, 8) == NULL) {
        return;
    }
    arg_text(c, "XREAD");
    arg_text(c, "COUNT");
    arg_number(c, READ_MOST);
    arg_text(c, "BLOCK");
    arg_number(c, q->t->set.block_ms);
    arg_text(c, "STREAMS");
    arg_key(c, q, ":a:", q->t->owner);
    arg_text(c, q->last_reply);
}

/* There is a status in place of an answer, and why. */
static void refused(patio_transport *t, const patio_id *id, uint64_t status, const resp *text)
{
    patio_error   why     = PATIO_ERROR_INIT;
    patio_receipt receipt = {PATIO_SIZED(patio_receipt), .outcome = PATIO_UNKNOWN, .id = *id,
                             .error = &why};
    patio_status  is = status <= UINT16_MAX && status != 0 ? (patio_status)status : PATIO_PEER_LOST;
    (void)patio_fail(&why, is, 0, "%.700s", text->text);
    pthread_mutex_lock(&t->lock);
    guest_replied(t, id);
    pthread_mutex_unlock(&t->lock);
    t->events->published(t->events->self, &receipt);
}

static void one(queue *q, const resp *entry)
{
    patio_transport  *t      = q->t;
    const patio_host *host   = t->host;
    const resp       *fields = resp_at(entry, 1);
    const resp       *head   = resp_at(fields, 1);
    const resp       *body   = resp_at(fields, 3);
    uint8_t          *data   = NULL;
    patio_reply       reply  = {PATIO_SIZED(patio_reply)};
    if (head == NULL || body == NULL || body->text == NULL || head->size < 32 ||
        !id_from_hex(head->text, 32, &reply.id)) {
        patio_host_log(host, PATIO_LOG_WARN, "queue %s: an answer is none of patio's, or broken",
                       q->name);
        return;
    }
    if (head->size > 33 && head->text[33] != 'p') {
        refused(t, &reply.id, strtoul(head->text + 33, NULL, 10), body);
        return;
    }
    reply.flags = head->size > 32 ? PATIO_REPLY_PARTIAL : 0;
    reply.body  = host->buf_new(host->self, body->size, &data);
    if (reply.body == NULL) {
        patio_host_log(host, PATIO_LOG_ERROR, "queue %s: no memory for an answer of %zu bytes",
                       q->name, body->size);
        return;
    }
    if (body->size > 0) {
        memcpy(data, body->text, body->size);
    }
    if ((reply.flags & PATIO_REPLY_PARTIAL) == 0) {
        pthread_mutex_lock(&t->lock);
        guest_replied(t, &reply.id);
        pthread_mutex_unlock(&t->lock);
    }
    t->events->replied(t->events->self, &reply);
    host->buf_drop(host->self, reply.body);
}

void replies_answer(conn *c, const cmd *k, const resp *r)
{
    queue           *q       = k->q;
    patio_transport *t       = q->t;
    uint8_t          trouble = trouble_of(r);
    if (trouble != TROUBLE_NONE) {
        if (!trouble_note(c, k, trouble, r)) {
            conn_close(c, PATIO_PROTOCOL, r->text);
        }
        return;
    }
    const resp *entries =
        resp_at(resp_at(resp_at(r, 0), 1), 0) != NULL ? resp_at(resp_at(r, 0), 1) : NULL;
    for (size_t i = 0; entries != NULL && i < entries->count; i++) {
        const resp *id = resp_at(resp_at(entries, i), 0);
        if (id != NULL && id->text != NULL && id->size < ENTRY_BYTES) {
            pthread_mutex_lock(&t->lock);
            memcpy(q->last_reply, id->text, id->size + 1);
            q->untrimmed++;
            pthread_mutex_unlock(&t->lock);
        }
        one(q, entries->items[i]);
    }
    if (entries == NULL) {
        pthread_mutex_lock(&t->lock);
        q->untrimmed = q->untrimmed > 0 ? TRIM_AFTER : 0; /* quiet: time to tidy up */
        pthread_mutex_unlock(&t->lock);
    }
}
