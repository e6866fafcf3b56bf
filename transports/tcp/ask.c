/* Questions of ours: put to the peers, awaited, ended. What comes back: asked.c. What the beginning
 * and the end of a link mean for them: ask_links.c. */
#include <time.h>

#include "tcp.h"

void ask_init(patio_transport *t)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->ask.answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void ask_fini(patio_transport *t)
{
    const patio_host *host = t->host;
    while (t->ask.asks != NULL) { /* cancels that nobody has answered */
        ask *a      = t->ask.asks;
        t->ask.asks = a->next;
        ask_forget(t, a);
        host->free(host->self, a);
    }
    while (t->ask.cancels != NULL) {
        cancelling *next = t->ask.cancels->next;
        host->free(host->self, t->ask.cancels);
        t->ask.cancels = next;
    }
    host->free(host->self, t->ask.relays);
    host->buf_drop(host->self, t->ask.info);
    pthread_cond_destroy(&t->ask.answered);
}

void ask_forget(const patio_transport *t, ask *a)
{
    const patio_host *host = t->host;
    while (a->first != NULL) {
        part *next = a->first->next;
        host->buf_drop(host->self, a->first->tail);
        host->free(host->self, a->first);
        a->first = next;
    }
    host->free(host->self, a->targets);
    a->last    = NULL;
    a->targets = NULL;
}

void ask_fail(ask *a, patio_status status, const char *text, const char *who)
{
    if (a->status == PATIO_OK) {
        a->status = status;
        (void)snprintf(a->text, sizeof(a->text), "peer %.80s %s", who, text);
    }
}

bool ask_can(const conn *c)
{
    return !c->self && c->state == CONN_OPEN && c->announced && !c->foreign && !c->parting &&
           !c->broken;
}

bool ask_write(conn *c, uint64_t id, const frame_ask *question, effects *fx)
{
    uint8_t      body[FRAME_ASK_BYTES + 255];
    frame_header h    = {.type = FRAME_ASK, .id = id};
    size_t       size = frame_put_ask(body, question);
    if (!write_frame(c, &h, (patio_bytes){body, size}, NULL, 0)) {
        return false;
    }
    write_kick(c, fx);
    return true;
}

void ask_put(ask *a, conn *c, effects *fx)
{
    const patio_host *host = c->t->host;
    if (c->version < ASK_VERSION) {
        ask_fail(a, PATIO_UNSUPPORTED,
                 "speaks version 1 of the protocol, which knows no questions of operators",
                 c->name);
        return;
    }
    if (a->target_count == a->target_room) {
        uint32_t    room = a->target_room == 0 ? 8 : a->target_room * 2;
        ask_target *all  = host->resize(host->self, a->targets, room * sizeof(*all));
        if (all == NULL) {
            ask_fail(a, PATIO_NO_MEMORY, "was not asked: out of memory", c->name);
            return;
        }
        a->targets     = all;
        a->target_room = room;
    }
    if (ask_write(c, a->question.number, &a->question, fx)) {
        a->targets[a->target_count++] = (ask_target){.c = c, .pending = 1};
        a->pending++;
    } else {
        ask_fail(a, PATIO_PEER_LOST, "was not asked: nothing more can be written to it", c->name);
    }
}

static void begin(patio_transport *t, ask *a, uint64_t timeout_ms, effects *fx)
{
    uint64_t for_ns =
        timeout_ms < UINT32_MAX ? timeout_ms * 1000000u : UINT64_C(1000000) * UINT32_MAX;
    a->begun_ns = fx->now;
    a->until_ns = fx->now + for_ns;
    a->question.flags |= ASK_RELAY;
    a->question.origin     = t->incarnation;
    a->question.number     = ++t->ask.last;
    a->question.timeout_ms = (uint32_t)(for_ns / 1000000u);
    a->next                = t->ask.asks;
    t->ask.asks            = a;
    for (conn *c = t->conns; c != NULL; c = c->next) {
        if (ask_can(c)) {
            ask_put(a, c, fx);
        }
    }
}

static void unlink_ask(patio_transport *t, const ask *a)
{
    for (ask **at = &t->ask.asks; *at != NULL; at = &(*at)->next) {
        if (*at == a) {
            *at = a->next;
            return;
        }
    }
}

/* A URL that nobody could be asked at; NULL: all have worked. Under the lock. */
static const char *not_connected(const patio_transport *t)
{
    for (uint32_t i = 0; i < t->endpoint_count; i++) {
        const endpoint *ep = &t->endpoints[i];
        if (!ep->listens && !ep->reached && !ep->itself && (t->ask.hoped > 0 || ep->refused)) {
            return ep->shown;
        }
    }
    return NULL;
}

