/* Looking through a queue of dead letters: one message after the other is
 * taken, looked at, and given back, removed, or sent to work again. All on a
 * channel of its own; one browse at a time. */
#include "transport.h"

static void start_next(patio_transport *t)
{
    browse     *b = t->browses;
    connection *c = &t->links[CONSUMING];
    if (b == NULL || b->running || c->state != LINK_READY) {
        return;
    }
    if (!c->channel_open[CH_BROWSE]) {
        if (!t->browse_opening) {
            t->browse_opening = true;
            login_open_channel(c, CH_BROWSE);
            socket_push(c);
        }
        return;
    }
    amqp_basic_get_t get = {.queue = wire_text(b->queue->dead.name)};
    b->running           = true;
    (void)wire_method(c, CH_BROWSE, AMQP_BASIC_GET_METHOD, &get);
    socket_push(c);
}

void browse_step(patio_transport *t)
{
    start_next(t);
}

/* A quorum queue puts what is given back behind all that was given back before: the order stays
 * only if each look goes through all of it, and gives it back one by one. */
static bool goes_through_all(const browse *b)
{
    return b->queue->dead.type == QUEUE_QUORUM;
}

/* Under the lock: it was only looked at. false: out of memory. */
static bool note_back(patio_transport *t, browse *b, uint64_t number)
{
    b->last = number;
    return !goes_through_all(b) || obuf_add(t, &b->back, &number, sizeof(number));
}

static void give_back(patio_transport *t, const browse *b)
{
    connection *c = &t->links[CONSUMING];
    if (b->last == 0 || !c->channel_open[CH_BROWSE]) {
        return;
    }
    for (size_t at = 0; at < b->back.size; at += sizeof(uint64_t)) {
        amqp_basic_nack_t one = {.requeue = 1};
        memcpy(&one.delivery_tag, b->back.data + at, sizeof(one.delivery_tag));
        (void)wire_method(c, CH_BROWSE, AMQP_BASIC_NACK_METHOD, &one);
    }
    if (b->back.size == 0) {
        amqp_basic_nack_t all = {.delivery_tag = b->last, .multiple = 1, .requeue = 1};
        (void)wire_method(c, CH_BROWSE, AMQP_BASIC_NACK_METHOD, &all);
    }
    t->work = true;
    loop_wake(t); /* not written here: that would let go of the lock, and others end it, too */
}

void browse_finish(patio_transport *t, browse *b, patio_status status, const char *why)
{
    give_back(t, b);
    if (t->browses == b) {
        t->browses = b->next;
    }
    b->running = false;
    b->done    = true;
    b->status  = status;
    if (why != NULL) {
        (void)snprintf(b->why, sizeof(b->why), "%s", why);
    }
    pthread_cond_broadcast(&t->calm);
    t->work = true;
}

static void get_next(patio_transport *t, browse *b)
{
    b->running = false;
    start_next(t);
}

void browse_empty(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    if (t->browses != NULL && t->browses->running) {
        browse *b = t->browses;
        b->at_end = true;
        if (b->moving == 0) {
            browse_finish(t, b, b->status, NULL);
        }
    }
    pthread_mutex_unlock(&t->lock);
}

static void acknowledge(patio_transport *t, uint64_t number)
{
    connection      *c   = &t->links[CONSUMING];
    amqp_basic_ack_t ack = {.delivery_tag = number};
    (void)wire_method(c, CH_BROWSE, AMQP_BASIC_ACK_METHOD, &ack);
    socket_push(c);
}

static bool keep_letter(patio_transport *t, browse *b, inbound *in)
{
    letter *l = t->host->alloc(t->host->self, sizeof(*l));
    if (l == NULL) {
        return false;
    }
    *l = (letter){.props = in->props, .body = in->body, .cause = in->cause};
    for (char *at = l->props.task; *at != '\0'; at++) {
        *at =
            (unsigned char)*at < ' ' || *at == 0x7F ? '?' : *at; /* anybody's words, on a screen */
    }
    in->body  = NULL;
    in->cause = NULL;
    *b->end   = l;
    b->end    = &l->next;
    b->count++;
    return true;
}

/* To work again, as if it were new. */
static bool send_to_work(patio_transport *t, browse *b, const inbound *in)
{
    task_facts f = {
        .id         = in->props.id,
        .task       = in->props.task,
        .reply_to   = "",
        .sent_ms    = props_wall_ms(),
        .fence      = in->props.fence + 1,
        .flags      = in->props.flags & PATIO_MESSAGE_CARRIED & ~(uint32_t)PATIO_MESSAGE_CALL,
        .attempt    = 1,
        .priority   = in->props.priority,
        .persistent = in->props.persistent,
    };
    uint64_t wall_fence = f.sent_ms - UINT64_C(1577836800000);
    f.fence             = wall_fence > f.fence ? wall_fence : f.fence;
    post *p             = post_new_task(t, POST_PLAIN, &b->queue->work, &f, in->body);
    if (p == NULL) {
        return false;
    }
    p->browsed = in->number;
    p->browse  = b->serial;
    b->moving++;
    post_submit(t, p);
    return true;
}

