/* The topology channel: one question at a time, answered or refused. A refusal
 * closes the channel; it is opened again and the next question follows. */
#include "transport.h"

rpc *rpc_new(patio_transport *t, uint32_t kind, const char *name)
{
    rpc *r = t->host->alloc(t->host->self, sizeof(*r));
    if (r != NULL) {
        memset(r, 0, sizeof(*r));
        r->kind = kind;
        (void)snprintf(r->name, sizeof(r->name), "%s", name);
    }
    return r;
}

void rpc_add(patio_transport *t, rpc *r)
{
    r->next     = NULL;
    *t->rpc_end = r;
    t->rpc_end  = &r->next;
    t->work     = true;
    loop_wake(t);
}

void rpc_step(patio_transport *t)
{
    connection *c = &t->links[CONSUMING];
    if (t->rpc_first == NULL || t->rpc_sent || !c->channel_open[CH_TOPOLOGY] ||
        c->state != LINK_READY) {
        return;
    }
    if (question_send(c, t->rpc_first)) {
        t->rpc_sent = true;
        socket_push(c);
    }
}

static void consume_inbox(patio_transport *t)
{
    connection          *c       = &t->links[CONSUMING];
    amqp_basic_qos_t     qos     = {.prefetch_count = 1000};
    amqp_basic_consume_t consume = {.queue        = wire_text(t->inbox),
                                    .consumer_tag = wire_text("patio.inbox")};
    (void)wire_method(c, CH_INBOX, AMQP_BASIC_QOS_METHOD, &qos);
    (void)wire_method(c, CH_INBOX, AMQP_BASIC_CONSUME_METHOD, &consume);
    socket_push(c);
}

/* The inbox, the exchange of the project's processes, its binding, then the
 * consumer. */
static void inbox_next(patio_transport *t, const rpc *r)
{
    char control[NAME_MAX_BYTES];
    CONTROL_NAME(t, control);
    rpc *next = NULL;
    switch (r->kind) {
    case RPC_INBOX:
        next = rpc_new(t, RPC_EXCHANGE, control);
        break;
    case RPC_EXCHANGE:
        next = rpc_new(t, RPC_BIND, t->inbox);
        break;
    default:
        consume_inbox(t);
        return;
    }
    if (next != NULL) {
        rpc_add(t, next);
    }
}

/* Under the lock: what follows from the answer. The question is off the list.
 */
static void finish(patio_transport *t, rpc *r)
{
    if (r->place != NULL && r->status == PATIO_OK) {
        place_ready(t, r->place);
    } else if (r->place != NULL) {
        place_failed(t, r->place, r->status, r->why);
    } else if (r->status == PATIO_OK && r->kind >= RPC_INBOX && r->kind <= RPC_BIND) {
        inbox_next(t, r);
    } else if (r->kind == RPC_INBOX && r->status == PATIO_NOT_FOUND && inbox_move(t)) {
        (void)snprintf(t->why, sizeof(t->why), "%s", r->why);
    } else if (r->kind >= RPC_INBOX && r->kind <= RPC_BIND) {
        state_fatal(t, r->status, "%s", r->why);
    }
    if (r->marked != NULL) {
        queues_marked(t, r);
    }
    if (r->awaited) {
        r->done = true;
        pthread_cond_broadcast(&t->calm);
    } else if (r->cancel != NULL) {
        r->next    = t->decided; /* the event is raised without the lock */
        t->decided = r;
    } else {
        t->host->free(t->host->self, r);
    }
    t->work = true;
}

rpc *rpc_take_first(patio_transport *t)
{
    rpc *r = t->rpc_first;
    if (r != NULL) {
        t->rpc_first = r->next;
        if (r->next == NULL) {
            t->rpc_end = &t->rpc_first;
        }
    }
    t->rpc_sent = false;
    return r;
}

void rpc_method(patio_transport *t, const amqp_method_t *m)
{
    pthread_mutex_lock(&t->lock);
    rpc *r = t->rpc_sent ? rpc_take_first(t) : NULL;
    if (r != NULL) {
        r->status = PATIO_OK;
        if (m->id == AMQP_QUEUE_DECLARE_OK_METHOD) {
            const amqp_queue_declare_ok_t *ok = m->decoded;
            r->messages                       = ok->message_count;
            r->consumers                      = ok->consumer_count;
        } else if (m->id == AMQP_QUEUE_PURGE_OK_METHOD) {
            r->messages = ((const amqp_queue_purge_ok_t *)m->decoded)->message_count;
        }
        finish(t, r);
        rpc_step(t);
    }
    pthread_mutex_unlock(&t->lock);
}

static const char *kind_of(const rpc *r)
{
    return r->kind == RPC_EXCHANGE ? "exchange" : "queue";
}

