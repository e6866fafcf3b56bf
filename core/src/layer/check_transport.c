/* A transport under observation. It keeps what is open: publishes without an outcome, deliveries
 * without a settlement, cancels without an answer, credit per queue. Memory grows with what is
 * open, and a short memory of what was closed tells "twice" from "never". */
#include <inttypes.h>

#include "base/error.h"
#include "layer/check_inside.h"

static _Thread_local const pt_check *delivering;

const pt_check *pt_check_delivering(const pt_check *c)
{
    const pt_check *outer = delivering;
    delivering            = c;
    return outer;
}
void pt_check_enter(pt_check *c, const char *slot)
{
    if (delivering == c) {
        REPORT(c, "the host calls \"%s\" inside \"delivered\"", slot);
    }
}

void pt_check_enter_control(pt_check *c, const char *slot)
{
    pt_check_enter(c, slot);
    if (atomic_fetch_add(&c->control, 1) != 0) {
        REPORT(c, "two control calls at once, one is \"%s\"", slot);
    }
}

patio_status pt_check_leave(pt_check *c, const char *slot, patio_status st, const patio_error *err)
{
    if (st != PATIO_OK && err != NULL && (err->status != st || err->message[0] == '\0')) {
        REPORT(c, "\"%s\" returned %d and an error that says %d, \"%.100s\"", slot, st, err->status,
               err->message);
    }
    return st;
}

patio_status pt_check_leave_control(pt_check *c, const char *slot, patio_status st,
                                    const patio_error *err)
{
    atomic_fetch_sub(&c->control, 1);
    return pt_check_leave(c, slot, st, err);
}

void pt_check_event(pt_check *c, const char *name)
{
    if (atomic_load(&c->stopped)) {
        REPORT(c, "\"%s\" was raised after \"stop\" had returned", name);
    }
}

void pt_check_why(pt_check *c, const char *name, const patio_error *why)
{
    if (why == NULL || why->status == PATIO_OK || why->message[0] == '\0') {
        REPORT(c, "\"%s\" without an error that says why", name);
    }
}

/* ---- life ---- */

static patio_status check_start(patio_transport *t, patio_error *err)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter_control(c, "start");
    if (atomic_exchange(&c->started, true)) {
        REPORT(c, "the host starts twice");
    }
    return pt_check_leave_control(c, "start", BELOW(c).start(c->layer.t, err), err);
}

static patio_status check_stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter_control(c, "stop");
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
    return pt_check_leave_control(c, "stop", st, err);
}

static void check_destroy(patio_transport *t)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter_control(c, "destroy");
    if (atomic_load(&c->started) && !atomic_load(&c->stopped)) {
        REPORT(c, "the host destroys what it has not stopped");
    }
    BELOW(c).destroy(c->layer.t);
    if (c->early > 0) {
        REPORT(c, "\"lease_lost\" or \"cancel_wanted\" for %u tags that were never delivered",
               c->early);
    }
    c->layer.t = NULL;
    atomic_fetch_sub(&c->control, 1);
}

/* ---- the rest ---- */

static void check_replied(void *self, const patio_reply *r)
{
    pt_check *c = self;
    pt_check_event(c, "replied");
    if (r->body == NULL) {
        REPORT(c, "a reply without a body");
        return;
    }
    c->layer.up->replied(c->layer.up->self, r);
}

static patio_status check_started(patio_transport *t, patio_tag tag, patio_error *err)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter(c, "started");
    return pt_check_leave(c, "started", BELOW(c).started(c->layer.t, tag, err), err);
}

static patio_status check_notify(patio_transport *t, patio_tag tag, patio_buf *body,
                                 patio_error *err)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter(c, "notify");
    return pt_check_leave(c, "notify", BELOW(c).notify(c->layer.t, tag, body, err), err);
}

static void count_cancel(pt_check *c, bool more)
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
    pt_check *c = pt_check_of(t);
    pt_check_enter(c, "cancel");
    count_cancel(c, true);
    patio_status st = BELOW(c).cancel(c->layer.t, queue, id, err);
    if (st != PATIO_OK) {
        count_cancel(c, false);
    }
    return pt_check_leave(c, "cancel", st, err);
}

static void check_cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    pt_check *c = self;
    pt_check_event(c, "cancelled");
    count_cancel(c, false);
    if (outcome < PATIO_CANCEL_REMOVED || outcome > PATIO_CANCEL_TOO_LATE) {
        REPORT(c, "cancelled with outcome %u", outcome);
    }
    c->layer.up->cancelled(c->layer.up->self, id, outcome);
}

static void check_link(void *self, uint32_t state, const patio_error *why)
{
    pt_check *c = self;
    pt_check_event(c, "link");
    if (state < PATIO_LINK_CONNECTING || state > PATIO_LINK_DOWN) {
        REPORT(c, "link state %u", state);
    }
    if (state == PATIO_LINK_BLOCKED || state == PATIO_LINK_DOWN) {
        pt_check_why(c, "link", why);
    }
    c->layer.up->link(c->layer.up->self, state, why);
}

static void fini(pt_layer *layer)
{
    pt_check *c = (pt_check *)(void *)layer;
    pt_idmap_fini(&c->publishes);
    pt_idmap_fini(&c->tags);
    pthread_mutex_destroy(&c->lock);
}

static void replace_slots(pt_check *c)
{
    patio_transport_ops    *ops  = &c->layer.plugin.ops;
    patio_transport_events *down = &c->layer.down;
    ops->start                   = check_start;
    ops->stop                    = check_stop;
    ops->destroy                 = check_destroy;
    ops->started                 = check_started;
    ops->notify                  = check_notify;
    ops->cancel                  = check_cancel;
    down->replied                = check_replied;
    down->cancelled              = check_cancelled;
    down->link                   = check_link;
}

patio_status pt_check_transport(const patio_host *host, const patio_transport_params *params,
                                pt_check_make_fn make, void *arg,
                                const pt_transport_plugin **plugin, patio_transport **t,
                                pt_layer **layers, patio_error *err)
{
    pt_check *c =
        pt_calloc(&pt_malloc_allocator, 1, sizeof(*c)); /* not the one that tests let fail */
    if (c == NULL) {
        return pt_no_memory(err, "check");
    }
    pt_layer_init(&c->layer, &pt_malloc_allocator, *plugin, host, params->events);
    replace_slots(c);
    pt_check_watch_publish(c);
    pt_check_watch_deliver(c);
    c->layer.fini     = fini;
    c->mode           = pt_check_mode();
    c->publishes.mem  = &pt_malloc_allocator;
    c->tags.mem       = &pt_malloc_allocator;
    c->max_body_bytes = params->max_body_bytes;
    (void)pthread_mutex_init(&c->lock, NULL);
    patio_transport_params mine = *params;
    mine.events                 = &c->layer.down;
    patio_status st             = make(arg, host, &mine, err);
    if (pt_check_leave(c, "create", st, err) != PATIO_OK) {
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
