/* What the broker hands us: tasks under a lease, replies, and what is neither.
 */
#include "transport.h"

enum { SLOTS_FIRST = 64, SLOTS_MOST = 1 << TAG_SLOT_BITS };

/* ---- slots ---- */

/* Slots never move, for the circle of leases runs through them: chunks double
 * in size. */
static bool add_slots(patio_transport *t, uint32_t count)
{
    if (t->slot_count + count >= SLOTS_MOST || t->chunk_count == SLOT_CHUNKS) {
        return false;
    }
    delivery *chunk = t->host->alloc(t->host->self, count * sizeof(*chunk));
    if (chunk == NULL) {
        return false;
    }
    memset(chunk, 0, count * sizeof(*chunk));
    for (uint32_t i = 0; i < count; i++) {
        chunk[i].position = t->slot_count + i + 1;
        chunk[i].next     = t->free_slots;
        t->free_slots     = &chunk[i];
    }
    t->chunks[t->chunk_count].slots = chunk;
    t->chunks[t->chunk_count].count = count;
    t->chunk_count++;
    t->slot_count += count;
    return true;
}

bool deliver_reserve(patio_transport *t)
{
    uint64_t credit = 0;
    for (const queue *q = t->queues; q != NULL; q = q->next) {
        credit += q->subscribed ? q->credit : 0;
    }
    while (t->slot_count < 2 * credit || t->slot_count < SLOTS_FIRST) {
        if (!add_slots(t, t->slot_count > 0 ? t->slot_count : SLOTS_FIRST)) {
            return false;
        }
    }
    return true;
}

void deliver_free_all(patio_transport *t)
{
    for (uint32_t i = 0; i < t->chunk_count; i++) {
        for (uint32_t k = 0; k < t->chunks[i].count; k++) {
            t->host->buf_drop(t->host->self, t->chunks[i].slots[k].body);
            t->host->free(t->host->self, t->chunks[i].slots[k].reply_to);
        }
        t->host->free(t->host->self, t->chunks[i].slots);
    }
    t->chunk_count = 0;
}

delivery *deliver_find(patio_transport *t, patio_tag tag)
{
    uint64_t position = tag & (SLOTS_MOST - 1);
    for (uint32_t i = 0; i < t->chunk_count && position > 0; i++) {
        if (position <= t->chunks[i].count) {
            delivery *d = &t->chunks[i].slots[position - 1];
            return d->state != LEASE_FREE && d->tag == tag ? d : NULL;
        }
        position -= t->chunks[i].count;
    }
    return NULL;
}

void deliver_release(patio_transport *t, delivery *d)
{
    d->prev->next = d->next;
    d->next->prev = d->prev;
    d->queue->unsettled--;
    d->queue->waiting -= d->state == LEASE_WAITING;
    deliver_uncount(t, d);
    t->host->buf_drop(t->host->self, d->body);
    t->host->free(t->host->self, d->reply_to);
    d->body       = NULL;
    d->reply_to   = NULL;
    d->tag        = 0;
    d->state      = LEASE_FREE;
    d->next       = t->free_slots;
    t->free_slots = d;
    if (t->stopping) {
        pthread_cond_broadcast(&t->calm);
    }
}

static delivery *take_slot(patio_transport *t, queue *q)
{
    if (t->free_slots == NULL && !add_slots(t, t->slot_count > 0 ? t->slot_count : SLOTS_FIRST)) {
        return NULL;
    }
    delivery *d        = t->free_slots;
    uint32_t  position = d->position;
    t->free_slots      = d->next;
    memset(d, 0, sizeof(*d));
    d->position          = position;
    d->tag               = ++t->serial << TAG_SLOT_BITS | position;
    d->state             = LEASE_HELD;
    d->queue             = q;
    d->prev              = t->leases.prev;
    d->next              = &t->leases;
    t->leases.prev->next = d;
    t->leases.prev       = d;
    q->unsettled++;
    return d;
}

/* ---- tasks ---- */

/* A clock reading is only believed as far as the broker bears it out: what has
 * a time to live and was delivered has not outlived it. */
static uint64_t age_of(const delivery *p)
{
    uint64_t wall = props_wall_ms();
    uint64_t age  = p->sent_ms != 0 && wall > p->sent_ms ? wall - p->sent_ms : 0;
    return p->ttl_ms != 0 && age > 2 * p->ttl_ms + 1000 ? 0 : age;
}

