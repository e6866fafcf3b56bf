/* Tasks that run for longer than the broker lets a consumer keep a message (consumer_timeout).
 *
 * Before that time has come, a copy of the task is published to a queue that only this process
 * consumes. When the broker has it on its disk, and has delivered it to us, the copy stands for the
 * task and what stood for it before is acknowledged; and so on, for as long as the task runs. If
 * this process dies, the copy expires in that queue and goes to the work queue, for others.
 *
 * At no time is there nothing that stands for the task, and who holds it has both for a moment. */
#include "transport.h"

#include <stdlib.h>

enum { TRY_MS = 1000, SOON_MS = 50, BATCH_BYTES = 1024 * 1024 };

static const uint64_t ms_ns = 1000000;

/* ---- copies that nobody needs any more ---- */

static void note_stray(patio_transport *t, const delivery *d)
{
    if (t->strays == NULL) {
        t->strays      = t->host->alloc(t->host->self, STRAYS * sizeof(*t->strays));
        t->stray_count = 0;
    }
    if (t->strays != NULL) {
        t->strays[t->stray_count++ % STRAYS] = (seen){.id = d->id, .fence = d->copy_fence};
    }
}

static bool is_stray(const patio_transport *t, const props *p)
{
    uint32_t n = t->stray_count < STRAYS ? t->stray_count : STRAYS;
    for (uint32_t i = 0; t->strays != NULL && i < n; i++) {
        if (t->strays[i].fence == p->fence &&
            memcmp(&t->strays[i].id, &p->id, sizeof(p->id)) == 0) {
            return true;
        }
    }
    return false;
}

void renew_give_up(patio_transport *t, delivery *d)
{
    if (d->asked_ns == 0) {
        return;
    }
    post_orphan(t, d->tag, false);
    if (d->copy != 0) {
        settle_ack(t, d->copy);
    } else {
        note_stray(t, d);
    }
    d->asked_ns = 0;
    d->copy     = 0;
}

/* What was delivered on the channel has gone back, and comes with another number, if at all. */
void renew_forget(patio_transport *t)
{
    for (delivery *d = t->leases.next; d != &t->leases; d = d->next) {
        d->copy    = 0;
        d->is_held = false;
    }
}

/* ---- asking ---- */

static void send_copy(patio_transport *t, delivery *d, uint64_t now)
{
    task_facts facts;
    settle_facts(d, &facts);
    /* somebody else only ever gets it when we are gone */
    facts.crashes++;
    post *p = post_new_task(t, POST_RENEW, &d->queue->held, &facts, d->body);
    if (p == NULL) {
        return; /* the next look tries again */
    }
    p->renews         = d->tag;
    p->end_ns         = now + t->set.consumer_timeout_ms * ms_ns / 6;
    d->asked_ns       = now;
    d->fence          = facts.fence;
    d->copy_fence     = facts.fence;
    d->copy_confirmed = false;
    post_submit(t, p);
}

/* Under the lock. false: not now. */
static bool prepare(patio_transport *t, queue *q)
{
    if (q->held.state != PLACE_READY && q->held.state != PLACE_DECLARING) {
        q->held.type = q->work.type;
    }
    if (!place_ensure(t, &q->held)) {
        if (q->held.state == PLACE_FAILED) {
            t->renew_failed = &q->held;
        }
        return false;
    }
    if (!q->held_on) {
        subscribe_held(t, q);
    }
    return q->held_on;
}

/* A settlement that the broker does not take may last as long as a task. A copy that has not come,
 * or is not confirmed, is sent once more after a while. */
static bool is_due(const patio_transport *t, const delivery *d, uint64_t now)
{
    uint64_t third = t->set.consumer_timeout_ms * ms_ns / 3;
    if (d->number == 0 || (d->state != LEASE_HELD && d->state != LEASE_SETTLING)) {
        return false;
    }
    return d->asked_ns == 0 ? now >= d->taken_ns + third : now >= d->asked_ns + third / 2;
}

void renew_step(patio_transport *t, uint64_t now)
{
    uint64_t    timeout = t->set.consumer_timeout_ms;
    connection *c       = &t->links[PUBLISHING];
    if (timeout == 0 || now < t->renew_ns || t->set.topology != TOPOLOGY_DECLARE ||
        c->state != LINK_READY || t->resend.first != NULL) {
        return;
    }
    uint64_t pause = timeout / 12 < TRY_MS ? timeout / 12 + 1 : TRY_MS;
    for (delivery *d = t->leases.next; d != &t->leases; d = d->next) {
        if (c->out.size > BATCH_BYTES) {
            pause = SOON_MS;
            break;
        }
        if (!is_due(t, d, now)) {
            continue;
        }
        if (prepare(t, d->queue)) {
            renew_give_up(t, d);
            send_copy(t, d, now);
        } else if (d->queue->held.state != PLACE_FAILED) {
            pause = SOON_MS;
        }
    }
    t->renew_ns = now + pause * ms_ns;
}

/* ---- what comes of it ---- */

