/* The queues that the broker needs for one of ours: the work queue, its dead
 * letters, and the steps of its delays. Declared, or only looked at, when the
 * first message or consumer wants them. */
#include "transport.h"

#include <openssl/evp.h>

enum {
    RETRY_FAILED_MS  = 2000,
    STEPS_PER_DECADE = 5,
    HELD_EXPIRES_MS  = 120000,
    LOOKS_MOST       = INT32_MAX
};

/* 100 ms, 160 ms, 250 ms, 400 ms, 630 ms, 1 s … 11.5 days: R5 of ISO 3. */
static uint64_t step_ms(int step)
{
    static const uint64_t preferred[STEPS_PER_DECADE] = {100, 160, 250, 400, 630};
    uint64_t              ms                          = preferred[step % STEPS_PER_DECADE];
    for (int i = 0; i < step / STEPS_PER_DECADE; i++) {
        ms *= 10;
    }
    return ms;
}

static void init_place(place *p, queue *q, uint8_t kind, uint64_t ttl_ms, const char *suffix)
{
    const patio_transport *t = q->t;
    memset(p, 0, sizeof(*p));
    p->owner  = q;
    p->kind   = kind;
    p->ttl_ms = ttl_ms;
    p->type   = (uint8_t)(t->set.queue_type == QUEUE_QUORUM ? QUEUE_QUORUM : QUEUE_CLASSIC);
    post_list_init(&p->waiting);
    (void)snprintf(p->name, sizeof(p->name), "patio:%.100s:%.120s%.26s", t->address, q->address,
                   suffix);
}

/* A name as a part of the broker's names, which have 255 bytes: a long one is
 * cut, and the hash of the whole stands for the rest. */
void place_shorten(char *out, size_t most, const char *name)
{
    size_t size = strlen(name);
    if (size < most) {
        memcpy(out, name, size + 1);
        return;
    }
    unsigned char hash[EVP_MAX_MD_SIZE] = {0};
    (void)EVP_Digest(name, size, hash, NULL, EVP_sha256(), NULL);
    (void)snprintf(out, most, "%.*s~%02x%02x%02x%02x%02x%02x%02x%02x", (int)(most - 18), name,
                   hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]);
}

patio_status place_check_name(const char *name, patio_error *err)
{
    return strlen(name) < NAME_MAX_BYTES
               ? PATIO_OK
               : patio_fail(err, PATIO_INVALID, 0, "queue \"%.40s…\": at most 255 bytes", name);
}

queue *place_queue(patio_transport *t, const char *name, bool make)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        if (strcmp(q->name, name) == 0) {
            return q;
        }
    }
    queue *q = make ? t->host->alloc(t->host->self, sizeof(*q)) : NULL;
    if (q == NULL) {
        return NULL;
    }
    memset(q, 0, sizeof(*q));
    q->t = t;
    (void)snprintf(q->name, sizeof(q->name), "%s", name);
    place_shorten(q->address, sizeof(q->address), name);
    init_place(&q->work, q, PLACE_WORK, 0, "");
    init_place(&q->dead, q, PLACE_DEAD, 0, ":dead");
    char held[32];
    (void)snprintf(held, sizeof(held), ":held:%016llx", (unsigned long long)t->incarnation);
    init_place(&q->held, q, PLACE_HELD, 0, held);
    q->next   = t->queues;
    t->queues = q;
    return q;
}

place *place_step_at(patio_transport *t, queue *q, int step)
{
    if (q->delay[step] == NULL) {
        place *p = t->host->alloc(t->host->self, sizeof(*p));
        if (p == NULL) {
            return NULL;
        }
        char suffix[40];
        (void)snprintf(suffix, sizeof(suffix), ":delay:%llu", (unsigned long long)step_ms(step));
        init_place(p, q, PLACE_DELAY, step_ms(step), suffix);
        q->delay[step] = p;
    }
    return q->delay[step];
}

uint64_t place_longest_delay_ms(void)
{
    return step_ms(DELAY_STEPS - 1);
}