static void fill(patio_transport *t, delivery *d, inbound *in, char *names, size_t task)
{
    const props *p      = &in->props;
    bool         quorum = d->queue->work.type == QUEUE_QUORUM;
    uint64_t     times  = quorum ? p->delivery_count : in->redelivered;
    d->number           = in->number;
    d->fence            = p->fence;
    d->since_ns         = t->host->now_ns(t->host->self);
    d->ttl_ms           = p->ttl_ms;
    d->sent_ms          = p->sent_ms;
    d->body             = in->body;
    d->id               = p->id;
    d->flags            = p->flags & PATIO_MESSAGE_CARRIED;
    d->attempt          = p->attempt != 0 ? p->attempt : 1;
    d->crashes          = (uint16_t)(p->crashes + (times > 1000 ? 1000 : times));
    d->redelivered      = (uint16_t)(times > 1000 ? 1000 : times);
    d->priority         = p->priority;
    d->persistent       = p->persistent;
    d->reply_to         = names;
    d->task             = names + task;
    if (p->reply_to[0] != '\0') {
        d->flags |= PATIO_MESSAGE_CALL;
    }
    if (in->redelivered || d->fence > 0 || d->attempt > 1) {
        d->flags |= PATIO_MESSAGE_REDELIVERED;
    }
    in->body = NULL;
}

static void reject(patio_transport *t, uint64_t number, bool requeue)
{
    connection         *c      = &t->links[CONSUMING];
    amqp_basic_reject_t method = {.delivery_tag = number, .requeue = requeue};
    (void)wire_method(c, CH_TASKS, AMQP_BASIC_REJECT_METHOD, &method);
    socket_push(c);
}

/* Not one of ours, or broken: the broker moves it to the dead letters as it is.
 */
static const char *strangeness(const inbound *in)
{
    if (in->skip) {
        return "its body is larger than max_body_bytes";
    }
    if (!in->props.has_id) {
        return "it has no message_id of 32 hexadecimal digits";
    }
    return in->props.task[0] == '\0' ? "it names no task (property type)" : NULL;
}

static bool is_text(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7F) {
            return false;
        }
    }
    return true;
}

/* A message that was not confirmed when the link died is sent again, and may be
 * there twice. The second one that comes here is thrown away; if the first one
 * is lost, the broker brings it back, and says so. */
static bool is_first(patio_transport *t, const delivery *d)
{
    enum { REMEMBERED = 4096 };
    if (t->seen == NULL) {
        t->seen = t->host->alloc(t->host->self, REMEMBERED * sizeof(*t->seen));
        if (t->seen == NULL) {
            return true;
        }
        memset(t->seen, 0, REMEMBERED * sizeof(*t->seen));
    }
    uint64_t hash;
    memcpy(&hash, d->id.bytes + 8, sizeof(hash));
    seen *at    = &t->seen[((hash + d->fence) * UINT64_C(0x9E3779B97F4A7C15)) >> 52];
    bool  first = at->fence != d->fence + 1 || memcmp(&at->id, &d->id, sizeof(at->id)) != 0;
    at->id      = d->id;
    at->fence   = d->fence + 1; /* 0: nothing was here */
    return first;
}

/* Under the lock. NULL: there is nothing to tell the host. */
static delivery *accept(patio_transport *t, queue *q, inbound *in)
{
    size_t    reply = strlen(in->props.reply_to) + 1;
    size_t    task  = strlen(in->props.task) + 1;
    char     *names = t->host->alloc(t->host->self, reply + task);
    delivery *d     = names != NULL ? take_slot(t, q) : NULL;
    if (d == NULL) {
        t->host->free(t->host->self, names);
        reject(t, in->number, true);
        return NULL;
    }
    memcpy(names, in->props.reply_to, reply);
    memcpy(names + reply, in->props.task, task);
    fill(t, d, in, names, reply);
    d->quiet = true;
    if (cancel_is_dead(t, &d->id)) {
        d->state = LEASE_ACKABLE;
        t->ackable++;
        t->work = true;
        return NULL;
    }
    if (d->redelivered == 0 && !is_first(t, d)) {
        d->state = LEASE_ACKABLE;
        t->ackable++;
        t->work = true;
        return NULL;
    }
    bool classic = q->work.type != QUEUE_QUORUM;
    bool unasked = !q->subscribed || t->stopping;
    if ((classic && d->redelivered > 0) || unasked) {
        /* A classic queue says that it was delivered before, not how often: a copy
         * keeps count. And what comes after the last word goes back uncounted. */
        task_facts facts;
        settle_facts(d, &facts);
        facts.crashes = (uint16_t)(facts.crashes - (unasked ? d->redelivered : 0));
        if (!settle_move(t, d, &q->work, &facts)) {
            reject(t, in->number, true);
            deliver_release(t, d);
        }
        return NULL;
    }
    d->quiet = false;
    if (q->waiting > 0 || q->given >= q->credit) {
        d->state = LEASE_WAITING;
        q->waiting++;
        return NULL;
    }
    d->counted = true;
    q->given++;
    return d;
}

void deliver_uncount(patio_transport *t, delivery *d)
{
    if (d->counted) {
        d->counted = false;
        d->queue->given--;
        if (d->queue->waiting > 0) {
            t->work = true;
            loop_wake(t);
        }
    }
}

static delivery *find_own(patio_transport *t, const queue *q, bool held)
{
    for (delivery *d = t->leases.next; d != &t->leases; d = d->next) {
        if (d->queue == q && (d->state == LEASE_WAITING || (held && d->state == LEASE_HELD))) {
            return d;
        }
    }
    return NULL;
}

