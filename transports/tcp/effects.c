#include "tcp.h"

void effects_begin(effects *fx, patio_transport *t)
{
    fx->t     = t;
    fx->flush = NULL;
    fx->count = 0;
    fx->again = false;
    fx->loop  = turn_is_mine(&t->turn);
    fx->polls = false;
    fx->now   = t->host->now_ns(t->host->self);
    pthread_mutex_lock(&t->lock);
}

bool effects_room(const effects *fx)
{
    return fx->count + EFFECTS_SPARE < EFFECTS_MAX;
}

effect *effects_add(effects *fx, enum effect_kind kind)
{
    effect *x = &fx->items[fx->count++];
    x->kind   = kind;
    x->status = PATIO_OK;
    x->times  = 1;
    x->body   = NULL;
    x->text   = NULL;
    return x;
}

static void raise_receipt(patio_transport *t, const effect *x)
{
    patio_error   why     = PATIO_ERROR_INIT;
    patio_receipt receipt = {
        PATIO_SIZED(patio_receipt),
        .outcome  = x->kind == EFFECT_ACCEPTED    ? PATIO_ACCEPTED
                    : x->kind == EFFECT_DUPLICATE ? PATIO_DUPLICATE
                    : x->kind == EFFECT_REJECTED  ? PATIO_REJECTED
                                                  : PATIO_UNKNOWN,
        .id       = x->id,
        .level    = PATIO_LEVEL_PROCESS,
        .original = x->kind == EFFECT_DUPLICATE ? x->original : (patio_id){{0}},
    };
    if (x->kind != EFFECT_ACCEPTED && x->kind != EFFECT_DUPLICATE) {
        (void)patio_fail(&why, x->status, 0, "%s", x->text);
        receipt.error = &why;
    }
    t->events->published(t->events->self, &receipt);
}

/* All who waited for the result of somebody else's task with the same dedup key. */
static void raise_attached(patio_transport *t, const effect *x)
{
    for (attached *a = x->waiting; a != NULL;) {
        attached *next = a->next;
        effect    one = {.kind = EFFECT_UNKNOWN, .status = x->status, .id = a->id, .text = x->text};
        if (x->body != NULL) {
            patio_reply reply = {PATIO_SIZED(patio_reply), .id = a->id, .body = x->body};
            t->events->replied(t->events->self, &reply);
        } else if (a->quiet) {
            raise_receipt(t, &one);
        }
        t->host->free(t->host->self, a);
        a = next;
    }
}

/* An error is a KiB of memory, which what goes well should not pay for. */
static void raise_lease_lost(patio_transport *t, const effect *x)
{
    patio_error why = PATIO_ERROR_INIT;
    (void)patio_fail(&why, PATIO_PEER_LOST, 0, "%s", x->text);
    t->events->lease_lost(t->events->self, x->tag, &why);
}

static void raise_one(patio_transport *t, effect *x)
{
    const patio_transport_events *ev = t->events;
    patio_reply                   reply;
    switch (x->kind) {
    case EFFECT_DELIVERED:
        x->delivery.message = &x->message;
        ev->delivered(ev->self, &x->delivery);
        break;
    case EFFECT_REPLIED:
    case EFFECT_PARTIAL:
        reply = (patio_reply){
            PATIO_SIZED(patio_reply),
            .flags = x->kind == EFFECT_PARTIAL ? PATIO_REPLY_PARTIAL : 0u,
            .id    = x->id,
            .body  = x->body,
        };
        ev->replied(ev->self, &reply);
        break;
    case EFFECT_LEASE_LOST:
        raise_lease_lost(t, x);
        break;
    case EFFECT_CANCEL_WANTED:
        ev->cancel_wanted(ev->self, x->tag);
        break;
    case EFFECT_CANCELLED:
        for (uint32_t i = 0; i < x->times; i++) {
            ev->cancelled(ev->self, &x->id, (uint32_t)x->status);
        }
        break;
    case EFFECT_ATTACHED:
        raise_attached(t, x);
        break;
    default:
        raise_receipt(t, x);
        break;
    }
    t->host->buf_drop(t->host->self, x->body);
}

void effects_release(patio_transport *t)
{
    /* When stop() does not wait, or this is not the last, it may stop and be freed from here on. */
    if (atomic_fetch_sub_explicit(&t->calls, 1, memory_order_seq_cst) == CALLS_AWAITED + 1) {
        pthread_mutex_lock(&t->lock);
        t->idled = true;
        pthread_cond_broadcast(&t->calm);
        pthread_mutex_unlock(&t->lock);
    }
}

/* Open the lock and do what was collected; what is on its way to a peer goes first. */
static void carry_out(effects *fx)
{
    patio_transport *t = fx->t;
    if (fx->flush != NULL) {
        write_flush(fx->flush, fx->now);
        fx->flush = NULL;
    } else {
        pthread_mutex_unlock(&t->lock);
    }
    for (uint32_t i = 0; i < fx->count; i++) {
        raise_one(t, &fx->items[i]);
    }
    fx->count = 0;
}

void effects_pass(effects *fx)
{
    carry_out(fx);
    pthread_mutex_lock(&fx->t->lock);
}

void effects_aside(effects *fx, void (*run)(void *arg), void *arg)
{
    carry_out(fx);
    run(arg);
    pthread_mutex_lock(&fx->t->lock);
}

void effects_end(effects *fx)
{
    patio_transport *t = fx->t;
    if (fx->count == 0 && fx->flush == NULL && !fx->again) {
        pthread_mutex_unlock(&t->lock);
        return;
    }
    if (!fx->loop) { /* else the end of the loop is waited for */
        atomic_fetch_add_explicit(&t->calls, 1, memory_order_relaxed);
    }
    carry_out(fx);
    while (fx->again) {
        fx->again = false;
        pthread_mutex_lock(&t->lock);
        route_fill_all(t, fx);
        carry_out(fx);
    }
    if (!fx->loop) {
        effects_release(t);
    }
}