/* Whose copy it is, if that still waits for it. One that was given up has left its channel, and
 * there the next one counts from 1 again. */
static browse *sender_of(const patio_transport *t, const post *p)
{
    browse *b = t->browses;
    return b != NULL && b->moving > 0 && b->serial == p->browse ? b : NULL;
}

/* Under the lock: the copy is safe, so the dead letter goes. */
void browse_moved(patio_transport *t, const post *p)
{
    browse *b = sender_of(t, p);
    if (b == NULL) {
        return;
    }
    acknowledge(t, p->browsed);
    b->moving--;
    b->count++;
    if (b->moving == 0 && b->at_end) {
        browse_finish(t, b, b->status, NULL);
    }
}

/* Under the lock: work does not take it, nor those after it, so it stays dead. */
void browse_refused(patio_transport *t, const post *p, patio_status status)
{
    browse *b = sender_of(t, p);
    if (b == NULL) {
        return;
    }
    connection         *c    = &t->links[CONSUMING];
    amqp_basic_reject_t back = {.delivery_tag = p->browsed, .requeue = 1};
    (void)wire_method(c, CH_BROWSE, AMQP_BASIC_REJECT_METHOD, &back);
    socket_push(c);
    b->status = status;
    b->enough = true;
    refused_say(t, p->place, status, b->why, sizeof(b->why));
    b->moving--;
    if (b->moving == 0 && b->at_end) {
        browse_finish(t, b, b->status, NULL);
    }
}

/* What has no id, for it never was a task, has one of zeros. */
static bool is_id(const inbound *in, const patio_id *id)
{
    return memcmp(&in->props.id, id, sizeof(*id)) == 0;
}

/* Under the lock: one dead letter. false: out of memory. */
static bool take(patio_transport *t, browse *b, inbound *in)
{
    bool skip = b->verb == BROWSE_LIST && b->skip;
    bool task = in->body != NULL && in->props.has_id; /* else no task, never was one: it stays */
    if (skip) {
        b->skip = !in->props.has_id || !is_id(in, &b->after);
    }
    if (skip || b->enough || (b->one && !is_id(in, &b->id)) || (b->verb == BROWSE_RETRY && !task)) {
        return note_back(t, b, in->number);
    }
    b->enough = b->one;
    switch (b->verb) {
    case BROWSE_DROP:
        acknowledge(t, in->number);
        b->count++;
        return true;
    case BROWSE_RETRY:
        return send_to_work(t, b, in);
    default: {
        bool ok   = note_back(t, b, in->number) && keep_letter(t, b, in);
        b->enough = b->enough || b->count >= b->limit;
        return ok;
    }
    }
}

void browse_message(patio_transport *t, inbound *in)
{
    pthread_mutex_lock(&t->lock);
    browse *b = t->browses;
    if (b == NULL || !b->running) {
        pthread_mutex_unlock(&t->lock);
        return;
    }
    if (!take(t, b, in)) {
        browse_finish(t, b, PATIO_NO_MEMORY, "out of memory");
    } else if (!b->enough || goes_through_all(b)) {
        get_next(t, b);
    } else if (b->moving > 0) {
        b->at_end = true;
    } else {
        browse_finish(t, b, b->status, NULL);
    }
    pthread_mutex_unlock(&t->lock);
}

void browse_failed(patio_transport *t, patio_status status, const char *why)
{
    if (t->browses != NULL && (t->browses->running || t->browses->moving > 0)) {
        browse_finish(t, t->browses, status, why);
    }
}

void browse_link_lost(patio_transport *t)
{
    t->browse_opening = false;
    while (t->browses != NULL) {
        browse_finish(t, t->browses, PATIO_UNREACHABLE, "the connection was lost");
    }
}

void browse_free(patio_transport *t, browse *b)
{
    while (b->letters != NULL) {
        letter *l  = b->letters;
        b->letters = l->next;
        t->host->buf_drop(t->host->self, l->body);
        t->host->buf_drop(t->host->self, l->cause);
        t->host->free(t->host->self, l);
    }
    t->host->free(t->host->self, b->back.data);
    t->host->free(t->host->self, b);
}
