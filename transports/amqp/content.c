/* Messages that are read: a method, a header, and a body in pieces. */
#include "transport.h"

static void drop(patio_transport *t, inbound *in)
{
    t->host->buf_drop(t->host->self, in->body);
    t->host->buf_drop(t->host->self, in->cause);
    in->body  = NULL;
    in->cause = NULL;
    in->data  = NULL;
    in->kind  = IN_NOTHING;
}

void content_reset(connection *c)
{
    for (int i = 0; i < CHANNELS; i++) {
        drop(c->t, &c->in[i]);
    }
}

void content_method(connection *c, uint16_t channel, const amqp_method_t *m)
{
    inbound *in = &c->in[channel];
    if (in->kind != IN_NOTHING) {
        link_fail(c, PATIO_PROTOCOL, "%s began a message within another", c->shown);
        return;
    }
    in->has_header = in->skip = in->redelivered = false;
    in->size = in->got = 0;
    in->number         = 0;
    in->consumer       = 0;
    if (m->id == AMQP_BASIC_DELIVER_METHOD) {
        const amqp_basic_deliver_t *d = m->decoded;
        in->kind                      = IN_DELIVERY;
        in->number                    = d->delivery_tag;
        in->redelivered               = d->redelivered != 0;
        in->consumer                  = subscribe_number(d->consumer_tag);
        in->key[0]                    = '\0';
    } else if (m->id == AMQP_BASIC_GET_OK_METHOD) {
        in->kind   = IN_DELIVERY;
        in->number = ((const amqp_basic_get_ok_t *)m->decoded)->delivery_tag;
    } else {
        const amqp_basic_return_t *r = m->decoded;
        in->kind                     = IN_RETURN;
        in->reply_code               = r->reply_code;
        wire_copy(in->key, sizeof(in->key), r->routing_key);
    }
}

static void complete(connection *c, uint16_t channel, inbound *in)
{
    patio_transport *t = c->t;
    if (in->kind == IN_RETURN) {
        confirm_returned(t, in);
    } else if (c->role == CONSUMING && channel == CH_TASKS) {
        deliver_task(t, in);
    } else if (c->role == CONSUMING && channel == CH_BROWSE) {
        browse_message(t, in);
    } else {
        deliver_inbox(t, in);
    }
    drop(t, in);
}

void content_header(connection *c, uint16_t channel, const amqp_frame_t *f)
{
    patio_transport *t  = c->t;
    inbound         *in = &c->in[channel < CHANNELS ? channel : 0];
    if (channel >= CHANNELS || in->kind == IN_NOTHING || in->has_header ||
        f->payload.properties.class_id != AMQP_BASIC_CLASS) {
        link_fail(c, PATIO_PROTOCOL, "%s sent a content header out of place", c->shown);
        return;
    }
    in->has_header = true;
    in->size       = f->payload.properties.body_size;
    props_read(&in->props, f->payload.properties.decoded);
    if (channel == CH_BROWSE) {
        in->cause = cause_read(t, in, f->payload.properties.decoded);
    }
    /* a returned message is known by its id; replies have no limit but the
     * frame's */
    in->skip = in->kind == IN_RETURN || in->size > t->max_body_bytes;
    if (!in->skip) {
        in->body = t->host->buf_new(t->host->self, (size_t)in->size, &in->data);
        in->skip = in->body == NULL;
    }
    if (in->size == 0) {
        complete(c, channel, in);
    }
}

void content_body(connection *c, uint16_t channel, const amqp_frame_t *f)
{
    inbound     *in    = &c->in[channel < CHANNELS ? channel : 0];
    amqp_bytes_t piece = f->payload.body_fragment;
    if (channel >= CHANNELS || in->kind == IN_NOTHING || !in->has_header ||
        piece.len > in->size - in->got) {
        link_fail(c, PATIO_PROTOCOL, "%s sent a piece of a body out of place", c->shown);
        return;
    }
    if (!in->skip && piece.len > 0) {
        memcpy(in->data + in->got, piece.bytes, piece.len);
    }
    in->got += piece.len;
    if (in->got == in->size) {
        complete(c, channel, in);
    }
}
