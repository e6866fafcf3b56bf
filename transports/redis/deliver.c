/* Entries of a stream -> deliveries. */
#include "redis.h"

#include <stdlib.h>

enum { INBOX_MS = 50, INBOX_MAX = CREDIT_MAX + 4096 };
static const uint64_t ms_ns = 1000000;

typedef struct header {
    patio_id    id;
    uint64_t    numbers[8]; /* flags attempt crashes losses deliveries ttl accepted priority */
    const char *reply;
    size_t      reply_bytes;
    const char *dedup;
    size_t      dedup_bytes;
    const char *task;
} header;
/* A task that has come: ours under a lease, and not yet with the host. */
typedef struct arrival {
    struct arrival *next;
    patio_buf      *body;
    uint64_t        came_ns;
    uint64_t        server_ms; /* the server's clock when it was handed out */
    place           at;
    header          h; /* points into `text` */
    char            text[];
} arrival;

enum { H_FLAGS, H_ATTEMPT, H_CRASHES, H_LOSSES, H_DELIVERIES, H_TTL, H_ACCEPTED, H_PRIORITY };

static bool token(const char **at, const char **word, size_t *size)
{
    const char *end = strchr(*at, ' ');
    if (end == NULL) {
        return false;
    }
    *word = *at;
    *size = (size_t)(end - *at);
    *at   = end + 1;
    return *size > 0;
}

static bool parse(const char *at, header *h)
{
    const char *word = NULL;
    size_t      size = 0;
    if (!token(&at, &word, &size) || !id_from_hex(word, size, &h->id)) {
        return false;
    }
    for (size_t i = 0; i < 8; i++) {
        char *end = NULL;
        if (!token(&at, &word, &size) || *word < '0' || *word > '9') {
            return false;
        }
        h->numbers[i] = strtoull(word, &end, 10);
        if (end != word + size) {
            return false;
        }
    }
    if (!token(&at, &h->reply, &h->reply_bytes) || !token(&at, &h->dedup, &h->dedup_bytes)) {
        return false;
    }
    h->task     = at;
    size_t task = strlen(at);
    return task >= 1 && task <= 255 && h->reply_bytes < OWNER_BYTES;
}

static const resp *field(const resp *fields, const char *name)
{
    for (size_t i = 0; fields != NULL && i + 1 < fields->count; i += 2) {
        if (resp_is(fields->items[i], name)) {
            return fields->items[i + 1];
        }
    }
    return NULL;
}

/* The server's clock is measured by each script, and goes on by ours in between. Under the lock. 0:
 * not known yet. */
static uint64_t server_clock(const queue *q, uint64_t now)
{
    const node *n = q->node;
    return n->clock_ms != 0 ? n->clock_ms + (now - n->clock_at_ns) / ms_ns : 0;
}

static uint64_t since(uint64_t server_ms, uint64_t then_ms)
{
    return server_ms > then_ms ? server_ms - then_ms : 0;
}

/* Under the lock: false when out of memory. */
static bool hold(queue *q, const header *h, const place *at, delivery **out)
{
    patio_transport *t     = q->t;
    char            *dedup = NULL;
    if (h->dedup != NULL && h->dedup[0] != '-') {
        dedup = t->host->alloc(t->host->self, h->dedup_bytes + 1);
        if (dedup == NULL) {
            return false;
        }
        memcpy(dedup, h->dedup, h->dedup_bytes);
        dedup[h->dedup_bytes] = '\0';
    }
    delivery *d = delivery_new(t);
    if (d == NULL) {
        t->host->free(t->host->self, dedup);
        return false;
    }
    d->q           = q;
    d->dedup       = dedup;
    d->at          = *at;
    d->id          = h->id;
    d->since_ns    = now_ns(t);
    d->round       = q->round;
    d->flags       = (uint32_t)h->numbers[H_FLAGS];
    d->lost_before = h->numbers[H_LOSSES] > 0;
    if (h->reply_bytes > 0) {
        memcpy(d->to, h->reply, h->reply_bytes);
    }
    d->to[h->reply_bytes] = '\0';
    q->unsettled++;
    *out = d;
    return true;
}

static void raise(queue *q, const arrival *a, patio_tag tag)
{
    patio_transport *t   = q->t;
    const header    *h   = &a->h;
    uint64_t         age = since(a->server_ms, a->at.ms);
    patio_message    m   = {
             PATIO_SIZED(patio_message),
             .flags    = (uint32_t)h->numbers[H_FLAGS] & PATIO_MESSAGE_CARRIED,
             .id       = h->id,
             .queue    = q->name,
             .task     = h->task,
             .priority = (uint16_t)h->numbers[H_PRIORITY],
             .attempt  = (uint16_t)h->numbers[H_ATTEMPT],
             .crashes  = (uint16_t)h->numbers[H_CRASHES],
             .body     = a->body,
    };
    if (h->numbers[H_DELIVERIES] > 0) {
        m.flags |= PATIO_MESSAGE_REDELIVERED;
    }
    if (h->numbers[H_TTL] > 0) {
        bool late = age >= h->numbers[H_TTL];
        m.ttl_ms  = late ? 1 : h->numbers[H_TTL] - age;
        m.flags |= late ? PATIO_MESSAGE_EXPIRED : 0;
    }
    uint64_t       accepted = h->numbers[H_ACCEPTED] != 0 ? h->numbers[H_ACCEPTED] : a->at.ms;
    patio_delivery d        = {
               PATIO_SIZED(patio_delivery),
               .tag     = tag,
               .fence   = h->numbers[H_DELIVERIES] + 1,
               .age_ms  = since(a->server_ms, accepted),
               .message = &m,
    };
    t->events->delivered(t->events->self, &d);
}

