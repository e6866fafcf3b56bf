/* Taking tasks. As a rule one blocking read lists all streams of the queue and asks for as many as
 * there are free slots. Such a read counts for each stream, so where several may have something
 * (priorities, tasks that came back) a script takes them in order first, and the read only waits
 * for the first one to come. Where there is a limit no read can wait for tasks, for it would take
 * one beyond it: the script takes all, and the read waits for words alone, of which one says that
 * it is worth to look. So it does where the queue is paused. */
#include "redis.h"

#include <patio/queues.h>

enum { FETCH_MOST = 1024, WORDS_MOST = 100 };

bool queue_ordered(const queue *q)
{
    return q->priorities[0] != '\0' || q->front > 0 || q->limit > 0;
}

/* Its reads are for words alone. */
bool queue_listens(const queue *q)
{
    return q->limit > 0 || q->state == PATIO_QUEUE_PAUSED;
}

uint32_t queue_free_credit(const queue *q)
{
    uint32_t used = q->unsettled + q->reserved + q->inbox.count;
    uint32_t most = q->credit > 0 ? q->credit + q->extra : 0;
    uint32_t free = most > used ? most - used : 0;
    /* while there is something to do, it is worth to wait and take many at once */
    return q->inbox.count > 0 && 2 * free < most ? 0 : free;
}

static bool present(const queue *q)
{
    return q->subscribed && !q->closed && q->opened && !q->asking && !q->t->stopping;
}

/* What was given back stands before the rest, but not before the server has it. */
static bool is_back(queue *q)
{
    q->returned = q->returned && q->settles.count + q->settle_flights > 0;
    return !q->returned;
}

static bool may_take(queue *q)
{
    return present(q) && is_back(q) && q->state != PATIO_QUEUE_PAUSED &&
           (!q->armed || q->listening) && !q->fetching;
}

/* Under the lock. */
static void listen_encode(conn *c)
{
    queue *q = c->q;
    if (command(c, CMD_READ, q, 11) == NULL) {
        return;
    }
    arg_text(c, "XREADGROUP");
    arg_text(c, "GROUP");
    arg_text(c, "w");
    arg_text(c, q->t->owner);
    arg_text(c, "COUNT");
    arg_number(c, WORDS_MOST);
    arg_text(c, "BLOCK");
    arg_number(c, q->t->set.block_ms);
    arg_text(c, "STREAMS");
    arg_key(c, q, ":n:", q->t->owner);
    arg_text(c, ">");
    q->armed     = true;
    q->listening = true;
}

void read_encode(conn *c)
{
    queue           *q       = c->q;
    patio_transport *t       = q->t;
    uint32_t         free    = queue_free_credit(q);
    bool             ordered = queue_ordered(q);
    if (!present(q) || q->armed || c->cmd_count > 0) {
        return;
    }
    if (queue_listens(q)) {
        listen_encode(c);
        return;
    }
    if (!may_take(q) || free == 0 || (ordered && q->more)) {
        return;
    }
    uint32_t streams = 3 + (uint32_t)strlen(q->priorities);
    uint32_t count   = ordered ? free / (streams - 1) : free;
    count            = count == 0 ? 1 : count < FETCH_MOST ? count : FETCH_MOST;
    if (command(c, CMD_READ, q, 9 + 2 * streams) == NULL) {
        return;
    }
    arg_text(c, "XREADGROUP");
    arg_text(c, "GROUP");
    arg_text(c, "w");
    arg_text(c, t->owner);
    arg_text(c, "COUNT");
    arg_number(c, count);
    arg_text(c, "BLOCK");
    arg_number(c, t->set.block_ms);
    arg_text(c, "STREAMS");
    arg_key(c, q, ":n:", t->owner);
    arg_key(c, q, ":s:f", "");
    for (char p = '9'; p >= '0'; p--) {
        if (p == '4' || strchr(q->priorities, p) != NULL) {
            arg_key(c, q, ":s:", (char[2]){p, '\0'});
        }
    }
    for (uint32_t i = 0; i < streams; i++) {
        arg_text(c, ">");
    }
    q->armed     = true;
    q->listening = false;
    q->reserved  = free;
}

