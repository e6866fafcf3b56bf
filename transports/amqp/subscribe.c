/* Consumers: what the host wants, what the broker has been asked for, and what
 * it has granted. */
#include "transport.h"

enum { RETRY_MS = 1000, STUCK_MS = 2, WAIT_MS = 100, GENERATION_BITS = 16, TAG_BYTES = 32 };

static const uint64_t ms_ns    = 1000000;
static const char     prefix[] = "patio.";

/* A tag is "patio." and a number, whose upper half is the queue's. */
uint32_t subscribe_number(amqp_bytes_t tag)
{
    size_t         skip = sizeof(prefix) - 1;
    const uint8_t *at   = tag.bytes;
    uint64_t       n    = 0;
    if (tag.len <= skip || memcmp(tag.bytes, prefix, skip) != 0) {
        return 0;
    }
    for (size_t i = skip; i < tag.len; i++) {
        if (at[i] < '0' || at[i] > '9' || n > UINT32_MAX) {
            return 0;
        }
        n = 10 * n + (uint64_t)(at[i] - '0');
    }
    return n > UINT32_MAX ? 0 : (uint32_t)n;
}

static void write_tag(char out[TAG_BYTES], uint32_t number)
{
    (void)snprintf(out, TAG_BYTES, "%s%u", prefix, number);
}

queue *subscribe_queue(patio_transport *t, uint32_t consumer)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        if (q->consumer != 0 && q->consumer >> GENERATION_BITS == consumer >> GENERATION_BITS) {
            return q;
        }
    }
    return NULL;
}

static void next_number(patio_transport *t, queue *q)
{
    if (q->consumer == 0) {
        q->consumer = ++t->consumers << GENERATION_BITS;
    }
    uint32_t mask = (1u << GENERATION_BITS) - 1;
    uint32_t next = (q->consumer + 1) & mask;
    q->consumer   = (q->consumer & ~mask) | (next != 0 ? next : 1); /* 0: the queue `held` */
}

/* How many more may come. */
static uint32_t room(const queue *q)
{
    return q->credit > q->unsettled ? q->credit - q->unsettled : 0;
}

/* RabbitMQ counts for each consumer what it delivered to that one: what is held by now is not in
 * the window of a new one. */
static void consume(patio_transport *t, queue *q)
{
    connection *c = &t->links[CONSUMING];
    char        tag[TAG_BYTES];
    next_number(t, q);
    write_tag(tag, q->consumer);
    q->window                   = room(q) < UINT16_MAX ? room(q) : UINT16_MAX;
    q->own                      = 0;
    q->stuck_ns                 = 0;
    amqp_basic_qos_t     qos    = {.prefetch_count = (uint16_t)q->window};
    amqp_basic_consume_t method = {.queue        = wire_text(q->work.name),
                                   .consumer_tag = wire_text(tag)};
    if (wire_method(c, CH_TASKS, AMQP_BASIC_QOS_METHOD, &qos) &&
        wire_method(c, CH_TASKS, AMQP_BASIC_CONSUME_METHOD, &method)) {
        q->state        = SUB_ASKED;
        q->asked_credit = q->credit;
    }
    socket_push(c);
}

bool subscribe_is_held(uint32_t consumer)
{
    return consumer != 0 && (consumer & ((1u << GENERATION_BITS) - 1)) == 0;
}

/* Its copies need no bound of their own: they are those of what we hold. */
void subscribe_held(patio_transport *t, queue *q)
{
    connection *c = &t->links[CONSUMING];
    char        tag[TAG_BYTES];
    write_tag(tag, q->consumer >> GENERATION_BITS << GENERATION_BITS);
    amqp_basic_qos_t     qos    = {.prefetch_count = 0};
    amqp_basic_consume_t method = {.queue        = wire_text(q->held.name),
                                   .consumer_tag = wire_text(tag)};
    q->held_on                  = wire_method(c, CH_TASKS, AMQP_BASIC_QOS_METHOD, &qos) &&
                 wire_method(c, CH_TASKS, AMQP_BASIC_CONSUME_METHOD, &method);
    socket_push(c);
}