/* The circle is in the order of numbers: one acknowledgement may be for all before it. */
static void move_to_place(patio_transport *t, delivery *d)
{
    d->prev->next = d->next;
    d->next->prev = d->prev;
    delivery *at  = t->leases.prev;
    while (at != &t->leases && (at->number == 0 || at->number > d->number)) {
        at = at->prev;
    }
    d->prev       = at;
    d->next       = at->next;
    d->prev->next = d;
    d->next->prev = d;
}

static void exchange(patio_transport *t, delivery *d)
{
    if (d->copy == 0 || !d->copy_confirmed) {
        return;
    }
    subscribe_narrow(t, d->queue);
    settle_ack(t, d->number);
    deliver_leave_window(d);
    d->number   = d->copy;
    d->is_held  = true;
    d->taken_ns = t->host->now_ns(t->host->self);
    d->asked_ns = 0;
    d->copy     = 0;
    t->renewed++;
    move_to_place(t, d);
}

void renew_confirmed(patio_transport *t, patio_tag tag)
{
    delivery *d = deliver_find(t, tag);
    if (d != NULL && d->asked_ns != 0) {
        d->copy_confirmed = true;
        exchange(t, d);
    }
}

static delivery *find(patio_transport *t, const props *p)
{
    delivery *found = NULL;
    for (delivery *d = t->leases.next; d != &t->leases; d = d->next) {
        if (memcmp(&d->id, &p->id, sizeof(p->id)) == 0) {
            found = d;
            if (d->asked_ns != 0 && d->copy == 0 && d->copy_fence == p->fence) {
                return d;
            }
        }
    }
    return found;
}

void renew_arrived(patio_transport *t, queue *q, inbound *in)
{
    delivery *d = find(t, &in->props);
    if (d != NULL && d->asked_ns != 0 && d->copy == 0 && d->copy_fence == in->props.fence) {
        d->copy = in->number;
        exchange(t, d);
        return;
    }
    if (d != NULL || is_stray(t, &in->props)) {
        settle_ack(t, in->number); /* we hold a newer one, or have settled it */
        return;
    }
    /* its lease was lost: it has been charged when the copy was made */
    d = deliver_make(t, q, in);
    if (d != NULL) {
        deliver_send_on(t, d, false);
    }
}

/* What we hold of it stands for nothing any more. */
void renew_cancelled(patio_transport *t, queue *q)
{
    q->held_on    = false;
    q->held.state = PLACE_UNKNOWN;
    for (delivery *d = t->leases.next; d != &t->leases; d = d->next) {
        if (d->queue == q && (d->is_held || d->copy != 0)) {
            d->taken_ns = 0;
            d->copy     = 0;
        }
    }
    t->renew_ns = 0;
    t->work     = true;
}

/* ---- what people are told ---- */

void renew_tell(patio_transport *t)
{
    char name[NAME_MAX_BYTES];
    char why[WHY_BYTES];
    pthread_mutex_lock(&t->lock);
    const place *p       = t->renew_warned ? NULL : t->renew_failed;
    uint32_t     renewed = t->renewed;
    t->renewed           = 0;
    if (p != NULL) {
        t->renew_warned = true;
        (void)snprintf(name, sizeof(name), "%s", p->name);
        (void)snprintf(why, sizeof(why), "%s", p->why);
    }
    pthread_mutex_unlock(&t->lock);
    if (renewed > 0) {
        patio_host_log(t->host, PATIO_LOG_DEBUG, "renewed %u tasks that run for long", renewed);
    }
    if (p != NULL) {
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "tasks that run for longer than the broker's consumer_timeout will be "
                       "taken back and run again, for \"%s\" cannot be made to hold them: %s",
                       name, why);
    }
}

void renew_warn(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    bool tell =
        !t->renew_warned && t->set.topology != TOPOLOGY_DECLARE && t->set.consumer_timeout_ms != 0;
    t->renew_warned = t->renew_warned || tell;
    uint64_t ms     = t->set.consumer_timeout_ms;
    pthread_mutex_unlock(&t->lock);
    if (tell) {
        patio_host_log(
            t->host, PATIO_LOG_WARN,
            "tasks that run for longer than the broker's consumer_timeout (%llu ms, if "
            "consumer_timeout_ms says so) will be taken back and run again: topology=%s makes no "
            "queue to hold them; raise it in rabbitmq.conf, or let such tasks have ack = on_start",
            (unsigned long long)ms, t->set.topology == TOPOLOGY_CHECK ? "check" : "none");
    }
}

/* "delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms. …" */
void renew_learn(patio_transport *t, const char *text)
{
    static const char said[] = "Timeout value used: ";
    const char       *at     = strstr(text, said);
    uint64_t          ms     = at != NULL ? strtoull(at + sizeof(said) - 1, NULL, 10) : 0;
    pthread_mutex_lock(&t->lock);
    bool news = ms != 0 && (t->set.consumer_timeout_ms == 0 || ms < t->set.consumer_timeout_ms);
    if (news) {
        t->set.consumer_timeout_ms = ms;
    }
    pthread_mutex_unlock(&t->lock);
    if (news) {
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "the broker's consumer_timeout is %llu ms: set consumer_timeout_ms to it, "
                       "so that a task that runs for longer is renewed from the first time on",
                       (unsigned long long)ms);
    }
}
