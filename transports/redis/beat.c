/* The regular question to each queue: a sign of life, what was set, what is due, what is ours. */
#include "redis.h"

enum { PROBE_MS = 500, BEATS_PER_LEASE = 4 };
static const uint64_t ms_ns = 1000000;

static uint64_t pause_ms(const patio_transport *t)
{
    return t->set.lease_ms / BEATS_PER_LEASE;
}

static void send_beat(queue *q, uint64_t now)
{
    patio_transport *t = q->t;
    conn            *c = &q->node->w;
    if (command_eval(c, CMD_BEAT, SCRIPT_BEAT, q, 8) == NULL) {
        return;
    }
    arg_text(c, t->owner);
    arg_number(c, t->set.lease_ms);
    arg_number(c, pause_ms(t));
    arg_number(c, t->set.max_crashes);
    arg_number(c, t->set.max_dead);
    arg_number(c, t->set.dead_ttl_ms);
    arg_number(c, (q->subscribed ? 1u : 0u) + (q->calls ? 2u : 0u) +
                      (q->subscribed && !q->closed ? 4u : 0u));
    arg_number(c, t->set.reply_ttl_ms);
    q->beating = true;
    /* not all workers at once */
    uint64_t pause = pause_ms(t) * ms_ns;
    q->beat_ns     = now + pause - (t->incarnation ^ q->beats++) % (pause / 8 + 1);
}

static void send_leave(queue *q)
{
    if (command_eval(&q->node->w, CMD_LEAVE, SCRIPT_LEAVE, q, 1) != NULL) {
        arg_text(&q->node->w, q->t->owner);
        q->leaving = true;
    }
}

bool queue_drained(const queue *q)
{
    return q->publishes.count == 0 && q->settles.count == 0 && q->publish_flights == 0 &&
           q->settle_flights == 0;
}

/* Is it over, whatever kept the server from taking tasks? */
static void send_probe(queue *q, uint64_t now)
{
    node *n = q->node;
    if (n->trouble.status == PATIO_OK || now < n->probe_ns || now < n->hold_ns) {
        return;
    }
    n->probe_ns = now + PROBE_MS * ms_ns;
    if (command(&n->w, CMD_PING, q, 5) != NULL) {
        arg_text(&n->w, "SET");
        arg_key(&n->w, q, ":probe", "");
        arg_text(&n->w, "1");
        arg_text(&n->w, "PX");
        arg_text(&n->w, "1");
    }
}

void beat_encode(queue *q)
{
    patio_transport *t   = q->t;
    uint64_t         now = now_ns(t);
    conn            *c   = &q->node->w;
    if (q == t->lobby) {
        presence_encode(q);
        return;
    }
    if (!q->subscribed && !q->calls) {
        send_probe(q, now);
        return;
    }
    if (t->stopping) {
        if (queue_drained(q) && !q->leaving && !q->left) {
            send_leave(q);
        }
        return;
    }
    if (!q->beating && now >= q->beat_ns) {
        send_beat(q, now);
    }
    send_probe(q, now);
    if (!q->subscribed || !q->opened) {
        return;
    }
    if (q->due_ns != 0 && now >= q->due_ns && !q->promoting &&
        command_eval(c, CMD_PROMOTE, SCRIPT_PROMOTE, q, 1) != NULL) {
        arg_text(c, "500");
        q->promoting = true;
        q->due_ns    = 0;
    }
    control_encode(q, now);
}

/* Under the lock. */
static delivery *find_place(patio_transport *t, const queue *q, const place *at)
{
    for (uint32_t i = 0; i < t->delivery_room; i++) {
        delivery *d = &t->deliveries[i];
        if (d->state != DELIVERY_FREE && d->q == q && d->at.ms == at->ms && d->at.seq == at->seq &&
            d->at.suffix == at->suffix) {
            return d;
        }
    }
    return NULL;
}

static const orphan *known_orphan(const queue *q, const place *at)
{
    for (uint32_t i = 0; i < q->orphan_count; i++) {
        const place *o = &q->orphans[i].at;
        if (o->ms == at->ms && o->seq == at->seq && o->suffix == at->suffix) {
            return &q->orphans[i];
        }
    }
    return NULL;
}

/* What the group says we hold, and we do not: it was on its way when a connection ended, or
 * still is. What we hold and the group does not know was taken over. Under
 * the lock; tags of the latter go to `lost`. */