static const char *attempt_of(const patio_transport *t, const rpc *r)
{
    bool looks =
        r->kind == RPC_PASSIVE || (r->kind == RPC_EXCHANGE && t->set.topology == TOPOLOGY_CHECK);
    return looks                   ? "look at"
           : r->kind == RPC_BIND   ? "bind"
           : r->kind == RPC_PURGE  ? "purge"
           : r->kind == RPC_DELETE ? "delete"
                                   : "declare";
}

/* "… inequivalent arg 'A' for queue 'Q' in vhost 'V': received X but current is
 * Y" */
static void explain_mismatch(rpc *r, const char *text)
{
    const char *name = strstr(text, "inequivalent arg '");
    const char *want = strstr(text, "received ");
    const char *has  = strstr(text, " but current is ");
    const char *end  = name != NULL ? strchr(name + 18, '\'') : NULL;
    if (end == NULL || want == NULL || has == NULL || has < want) {
        (void)snprintf(r->why, sizeof(r->why), "declare %s \"%s\": %s", kind_of(r), r->name, text);
        return;
    }
    want += sizeof("received ") - 1;
    (void)snprintf(r->why, sizeof(r->why),
                   "%s \"%s\" exists with another %.*s: it has %s, patio wants %.*s; "
                   "delete it "
                   "when it is empty, or set the option that fits (or topology=check)",
                   kind_of(r), r->name, (int)(end - name - 18), name + 18, has + 16,
                   (int)(has - want), want);
}

static patio_status status_of(uint16_t code, bool later)
{
    switch (code) {
    case AMQP_NOT_FOUND:
        return later ? PATIO_UNREACHABLE : PATIO_NOT_FOUND;
    case AMQP_ACCESS_REFUSED:
        return PATIO_AUTH;
    default:
        return PATIO_PROTOCOL;
    }
}

void rpc_channel_closed(patio_transport *t, uint16_t code, const char *text)
{
    pthread_mutex_lock(&t->lock);
    rpc *r = t->rpc_sent ? rpc_take_first(t) : NULL;
    if (r == NULL) {
        pthread_mutex_unlock(&t->lock);
        return;
    }
    place *p = r->place;
    if (code == AMQP_PRECONDITION_FAILED && p != NULL && p->type == QUEUE_CLASSIC &&
        t->set.queue_type == QUEUE_AUTO) {
        /* an operator has made it a quorum queue: then that is what it is */
        p->type = QUEUE_QUORUM;
        explain_mismatch(r, text);
        (void)snprintf(p->why, sizeof(p->why), "%s", r->why);
        r->next      = t->rpc_first;
        t->rpc_first = r;
        t->rpc_end   = r->next == NULL ? &r->next : t->rpc_end;
        pthread_mutex_unlock(&t->lock);
        return;
    }
    if (code == AMQP_PRECONDITION_FAILED) {
        r->status = PATIO_CONFIG;
        explain_mismatch(r, text);
        if (p != NULL && t->set.queue_type == QUEUE_AUTO) {
            (void)snprintf(r->why, sizeof(r->why), "%s", p->why); /* what classic was told */
            p->type = QUEUE_CLASSIC;
        }
    } else {
        /* what is declared is not found while its node of the cluster is down; and what is looked
         * for with topology=none had been taken on trust */
        bool later   = r->kind == RPC_DECLARE || (p != NULL && t->set.topology == TOPOLOGY_NONE);
        r->status    = status_of(code, later);
        bool missing = code == AMQP_NOT_FOUND && t->set.topology == TOPOLOGY_CHECK;
        (void)snprintf(r->why, sizeof(r->why), "%s %s \"%s\" as \"%s\": %u %s%s", attempt_of(t, r),
                       kind_of(r), r->name, t->set.user, code, text,
                       missing ? "; topology=check makes nothing: import what `patio topology "
                                 "print` says"
                               : "");
    }
    uint64_t moves = t->inbox_moves;
    finish(t, r);
    rpc_step(t);
    bool moved = t->inbox_moves != moves;
    pthread_mutex_unlock(&t->lock);
    if (moved) {
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "replies come to %s from now on: the queue before is on a node that is "
                       "down, and with it the replies to what was called until now (%s)",
                       t->inbox, text);
    }
}

void rpc_link_lost(patio_transport *t)
{
    rpc *r = t->rpc_first;
    while (r != NULL) {
        rpc *next = r->next;
        if (r->cancel != NULL) {
            r->next    = t->decided;
            t->decided = r;
        } else if (r->awaited) {
            r->status = PATIO_UNREACHABLE;
            (void)snprintf(r->why, sizeof(r->why), "the connection was lost");
            r->done = true;
        } else {
            t->host->free(t->host->self, r);
        }
        r = next;
    }
    t->rpc_first = NULL;
    t->rpc_end   = &t->rpc_first;
    t->rpc_sent  = false;
    pthread_cond_broadcast(&t->calm);
}
