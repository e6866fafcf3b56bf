#include "memory_bench.h"

#include <string.h>

/* ---- events ---- */

static instance *enter(void *self)
{
    instance *i = self;
    if (atomic_load(&i->stopped)) {
        atomic_fetch_add(&i->after_stop, 1);
    }
    pthread_mutex_lock(&i->lock);
    return i;
}

static void on_delivered(void *self, const patio_delivery *d)
{
    instance            *i = enter(self);
    const patio_message *m = d->message;
    if (i->delivered < SEEN_MAX) {
        seen_delivery *s = &i->deliveries[i->delivered];
        *s               = (seen_delivery){.tag      = d->tag,
                                           .fence    = d->fence,
                                           .ttl_ms   = m->ttl_ms,
                                           .id       = m->id,
                                           .flags    = m->flags,
                                           .attempt  = m->attempt,
                                           .crashes  = m->crashes,
                                           .priority = m->priority};
        (void)strncpy(s->task, m->task, sizeof(s->task) - 1);
    }
    i->delivered++;
    i->unsettled++;
    i->most_unsettled = i->unsettled > i->most_unsettled ? i->unsettled : i->most_unsettled;
    pthread_mutex_unlock(&i->lock);
}

static void on_replied(void *self, const patio_reply *reply)
{
    instance *i = enter(self);
    if ((reply->flags & PATIO_REPLY_PARTIAL) != 0) {
        i->partials++;
    } else {
        i->replies++;
    }
    i->reply_id = reply->id;
    pthread_mutex_unlock(&i->lock);
}

static void on_published(void *self, const patio_receipt *receipt)
{
    instance *i = enter(self);
    i->receipts++;
    i->accepted += receipt->outcome == PATIO_ACCEPTED && receipt->level == PATIO_LEVEL_PROCESS;
    pthread_mutex_unlock(&i->lock);
}

static void on_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    (void)tag;
    (void)why;
    pthread_mutex_unlock(&enter(self)->lock);
}

static void on_cancel_wanted(void *self, patio_tag tag)
{
    instance *i = enter(self);
    i->cancel_wanted++;
    i->cancel_tag = tag;
    pthread_mutex_unlock(&i->lock);
}

static void on_cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    instance *i = enter(self);
    (void)id;
    i->cancels++;
    i->cancel_outcome = outcome;
    pthread_mutex_unlock(&i->lock);
}

static void on_link(void *self, uint32_t state, const patio_error *why)
{
    instance *i = enter(self);
    (void)why;
    i->links += state == PATIO_LINK_UP;
    pthread_mutex_unlock(&i->lock);
}

/* ---- life ---- */

static int64_t or_else(int64_t value, int64_t fallback)
{
    return value != 0 ? value : fallback;
}

void instance_open(instance *i, fake_host *host, const instance_options *options)
{
    instance_options o = options != NULL ? *options : (instance_options){.name = NULL};
    memset(i, 0, sizeof(*i));
    pthread_mutex_init(&i->lock, NULL);
    i->host   = host;
    i->ops    = load_plugin("transports", "memory", PATIO_TRANSPORT_ID);
    i->events = (patio_transport_events){
        PATIO_SIZED(patio_transport_events), .self = i,
        .delivered = on_delivered,           .replied = on_replied,
        .published = on_published,           .lease_lost = on_lease_lost,
        .settle_failed = on_lease_lost,      .cancel_wanted = on_cancel_wanted,
        .cancelled = on_cancelled,           .link = on_link,
    };
    const patio_option *const *table                    = i->ops->options;
    patio_option_value         values[8]                = {{.text = ""}};
    values[option_at(table, "dead_ttl_ms")].number      = 14LL * 24 * 3600 * 1000;
    values[option_at(table, "max_results")].number      = 1000;
    values[option_at(table, "max_result_bytes")].number = 1 << 20;
    values[option_at(table, "max_dedup_keys")].number   = 1000;
    values[option_at(table, "max_queued")].number       = or_else(o.max_queued, 100000);
    values[option_at(table, "max_queued_bytes")].number = or_else(o.max_queued_bytes, 1 << 30);
    values[option_at(table, "max_dead")].number = o.max_dead < 0 ? 0 : or_else(o.max_dead, 1000);
    patio_host_port        at                   = {.host = o.name != NULL ? o.name : "hub"};
    patio_endpoint         endpoint             = {PATIO_SIZED(patio_endpoint),
                                                   .host_count = 1,
                                                   .scheme     = "memory",
                                                   .user       = "",
                                                   .password   = "",
                                                   .hosts      = &at,
                                                   .path       = "",
                                                   .shown      = "memory://hub",
                                                   .values     = values};
    patio_transport_params params               = {
                      PATIO_SIZED(patio_transport_params),
                      .endpoint_count = 1,
                      .project        = o.project != NULL ? o.project : "p",
                      .incarnation    = (uint64_t)(uintptr_t)i,
                      .max_body_bytes = o.max_body_bytes != 0 ? o.max_body_bytes : 4096,
                      .endpoints      = &endpoint,
                      .endpoint_bytes = sizeof(endpoint),
                      .events         = &i->events,
    };
    assert_status(i->ops->create(&host->table, &params, &i->t, NULL), PATIO_OK);
    assert_status(i->ops->start(i->t, NULL), PATIO_OK);
    assert_int_equal(i->links, 1);
}

