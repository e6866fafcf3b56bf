/* act.c: what cases do all the time. */
#include <stdlib.h>

#include "kit.h"

patio_id kit_id(kit *k, uint32_t number)
{
    patio_id id  = {{0}};
    uint64_t run = k->options->seed * UINT64_C(0x9E3779B97F4A7C15) + k->self->number;
    memcpy(id.bytes, &run, sizeof(run));
    memcpy(id.bytes + 8, &number, sizeof(number));
    memcpy(id.bytes + 12, k->run_name, 4);
    return id;
}

uint32_t kit_number(const patio_id *id)
{
    uint32_t number = 0;
    memcpy(&number, id->bytes + 8, sizeof(number));
    return number;
}

patio_message kit_message(kit *k, uint32_t number, uint32_t flags)
{
    return (patio_message){
        PATIO_SIZED(patio_message),
        .flags    = flags,
        .id       = kit_id(k, number),
        .queue    = "q",
        .task     = "t",
        .priority = PATIO_PRIORITY_DEFAULT,
        .attempt  = 1,
    };
}

patio_status kit_publish_message(kit_instance *i, patio_message *m, size_t body_bytes,
                                 patio_error *err)
{
    bool own = m->body == NULL;
    if (own) {
        m->body = kit_buf(i->k, kit_number(&m->id), KIT_REQUEST, body_bytes);
    }
    patio_status st = i->k->ops->publish(i->t, m, err);
    if (own) {
        kit_buf_drop(i->k, m->body);
        m->body = NULL;
    }
    return st;
}

patio_status kit_publish(kit_instance *i, uint32_t number, uint32_t flags)
{
    patio_message m = kit_message(i->k, number, flags);
    return kit_publish_message(i, &m, 20 + number % 50, NULL);
}

uint32_t kit_get(kit_instance *i, const uint32_t *member)
{
    pthread_mutex_lock(&i->k->lock);
    uint32_t value = *member;
    pthread_mutex_unlock(&i->k->lock);
    return value;
}

uint64_t kit_receipts_of(kit_instance *i, uint32_t number)
{
    pthread_mutex_lock(&i->k->lock);
    uint64_t n = kit_map_get(i->receipts_by, number);
    pthread_mutex_unlock(&i->k->lock);
    return n;
}

uint64_t kit_replies_of(kit_instance *i, uint32_t number)
{
    pthread_mutex_lock(&i->k->lock);
    uint64_t n = kit_map_get(i->replies_by, number);
    pthread_mutex_unlock(&i->k->lock);
    return n;
}

static bool find_receipt(kit_instance *i, uint32_t number, kit_receipt *out)
{
    pthread_mutex_lock(&i->k->lock);
    bool found = false;
    for (uint32_t n = i->receipt_count; n > 0 && !found; n--) {
        found = i->receipts[n - 1].number == number;
        if (found) {
            *out = i->receipts[n - 1];
        }
    }
    pthread_mutex_unlock(&i->k->lock);
    return found;
}

uint32_t kit_outcome(kit_instance *i, uint32_t number)
{
    kit_receipt r = {0};
    KIT_AWAIT(i->k, KIT_SOON_MS, find_receipt(i, number, &r), "publish %u has no outcome", number);
    return r.outcome;
}

void kit_await_cancelled(kit_instance *i, uint32_t number)
{
    kit_receipt r = {0};
    KIT_AWAIT(i->k, KIT_SOON_MS, find_receipt(i, number, &r),
              "task %u is gone, and who waits for it does not hear so", number);
    KIT_EQUAL(i->k, r.outcome, PATIO_UNKNOWN, "outcome of what is gone");
    KIT_STATUS(i->k, r.status, PATIO_CANCELLED, "the receipt of what is gone");
}

bool kit_conflict_is_refused(kit_instance *i, patio_message *m, const char *word)
{
    kit         *k   = i->k;
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = kit_publish_message(i, m, 10, &err);
    if (st != PATIO_UNSUPPORTED) {
        KIT_STATUS(k, st, PATIO_OK, "publish");
        return false;
    }
    KIT_CHECK(k, strstr(err.message, word) != NULL, "the refusal does not name \"%s\": %s", word,
              err.message);
    kit_note(k, "%s is refused", word);
    return true;
}

void kit_send_message(kit_instance *i, patio_message *m)
{
    patio_error  err    = PATIO_ERROR_INIT;
    uint32_t     number = kit_number(&m->id);
    patio_status st     = kit_publish_message(i, m, 20 + number % 50, &err);
    KIT_CHECK(i->k, st == PATIO_OK, "publish of task %u returned %s: %s", number,
              kit_status_name(st), err.message);
    if ((m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0) {
        kit_receipt r = {0};
        KIT_AWAIT(i->k, KIT_SOON_MS, find_receipt(i, number, &r), "publish %u has no outcome",
                  number);
        KIT_CHECK(i->k, r.outcome == PATIO_ACCEPTED, "task %u was not accepted (outcome %u): %s",
                  number, r.outcome, r.text);
    }
}

void kit_send(kit_instance *i, uint32_t number)
{
    patio_message m = kit_message(i->k, number, 0);
    kit_send_message(i, &m);
}

void kit_call(kit_instance *i, uint32_t number)
{
    patio_message m = kit_message(i->k, number, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE);
    kit_send_message(i, &m);
}

patio_message kit_quiet_call(kit *k, uint32_t number)
{
    return kit_message(k, number,
                       PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE | PATIO_MESSAGE_NO_RECEIPT);
}

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

patio_counts kit_counts(kit_instance *i)
{
    patio_counts c   = {PATIO_SIZED(patio_counts)};
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = kit_instance_counts(i, "q", &c, &err);
    KIT_CHECK(i->k, st == PATIO_OK, "counts returned %s: %s", kit_status_name(st), err.message);
    return c;
}

uint64_t kit_known(uint64_t count)
{
    return count != PATIO_COUNT_UNKNOWN ? count : 0;
}

/* What cannot be known is said to be unknown, which is no lie. */
static bool is(uint64_t count, uint64_t want)
{
    return count == want || count == PATIO_COUNT_UNKNOWN;
}

static bool counts_are(kit_instance *i, patio_counts *c, const uint64_t want[4])
{
    *c = kit_counts(i);
    return is(c->ready, want[0]) && is(c->leased, want[1]) && is(c->delayed, want[2]) &&
           is(c->dead, want[3]);
}

void kit_await_counts(kit_instance *i, uint64_t ready, uint64_t leased, uint64_t delayed,
                      uint64_t dead)
{
    patio_counts   c       = {PATIO_SIZED(patio_counts)};
    const uint64_t want[4] = {ready, leased, delayed, dead};
    KIT_AWAIT(i->k, KIT_SOON_MS, counts_are(i, &c, want),
              "counts are ready %lld, leased %lld, delayed %lld, dead %lld; expected %llu, %llu, "
              "%llu, %llu",
              (long long)c.ready, (long long)c.leased, (long long)c.delayed, (long long)c.dead,
              (unsigned long long)ready, (unsigned long long)leased, (unsigned long long)delayed,
              (unsigned long long)dead);
}

const void *kit_query(kit_instance *i, const char *interface_id)
{
    return i->k->ops->query(i->t, interface_id);
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

kit_pair kit_pair_open(kit *k, const kit_open *o)
{
    kit_instance *caller = kit_instance_open(k, o);
    return (kit_pair){caller, kit_instance_open(k, o)};
}
