/* act_work.c: what a case does as a worker: subscribe, take deliveries, settle. */
#include "kit.h"

static kit_sub *sub_of(kit_instance *i, const char *queue)
{
    for (uint32_t s = 0; s < KIT_QUEUE_MAX; s++) {
        if (strcmp(i->subs[s].queue, queue) == 0 || i->subs[s].queue[0] == '\0') {
            (void)snprintf(i->subs[s].queue, sizeof(i->subs[s].queue), "%s", queue);
            return &i->subs[s];
        }
    }
    kit_fail(i->k, __FILE__, __LINE__, "too many queues in one case");
    return NULL;
}

patio_status kit_try_subscribe(kit_instance *i, const char *queue, uint32_t credit,
                               const char *const *tasks, size_t count)
{
    patio_subscription s = {PATIO_SIZED(patio_subscription), .credit = credit, .queue = queue,
                            .tasks = tasks, .task_count = count};
    pthread_mutex_lock(&i->k->lock);
    kit_sub *sub = sub_of(i, queue);
    uint32_t old = sub->credit;
    sub->credit  = credit > old ? credit : old;
    pthread_mutex_unlock(&i->k->lock);
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = i->k->ops->subscribe(i->t, &s, &err);
    pthread_mutex_lock(&i->k->lock);
    sub->credit = st == PATIO_OK ? credit : old;
    pthread_mutex_unlock(&i->k->lock);
    if (st != PATIO_OK) {
        kit_check_error(i->k, &err, st, "subscribe");
    }
    return st;
}

void kit_subscribe(kit_instance *i, uint32_t credit)
{
    static const char *const tasks[] = {"t"};
    KIT_STATUS(i->k, kit_try_subscribe(i, "q", credit, tasks, 1), PATIO_OK, "subscribe");
}

void kit_unsubscribe(kit_instance *i)
{
    KIT_STATUS(i->k, i->k->ops->unsubscribe(i->t, "q", NULL), PATIO_OK, "unsubscribe");
}

uint32_t kit_delivered_count(kit_instance *i)
{
    pthread_mutex_lock(&i->k->lock);
    uint32_t n = i->delivered;
    pthread_mutex_unlock(&i->k->lock);
    return n;
}

kit_delivery kit_delivered_within(kit_instance *i, uint32_t n, uint64_t within_ms)
{
    KIT_AWAIT(i->k, within_ms, kit_delivered_count(i) > n,
              "delivery %u has not come to instance %u within %llu ms (%u have)", n, i->index,
              (unsigned long long)(within_ms), kit_delivered_count(i));
    pthread_mutex_lock(&i->k->lock);
    kit_delivery d = i->deliveries[n];
    pthread_mutex_unlock(&i->k->lock);
    return d;
}

kit_delivery kit_delivered(kit_instance *i, uint32_t n)
{
    return kit_delivered_within(i, n, KIT_SOON_MS);
}

/* Credit comes back with the settlement, and the next delivery may be raised inside of it: so it is
 * noted before. */
patio_status kit_settle_as(kit_instance *i, patio_tag tag, const patio_settlement *s,
                           patio_error *err)
{
    kit     *k       = i->k;
    uint32_t verdict = s->verdict;
    kit_sub *sub     = NULL;
    pthread_mutex_lock(&k->lock);
    uint64_t at = kit_map_get(i->tags, tag);
    if (at != 0 && verdict != PATIO_CLAIM && !i->deliveries[at - 1].settled &&
        !i->deliveries[at - 1].lost) {
        sub = sub_of(i, i->deliveries[at - 1].queue);
        sub->unsettled--;
        i->deliveries[at - 1].settled = true;
    }
    pthread_mutex_unlock(&k->lock);
    patio_status st = k->ops->settle(i->t, tag, s, err);
    if (st != PATIO_OK && sub != NULL) {
        pthread_mutex_lock(&k->lock);
        i->deliveries[at - 1].settled = false;
        if (!i->deliveries[at - 1].lost) {
            sub->unsettled++;
        }
        pthread_mutex_unlock(&k->lock);
    }
    return st;
}

patio_status kit_settle(kit_instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms,
                        patio_buf *reply, patio_error *err)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = verdict, .delay_ms = delay_ms,
                          .reply = reply};
    if (verdict == PATIO_REJECT) {
        s.cause = (patio_bytes){(const uint8_t *)"cause", 5};
    }
    return kit_settle_as(i, tag, &s, err);
}

void kit_settle_ok(kit_instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms,
                   int64_t reply_bytes)
{
    kit       *k     = i->k;
    patio_buf *reply = NULL;
    if (reply_bytes >= 0) {
        pthread_mutex_lock(&k->lock);
        uint64_t at     = kit_map_get(i->tags, tag);
        uint32_t number = at != 0 ? i->deliveries[at - 1].number : 0;
        pthread_mutex_unlock(&k->lock);
        reply = kit_buf(k, number, KIT_REPLY, (size_t)reply_bytes);
    }
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = kit_settle(i, tag, verdict, delay_ms, reply, &err);
    kit_buf_drop(k, reply);
    KIT_CHECK(k, st == PATIO_OK, "settle with verdict %u returned %s: %s", verdict,
              kit_status_name(st), err.message);
}

void kit_ack(kit_instance *i, patio_tag tag)
{
    kit_settle_ok(i, tag, PATIO_ACK, 0, -1);
}

static void *work(void *arg)
{
    kit_instance *i    = arg;
    kit          *k    = i->k;
    uint32_t      next = 0;
    while (atomic_load(&i->working)) {
        pthread_mutex_lock(&k->lock);
        bool         some = next < i->delivered;
        kit_delivery d    = {0};
        if (some) {
            d = i->deliveries[next++];
            i->worked++;
        }
        pthread_mutex_unlock(&k->lock);
        if (!some) {
            kit_wait_change(k);
        } else if (!d.settled) {
            patio_buf   *reply = kit_buf(k, d.number, KIT_REPLY, 30);
            patio_error  err   = PATIO_ERROR_INIT;
            patio_status st    = kit_settle(i, d.tag, PATIO_ACK, 0, reply, &err);
            kit_buf_drop(k, reply);
            if (st != PATIO_OK && st != PATIO_CLOSED && !(k->uncertain && st == PATIO_STALE)) {
                kit_breach(k, "settle returned %s: %s", kit_status_name(st), err.message);
            }
        }
    }
    return NULL;
}

void kit_work(kit_instance *i)
{
    atomic_store(&i->working, true);
    KIT_CHECK(i->k, pthread_create(&i->worker, NULL, work, i) == 0, "no thread to be had");
}

void kit_work_stop(kit_instance *i)
{
    if (atomic_exchange(&i->working, false)) {
        kit_changed(i->k);
        (void)pthread_join(i->worker, NULL);
    }
}

void kit_quiet(kit_instance *i, uint32_t delivered, uint64_t for_ms)
{
    uint64_t until = kit_now_ms() + for_ms;
    while (kit_now_ms() < until) {
        KIT_EQUAL(i->k, kit_delivered_count(i), delivered, "number of deliveries");
        kit_wait_change(i->k);
    }
    KIT_EQUAL(i->k, kit_delivered_count(i), delivered, "number of deliveries");
}
