#include "layer/layer.h"

#define BELOW(t) pt_layer_of(t)->real->ops
#define INST(t)  pt_layer_of(t)->t

/* ---- down: what the broker calls ---- */

static patio_status pass_start(patio_transport *t, patio_error *err)
{
    return BELOW(t).start(INST(t), err);
}

static patio_status pass_stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    return BELOW(t).stop(INST(t), grace_ms, err);
}

static void pass_destroy(patio_transport *t)
{
    if (t != NULL) {
        BELOW(t).destroy(INST(t));
        INST(t) = NULL;
    }
}

static patio_status pass_publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    return BELOW(t).publish(INST(t), m, err);
}

static patio_status pass_subscribe(patio_transport *t, const patio_subscription *s,
                                   patio_error *err)
{
    return BELOW(t).subscribe(INST(t), s, err);
}

static patio_status pass_unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    return BELOW(t).unsubscribe(INST(t), queue, err);
}

static patio_status pass_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                                patio_error *err)
{
    return BELOW(t).settle(INST(t), tag, s, err);
}

static patio_status pass_started(patio_transport *t, patio_tag tag, patio_error *err)
{
    return BELOW(t).started(INST(t), tag, err);
}

static patio_status pass_notify(patio_transport *t, patio_tag tag, patio_buf *body,
                                patio_error *err)
{
    return BELOW(t).notify(INST(t), tag, body, err);
}

static patio_status pass_cancel(patio_transport *t, const char *queue, const patio_id *id,
                                patio_error *err)
{
    return BELOW(t).cancel(INST(t), queue, id, err);
}

static patio_status pass_counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                                patio_counts *out, patio_error *err)
{
    return BELOW(t).counts(INST(t), queue, timeout_ms, out, err);
}

/* ---- up: what the plugin raises ---- */

static const patio_transport_events *up(void *self)
{
    return ((pt_layer *)self)->up;
}

static void pass_delivered(void *self, const patio_delivery *d)
{
    up(self)->delivered(up(self)->self, d);
}

static void pass_replied(void *self, const patio_reply *r)
{
    up(self)->replied(up(self)->self, r);
}

static void pass_published(void *self, const patio_receipt *r)
{
    up(self)->published(up(self)->self, r);
}

static void pass_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    up(self)->lease_lost(up(self)->self, tag, why);
}

static void pass_settle_failed(void *self, patio_tag tag, const patio_error *why)
{
    up(self)->settle_failed(up(self)->self, tag, why);
}

static void pass_cancel_wanted(void *self, patio_tag tag)
{
    up(self)->cancel_wanted(up(self)->self, tag);
}

static void pass_cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    up(self)->cancelled(up(self)->self, id, outcome);
}

static void pass_link(void *self, uint32_t state, const patio_error *why)
{
    up(self)->link(up(self)->self, state, why);
}

void pt_layer_init(pt_layer *layer, const patio_allocator *mem, const pt_transport_plugin *real,
                   const patio_host *host, const patio_transport_events *events)
{
    layer->mem    = mem;
    layer->real   = real;
    layer->host   = host;
    layer->up     = events;
    layer->plugin = (pt_transport_plugin){
        .identity = real->identity,
        .path     = real->path,
        .ops =
            {
                PATIO_SIZED(patio_transport_ops),
                .caps        = real->ops.caps,
                .options     = real->ops.options,
                .schemes     = real->ops.schemes,
                .create      = real->ops.create, /* never called: there is an instance */
                .start       = pass_start,
                .stop        = pass_stop,
                .destroy     = pass_destroy,
                .publish     = pass_publish,
                .subscribe   = pass_subscribe,
                .unsubscribe = pass_unsubscribe,
                .settle      = pass_settle,
                .started     = pass_started,
                .notify      = pass_notify,
                .cancel      = pass_cancel,
                .counts      = pass_counts,
                .query       = pt_layer_query,
            },
    };
    layer->down = (patio_transport_events){
        PATIO_SIZED(patio_transport_events), .self = layer,
        .delivered = pass_delivered,         .replied = pass_replied,
        .published = pass_published,         .lease_lost = pass_lease_lost,
        .settle_failed = pass_settle_failed, .cancel_wanted = pass_cancel_wanted,
        .cancelled = pass_cancelled,         .link = pass_link,
    };
}

patio_status pt_layer_create(pt_layer *layer, const patio_transport_params *params,
                             patio_error *err)
{
    patio_transport_params mine = *params;
    mine.events                 = &layer->down;
    return layer->real->ops.create(layer->host, &mine, &layer->t, err);
}

void pt_layers_free(pt_layer *first)
{
    while (first != NULL) {
        pt_layer *next = first->next;
        if (first->fini != NULL) {
            first->fini(first);
        }
        pt_free(first->mem, first);
        first = next;
    }
}
