/* Entries of a stream -> deliveries. */
#include "redis.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

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

static bool parse(const resp *text, header *h)
{
    if (text == NULL || text->text == NULL || strlen(text->text) != text->size) {
        return false;
    }
    const char *at   = text->text;
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

/* A tenth more than what credit can hold is never needed: what is settled is answered soon. */
delivery *delivery_new(patio_transport *t)
{
    if (t->delivery_free == 0) {
        uint32_t room = t->delivery_room != 0 ? 2 * t->delivery_room : 64;
        if (room > 4 * CREDIT_MAX) {
            return NULL;
        }
        delivery *more = t->host->resize(t->host->self, t->deliveries, room * sizeof(*more));
        if (more == NULL) {
            return NULL;
        }
        for (uint32_t i = room; i > t->delivery_room; i--) {
            more[i - 1]      = (delivery){.tag = i, .next_free = t->delivery_free};
            t->delivery_free = i;
        }
        t->deliveries    = more;
        t->delivery_room = room;
    }
    delivery *d      = &t->deliveries[t->delivery_free - 1];
    t->delivery_free = d->next_free;
    patio_tag tag    = d->tag + (UINT64_C(1) << 32);
    *d               = (delivery){.tag = tag, .state = DELIVERY_HELD};
    return d;
}

delivery *delivery_find(patio_transport *t, patio_tag tag)
{
    uint64_t slot = tag & UINT32_MAX;
    if (slot == 0 || slot > t->delivery_room) {
        return NULL;
    }
    delivery *d = &t->deliveries[slot - 1];
    return d->tag == tag && d->state != DELIVERY_FREE ? d : NULL;
}

void delivery_free(patio_transport *t, delivery *d)
{
    if (d->start == START_WANTED && d->q->marks > 0) {
        d->q->marks--;
    }
    t->host->free(t->host->self, d->dedup);
    d->dedup         = NULL;
    d->state         = DELIVERY_FREE;
    d->next_free     = t->delivery_free;
    t->delivery_free = (uint32_t)(d->tag & UINT32_MAX);
}

void deliveries_fini(patio_transport *t)
{
    for (uint32_t i = 0; i < t->delivery_room; i++) {
        t->host->free(t->host->self, t->deliveries[i].dedup);
    }
    t->host->free(t->host->self, t->deliveries);
    t->deliveries    = NULL;
    t->delivery_room = 0;
}

/* Time at the server since it came to its place; its clock is measured by each script, and goes on
 * by ours in between. */
static uint64_t waited_ms(const queue *q, uint64_t since_ms, uint64_t now)
{
    const node *n = q->node;
    if (n->clock_ms == 0) {
        return 0;
    }
    uint64_t server = n->clock_ms + (now - n->clock_at_ns) / ms_ns;
    return server > since_ms ? server - since_ms : 0;
}

/* Under the lock: false if there is no room for it here. */
static bool hold(queue *q, const header *h, const place *at, delivery **out)
{
    patio_transport *t = q->t;
    if (!q->subscribed || q->closed || t->stopping || q->unsettled >= q->credit) {
        return false;
    }
    char *dedup = NULL;
    if (h->dedup[0] != '-') {
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
    memcpy(d->to, h->reply, h->reply_bytes);
    d->to[h->reply_bytes] = '\0';
    q->unsettled++;
    *out = d;
    return true;
}

static void raise(queue *q, const header *h, const place *at, patio_tag tag, patio_buf *body)
{
    patio_transport *t   = q->t;
    uint64_t         now = now_ns(t);
    uint64_t         age = waited_ms(q, at->ms, now);
    patio_message    m   = {
             PATIO_SIZED(patio_message),
             .flags    = (uint32_t)h->numbers[H_FLAGS] & PATIO_MESSAGE_CARRIED,
             .id       = h->id,
             .queue    = q->name,
             .task     = h->task,
             .priority = (uint16_t)h->numbers[H_PRIORITY],
             .attempt  = (uint16_t)h->numbers[H_ATTEMPT],
             .crashes  = (uint16_t)h->numbers[H_CRASHES],
             .body     = body,
    };
    if (h->numbers[H_DELIVERIES] > 0) {
        m.flags |= PATIO_MESSAGE_REDELIVERED;
    }
    if (h->numbers[H_TTL] > 0) {
        bool late = age >= h->numbers[H_TTL];
        m.ttl_ms  = late ? 1 : h->numbers[H_TTL] - age;
        m.flags |= late ? PATIO_MESSAGE_EXPIRED : 0;
    }
    uint64_t       accepted = h->numbers[H_ACCEPTED] != 0 ? h->numbers[H_ACCEPTED] : at->ms;
    patio_delivery d        = {
               PATIO_SIZED(patio_delivery),           .tag = tag,    .fence = h->numbers[H_DELIVERIES] + 1,
               .age_ms = waited_ms(q, accepted, now), .message = &m,
    };
    t->events->delivered(t->events->self, &d);
}

static void deliver(queue *q, const place *at, const header *h, const resp *text)
{
    patio_transport  *t    = q->t;
    const patio_host *host = t->host;
    uint8_t          *data = NULL;
    patio_buf        *body = host->buf_new(host->self, text->size, &data);
    delivery         *d    = NULL;
    patio_tag         tag  = 0;
    if (body != NULL && text->size > 0) {
        memcpy(data, text->text, text->size);
    }
    pthread_mutex_lock(&t->lock);
    if (body != NULL && hold(q, h, at, &d)) {
        tag = d->tag;
        t->delivering++;
    } else {
        /* more than asked for, or no memory: somebody else's */
        settle_own(q, SETTLE_RETURN, at, NULL);
    }
    pthread_mutex_unlock(&t->lock);
    if (tag != 0) {
        raise(q, h, at, tag, body);
        pthread_mutex_lock(&t->lock);
        if (--t->delivering == 0) {
            pthread_cond_broadcast(&t->changed);
        }
        pthread_mutex_unlock(&t->lock);
    }
    host->buf_drop(host->self, body);
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
        header      h;
        if (id == NULL || id->text == NULL || !place_parse(id->text, id->size, &at)) {
            continue;
        }
        if (parse(head, &h) && body != NULL && body->text != NULL &&
            body->size <= t->max_body_bytes) {
            deliver(q, &at, &h, body);
        } else {
            patio_host_log(t->host, PATIO_LOG_WARN,
                           "queue %s: entry %s of stream %c is none of patio's, or broken: to the "
                           "dead letters",
                           q->name, id->text, suffix);
            pthread_mutex_lock(&t->lock);
            settle_own(q, SETTLE_BURY, &at, "undecodable");
            pthread_mutex_unlock(&t->lock);
        }
    }
}
