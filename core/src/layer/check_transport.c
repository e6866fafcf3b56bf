/* A transport under observation. It keeps what is open: publishes without an outcome, deliveries
 * without a settlement, cancels without an answer, credit per queue. Memory grows with what is
 * open, and a short memory of what was closed tells "twice" from "never". */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "layer/check.h"
#include "layer/idset.h"

enum { QUEUES = 64, NAME_MAX_BYTES = 256, RECENT = 1024 };

enum { LIVE = 1, SETTLED = 2, LOST = 4, FAILED = 8, WANTED = 16 };

typedef struct check_queue {
    char     name[NAME_MAX_BYTES];
    uint32_t credit; /* the most it ever had: what is being raised when it becomes less may come */
    uint32_t unsettled;
} check_queue;

typedef struct check {
    pt_layer        layer;
    int             mode;
    pthread_mutex_t lock;
    pt_idmap        publishes; /* by id: outcomes still to come */
    pt_idmap        tags;      /* LIVE … | index of its queue << 8 */
    uint64_t        old_tags[RECENT];
    size_t          old_at;
    check_queue     queues[QUEUES];
    size_t          queue_count;
    uint64_t        cancels; /* without an outcome */
    uint64_t        max_body_bytes;
    _Atomic bool    started;
    _Atomic bool    stopped;
    _Atomic int     control; /* control calls now */
} check;

/* Inside `delivered` the host calls nothing of this transport. */
static _Thread_local const check *delivering;

static check *check_of(patio_transport *t)
{
    return (check *)(void *)t;
}

#define REPORT(c, ...) pt_check_report((c)->layer.host, (c)->mode, __VA_ARGS__)
#define BELOW(c)       (c)->layer.real->ops

static void enter(check *c, const char *slot)
{
    if (delivering == c) {
        REPORT(c, "the host calls \"%s\" inside \"delivered\"", slot);
    }
}

static void enter_control(check *c, const char *slot)
{
    enter(c, slot);
    if (atomic_fetch_add(&c->control, 1) != 0) {
        REPORT(c, "two control calls at once, one is \"%s\"", slot);
    }
}

static patio_status leave(check *c, const char *slot, patio_status st, const patio_error *err)
{
    if (st != PATIO_OK && err != NULL && (err->status != st || err->message[0] == '\0')) {
        REPORT(c, "\"%s\" returned %d and an error that says %d, \"%.100s\"", slot, st, err->status,
               err->message);
    }
    return st;
}

static patio_status leave_control(check *c, const char *slot, patio_status st,
                                  const patio_error *err)
{
    atomic_fetch_sub(&c->control, 1);
    return leave(c, slot, st, err);
}

/* ---- life ---- */

static patio_status check_start(patio_transport *t, patio_error *err)
{
    check *c = check_of(t);
    enter_control(c, "start");
    if (atomic_exchange(&c->started, true)) {
        REPORT(c, "the host starts twice");
    }
    return leave_control(c, "start", BELOW(c).start(c->layer.t, err), err);
}

static patio_status check_stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    check *c = check_of(t);
    enter_control(c, "stop");
    patio_status st = BELOW(c).stop(c->layer.t, grace_ms, err);
    atomic_store(&c->stopped, true);
    if (st != PATIO_OK && st != PATIO_TIMEOUT) {
        REPORT(c, "\"stop\" returned %d: only OK and TIMEOUT are allowed", st);
    }
    pthread_mutex_lock(&c->lock);
    size_t   open    = c->publishes.count;
    uint64_t cancels = c->cancels;
    pthread_mutex_unlock(&c->lock);
    if (st == PATIO_OK && open > 0) {
        REPORT(c, "%zu publishes have no outcome when \"stop\" returns OK", open);
    }
    if (st == PATIO_OK && cancels > 0) {
        REPORT(c, "%" PRIu64 " cancels have no outcome when \"stop\" returns OK", cancels);
    }
    return leave_control(c, "stop", st, err);
}

