/* Frames: what each method means, and who goes on with it. */
#include "transport.h"

static void text_of(char *out, size_t size, amqp_bytes_t text)
{
    wire_copy(out, size, text);
    for (char *at = out; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ') {
            *at = ' ';
        }
    }
}

/* What a broker's number means to a user. */
static patio_status status_of(uint16_t code)
{
    switch (code) {
    case AMQP_ACCESS_REFUSED:
    case AMQP_NOT_ALLOWED:
        return PATIO_AUTH;
    case AMQP_CONNECTION_FORCED:
        return PATIO_PEER_LOST;
    default:
        return PATIO_PROTOCOL;
    }
}

static void connection_closed(connection *c, const amqp_connection_close_t *close)
{
    patio_transport *t = c->t;
    char             text[300];
    text_of(text, sizeof(text), close->reply_text);
    amqp_connection_close_ok_t ok = {.dummy = 0};
    pthread_mutex_lock(&t->lock);
    (void)wire_method(c, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    socket_flush(c);
    pthread_mutex_unlock(&t->lock);
    if (c->state < LINK_READY && status_of(close->reply_code) == PATIO_AUTH) {
        link_fail(c, PATIO_AUTH, "log in to %s as \"%s\" on vhost \"%s\": refused: %s", c->shown,
                  t->set.user, t->set.vhost, text);
        return;
    }
    /* a right that was taken away is looked at again by the next login, which
     * says so for good */
    link_fail(c, PATIO_PEER_LOST, "%s closed the connection: %u %s", c->shown, close->reply_code,
              text);
}

/* A channel that the broker has closed is answered at once: until then it keeps
 * what we hold. */
static void channel_closed(connection *c, uint16_t channel, const amqp_channel_close_t *close)
{
    patio_transport *t = c->t;
    char             text[256];
    text_of(text, sizeof(text), close->reply_text);
    if (channel == 0 || channel >= CHANNELS) {
        link_fail(c, PATIO_PROTOCOL, "%s closed channel %u, which there is not", c->shown, channel);
        return;
    }
    amqp_channel_close_ok_t ok = {.dummy = 0};
    pthread_mutex_lock(&t->lock);
    c->channel_open[channel] = false;
    (void)wire_method(c, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    bool reopen = c->role == CONSUMING && channel != CH_INBOX && channel != CH_BROWSE;
    if (c->role == CONSUMING && channel == CH_BROWSE) {
        t->browse_opening = false;
        browse_failed(t, PATIO_PROTOCOL, text);
        socket_flush(c);
        pthread_mutex_unlock(&t->lock);
        return;
    }
    if (reopen) {
        if (channel == CH_TASKS) {
            subscribe_refused(t, close->reply_code, text);
        }
        login_open_channel(c, channel);
        /* the next question may follow at once: they are taken in order */
        c->channel_open[channel] = channel == CH_TOPOLOGY;
    }
    socket_flush(c);
    pthread_mutex_unlock(&t->lock);
    if (!reopen) {
        link_fail(c, status_of(close->reply_code), "%s closed the %s channel: %u %s", c->shown,
                  c->role == PUBLISHING ? "publishing" : "inbox", close->reply_code, text);
    } else if (channel == CH_TOPOLOGY) {
        rpc_channel_closed(t, close->reply_code, text);
    } else {
        char why[360];
        (void)snprintf(why, sizeof(why), "the broker took the deliveries back: %u %s",
                       close->reply_code, text);
        patio_host_log(t->host, PATIO_LOG_WARN, "%s: %s", c->shown, why);
        renew_learn(t, text);
        deliver_lost(t, why);
    }
}

static void blocked(connection *c, bool on, amqp_bytes_t reason)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    c->blocked = on;
    if (on && t->fatal == PATIO_OK) {
        char text[200];
        text_of(text, sizeof(text), reason);
        (void)snprintf(t->why, sizeof(t->why), "%s accepts nothing for now: %s", c->shown, text);
    }
    pthread_mutex_unlock(&t->lock);
}

static void on_connection(connection *c, const amqp_method_t *m)
{
    switch (m->id) {
    case AMQP_CONNECTION_CLOSE_METHOD:
        connection_closed(c, m->decoded);
        return;
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
        link_fail(c, PATIO_CLOSED, "closed");
        return;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        blocked(c, true, ((const amqp_connection_blocked_t *)m->decoded)->reason);
        return;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        blocked(c, false, amqp_empty_bytes);
        return;
    default:
        login_method(c, 0, m);
        return;
    }
}

static void on_publishing(connection *c, uint16_t channel, const amqp_method_t *m)
{
    patio_transport *t = c->t;
    if (m->id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = m->decoded;
        confirm_settled(t, ack->delivery_tag, ack->multiple != 0, true);
    } else if (m->id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = m->decoded;
        confirm_settled(t, nack->delivery_tag, nack->multiple != 0, false);
    } else if (m->id == AMQP_BASIC_RETURN_METHOD || m->id == AMQP_BASIC_DELIVER_METHOD) {
        content_method(c, channel, m);
    } else if (m->id != AMQP_BASIC_CONSUME_OK_METHOD) {
        login_method(c, channel, m);
    }
}

static void on_consuming(connection *c, uint16_t channel, const amqp_method_t *m)
{
    patio_transport *t = c->t;
    switch (m->id) {
    case AMQP_BASIC_DELIVER_METHOD:
    case AMQP_BASIC_GET_OK_METHOD:
        content_method(c, channel, m);
        return;
    case AMQP_BASIC_GET_EMPTY_METHOD:
        browse_empty(t);
        return;
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
        pthread_mutex_lock(&t->lock);
        t->browse_opening = false; /* the only channel that we close */
        t->work           = true;
        pthread_mutex_unlock(&t->lock);
        return;
    case AMQP_BASIC_CONSUME_OK_METHOD:
        if (channel == CH_TASKS) {
            subscribe_ok(t, ((const amqp_basic_consume_ok_t *)m->decoded)->consumer_tag);
        } else if (channel == CH_INBOX) {
            pthread_mutex_lock(&t->lock);
            t->inbox_ready = true;
            t->work        = true;
            pthread_mutex_unlock(&t->lock);
        }
        return;
    case AMQP_BASIC_CANCEL_METHOD:
        if (channel == CH_TASKS) {
            subscribe_cancelled(t, ((const amqp_basic_cancel_t *)m->decoded)->consumer_tag);
        } else if (!t->removing) {
            link_fail(c, PATIO_PEER_LOST, "the queue %s was deleted", t->inbox);
        }
        return;
    case AMQP_BASIC_QOS_OK_METHOD:
        return;
    case AMQP_BASIC_CANCEL_OK_METHOD:
        if (channel == CH_TASKS) {
            subscribe_cancel_ok(t, ((const amqp_basic_cancel_ok_t *)m->decoded)->consumer_tag);
        }
        return;
    case AMQP_CHANNEL_OPEN_OK_METHOD:
        login_method(c, channel, m);
        return;
    default:
        if (channel == CH_TOPOLOGY) {
            rpc_method(t, m);
        } else {
            login_method(c, channel, m);
        }
        return;
    }
}

static void on_method(connection *c, uint16_t channel, const amqp_method_t *m)
{
    if (channel == 0) {
        on_connection(c, m);
    } else if (m->id == AMQP_CHANNEL_CLOSE_METHOD) {
        channel_closed(c, channel, m->decoded);
    } else if (channel >= CHANNELS) {
        link_fail(c, PATIO_PROTOCOL, "%s speaks on channel %u, which there is not", c->shown,
                  channel);
    } else if (c->role == PUBLISHING) {
        on_publishing(c, channel, m);
    } else {
        on_consuming(c, channel, m);
    }
}

void input_frame(connection *c, const amqp_frame_t *f)
{
    switch (f->frame_type) {
    case AMQP_FRAME_METHOD:
        on_method(c, f->channel, &f->payload.method);
        return;
    case AMQP_FRAME_HEADER:
        content_header(c, f->channel, f);
        return;
    case AMQP_FRAME_BODY:
        content_body(c, f->channel, f);
        return;
    case AMQP_FRAME_HEARTBEAT:
        return;
    case 'A': /* the library's mark of a protocol header */
        link_fail(c, PATIO_CONFIG, "%s speaks another version of AMQP", c->shown);
        return;
    default:
        link_fail(c, PATIO_PROTOCOL, "%s sent a frame of type %u", c->shown, f->frame_type);
        return;
    }
}