/* The smallest step that is not shorter; a longer delay, of a back-off, waits in the longest. */
place *place_delay(patio_transport *t, queue *q, uint64_t delay_ms)
{
    int step = 0;
    while (step < DELAY_STEPS - 1 && step_ms(step) < delay_ms) {
        step++;
    }
    return place_step_at(t, q, step);
}

/* The dead letters first: what is made is made in this order. */
place *place_at(queue *q, int i)
{
    return i == 0 ? &q->dead : i == 1 ? &q->work : i == 2 ? &q->held : q->delay[i - 3];
}

/* What it leans on: a queue whose expired messages go nowhere loses them. */
static place *needed_by(const place *p)
{
    return p->kind == PLACE_WORK ? &p->owner->dead : p->kind == PLACE_DEAD ? NULL : &p->owner->work;
}

static bool needs_first(patio_transport *t, place *p)
{
    place *needed = needed_by(p);
    if (needed == NULL || place_ensure(t, needed)) {
        return false;
    }
    if (needed->state == PLACE_FAILED) {
        p->state     = PLACE_FAILED;
        p->status    = needed->status;
        p->failed_ns = needed->failed_ns;
        (void)snprintf(p->why, sizeof(p->why), "%s", needed->why);
    }
    return true;
}

void place_missing(patio_transport *t, place *p, const char *why)
{
    p->state     = PLACE_FAILED;
    p->status    = PATIO_UNREACHABLE; /* an operator may make it, or make it again */
    p->failed_ns = t->host->now_ns(t->host->self);
    (void)snprintf(p->why, sizeof(p->why), "%s; topology=none makes nothing", why);
    (void)snprintf(t->why, sizeof(t->why), "%s", p->why);
}

bool place_ensure(patio_transport *t, place *p)
{
    bool taken_on_trust = t->set.topology == TOPOLOGY_NONE && p->state == PLACE_UNKNOWN;
    if (p->state == PLACE_READY || taken_on_trust) {
        return true;
    }
    if (p->state == PLACE_DECLARING || t->links[CONSUMING].state != LINK_READY) {
        return false;
    }
    if (p->state == PLACE_FAILED &&
        t->host->now_ns(t->host->self) - p->failed_ns < RETRY_FAILED_MS * UINT64_C(1000000)) {
        return false;
    }
    if (needs_first(t, p)) {
        return false;
    }
    rpc *r = rpc_new(t, t->set.topology == TOPOLOGY_DECLARE ? RPC_DECLARE : RPC_PASSIVE, p->name);
    if (r != NULL) {
        r->place = p;
        p->state = PLACE_DECLARING;
        rpc_add(t, r);
    }
    return false;
}

void place_ready(patio_transport *t, place *p)
{
    post_list waiting = p->waiting;
    if (p->kind == PLACE_DELAY && p->state == PLACE_DECLARING && t->set.reply != REPLY_DIRECT) {
        /* who counts need not look for steps that nobody has made */
        char words[NAME_MAX_BYTES + 40];
        (void)snprintf(words, sizeof(words), "step %llu %s", (unsigned long long)p->ttl_ms,
                       p->owner->name);
        control_tell_all(t, words);
    }
    p->absent = false;
    p->made++;
    p->state = PLACE_READY;
    post_list_init(&p->waiting);
    while (waiting.first != NULL) {
        post *next    = waiting.first;
        waiting.first = next->next;
        if (next->kind == POST_TASK && next->prioritized && kinds_no_priorities(p->owner)) {
            post_list_add(&p->waiting, next); /* sweep_late refuses it */
        } else {
            post_submit(t, next);
        }
    }
    t->work     = true;
    t->sweep_ns = 0;
}

void place_made(queue *q, uint64_t ttl_ms)
{
    for (int i = 0; i < DELAY_STEPS; i++) {
        if (q->delay[i] != NULL && q->delay[i]->ttl_ms == ttl_ms) {
            q->delay[i]->absent = false;
            q->delay[i]->made++;
        }
    }
}

