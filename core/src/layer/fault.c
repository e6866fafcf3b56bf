#include "base/error.h"
#include "layer/fault_inside.h"

static uint64_t now_ns(const pt_fault *f)
{
    return f->layer.host->now_ns(f->layer.host->self);
}

/* Operation by operation, the same for the same seed: splitmix64 of a counter. */
static uint64_t random_of(pt_fault *f)
{
    uint64_t x = f->set.seed + ++f->operations * UINT64_C(0x9E3779B97F4A7C15);
    x          = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x          = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* Under the lock. */
bool pt_fault_happens(pt_fault *f, double part)
{
    return part > 0 && (double)(random_of(f) >> 11) * 0x1p-53 < part;
}

/* Under the lock: how much later something comes. */
uint64_t pt_fault_lateness_ns(pt_fault *f, bool overtaken)
{
    uint64_t late = f->set.delay_ms > 0 ? random_of(f) % (f->set.delay_ms * 1000000 + 1) : 0;
    uint64_t now  = now_ns(f);
    if (f->set.stall_ms > 0 && pt_fault_happens(f, f->set.stall)) {
        f->stall_until_ns = now + f->set.stall_ms * 1000000;
    }
    if (overtaken) {
        late += random_of(f) % 20000000 + 1;
    }
    return f->stall_until_ns > now ? late + (f->stall_until_ns - now) : late;
}

void pt_fault_say(patio_error *why, const char *text)
{
    (void)pt_fail(why, PATIO_PEER_LOST, "fault", "%s", text);
}

/* ---- what the broker calls ---- */

static pt_fault *fault_of(patio_transport *t)
{
    return (pt_fault *)(void *)t;
}

static bool lose_publish(pt_fault *f, const patio_message *m)
{
    pt_held *h = pt_held_new(f, HELD_RECEIPT, 0);
    if (h == NULL) {
        return false;
    }
    h->receipt = (patio_receipt){PATIO_SIZED(patio_receipt), .outcome = PATIO_UNKNOWN, .id = m->id};
    if (!pt_held_later(f, h, 1000000)) {
        pt_held_free(h);
        return false;
    }
    return true;
}

static patio_status fault_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    pt_fault *f = fault_of(t);
    pthread_mutex_lock(&f->lock);
    bool open = !f->stopping;
    bool lost = open && pt_fault_happens(f, f->set.drop);
    bool cut  = open && pt_fault_happens(f, f->set.cut);
    pthread_mutex_unlock(&f->lock);
    if (cut) {
        pt_fault_cut(f);
    }
    if (lost && lose_publish(f, m)) {
        return PATIO_OK;
    }
    return f->layer.real->ops.publish(f->layer.t, m, err);
}

/* Is it one of ours, and does its settlement get lost? STALE for what was lost. */
static patio_status look_up(pt_fault *f, patio_tag tag, const patio_settlement *s, bool *lose)
{
    pthread_mutex_lock(&f->lock);
    uint64_t    *state = pt_idmap_find(&f->tags, tag);
    patio_status st =
        state != NULL && (*state & (TAG_HELD | TAG_LOST)) == 0 ? PATIO_OK : PATIO_STALE;
    *lose = st == PATIO_OK && !f->stopping && s->verdict == PATIO_ACK &&
            (*state & TAG_CLAIMED) == 0 && pt_fault_happens(f, f->set.dup);
    pthread_mutex_unlock(&f->lock);
    return st;
}

static void note_settled(pt_fault *f, patio_tag tag, bool claim)
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

static patio_status lose_settlement(pt_fault *f, patio_tag tag, patio_error *err)
{
    pt_held *h = pt_held_new(f, HELD_FAILED, 0);
    if (h == NULL) {
        return pt_no_memory(err, "fault");
    }
    patio_settlement s  = {PATIO_SIZED(patio_settlement), .verdict = PATIO_RETURN};
    patio_status     st = f->layer.real->ops.settle(f->layer.t, tag, &s, err);
    h->tag              = tag;
    if (st != PATIO_OK) {
        pt_held_free(h);
        return st;
    }
    note_settled(f, tag, false);
    if (!pt_held_later(f, h, 1000000)) {
        pt_held_free(h);
    }
    return PATIO_OK;
}

static patio_status fault_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                                 patio_error *err)
{
    pt_fault    *f    = fault_of(t);
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
    pt_fault *f = self;
    pthread_mutex_lock(&f->lock);
    uint64_t late = (r->flags & PATIO_REPLY_PARTIAL) != 0 ? 0 : pt_fault_lateness_ns(f, false);
    pthread_mutex_unlock(&f->lock);
    pt_held *h = late > 0 ? pt_held_new(f, HELD_REPLY, 0) : NULL;
    if (h != NULL) {
        h->reply      = *r;
        h->reply.body = f->layer.host->buf_ref(f->layer.host->self, r->body);
        if (pt_held_later(f, h, late)) {
            return;
        }
        pt_held_free(h);
    }
    pt_fault_up(f)->replied(pt_fault_up(f)->self, r);
}

static patio_status fault_stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    pt_fault *f = fault_of(t);
    pt_held_flush(f);
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
    pt_fault *f = (pt_fault *)(void *)layer;
    pt_idmap_fini(&f->tags);
    pthread_cond_destroy(&f->idle);
    pthread_mutex_destroy(&f->lock);
}

static void replace_slots(pt_fault *f)
{
    f->layer.fini               = fini;
    f->layer.plugin.ops.publish = fault_publish;
    f->layer.plugin.ops.settle  = fault_settle;
    f->layer.plugin.ops.stop    = fault_stop;
    f->layer.down.replied       = fault_replied;
}

patio_status pt_fault_transport(const patio_allocator *mem, const pt_transport_plugin **plugin,
                                const patio_host *host, const patio_transport_params *params,
                                const pt_setting *settings, size_t count, pt_layer **layers,
                                patio_transport **out, patio_error *err)
{
    pt_fault *f = pt_calloc(mem, 1, sizeof(*f));
    if (f == NULL) {
        return pt_no_memory(err, "fault");
    }
    pt_layer_init(&f->layer, mem, *plugin, host, params->events);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->idle, NULL);
    f->tags.mem = mem;
    replace_slots(f);
    pt_fault_deliver(f);
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
