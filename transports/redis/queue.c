/* Queues: what is pending for each, and when it goes out. */
#include "redis.h"

static const uint64_t ms_ns = 1000000;

/* CRC16 of the part in braces, as a cluster has it (XMODEM). */
uint32_t slot_of(const char *tag)
{
    const char *from = strchr(tag, '{') + 1;
    const char *to   = strchr(from, '}');
    uint16_t    crc  = 0;
    for (; from < to; from++) {
        crc ^= (uint16_t)((uint8_t)*from << 8);
        for (int bit = 0; bit < 8; bit++) {
            crc = (uint16_t)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
        }
    }
    return crc % SLOTS;
}

static queue *queue_make(patio_transport *t, const char *name)
{
    const patio_host *host = t->host;
    size_t            size = strlen(name) + 1;
    size_t            tag  = size + strlen(t->project) + sizeof("patio:{:}");
    queue            *q    = host->alloc(host->self, sizeof(*q) + size + tag);
    if (q == NULL) {
        return NULL;
    }
    memset(q, 0, sizeof(*q));
    q->t    = t;
    q->name = (char *)(q + 1);
    q->tag  = q->name + size;
    memcpy(q->name, name, size);
    (void)snprintf(q->tag, tag, "patio:{%s:%s}", t->project, name);
    q->slot = slot_of(q->tag);
    q->node = t->cluster ? NULL : &t->nodes[0];
    q->more = true;
    (void)snprintf(q->last_reply, sizeof(q->last_reply), "0");
    conn_init(&q->reader, t, CONN_READER, q->node, q);
    conn_init(&q->replies, t, CONN_REPLIES, q->node, q);
    q->next   = t->queues;
    t->queues = q;
    cluster_place(t);
    return q;
}

queue *queue_find(patio_transport *t, const char *name, bool make)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        if (strcmp(q->name, name) == 0) {
            return q;
        }
    }
    return make ? queue_make(t, name) : NULL;
}

void queue_free(queue *q)
{
    conn_fini(&q->reader);
    conn_fini(&q->replies);
    q->t->host->free(q->t->host->self, q);
}

/* Between a hold and the next try nothing goes out but what asks whether it is over. */
static bool held(const node *n, uint64_t now)
{
    return n->hold_ns > now;
}

static void encode_node(conn *c)
{
    patio_transport *t   = c->t;
    node            *n   = c->node;
    uint64_t         now = now_ns(t);
    if (t->slots_wanted && t->cluster && now >= t->slots_ns && n->ready &&
        command(c, CMD_SLOTS, NULL, 2) != NULL) {
        arg_text(c, "CLUSTER");
        arg_text(c, "SLOTS");
        t->slots_ns = now + 200 * ms_ns;
    }
    for (queue *q = t->queues; q != NULL && !c->broken; q = q->next) {
        if (q->node != n || !n->ready) {
            continue;
        }
        beat_encode(q);
        if (held(n, now)) {
            continue;
        }
        settle_encode(q);
        mark_encode(q);
        if (n->hold_publish_ns <= now) {
            publish_encode(q);
        }
        cancel_encode(q);
        fetch_encode(q);
    }
    ask_encode(c);
}

void queue_encode(conn *c)
{
    if (c->role == CONN_NODE) {
        encode_node(c);
    } else if (c->role == CONN_READER) {
        read_encode(c);
    } else if (c->role == CONN_REPLIES) {
        replies_encode(c);
    }
}

void queue_touch(queue *q)
{
    if (q->node == NULL || !q->node->ready) {
        loop_wake(q->t);
        return;
    }
    conn_flush(&q->node->w);
    if (q->subscribed && !q->armed) {
        conn_flush(&q->reader);
    }
}

uint64_t queue_tick(queue *q, uint64_t now, uint64_t next)
{
    uint64_t times[] = {q->beat_ns, q->due_ns, q->unsettled > 0 ? q->control_ns : 0};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (times[i] > now && times[i] < next) {
            next = times[i];
        }
    }
    next = publish_deadline(q, inbox_tick(q, now, next));
    if (q->marks > 0 && q->mark_flights == 0 && q->mark_ns < next) {
        next = q->mark_ns;
    }
    return next > now + ms_ns ? next : now + ms_ns;
}