bool place_has_delays(const queue *q)
{
    for (int i = 0; i < DELAY_STEPS; i++) {
        if (q->delay[i] != NULL && q->delay[i]->state == PLACE_READY) {
            return true;
        }
    }
    return false;
}

void place_failed(patio_transport *t, place *p, patio_status status, const char *why)
{
    p->state     = PLACE_FAILED;
    p->status    = status;
    p->failed_ns = t->host->now_ns(t->host->self);
    (void)snprintf(p->why, sizeof(p->why), "%s", why);
    t->work     = true;
    t->sweep_ns = 0; /* who waits for it is told now */
}

static void look(patio_transport *t, place *p)
{
    if (p != NULL && p->waiting.first != NULL && place_ensure(t, p)) {
        place_ready(t, p);
    }
}

void place_step(patio_transport *t)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        for (int i = 0; i < PLACES; i++) {
            look(t, place_at(q, i));
        }
    }
}

static void forget(place *p)
{
    if (p != NULL) {
        p->state  = PLACE_UNKNOWN;
        p->absent = false; /* whoever made it meanwhile has not been heard */
    }
}

void place_forget(patio_transport *t)
{
    for (queue *q = t->queues; q != NULL; q = q->next) {
        q->mark_state     = MARKS_UNKNOWN; /* it may have changed meanwhile */
        q->marks_due      = 0;
        q->operator_state = PATIO_QUEUE_OPEN;
        for (int i = 0; i < PLACES; i++) {
            forget(place_at(q, i));
        }
    }
}

void place_free_all(patio_transport *t)
{
    while (t->queues != NULL) {
        queue *q  = t->queues;
        t->queues = q->next;
        for (int i = 0; i < DELAY_STEPS; i++) {
            t->host->free(t->host->self, q->delay[i]);
        }
        t->host->free(t->host->self, q);
    }
}

/* ---- arguments ---- */

static amqp_table_entry_t text(const char *key, const char *value)
{
    return (amqp_table_entry_t){
        .key   = wire_text(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = wire_text(value)}};
}

static amqp_table_entry_t number(const char *key, uint64_t value)
{
    return (amqp_table_entry_t){
        .key = wire_text(key), .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = (int64_t)value}};
}

/* What `place_json` and a declaration have in common: docs/amqp.md lists them.
 */
int place_arguments(const patio_transport *t, const place *p, amqp_table_entry_t *out)
{
    bool quorum = p->type == QUEUE_QUORUM;
    int  n      = 0;
    out[n++]    = text("x-queue-type", quorum ? "quorum" : "classic");
    if (p->kind == PLACE_DEAD) {
        out[n++] = number("x-message-ttl", t->set.dead_ttl_ms);
        out[n++] = number("x-max-length", t->set.max_dead);
        if (quorum) {
            /* Each look is a delivery. Without a limit what was looked at goes to the end of the
             * queue, and RabbitMQ 4 drops it after twenty. */
            out[n++] = number("x-delivery-limit", LOOKS_MOST);
        }
        return n;
    }
    out[n++] = text("x-dead-letter-exchange", "");
    out[n++] = text("x-dead-letter-routing-key",
                    p->kind == PLACE_WORK ? p->owner->dead.name : p->owner->work.name);
    if (p->kind == PLACE_DELAY) {
        out[n++] = number("x-message-ttl", p->ttl_ms);
    } else if (p->kind == PLACE_HELD) {
        /* when its consumer has gone, others get what it held; then it goes, too */
        out[n++] = number("x-message-ttl", HELD_TTL_MS);
        out[n++] = number("x-expires", HELD_EXPIRES_MS);
    } else if (quorum) {
        out[n++] = number("x-delivery-limit", t->set.delivery_limit);
    } else {
        out[n++] = number("x-max-priority", PATIO_PRIORITY_MAX);
    }
    if (quorum) {
        out[n++] = text("x-dead-letter-strategy", "at-least-once");
        out[n++] = text("x-overflow", "reject-publish");
    }
    return n;
}
