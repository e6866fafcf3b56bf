#include "layer/fault.h"

#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "layer/idset.h"

/* HELD: not shown yet; RAISING: being shown; LOST, WANTED: to be told once it is shown. */
enum {
    TAG_LIVE    = 1,
    TAG_CLAIMED = 2,
    TAG_HELD    = 4,
    TAG_RAISING = 8,
    TAG_LOST    = 16,
    TAG_WANTED  = 32
};

enum held_kind { HELD_DELIVERY, HELD_REPLY, HELD_RECEIPT, HELD_RETURN, HELD_FAILED };

/* Something that comes later. */
typedef struct held {
    struct held   *next;
    struct fault  *f;
    uint64_t       timer;
    enum held_kind kind;
    patio_delivery delivery;
    patio_message  message; /* with names below */
    patio_reply    reply;
    patio_receipt  receipt;
    patio_tag      tag;
    char           names[];
} held;

typedef struct fault {
    pt_layer          layer;
    pthread_mutex_t   lock;
    pthread_cond_t    idle;   /* firing is 0 */
    uint32_t          firing; /* held things that come now */
    pt_idmap          tags;   /* TAG_… of what is unsettled */
    held             *first;
    pt_fault_settings set;
    uint64_t          operations;
    uint64_t          stall_until_ns;
    bool              stopping;
} fault;

static uint64_t now_ns(const fault *f)
{
    return f->layer.host->now_ns(f->layer.host->self);
}

/* Operation by operation, the same for the same seed: splitmix64 of a counter. */
static uint64_t random_of(fault *f)
{
    uint64_t x = f->set.seed + ++f->operations * UINT64_C(0x9E3779B97F4A7C15);
    x          = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x          = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* Under the lock. */
static bool happens(fault *f, double part)
{
    return part > 0 && (double)(random_of(f) >> 11) * 0x1p-53 < part;
}

/* Under the lock: how much later something comes. */
static uint64_t lateness_ns(fault *f, bool overtaken)
{
    uint64_t late = f->set.delay_ms > 0 ? random_of(f) % (f->set.delay_ms * 1000000 + 1) : 0;
    uint64_t now  = now_ns(f);
    if (f->set.stall_ms > 0 && happens(f, f->set.stall)) {
        f->stall_until_ns = now + f->set.stall_ms * 1000000;
    }
    if (overtaken) {
        late += random_of(f) % 20000000 + 1;
    }
    return f->stall_until_ns > now ? late + (f->stall_until_ns - now) : late;
}

static bool unlink_held(fault *f, const held *h)
{
    held **at = &f->first;
    while (*at != NULL && *at != h) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return false;
    }
    *at = h->next;
    return true;
}

static void free_held(held *h)
{
    const patio_host *host = h->f->layer.host;
    if (h->kind == HELD_DELIVERY) {
        host->buf_drop(host->self, h->message.body);
    } else if (h->kind == HELD_REPLY) {
        host->buf_drop(host->self, h->reply.body);
    }
    pt_free(h->f->layer.mem, h);
}

static const patio_transport_events *up(const fault *f)
{
    return f->layer.up;
}

static void say_why(patio_error *why, const char *text)
{
    (void)pt_fail(why, PATIO_PEER_LOST, "fault", "%s", text);
}

/* Show a delivery; what became of it before and meanwhile is told right after. */
static void raise_delivery(fault *f, const patio_delivery *d)
{
    pthread_mutex_lock(&f->lock);
    uint64_t *state = pt_idmap_find(&f->tags, d->tag);
    bool      gone  = state == NULL || (*state & TAG_LOST) != 0;
    if (gone) {
        (void)pt_idmap_remove(&f->tags, d->tag);
    } else {
        *state = (*state & ~(uint64_t)TAG_HELD) | TAG_RAISING;
    }
    pthread_mutex_unlock(&f->lock);
    if (gone) {
        return;
    }
    up(f)->delivered(up(f)->self, d);
    pthread_mutex_lock(&f->lock);
    state        = pt_idmap_find(&f->tags, d->tag);
    uint64_t now = state != NULL ? *state : 0;
    if ((now & TAG_LOST) != 0) {
        (void)pt_idmap_remove(&f->tags, d->tag);
    } else if (state != NULL) {
        *state &= ~(uint64_t)(TAG_RAISING | TAG_WANTED);
    }
    pthread_mutex_unlock(&f->lock);
    if ((now & TAG_LOST) != 0) {
        patio_error why = PATIO_ERROR_INIT;
        say_why(&why, "the lease was lost while the task was on its way");
        up(f)->lease_lost(up(f)->self, d->tag, &why);
    } else if ((now & TAG_WANTED) != 0) {
        up(f)->cancel_wanted(up(f)->self, d->tag);
    }
}

