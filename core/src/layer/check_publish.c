/* Publishes: each has its outcome, once. */
#include "base/error.h"
#include "layer/check_inside.h"

static bool wants_receipt(const patio_message *m)
{
    return (m->flags & PATIO_MESSAGE_NO_RECEIPT) == 0;
}

/* false: out of memory. */
static bool count_publish(pt_check *c, const patio_message *m, int64_t by)
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
    return open != NULL;
}

static patio_status check_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    pt_check *c = pt_check_of(t);
    pt_check_enter(c, "publish");
    if (m->body == NULL || m->queue == NULL || m->task == NULL || m->attempt == 0) {
        REPORT(c, "the host publishes a message without queue, task, body or attempt");
    }
    /* counted now, for its outcome may come before it returns */
    if (wants_receipt(m) && !count_publish(c, m, 1)) {
        return pt_fail(err, PATIO_NO_MEMORY, "check", "publish: out of memory");
    }
    /* as it was before: one that is taken in time may return late, with all stopped meanwhile */
    bool              stopped = atomic_load(&c->stopped);
    patio_status      st      = BELOW(c).publish(c->layer.t, m, err);
    const patio_host *h       = c->layer.host;
    if (st == PATIO_OK && h->buf_view(h->self, m->body).size > c->max_body_bytes) {
        REPORT(c, "a body larger than max_body_bytes was taken");
    }
    if (st == PATIO_OK && stopped) {
        REPORT(c, "a publish after \"stop\" was taken");
    }
    if (st != PATIO_OK && wants_receipt(m)) {
        (void)count_publish(c, m, -1);
    }
    return pt_check_leave(c, "publish", st, err);
}

static void check_published(void *self, const patio_receipt *r)
{
    pt_check *c = self;
    pt_check_event(c, "published");
    if (r->outcome < PATIO_ACCEPTED || r->outcome > PATIO_UNKNOWN) {
        REPORT(c, "published with outcome %u", r->outcome);
    } else if (r->outcome >= PATIO_REJECTED) {
        pt_check_why(c, "published", r->error);
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

void pt_check_watch_publish(pt_check *c)
{
    c->layer.plugin.ops.publish = check_publish;
    c->layer.down.published     = check_published;
}