/* Of one that is on: RabbitMQ 3.10 closes the connection (541 INTERNAL_ERROR) if a consumer that it
 * has not confirmed is cancelled. */
static void cancel(patio_transport *t, queue *q)
{
    connection         *c = &t->links[CONSUMING];
    char                tag[TAG_BYTES];
    amqp_basic_cancel_t method = {.nowait = 0};
    write_tag(tag, q->consumer);
    method.consumer_tag = wire_text(tag);
    t->cancels += wire_method(c, CH_TASKS, AMQP_BASIC_CANCEL_METHOD, &method);
    q->state = SUB_ENDING;
    socket_push(c);
}

void subscribe_narrow(patio_transport *t, queue *q)
{
    if (q->state == SUB_ON) {
        cancel(t, q);
    }
    q->asked_credit = 0; /* as soon as it is on */
}

/* How many of those that wait are about to be told. */
static uint32_t next_ones(const queue *q)
{
    return q->credit > q->given ? q->credit - q->given : 0;
}

/* Is the consumer's window not what there is room for, and that for longer than it takes to settle
 * a quick task? Too small: some of what it had to leave out is settled, and it is full. Too large:
 * something has left it that still runs (acknowledged before its run, or renewed), and what came
 * in its place waits for that. */
static bool is_stuck(patio_transport *t, queue *q, uint64_t now)
{
    bool full = room(q) > 0 && q->own >= q->window;
    if (full && room(q) / 2 >= q->window) {
        return true;
    }
    if (q->waiting > next_ones(q)) {
        t->stuck = true;
        return now >= deliver_waits_since(t, q, next_ones(q)) + WAIT_MS * ms_ns;
    }
    if (!full || q->given < q->unsettled) {
        q->stuck_ns = 0; /* acknowledgements are on their way */
        return false;
    }
    q->stuck_ns = q->stuck_ns != 0 ? q->stuck_ns : now;
    t->stuck    = true;
    return now >= q->stuck_ns + STUCK_MS * ms_ns;
}

bool subscribe_is_wanted(const queue *q)
{
    return q->subscribed && q->credit > 0 && q->operator_state != PATIO_QUEUE_PAUSED;
}

static void step(patio_transport *t, queue *q, uint64_t now)
{
    bool wanted = subscribe_is_wanted(q);
    if (q->state == SUB_ON && (!wanted || q->credit != q->asked_credit || is_stuck(t, q, now))) {
        cancel(t, q);
    }
    if (!wanted || q->state == SUB_NONE) { /* else it would come straight back */
        deliver_give_back(t, q, false, wanted ? next_ones(q) : 0);
    }
    if (!wanted || q->state != SUB_NONE || now < q->retry_ns || room(q) == 0) {
        return;
    }
    if (place_ensure(t, &q->work)) {
        if (!queues_ask(t, q)) {
            return;
        }
        if (q->operator_state == PATIO_QUEUE_PAUSED) {
            return;
        }
        consume(t, q);
    } else if (q->work.state == PLACE_FAILED) {
        if (q->work.status != PATIO_UNREACHABLE) {
            state_fatal(t, q->work.status, "%s", q->work.why);
        }
        q->retry_ns = now + RETRY_MS * ms_ns;
    }
}

void subscribe_step(patio_transport *t, uint64_t now)
{
    connection *c = &t->links[CONSUMING];
    if (c->state != LINK_READY || !c->channel_open[CH_TASKS]) {
        return;
    }
    t->stuck = false;
    for (queue *q = t->queues; q != NULL; q = q->next) {
        step(t, q, now);
    }
}

bool subscribe_all_on(const patio_transport *t)
{
    for (const queue *q = t->queues; q != NULL; q = q->next) {
        if (subscribe_is_wanted(q) && room(q) > 0 && q->state != SUB_ON) {
            return false;
        }
    }
    return true;
}

void subscribe_ok(patio_transport *t, amqp_bytes_t tag)
{
    uint32_t number = subscribe_number(tag);
    pthread_mutex_lock(&t->lock);
    queue *q = subscribe_queue(t, number);
    if (q != NULL && q->consumer == number && q->state == SUB_ASKED) {
        q->state = SUB_ON;
        t->work  = true;
    }
    pthread_mutex_unlock(&t->lock);
}