static void give_back(fault *f, patio_tag tag)
{
    patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_RETURN};
    (void)f->layer.real->ops.settle(f->layer.t, tag, &s, NULL);
}

static void do_held(held *h)
{
    fault      *f   = h->f;
    patio_error why = PATIO_ERROR_INIT;
    switch (h->kind) {
    case HELD_DELIVERY:
        raise_delivery(f, &h->delivery);
        break;
    case HELD_REPLY:
        up(f)->replied(up(f)->self, &h->reply);
        break;
    case HELD_RECEIPT:
        say_why(&why, "the link was lost before the task was accepted (fault_drop)");
        h->receipt.error = &why;
        up(f)->published(up(f)->self, &h->receipt);
        break;
    case HELD_RETURN:
        pthread_mutex_lock(&f->lock);
        (void)pt_idmap_remove(&f->tags, h->tag);
        pthread_mutex_unlock(&f->lock);
        give_back(f, h->tag);
        break;
    case HELD_FAILED:
        say_why(&why, "the settlement was lost on its way (fault_dup)");
        up(f)->settle_failed(up(f)->self, h->tag, &why);
        break;
    default:
        break;
    }
}

static void fire(void *arg)
{
    held  *h = arg;
    fault *f = h->f;
    pthread_mutex_lock(&f->lock);
    bool mine = unlink_held(f, h);
    f->firing += mine ? 1 : 0;
    pthread_mutex_unlock(&f->lock);
    if (mine) {
        do_held(h);
        free_held(h);
        pthread_mutex_lock(&f->lock);
        f->firing--;
        pthread_cond_broadcast(&f->idle);
        pthread_mutex_unlock(&f->lock);
    }
}

static held *new_held(fault *f, enum held_kind kind, size_t names)
{
    held *h = pt_calloc(f->layer.mem, 1, sizeof(*h) + names);
    if (h != NULL) {
        h->f    = f;
        h->kind = kind;
    }
    return h;
}

/* Let it come later; without memory for that it comes now, if it may (not inside of a call). */
static bool hold(fault *f, held *h, uint64_t late_ns)
{
    pthread_mutex_lock(&f->lock);
    h->next  = f->first;
    f->first = h;
    h->timer = f->stopping ? 0 : f->layer.host->after(f->layer.host->self, late_ns, fire, h);
    bool ok  = h->timer != 0;
    if (!ok) {
        (void)unlink_held(f, h);
    }
    pthread_mutex_unlock(&f->lock);
    return ok;
}

/* ---- deliveries ---- */

static bool hold_delivery(fault *f, const patio_delivery *d, uint64_t late_ns)
{
    const patio_message *m     = d->message;
    size_t               queue = strlen(m->queue) + 1;
    size_t               task  = strlen(m->task) + 1;
    held                *h     = new_held(f, HELD_DELIVERY, queue + task + m->dedup_key.size);
    if (h == NULL) {
        return false;
    }
    h->delivery         = *d;
    h->message          = *m;
    h->delivery.message = &h->message;
    memcpy(h->names, m->queue, queue);
    memcpy(h->names + queue, m->task, task);
    if (m->dedup_key.size > 0) {
        memcpy(h->names + queue + task, m->dedup_key.data, m->dedup_key.size);
        h->message.dedup_key.data = (const uint8_t *)h->names + queue + task;
    }
    h->message.queue = h->names;
    h->message.task  = h->names + queue;
    h->message.body  = f->layer.host->buf_ref(f->layer.host->self, m->body);
    if (!hold(f, h, late_ns)) {
        free_held(h);
        return false;
    }
    return true;
}

/* It is lost on its way: the transport has to give it out once more. */
static bool lose_delivery(fault *f, patio_tag tag)
{
    held *h = new_held(f, HELD_RETURN, 0);
    if (h == NULL) {
        return false;
    }
    h->tag = tag;
    if (!hold(f, h, 1000000)) {
        free_held(h);
        return false;
    }
    return true;
}

static void fault_delivered(void *self, const patio_delivery *d)
{
    fault *f = self;
    pthread_mutex_lock(&f->lock);
    bool      lost  = happens(f, f->set.drop);
    uint64_t  late  = lateness_ns(f, happens(f, f->set.reorder));
    uint64_t *state = pt_idmap_put(&f->tags, d->tag);
    if (state != NULL) {
        *state = TAG_LIVE | TAG_HELD;
    }
    pthread_mutex_unlock(&f->lock);
    if (state == NULL || (lost && lose_delivery(f, d->tag)) ||
        (late > 0 && hold_delivery(f, d, late))) {
        return; /* without memory it cannot be looked after: its lease ends with the instance */
    }
    raise_delivery(f, d);
}