/* Copies for others, at no cost to the task: what waits, or (held) what the host has not settled.
 * Sending one may let go of the lock, so each look begins anew. */
void deliver_give_back(patio_transport *t, queue *q, bool held)
{
    delivery *d;
    while ((d = find_own(t, q, held)) != NULL) {
        task_facts facts;
        settle_facts(d, &facts);
        facts.crashes = (uint16_t)(facts.crashes - d->redelivered);
        q->waiting -= d->state == LEASE_WAITING;
        deliver_uncount(t, d);
        d->quiet = true;
        if (!settle_move(t, d, &q->work, &facts)) {
            d->state = LEASE_HELD; /* the end of the channel gives it back, too */
            return;
        }
    }
}

static void tell(patio_transport *t, delivery *d)
{
    uint64_t      age     = age_of(d);
    patio_message message = {
        PATIO_SIZED(patio_message),
        .flags    = d->flags,
        .id       = d->id,
        .queue    = d->queue->name,
        .task     = d->task,
        .ttl_ms   = d->ttl_ms == 0    ? 0
                    : d->ttl_ms > age ? d->ttl_ms - age
                                      : 1,
        .priority = d->priority,
        .attempt  = d->attempt,
        .crashes  = d->crashes,
        .body     = d->body,
    };
    if (d->ttl_ms != 0 && age >= d->ttl_ms) {
        message.flags |= PATIO_MESSAGE_EXPIRED;
    }
    patio_delivery told = {
        PATIO_SIZED(patio_delivery),
        .tag     = d->tag,
        .fence   = (d->fence << 16) + d->redelivered + 1u,
        .age_ms  = age,
        .message = &message,
    };
    t->events->delivered(t->events->self, &told);
}

void deliver_task(patio_transport *t, inbound *in)
{
    const char *strange = strangeness(in);
    if (strange == NULL && !is_text(in->props.task)) {
        strange = "its task has control characters";
    }
    pthread_mutex_lock(&t->lock);
    queue    *q = subscribe_queue(t, in->consumer);
    delivery *d = NULL;
    if (q == NULL || strange != NULL) {
        reject(t, in->number, q == NULL);
    } else {
        d = accept(t, q, in);
    }
    pthread_mutex_unlock(&t->lock);
    if (strange != NULL && q != NULL) {
        patio_host_log(t->host, PATIO_LOG_WARN, "a message in %s goes to the dead letters: %s",
                       q->work.name, strange);
    }
    if (d != NULL) {
        /* only this thread ends a lease that nobody has settled, so it stays until
         * it is told */
        tell(t, d);
    }
}

static delivery *next_waiting(patio_transport *t)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        if (q->waiting == 0 || q->given >= q->credit) {
            continue;
        }
        for (delivery *d = t->leases.next; d != &t->leases; d = d->next) {
            if (d->queue == q && d->state == LEASE_WAITING) {
                q->waiting--;
                q->given++;
                d->counted = true;
                d->state   = LEASE_HELD;
                return d;
            }
        }
    }
    return NULL;
}

void deliver_step(patio_transport *t)
{
    delivery *d;
    do {
        pthread_mutex_lock(&t->lock);
        d = next_waiting(t);
        pthread_mutex_unlock(&t->lock);
        if (d != NULL) {
            tell(t, d);
        }
    } while (d != NULL);
}

/* ---- replies ---- */

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
    const props *p = &in->props;
    if (t->set.reply != REPLY_DIRECT) {
        pthread_mutex_lock(&t->lock);
        t->inbox_ack = in->number;
        t->work      = true;
        if (strcmp(p->task, "patio.probe") == 0) {
            t->proven  = true;
            t->probing = false;
        }
        pthread_mutex_unlock(&t->lock);
    }
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

/* ---- the end of a channel ---- */

void deliver_lost(patio_transport *t, const char *why)
{
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_fail(&err, PATIO_STALE, 0, "%s", why);
    for (;;) {
        pthread_mutex_lock(&t->lock);
        delivery *d = t->leases.next;
        while (d != &t->leases && d->number == 0) {
            d = d->next; /* it is out of the broker's reach */
        }
        if (d == &t->leases) {
            t->ackable = 0;
            pthread_mutex_unlock(&t->lock);
            return;
        }
        patio_tag tag   = d->tag;
        uint8_t   state = d->state;
        if (state == LEASE_SETTLING) {
            settle_orphan(t, tag);
        }
        bool quiet = d->quiet || state == LEASE_WAITING;
        deliver_release(t, d);
        pthread_mutex_unlock(&t->lock);
        if (quiet) {
            continue;
        }
        if (state == LEASE_HELD) {
            t->events->lease_lost(t->events->self, tag, &err);
        } else {
            t->events->settle_failed(t->events->self, tag, &err);
        }
    }
}