static void check_destroy(patio_transport *t)
{
    check *c = check_of(t);
    enter_control(c, "destroy");
    if (atomic_load(&c->started) && !atomic_load(&c->stopped)) {
        REPORT(c, "the host destroys what it has not stopped");
    }
    BELOW(c).destroy(c->layer.t);
    c->layer.t = NULL;
    atomic_fetch_sub(&c->control, 1);
}

/* ---- publishing ---- */

static bool wants_receipt(const patio_message *m)
{
    return (m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0;
}

static void count_publish(check *c, const patio_message *m, int64_t by)
{
    uint64_t key = pt_idmap_key(&m->id);
    pthread_mutex_lock(&c->lock);
    uint64_t *open = pt_idmap_put(&c->publishes, key);
    if (open != NULL) {
        *open += (uint64_t)by;
        if (*open == 0) {
            (void)pt_idmap_remove(&c->publishes, key);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

static patio_status check_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    check *c = check_of(t);
    enter(c, "publish");
    if (m->body == NULL || m->queue == NULL || m->task == NULL || m->attempt == 0) {
        REPORT(c, "the host publishes a message without queue, task, body or attempt");
    }
    if (wants_receipt(m)) {
        count_publish(c, m, 1); /* its outcome may come before it returns */
    }
    patio_status      st = BELOW(c).publish(c->layer.t, m, err);
    const patio_host *h  = c->layer.host;
    if (st == PATIO_OK && h->buf_view(h->self, m->body).size > c->max_body_bytes) {
        REPORT(c, "a body larger than max_body_bytes was taken");
    }
    if (st == PATIO_OK && atomic_load(&c->stopped)) {
        REPORT(c, "a publish after \"stop\" was taken");
    }
    if (st != PATIO_OK && wants_receipt(m)) {
        count_publish(c, m, -1);
    }
    return leave(c, "publish", st, err);
}

static void event(check *c, const char *name)
{
    if (atomic_load(&c->stopped)) {
        REPORT(c, "\"%s\" was raised after \"stop\" had returned", name);
    }
}

static void check_error(check *c, const char *name, const patio_error *why)
{
    if (why == NULL || why->status == PATIO_OK || why->message[0] == '\0') {
        REPORT(c, "\"%s\" without an error that says why", name);
    }
}

static void check_published(void *self, const patio_receipt *r)
{
    check *c = self;
    event(c, "published");
    if (r->outcome < PATIO_ACCEPTED || r->outcome > PATIO_UNKNOWN) {
        REPORT(c, "published with outcome %u", r->outcome);
    } else if (r->outcome >= PATIO_REJECTED) {
        check_error(c, "published", r->error);
    }
    uint64_t key = pt_idmap_key(&r->id);
    pthread_mutex_lock(&c->lock);
    uint64_t *open = pt_idmap_find(&c->publishes, key);
    bool      mine = open != NULL && *open > 0;
    if (mine && --*open == 0) {
        (void)pt_idmap_remove(&c->publishes, key);
    }
    pthread_mutex_unlock(&c->lock);
    /* a failure may come late, and NO_RECEIPT silences neither that nor a duplicate */
    if (!mine && r->outcome == PATIO_ACCEPTED) {
        REPORT(c, "a publish was told twice, or success to one with NO_RECEIPT");
    }
    c->layer.up->published(c->layer.up->self, r);
}

/* ---- deliveries ---- */

static check_queue *queue_of(check *c, const char *name)
{
    for (size_t i = 0; i < c->queue_count; i++) {
        if (strcmp(c->queues[i].name, name) == 0) {
            return &c->queues[i];
        }
    }
    if (c->queue_count == QUEUES) {
        return NULL; /* more are not watched */
    }
    check_queue *q = &c->queues[c->queue_count++];
    size_t       n = strnlen(name, sizeof(q->name) - 1);
    memcpy(q->name, name, n);
    q->name[n] = '\0';
    return q;
}

static patio_status check_subscribe(patio_transport *t, const patio_subscription *s,
                                    patio_error *err)
{
    check *c = check_of(t);
    enter_control(c, "subscribe");
    pthread_mutex_lock(&c->lock);
    check_queue *q = queue_of(c, s->queue);
    if (q != NULL && s->credit > q->credit) {
        q->credit = s->credit;
    }
    pthread_mutex_unlock(&c->lock);
    return leave_control(c, "subscribe", BELOW(c).subscribe(c->layer.t, s, err), err);
}

static patio_status check_unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    check *c = check_of(t);
    enter_control(c, "unsubscribe");
    return leave_control(c, "unsubscribe", BELOW(c).unsubscribe(c->layer.t, queue, err), err);
}

/* Under the lock; what is wrong with it, or NULL. */
static const char *note_delivery(check *c, const patio_delivery *d)
{
    uint64_t *state = d->tag != 0 ? pt_idmap_put(&c->tags, d->tag) : NULL;
    if (d->tag == 0) {
        return "a delivery with tag 0";
    }
    if (state == NULL) {
        return NULL; /* out of memory: not watched */
    }
    if (*state != 0) {
        return "a delivery with a tag that was used before";
    }
    check_queue *q = queue_of(c, d->message->queue);
    *state         = LIVE | (q != NULL ? (uint64_t)(q - c->queues + 1) << 8 : 0);
    if (q == NULL) {
        return NULL;
    }
    q->unsettled++;
    return q->unsettled > q->credit ? "more deliveries than credit" : NULL;
}

static void check_delivered(void *self, const patio_delivery *d)
{
    check *c = self;
    event(c, "delivered");
    if (d->message == NULL || d->message->body == NULL || d->message->queue == NULL ||
        d->message->task == NULL || d->message->attempt == 0 || d->fence == 0) {
        REPORT(c, "a delivery without message, body, queue, task, attempt or fence");
        return;
    }
    pthread_mutex_lock(&c->lock);
    const char *wrong = note_delivery(c, d);
    pthread_mutex_unlock(&c->lock);
    if (wrong != NULL) {
        REPORT(c, "%s", wrong);
    }
    const check *outer = delivering;
    delivering         = c;
    c->layer.up->delivered(c->layer.up->self, d);
    delivering = outer;
}

/* Under the lock: it is closed, but remembered for a while. */
static void retire(check *c, patio_tag tag)
{
    if (c->old_tags[c->old_at] != 0) {
        (void)pt_idmap_remove(&c->tags, c->old_tags[c->old_at]);
    }
    c->old_tags[c->old_at] = tag;
    c->old_at              = (c->old_at + 1) % RECENT;
}

static void give_back(check *c, uint64_t state)
{
    size_t q = (size_t)(state >> 8);
    if (q > 0 && c->queues[q - 1].unsettled > 0) {
        c->queues[q - 1].unsettled--;
    }
}

/* The credit counts as given before the call, for the next delivery may come inside of it. */
static uint64_t open_settle(check *c, patio_tag tag, bool final)
{
    pthread_mutex_lock(&c->lock);
    uint64_t *state  = pt_idmap_find(&c->tags, tag);
    uint64_t  before = state != NULL ? *state : 0;
    if (final && (before & (LIVE | SETTLED | LOST)) == LIVE) {
        *state |= SETTLED;
        give_back(c, before);
    }
    pthread_mutex_unlock(&c->lock);
    return before;
}

static void close_settle(check *c, patio_tag tag, bool final, uint64_t before, patio_status st)
{
    bool opened = final && (before & (LIVE | SETTLED | LOST)) == LIVE;
    pthread_mutex_lock(&c->lock);
    uint64_t *state = pt_idmap_find(&c->tags, tag);
    if (opened && st == PATIO_OK) {
        retire(c, tag);
    } else if (opened && state != NULL) {
        *state &= ~(uint64_t)SETTLED;
        size_t q = (size_t)(before >> 8);
        if (q > 0 && (*state & LOST) == 0) {
            c->queues[q - 1].unsettled++;
        }
    }
    pthread_mutex_unlock(&c->lock);
}

static patio_status check_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                                 patio_error *err)
{
    check *c = check_of(t);
    enter(c, "settle");
    bool         final  = s->verdict != PATIO_CLAIM;
    uint64_t     before = open_settle(c, tag, final);
    patio_status st     = BELOW(c).settle(c->layer.t, tag, s, err);
    close_settle(c, tag, final, before, st);
    if (st == PATIO_OK && before == 0) {
        REPORT(c, "a settlement of tag %" PRIu64 " was taken, which was never delivered", tag);
    } else if (st == PATIO_OK && (before & (SETTLED | LOST)) != 0) {
        REPORT(c, "a settlement of tag %" PRIu64 " was taken, which is %s", tag,
               (before & SETTLED) != 0 ? "settled" : "lost");
    }
    return leave(c, "settle", st, err);
}

/* Set a bit of a tag; what it was before, or 0 for one that was never delivered. */
static uint64_t mark(check *c, patio_tag tag, uint64_t bit)
{
    pthread_mutex_lock(&c->lock);
    uint64_t *state  = pt_idmap_find(&c->tags, tag);
    uint64_t  before = state != NULL ? *state : 0;
    if (state != NULL) {
        *state |= bit;
        if (bit == LOST && (before & (SETTLED | LOST)) == 0) {
            give_back(c, before);
            retire(c, tag);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return before;
}

static void check_once(check *c, const char *name, patio_tag tag, uint64_t bit)
{
    uint64_t before = mark(c, tag, bit);
    if ((before & bit) != 0) {
        REPORT(c, "\"%s\" twice for one tag", name);
    }
    if (before == 0 && bit != FAILED) {
        REPORT(c, "\"%s\" for a tag that was never delivered", name);
    }
}

static void check_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    check *c = self;
    event(c, "lease_lost");
    check_error(c, "lease_lost", why);
    check_once(c, "lease_lost", tag, LOST);
    c->layer.up->lease_lost(c->layer.up->self, tag, why);
}

static void check_settle_failed(void *self, patio_tag tag, const patio_error *why)
{
    check *c = self;
    event(c, "settle_failed");
    check_error(c, "settle_failed", why);
    check_once(c, "settle_failed", tag, FAILED);
    c->layer.up->settle_failed(c->layer.up->self, tag, why);
}

static void check_cancel_wanted(void *self, patio_tag tag)
{
    check *c = self;
    event(c, "cancel_wanted");
    check_once(c, "cancel_wanted", tag, WANTED);
    c->layer.up->cancel_wanted(c->layer.up->self, tag);
}

/* ---- the rest ---- */

static void check_replied(void *self, const patio_reply *r)
{
    check *c = self;
    event(c, "replied");
    if (r->body == NULL) {
        REPORT(c, "a reply without a body");
        return;
    }
    c->layer.up->replied(c->layer.up->self, r);
}

static patio_status check_started(patio_transport *t, patio_tag tag, patio_error *err)
{
    check *c = check_of(t);
    enter(c, "started");
    return leave(c, "started", BELOW(c).started(c->layer.t, tag, err), err);
}

static patio_status check_notify(patio_transport *t, patio_tag tag, patio_buf *body,
                                 patio_error *err)
{
    check *c = check_of(t);
    enter(c, "notify");
    return leave(c, "notify", BELOW(c).notify(c->layer.t, tag, body, err), err);
}

static void count_cancel(check *c, bool more)
{
    pthread_mutex_lock(&c->lock);
    bool surplus = !more && c->cancels == 0;
    c->cancels += more ? 1 : 0;
    c->cancels -= !more && !surplus ? 1 : 0;
    pthread_mutex_unlock(&c->lock);
    if (surplus) {
        REPORT(c, "more outcomes of cancels than cancels");
    }
}

static patio_status check_cancel(patio_transport *t, const char *queue, const patio_id *id,
                                 patio_error *err)
{
    check *c = check_of(t);
    enter(c, "cancel");
    count_cancel(c, true);
    patio_status st = BELOW(c).cancel(c->layer.t, queue, id, err);
    if (st != PATIO_OK) {
        count_cancel(c, false);
    }
    return leave(c, "cancel", st, err);
}

static void check_cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    check *c = self;
    event(c, "cancelled");
    count_cancel(c, false);
    if (outcome < PATIO_CANCEL_REMOVED || outcome > PATIO_CANCEL_TOO_LATE) {
        REPORT(c, "cancelled with outcome %u", outcome);
    }
    c->layer.up->cancelled(c->layer.up->self, id, outcome);
}

static void check_link(void *self, uint32_t state, const patio_error *why)
{
    check *c = self;
    event(c, "link");
    if (state < PATIO_LINK_CONNECTING || state > PATIO_LINK_DOWN) {
        REPORT(c, "link state %u", state);
    }
    if (state == PATIO_LINK_BLOCKED || state == PATIO_LINK_DOWN) {
        check_error(c, "link", why);
    }
    c->layer.up->link(c->layer.up->self, state, why);
}

static void fini(pt_layer *layer)
{
    check *c = (check *)(void *)layer;
    pt_idmap_fini(&c->publishes);
    pt_idmap_fini(&c->tags);
    pthread_mutex_destroy(&c->lock);
}

static void replace_slots(check *c)
{
    patio_transport_ops    *ops  = &c->layer.plugin.ops;
    patio_transport_events *down = &c->layer.down;
    ops->start                   = check_start;
    ops->stop                    = check_stop;
    ops->destroy                 = check_destroy;
    ops->publish                 = check_publish;
    ops->subscribe               = check_subscribe;
    ops->unsubscribe             = check_unsubscribe;
    ops->settle                  = check_settle;
    ops->started                 = check_started;
    ops->notify                  = check_notify;
    ops->cancel                  = check_cancel;
    down->delivered              = check_delivered;
    down->replied                = check_replied;
    down->published              = check_published;
    down->lease_lost             = check_lease_lost;
    down->settle_failed          = check_settle_failed;
    down->cancel_wanted          = check_cancel_wanted;
    down->cancelled              = check_cancelled;
    down->link                   = check_link;
}

patio_status pt_check_transport(const patio_host *host, const patio_transport_params *params,
                                pt_check_make_fn make, void *arg,
                                const pt_transport_plugin **plugin, patio_transport **t,
                                pt_layer **layers, patio_error *err)
{
    check *c = pt_calloc(&pt_malloc_allocator, 1, sizeof(*c)); /* not the one that tests let fail */
    if (c == NULL) {
        return pt_no_memory(err, "check");
    }
    pt_layer_init(&c->layer, &pt_malloc_allocator, *plugin, host, params->events);
    replace_slots(c);
    c->layer.fini     = fini;
    c->mode           = pt_check_mode();
    c->publishes.mem  = &pt_malloc_allocator;
    c->tags.mem       = &pt_malloc_allocator;
    c->max_body_bytes = params->max_body_bytes;
    (void)pthread_mutex_init(&c->lock, NULL);
    patio_transport_params mine = *params;
    mine.events                 = &c->layer.down;
    patio_status st             = make(arg, host, &mine, err);
    if (leave(c, "create", st, err) != PATIO_OK) {
        fini(&c->layer);
        pt_free(&pt_malloc_allocator, c);
        return st;
    }
    c->layer.real = *plugin;
    c->layer.t    = *t;
    c->layer.next = *layers;
    *layers       = &c->layer;
    *plugin       = &c->layer.plugin;
    *t            = (patio_transport *)(void *)c;
    return PATIO_OK;
}