void instance_stop(instance *i)
{
    assert_status(i->ops->stop(i->t, 1000, NULL), PATIO_OK);
    atomic_store(&i->stopped, true);
}

void instance_close(instance *i)
{
    if (!atomic_load(&i->stopped)) {
        instance_stop(i);
    }
    i->ops->destroy(i->t);
    assert_int_equal(atomic_load(&i->after_stop), 0);
    pthread_mutex_destroy(&i->lock);
}

/* ---- doing ---- */

patio_id id_of(uint32_t number)
{
    patio_id id = {{0}};
    memcpy(id.bytes, &number, sizeof(number));
    return id;
}

uint32_t number_of(patio_id id)
{
    uint32_t number = 0;
    memcpy(&number, id.bytes, sizeof(number));
    return number;
}

patio_status publish_message(instance *i, patio_message *m)
{
    bool own        = m->body == NULL;
    m->struct_size  = sizeof(*m);
    m->queue        = m->queue != NULL ? m->queue : "q";
    m->task         = m->task != NULL ? m->task : "a";
    m->body         = own ? fake_buf(i->host, "body") : m->body;
    patio_status st = i->ops->publish(i->t, m, NULL);
    if (own) {
        i->host->table.buf_drop(i->host, m->body);
        m->body = NULL;
    }
    return st;
}

patio_status publish(instance *i, uint32_t number, const char *task, uint32_t flags,
                     uint64_t delay_ms)
{
    patio_message m = {.id       = id_of(number),
                       .task     = task,
                       .flags    = flags,
                       .delay_ms = delay_ms,
                       .priority = PATIO_PRIORITY_DEFAULT,
                       .attempt  = 1};
    return publish_message(i, &m);
}

void subscribe(instance *i, uint32_t credit, const char *task, const char *task2)
{
    const char *const  tasks[] = {task, task2};
    patio_subscription s       = {PATIO_SIZED(patio_subscription), .credit = credit, .queue = "q",
                                  .tasks = tasks, .task_count = task2 != NULL ? 2 : 1};
    assert_status(i->ops->subscribe(i->t, &s, NULL), PATIO_OK);
}

patio_status settle(instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms,
                    const char *reply)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = verdict, .delay_ms = delay_ms};
    if (verdict == PATIO_REJECT) {
        s.cause = (patio_bytes){(const uint8_t *)"cause", 5};
    }
    s.reply = reply != NULL ? fake_buf(i->host, reply) : NULL;
    pthread_mutex_lock(&i->lock);
    i->unsettled -= verdict != PATIO_CLAIM; /* before: the next delivery comes from inside */
    pthread_mutex_unlock(&i->lock);
    patio_status st = i->ops->settle(i->t, tag, &s, NULL);
    if (st != PATIO_OK) {
        pthread_mutex_lock(&i->lock);
        i->unsettled += verdict != PATIO_CLAIM;
        pthread_mutex_unlock(&i->lock);
    }
    i->host->table.buf_drop(i->host, s.reply);
    return st;
}

void settle_ok(instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms)
{
    assert_status(settle(i, tag, verdict, delay_ms, NULL), PATIO_OK);
}

const seen_delivery *delivery(const instance *i, uint32_t n)
{
    assert_true(n < i->delivered && n < SEEN_MAX);
    return &i->deliveries[n];
}

void expect_counts(instance *i, uint64_t ready, uint64_t leased, uint64_t delayed, uint64_t dead)
{
    patio_counts c = {PATIO_SIZED(patio_counts)};
    assert_status(i->ops->counts(i->t, "q", 0, &c, NULL), PATIO_OK);
    assert_int_equal(c.ready, ready);
    assert_int_equal(c.leased, leased);
    assert_int_equal(c.delayed, delayed);
    assert_int_equal(c.dead, dead);
}