static patio_status conclude(const patio_transport *t, const ask *a, uint64_t timeout_ms,
                             patio_error *err)
{
    if (a->status != PATIO_OK) {
        return patio_fail(err, a->status, 0, "%s", a->text);
    }
    if (!t->running) {
        return patio_fail(err, PATIO_CLOSED, 0, "the transport is stopped");
    }
    const char *away = not_connected(t);
    if (away != NULL) {
        return patio_fail(err, PATIO_UNREACHABLE, 0, "%s could not be asked: it is not connected",
                          away);
    }
    return a->pending == 0
               ? PATIO_OK
               : patio_fail(err, PATIO_TIMEOUT, 0, "%u processes did not answer within %llu ms",
                            a->pending, (unsigned long long)timeout_ms);
}

patio_status ask_all(patio_transport *t, ask *a, uint64_t timeout_ms, patio_error *err)
{
    effects fx;
    effects_begin(&fx, t);
    bool running = t->running;
    if (running) {
        begin(t, a, timeout_ms, &fx);
    }
    effects_end(&fx);
    if (!running) {
        return patio_fail(err, PATIO_CLOSED, 0, "nobody can be asked: this side does not run");
    }
    /* the condition's clock, which the host's need not be */
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(a->question.timeout_ms / 1000u);
    until.tv_nsec += (long)(a->question.timeout_ms % 1000u) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    while (rc == 0 && t->running && a->status == PATIO_OK && (a->pending > 0 || t->ask.hoped > 0)) {
        rc = pthread_cond_timedwait(&t->ask.answered, &t->lock, &until);
    }
    unlink_ask(t, a);
    patio_status st = conclude(t, a, timeout_ms, err);
    pthread_mutex_unlock(&t->lock);
    return st;
}

/* The best that was said of a task: it was removed, it was told, it is too late. */
static uint32_t outcome_of(const ask *a)
{
    uint64_t best = PATIO_CANCEL_TOO_LATE;
    for (const part *p = a->first; p != NULL; p = p->next) {
        uint64_t what = p->answer.number;
        best          = what >= PATIO_CANCEL_REMOVED && what < best ? what : best;
    }
    return (uint32_t)best;
}

/* A cancel that is over: its outcome is raised. */
static void end_cancel(patio_transport *t, ask *a, effects *fx)
{
    if (a->status != PATIO_OK) {
        patio_host_log(t->host, PATIO_LOG_ERROR, "cancel: %s", a->text);
    }
    effect *x = effects_add(fx, EFFECT_CANCELLED);
    x->id     = a->question.id;
    x->status = (patio_status)outcome_of(a);
    unlink_ask(t, a);
    ask_forget(t, a);
    t->host->free(t->host->self, a);
}

static bool cancel_is_over(const patio_transport *t, const ask *a, uint64_t now)
{
    return (a->pending == 0 && t->ask.hoped == 0) || outcome_of(a) < PATIO_CANCEL_TOO_LATE ||
           now > a->until_ns;
}

void ask_changed(patio_transport *t, ask *a, effects *fx)
{
    if (a->cancels && cancel_is_over(t, a, fx->now)) {
        if (effects_room(fx)) { /* else at the next tick */
            end_cancel(t, a, fx);
        }
    } else if (a->pending == 0 || a->status != PATIO_OK) {
        pthread_cond_broadcast(&t->ask.answered);
    }
}

patio_status ask_cancel(patio_transport *t, const char *name, const patio_id *id, bool *asked,
                        effects *fx, patio_error *err)
{
    const patio_host *host = t->host;
    ask              *a    = host->alloc(host->self, sizeof(*a));
    *asked                 = false;
    if (a == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(a, 0, sizeof(*a));
    a->cancels        = true;
    a->question.what  = ASK_CANCEL;
    a->question.flags = ASK_HAS_ID;
    a->question.id    = *id;
    (void)snprintf(a->question.queue, sizeof(a->question.queue), "%s", name);
    begin(t, a, ASK_CANCEL_MS, fx);
    patio_status st = a->status;
    if (st != PATIO_OK) {
        (void)patio_fail(err, st, 0, "cancel: %s", a->text);
    } else if (a->pending > 0 || t->ask.hoped > 0) {
        *asked = true;
        return PATIO_OK;
    }
    unlink_ask(t, a);
    ask_forget(t, a);
    host->free(host->self, a);
    return st;
}

void ask_tick(patio_transport *t, effects *fx)
{
    for (ask *a = t->ask.asks; a != NULL && effects_room(fx);) {
        ask *next = a->next;
        if (a->cancels && cancel_is_over(t, a, fx->now)) {
            end_cancel(t, a, fx);
        }
        a = next;
    }
    relay_tick(t, fx->now);
}