void fetch_encode(queue *q)
{
    patio_transport *t    = q->t;
    uint32_t         free = queue_free_credit(q);
    if (!may_take(q) || free == 0 || !queue_ordered(q) || !q->more) {
        return;
    }
    conn *c = &q->node->w;
    free    = free < FETCH_MOST ? free : FETCH_MOST;
    if (command_eval(c, CMD_FETCH, SCRIPT_FETCH, q, 2) == NULL) {
        return;
    }
    arg_text(c, t->owner);
    arg_number(c, free);
    q->fetching = true;
    q->freed    = false;
    q->reserved = free;
}

/* Under the lock. */
static void took(queue *q, uint32_t asked, uint32_t got)
{
    bool full = got >= asked;
    q->more   = full || (q->limit > 0 && q->freed);
    q->front  = full ? q->front : 0;
}

void fetch_answer(conn *c, const cmd *k, const resp *r)
{
    queue           *q       = k->q;
    patio_transport *t       = q->t;
    uint8_t          trouble = trouble_of(r);
    uint32_t         got     = 0;
    for (size_t i = 1; trouble == TROUBLE_NONE && i < r->count; i++) {
        const resp *entries = resp_at(resp_at(r, i), 1);
        got += entries != NULL ? (uint32_t)entries->count : 0;
    }
    pthread_mutex_lock(&t->lock);
    uint32_t asked = q->reserved;
    q->reserved    = 0;
    q->fetching    = false;
    if (trouble == TROUBLE_NONE) {
        c->node->clock_ms    = (uint64_t)resp_number(resp_at(r, 0), 0);
        c->node->clock_at_ns = now_ns(t);
        took(q, asked, got);
    }
    pthread_mutex_unlock(&t->lock);
    if (trouble != TROUBLE_NONE) {
        if (!trouble_note(c, k, trouble, r)) {
            conn_close(c, PATIO_PROTOCOL, r->text);
        }
        return;
    }
    for (size_t i = 1; i < r->count; i++) {
        const resp *suffix = resp_at(resp_at(r, i), 0);
        if (suffix != NULL && suffix->size == 1) {
            deliver_entries(q, suffix->text[0], resp_at(resp_at(r, i), 1));
        }
    }
}

/* …:s:4 -> 4, …:n:OWNER -> n */
static char stream_of(const queue *q, const resp *key)
{
    size_t tag = strlen(q->tag);
    if (key == NULL || key->size < tag + 4) {
        return '\0';
    }
    size_t at = key->text[tag + 1] == 's' ? tag + 3 : tag + 1;
    return key->text[at];
}

void read_answer(conn *c, const cmd *k, const resp *r)
{
    queue           *q       = k->q;
    patio_transport *t       = q->t;
    uint8_t          trouble = trouble_of(r);
    pthread_mutex_lock(&t->lock);
    q->armed = false;
    q->reads++;
    if (!q->listening) {
        q->reserved = 0;
        q->more     = r->count > 0;
    }
    pthread_mutex_unlock(&t->lock);
    if (trouble != TROUBLE_NONE) {
        if (trouble == TROUBLE_NOGROUP) {
            patio_host_log(t->host, PATIO_LOG_WARN,
                           "queue %s: its streams or their group were deleted at the server; they "
                           "are made anew (%s)",
                           q->name, r->text);
        }
        if (!trouble_note(c, k, trouble, r)) {
            conn_close(c, PATIO_PROTOCOL, r->text);
        }
        return;
    }
    for (size_t i = 0; i < r->count; i++) {
        const resp *stream = resp_at(r, i);
        char        suffix = stream_of(q, resp_at(stream, 0));
        if (suffix == 'n') {
            control_entries(q, resp_at(stream, 1));
        } else if (suffix != '\0') {
            deliver_entries(q, suffix, resp_at(stream, 1));
        }
    }
}