/* true: to be told now. Else it is noted, or of a delivery that nobody has seen. */
static bool tell_now(fault *f, patio_tag tag, uint64_t bit)
{
    pthread_mutex_lock(&f->lock);
    uint64_t *state = pt_idmap_find(&f->tags, tag);
    bool      now   = state != NULL && (*state & (TAG_HELD | TAG_RAISING)) == 0;
    if (state != NULL && !now) {
        *state |= bit;
    } else if (now && bit == TAG_LOST) {
        (void)pt_idmap_remove(&f->tags, tag);
    }
    pthread_mutex_unlock(&f->lock);
    return now;
}

static void fault_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    fault *f = self;
    if (tell_now(f, tag, TAG_LOST)) {
        up(f)->lease_lost(up(f)->self, tag, why);
    }
}

static void fault_cancel_wanted(void *self, patio_tag tag)
{
    fault *f = self;
    if (tell_now(f, tag, TAG_WANTED)) {
        up(f)->cancel_wanted(up(f)->self, tag);
    }
}

/* ---- cutting the link ---- */

enum { CUT_MOST = 256 };

/* Under the lock: the tags that a cut takes, up to a bound. Claimed ones are spared: nobody may run
 * them again. */
static size_t take_leases(fault *f, patio_tag tags[CUT_MOST])
{
    size_t count = 0;
    for (size_t i = 0; i < f->tags.room && count < CUT_MOST; i++) {
        uint64_t key = f->tags.keys[i];
        if (key != 0 && key != UINT64_MAX && f->tags.values[i] == TAG_LIVE) {
            tags[count++] = key;
        }
    }
    for (size_t i = 0; i < count; i++) {
        (void)pt_idmap_remove(&f->tags, tags[i]);
    }
    return count;
}

/* The link goes down and up again; whatever was held under a lease is somebody else's now. */
static void cut_link(fault *f)
{
    patio_tag   tags[CUT_MOST];
    patio_error why = PATIO_ERROR_INIT;
    pthread_mutex_lock(&f->lock);
    size_t count = f->stopping ? 0 : take_leases(f, tags);
    pthread_mutex_unlock(&f->lock);
    say_why(&why, "the link was cut (fault_cut)");
    up(f)->link(up(f)->self, PATIO_LINK_CONNECTING, &why);
    for (size_t i = 0; i < count; i++) {
        up(f)->lease_lost(up(f)->self, tags[i], &why);
        give_back(f, tags[i]);
    }
    up(f)->link(up(f)->self, PATIO_LINK_UP, NULL);
}

/* ---- what the broker calls ---- */

static fault *fault_of(patio_transport *t)
{
    return (fault *)(void *)t;
}

static bool lose_publish(fault *f, const patio_message *m)
{
    held *h = new_held(f, HELD_RECEIPT, 0);
    if (h == NULL) {
        return false;
    }
    h->receipt = (patio_receipt){PATIO_SIZED(patio_receipt), .outcome = PATIO_UNKNOWN, .id = m->id};
    if (!hold(f, h, 1000000)) {
        free_held(h);
        return false;
    }
    return true;
}

static patio_status fault_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    fault *f = fault_of(t);
    pthread_mutex_lock(&f->lock);
    bool open = !f->stopping;
    bool lost = open && happens(f, f->set.drop);
    bool cut  = open && happens(f, f->set.cut);
    pthread_mutex_unlock(&f->lock);
    if (cut) {
        cut_link(f);
    }
    if (lost && lose_publish(f, m)) {
        return PATIO_OK;
    }
    return f->layer.real->ops.publish(f->layer.t, m, err);
}

/* Is it one of ours, and does its settlement get lost? STALE for what was lost. */
static patio_status look_up(fault *f, patio_tag tag, const patio_settlement *s, bool *lose)
{
    pthread_mutex_lock(&f->lock);
    uint64_t    *state = pt_idmap_find(&f->tags, tag);
    patio_status st =
        state != NULL && (*state & (TAG_HELD | TAG_LOST)) == 0 ? PATIO_OK : PATIO_STALE;
    *lose = st == PATIO_OK && !f->stopping && s->verdict == PATIO_ACK &&
            (*state & TAG_CLAIMED) == 0 && happens(f, f->set.dup);
    pthread_mutex_unlock(&f->lock);
    return st;
}

static void note_settled(fault *f, patio_tag tag, bool claim)
{
    pthread_mutex_lock(&f->lock);
    uint64_t *state = pt_idmap_find(&f->tags, tag);
    if (state != NULL && claim) {
        *state |= TAG_CLAIMED;
    } else {
        (void)pt_idmap_remove(&f->tags, tag);
    }
    pthread_mutex_unlock(&f->lock);
}