/* The broker took the consumer away: its queue was deleted, or moved to another
 * node. */
void subscribe_cancelled(patio_transport *t, amqp_bytes_t tag)
{
    uint32_t number = subscribe_number(tag);
    char     name[NAME_MAX_BYTES];
    name[0] = '\0';
    pthread_mutex_lock(&t->lock);
    queue *q = subscribe_queue(t, number);
    if (q != NULL && subscribe_is_held(number)) {
        renew_cancelled(t, q);
        (void)snprintf(name, sizeof(name), "%s", q->held.name);
    } else if (q != NULL && q->consumer == number) {
        q->state      = SUB_NONE;
        q->work.state = PLACE_UNKNOWN;
        q->retry_ns   = 0;
        t->work       = true;
        (void)snprintf(name, sizeof(name), "%s", q->work.name);
    }
    pthread_mutex_unlock(&t->lock);
    if (name[0] != '\0') {
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "the broker cancelled the consumer of %s (deleted?): subscribing again",
                       name);
    }
}

/* Asked again at once, the answer would be the same, and every delivery is taken back with it. */
void subscribe_refused(patio_transport *t, uint16_t code, const char *why)
{
    uint64_t now = t->host->now_ns(t->host->self);
    subscribe_forget(t);
    for (queue *q = t->queues; q != NULL; q = q->next) {
        if (!q->refused) {
            continue;
        }
        q->retry_ns = now + RETRY_MS * ms_ns;
        if (code == AMQP_NOT_FOUND && t->set.topology == TOPOLOGY_NONE) {
            place_missing(t, &q->work, why);
        }
    }
}

void subscribe_forget(patio_transport *t)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        q->refused  = q->state == SUB_ASKED;
        q->state    = SUB_NONE;
        q->retry_ns = 0;
        q->held_on  = false;
    }
    t->cancels = 0;
    t->work    = true;
}

/* All that it was delivered has come: what is held is what there will be. */
void subscribe_cancel_ok(patio_transport *t, amqp_bytes_t tag)
{
    uint32_t number = subscribe_number(tag);
    pthread_mutex_lock(&t->lock);
    queue *q = subscribe_queue(t, number);
    t->cancels -= t->cancels > 0;
    if (q != NULL && q->consumer == number && q->state == SUB_ENDING) {
        q->state = SUB_NONE;
        t->work  = true;
    }
    pthread_mutex_unlock(&t->lock);
}

bool subscribe_all_off(const patio_transport *t)
{
    for (const queue *q = t->queues; q != NULL; q = q->next) {
        if (q->state != SUB_NONE) {
            return false;
        }
    }
    return t->cancels == 0;
}

patio_status transport_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err)
{
    patio_status st = place_check_name(s->queue, err);
    if (st != PATIO_OK) {
        return st;
    }
    pthread_mutex_lock(&t->lock);
    queue *q = place_queue(t, s->queue, true);
    if (q != NULL) {
        q->subscribed = true;
        q->credit     = s->credit;
        if (q->consumer == 0) {
            next_number(t, q);
        }
        t->work = true;
        loop_wake(t);
    }
    bool room = q != NULL && deliver_reserve(t);
    if (q != NULL && !room) {
        q->subscribed = false;
    }
    pthread_mutex_unlock(&t->lock);
    renew_warn(t);
    return room ? PATIO_OK : patio_fail(err, PATIO_NO_MEMORY, 0, "subscribe: out of memory");
}

patio_status transport_unsubscribe(patio_transport *t, const char *name, patio_error *err)
{
    pthread_mutex_lock(&t->lock);
    queue *q     = place_queue(t, name, false);
    bool   found = q != NULL && q->subscribed;
    if (found) {
        q->subscribed = false;
        if (t->links[CONSUMING].state == LINK_READY) {
            subscribe_narrow(t, q);
        }
        t->work = true;
        loop_wake(t);
    }
    pthread_mutex_unlock(&t->lock);
    return found ? PATIO_OK
                 : patio_fail(err, PATIO_NOT_FOUND, 0,
                              "unsubscribe: queue \"%s\" is not subscribed", name);
}