static void arrival_free(patio_transport *t, arrival *a)
{
    t->host->buf_drop(t->host->self, a->body);
    t->host->free(t->host->self, a);
}

/* Hand out what has come, as far as there is credit. [any thread, without the lock] */
void inbox_pump(queue *q)
{
    patio_transport *t = q->t;
    pthread_mutex_lock(&t->lock);
    /* one at a time, or a thread that is held up would be overtaken; it looks again before it ends
     */
    bool mine  = !q->pumping;
    q->pumping = true;
    while (mine && q->inbox.first != NULL && q->unsettled < q->credit && q->subscribed &&
           !q->closed && !t->stopping) {
        arrival  *a = q->inbox.first;
        delivery *d = NULL;
        if (!hold(q, &a->h, &a->at, &d)) {
            break;
        }
        patio_tag tag  = d->tag;
        a->server_ms   = server_clock(q, d->since_ns);
        q->inbox.first = a->next;
        q->inbox.last  = a->next == NULL ? NULL : q->inbox.last;
        q->inbox.count--;
        t->delivering++;
        pthread_mutex_unlock(&t->lock);
        raise(q, a, tag);
        arrival_free(t, a);
        pthread_mutex_lock(&t->lock);
        if (--t->delivering == 0) {
            pthread_cond_broadcast(&t->changed);
        }
    }
    q->pumping = q->pumping && !mine;
    pthread_mutex_unlock(&t->lock);
}

/* Give back what has not been handed out. Under the lock. */
void inbox_return(queue *q)
{
    while (q->inbox.first != NULL) {
        arrival *a     = q->inbox.first;
        q->inbox.first = a->next;
        settle_own(q, SETTLE_RETURN, &a->at, NULL);
        arrival_free(q->t, a);
    }
    q->inbox    = (op_list){NULL, NULL, 0};
    q->returned = true;
}

/* Behind a slow task nothing waits: it is for others. Under the lock. */
uint64_t inbox_tick(queue *q, uint64_t now, uint64_t next)
{
    const arrival *a = q->inbox.first;
    if (a == NULL) {
        return next;
    }
    uint64_t until = a->came_ns + INBOX_MS * ms_ns;
    if (now >= until) {
        q->extra = 0;
        inbox_return(q);
        return next;
    }
    return until < next ? until : next;
}

static arrival *arrive(patio_transport *t, const place *at, const resp *head, const resp *body)
{
    arrival *a = t->host->alloc(t->host->self, sizeof(*a) + head->size + 1);
    if (a == NULL) {
        return NULL;
    }
    uint8_t *data = NULL;
    *a            = (arrival){.at = *at, .came_ns = now_ns(t)};
    memcpy(a->text, head->text, head->size + 1);
    a->body = t->host->buf_new(t->host->self, body->size, &data);
    if (a->body != NULL && body->size > 0) {
        memcpy(data, body->text, body->size);
    }
    if (a->body == NULL || !parse(a->text, &a->h)) {
        arrival_free(t, a);
        return NULL;
    }
    return a;
}

static void take_in(queue *q, const place *at, const resp *head, const resp *body)
{
    patio_transport *t = q->t;
    arrival         *a = arrive(t, at, head, body);
    pthread_mutex_lock(&t->lock);
    /* as many as were asked for when there was more credit: in order they stay here a moment */
    bool room = q->subscribed && !q->closed && !t->stopping && q->inbox.count < INBOX_MAX;
    if (a != NULL && room) {
        if (q->inbox.first == NULL) {
            q->inbox.first = a;
        } else {
            ((arrival *)q->inbox.last)->next = a;
        }
        q->inbox.last = a;
        q->inbox.count++;
    } else {
        /* more than asked for, or no memory: somebody else's */
        settle_own(q, SETTLE_RETURN, at, NULL);
    }
    pthread_mutex_unlock(&t->lock);
    if (a != NULL && !room) {
        arrival_free(t, a);
    }
}

static bool is_ours(const patio_transport *t, const resp *head, const resp *body)
{
    header h;
    return head != NULL && head->text != NULL && strlen(head->text) == head->size &&
           parse(head->text, &h) && body != NULL && body->text != NULL &&
           body->size <= t->max_body_bytes;
}

void deliver_entries(queue *q, char suffix, const resp *entries)
{
    patio_transport *t = q->t;
    for (size_t i = 0; entries != NULL && i < entries->count; i++) {
        const resp *e      = resp_at(entries, i);
        const resp *id     = resp_at(e, 0);
        const resp *fields = resp_at(e, 1);
        const resp *head   = field(fields, "h");
        const resp *body   = field(fields, "b");
        place       at     = {.suffix = suffix};
        if (id == NULL || id->text == NULL || !place_parse(id->text, id->size, &at)) {
            continue;
        }
        if (is_ours(t, head, body)) {
            take_in(q, &at, head, body);
            continue;
        }
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "queue %s: entry %s of stream %c is none of patio's, or broken: to the "
                       "dead letters",
                       q->name, id->text, suffix);
        pthread_mutex_lock(&t->lock);
        settle_own(q, SETTLE_BURY, &at, "undecodable");
        pthread_mutex_unlock(&t->lock);
    }
    inbox_pump(q);
}