static patio_status lose_settlement(fault *f, patio_tag tag, patio_error *err)
{
    held *h = new_held(f, HELD_FAILED, 0);
    if (h == NULL) {
        return pt_no_memory(err, "fault");
    }
    patio_settlement s  = {PATIO_SIZED(patio_settlement), .verdict = PATIO_RETURN};
    patio_status     st = f->layer.real->ops.settle(f->layer.t, tag, &s, err);
    h->tag              = tag;
    if (st != PATIO_OK) {
        free_held(h);
        return st;
    }
    note_settled(f, tag, false);
    if (!hold(f, h, 1000000)) {
        free_held(h);
    }
    return PATIO_OK;
}

static patio_status fault_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                                 patio_error *err)
{
    fault       *f    = fault_of(t);
    bool         lose = false;
    patio_status st   = look_up(f, tag, s, &lose);
    pthread_mutex_lock(&f->lock);
    bool stopping = f->stopping;
    pthread_mutex_unlock(&f->lock);
    if (st != PATIO_OK && !stopping) {
        return pt_fail(err, PATIO_STALE, "fault", "settle: this delivery is settled or was lost");
    }
    if (lose) {
        return lose_settlement(f, tag, err);
    }
    /* before: the next delivery may come from inside, with this tag's slot */
    st = f->layer.real->ops.settle(f->layer.t, tag, s, err);
    if (st == PATIO_OK) {
        note_settled(f, tag, s->verdict == PATIO_CLAIM);
    }
    return st;
}

static void fault_replied(void *self, const patio_reply *r)
{
    fault *f = self;
    pthread_mutex_lock(&f->lock);
    uint64_t late = (r->flags & PATIO_REPLY_PARTIAL) != 0 ? 0 : lateness_ns(f, false);
    pthread_mutex_unlock(&f->lock);
    held *h = late > 0 ? new_held(f, HELD_REPLY, 0) : NULL;
    if (h != NULL) {
        h->reply      = *r;
        h->reply.body = f->layer.host->buf_ref(f->layer.host->self, r->body);
        if (hold(f, h, late)) {
            return;
        }
        free_held(h);
    }
    up(f)->replied(up(f)->self, r);
}

/* What is held when it ends: receipts are told, the rest is the transport's again. */
static void flush(fault *f)
{
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    while (f->first != NULL) {
        held *h  = f->first;
        f->first = h->next;
        pthread_mutex_unlock(&f->lock);
        if (h->kind == HELD_RECEIPT || h->kind == HELD_REPLY || h->kind == HELD_FAILED) {
            do_held(h);
        }
        (void)f->layer.host->cancel(f->layer.host->self, h->timer);
        free_held(h);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
}

static patio_status fault_stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    fault *f = fault_of(t);
    flush(f);
    patio_status st = f->layer.real->ops.stop(f->layer.t, grace_ms, err);
    pthread_mutex_lock(&f->lock);
    while (f->firing > 0) {
        pthread_cond_wait(&f->idle, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return st;
}

static void fini(pt_layer *layer)
{
    fault *f = (fault *)(void *)layer;
    pt_idmap_fini(&f->tags);
    pthread_cond_destroy(&f->idle);
    pthread_mutex_destroy(&f->lock);
}

static void replace_slots(fault *f)
{
    f->layer.fini               = fini;
    f->layer.plugin.ops.publish = fault_publish;
    f->layer.plugin.ops.settle  = fault_settle;
    f->layer.plugin.ops.stop    = fault_stop;
    f->layer.down.delivered     = fault_delivered;
    f->layer.down.replied       = fault_replied;
    f->layer.down.lease_lost    = fault_lease_lost;
    f->layer.down.cancel_wanted = fault_cancel_wanted;
}

patio_status pt_fault_transport(const patio_allocator *mem, const pt_transport_plugin **plugin,
                                const patio_host *host, const patio_transport_params *params,
                                const pt_setting *settings, size_t count, pt_layer **layers,
                                patio_transport **out, patio_error *err)
{
    fault *f = pt_calloc(mem, 1, sizeof(*f));
    if (f == NULL) {
        return pt_no_memory(err, "fault");
    }
    pt_layer_init(&f->layer, mem, *plugin, host, params->events);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->idle, NULL);
    f->tags.mem = mem;
    replace_slots(f);
    patio_status st = pt_fault_read(mem, settings, count, &f->set, err);
    if (st == PATIO_OK) {
        st = pt_layer_create(&f->layer, params, err);
    }
    if (st != PATIO_OK) {
        fini(&f->layer);
        pt_free(mem, f);
        return st;
    }
    f->layer.next = *layers;
    *layers       = &f->layer;
    *plugin       = &f->layer.plugin;
    *out          = (patio_transport *)(void *)f;
    return PATIO_OK;
}
