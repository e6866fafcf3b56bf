/* What comes later. */
#include "base/error.h"
#include "layer/fault_inside.h"

static bool unlink_held(pt_fault *f, const pt_held *h)
{
    pt_held **at = &f->first;
    while (*at != NULL && *at != h) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return false;
    }
    *at = h->next;
    return true;
}

void pt_held_free(pt_held *h)
{
    const patio_host *host = h->f->layer.host;
    if (h->kind == HELD_DELIVERY) {
        host->buf_drop(host->self, h->message.body);
    } else if (h->kind == HELD_REPLY) {
        host->buf_drop(host->self, h->reply.body);
    }
    pt_free(h->f->layer.mem, h);
}

static void do_held(pt_held *h)
{
    pt_fault   *f   = h->f;
    patio_error why = PATIO_ERROR_INIT;
    switch (h->kind) {
    case HELD_DELIVERY:
        pt_fault_raise(f, &h->delivery);
        break;
    case HELD_REPLY:
        pt_fault_up(f)->replied(pt_fault_up(f)->self, &h->reply);
        break;
    case HELD_RECEIPT:
        pt_fault_say(&why, "the link was lost before the task was accepted (fault+, drop)");
        h->receipt.error = &why;
        pt_fault_up(f)->published(pt_fault_up(f)->self, &h->receipt);
        break;
    case HELD_RETURN:
        pthread_mutex_lock(&f->lock);
        (void)pt_idmap_remove(&f->tags, h->tag);
        pthread_mutex_unlock(&f->lock);
        pt_fault_give_back(f, h->tag);
        break;
    case HELD_FAILED:
        pt_fault_say(&why, "the settlement was lost on its way (fault+, dup)");
        pt_fault_up(f)->settle_failed(pt_fault_up(f)->self, h->tag, &why);
        break;
    default:
        break;
    }
}

static void fire(void *arg)
{
    pt_held  *h = arg;
    pt_fault *f = h->f;
    pthread_mutex_lock(&f->lock);
    bool mine = unlink_held(f, h);
    f->firing += mine ? 1 : 0;
    pthread_mutex_unlock(&f->lock);
    if (mine) {
        do_held(h);
        pt_held_free(h);
        pthread_mutex_lock(&f->lock);
        f->firing--;
        pthread_cond_broadcast(&f->idle);
        pthread_mutex_unlock(&f->lock);
    }
}

pt_held *pt_held_new(pt_fault *f, enum pt_held_kind kind, size_t names)
{
    pt_held *h = pt_calloc(f->layer.mem, 1, sizeof(*h) + names);
    if (h != NULL) {
        h->f    = f;
        h->kind = kind;
    }
    return h;
}

/* Let it come later; without memory for that it comes now, if it may (not inside of a call). */
bool pt_held_later(pt_fault *f, pt_held *h, uint64_t late_ns)
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

/* What is held when it ends: receipts are told, the rest is the transport's again. */
void pt_held_flush(pt_fault *f)
{
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    while (f->first != NULL) {
        pt_held *h = f->first;
        f->first   = h->next;
        pthread_mutex_unlock(&f->lock);
        if (h->kind == HELD_RECEIPT || h->kind == HELD_REPLY || h->kind == HELD_FAILED) {
            do_held(h);
        }
        (void)f->layer.host->cancel(f->layer.host->self, h->timer);
        pt_held_free(h);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
}