static uint32_t compare(queue *q, const resp *r, size_t from, patio_tag *lost, uint32_t most)
{
    patio_transport *t   = q->t;
    uint64_t         now = now_ns(t);
    orphan           fresh[ORPHANS_MAX];
    uint32_t         count = 0;
    q->round++;
    for (size_t i = from; i < r->count; i++) {
        const resp *e = r->items[i];
        place       at;
        if (e == NULL || e->size < 3 || !place_parse(e->text + 2, e->size - 2, &at)) {
            continue;
        }
        at.suffix   = e->text[0];
        delivery *d = find_place(t, q, &at);
        if (d != NULL) {
            d->round = q->round;
            continue;
        }
        const orphan *o = known_orphan(q, &at);
        if (o != NULL && q->reads >= o->after) {
            settle_own(q, SETTLE_RETURN, &at, NULL);
        } else if (count < ORPHANS_MAX) {
            uint64_t after = o != NULL ? o->after : q->reads + (q->armed && !q->listening ? 1 : 0);
            fresh[count++] = (orphan){at, after};
        }
    }
    memcpy(q->orphans, fresh, count * sizeof(fresh[0]));
    q->orphan_count = count;
    uint32_t gone   = 0;
    if (r->count - from >= 1000) {
        return 0; /* the list is not complete */
    }
    for (uint32_t i = 0; i < t->delivery_room && gone < most; i++) {
        delivery *d = &t->deliveries[i];
        if (d->state == DELIVERY_HELD && d->q == q && d->round != q->round &&
            now - d->since_ns > 3 * pause_ms(t) * ms_ns) {
            lost[gone++] = d->tag;
            q->unsettled--;
            delivery_free(t, d);
        }
    }
    return gone;
}

static void take_settings(queue *q, const resp *r)
{
    const resp *used = resp_at(r, 3);
    size_t      size = used != NULL ? used->size : 0;
    size             = size < sizeof(q->priorities) ? size : sizeof(q->priorities) - 1;
    memcpy(q->priorities, used != NULL ? used->text : "", size);
    q->priorities[size] = '\0';
    q->state            = (uint32_t)resp_number(resp_at(r, 1), 0);
    q->limit            = (uint64_t)resp_number(resp_at(r, 2), 0);
    q->front            = (uint64_t)resp_number(resp_at(r, 4), 0);
    q->more             = true;
    int64_t due         = resp_number(resp_at(r, 5), -1);
    q->due_ns           = due >= 0 ? now_ns(q->t) + (uint64_t)due * ms_ns : 0;
}

void beat_answer(conn *c, const cmd *k, const resp *r)
{
    queue           *q       = k->q;
    patio_transport *t       = q->t;
    uint8_t          trouble = trouble_of(r);
    patio_tag        lost[64];
    uint32_t         count = 0;
    pthread_mutex_lock(&t->lock);
    q->beating = false;
    if (trouble == TROUBLE_NONE) {
        q->opened            = true;
        q->proven            = true;
        q->beat_ns           = q->asking == 2 ? 0 : q->beat_ns;
        q->asking            = q->asking == 2 ? 1 : 0;
        c->node->clock_ms    = (uint64_t)resp_number(resp_at(r, 0), 0);
        c->node->clock_at_ns = now_ns(t);
        if (resp_number(resp_at(r, 8), 0) != 0) {
            (void)snprintf(q->last_reply, sizeof(q->last_reply), "0");
        }
        if (q->subscribed && r->count > 9) {
            take_settings(q, r);
            q->words = resp_number(resp_at(r, 9), 0) > 0;
            count    = compare(q, r, 10, lost, sizeof(lost) / sizeof(lost[0]));
        }
    } else {
        q->beat_ns = now_ns(t) + 500 * ms_ns;
    }
    pthread_mutex_unlock(&t->lock);
    if (trouble != TROUBLE_NONE) {
        if (!trouble_note(c, k, trouble, r)) {
            patio_host_log(t->host, PATIO_LOG_WARN, "queue %s: script beat: %s", q->name, r->text);
        }
        return;
    }
    if (resp_number(resp_at(r, 6), 0) > 0) {
        patio_host_log(t->host, PATIO_LOG_INFO, "queue %s: took over %lld tasks of a lost worker",
                       q->name, (long long)resp_number(resp_at(r, 6), 0));
    }
    if (resp_number(resp_at(r, 7), 0) > 0) {
        patio_host_log(t->host, PATIO_LOG_ERROR,
                       "queue %s: %lld tasks that a lost worker held are no longer in the stream; "
                       "did somebody trim or delete it?",
                       q->name, (long long)resp_number(resp_at(r, 7), 0));
    }
    for (uint32_t i = 0; i < count; i++) {
        patio_error why = PATIO_ERROR_INIT;
        (void)patio_fail(&why, PATIO_STALE, 0,
                         "no sign of life reached the server for a lease of %llu ms",
                         (unsigned long long)t->set.lease_ms);
        t->events->lease_lost(t->events->self, lost[i], &why);
    }
}

void promote_answer(conn *c, const cmd *k, const resp *r)
{
    queue  *q       = k->q;
    uint8_t trouble = trouble_of(r);
    pthread_mutex_lock(&q->t->lock);
    q->promoting = false;
    int64_t due  = trouble == TROUBLE_NONE ? resp_number(resp_at(r, 1), -1) : 100;
    q->due_ns    = due >= 0 ? now_ns(q->t) + (uint64_t)due * ms_ns + 1 : 0;
    pthread_mutex_unlock(&q->t->lock);
    if (trouble != TROUBLE_NONE) {
        (void)trouble_note(c, k, trouble, r);
    }
}
