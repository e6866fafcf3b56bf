/* What a transport says to the caller's side of a broker. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/broker.h"
#include "runtime/operate.h"

/* Sweeps cost a look at every slot; however deadlines lie, they take at most a twentieth of a core.
 */
enum { SWEEP_SHARE = 20 };
static const uint64_t sweep_pause_ns = 2 * PT_NS_PER_MS;

static void sweep(void *self);

/* Under the lock. A dropped timer that runs all the same only looks once more. */
static void sweep_at(patio_broker *b, uint64_t next_ns, uint64_t now_ns)
{
    pt_timers_drop(b->runtime->timers, b->sweep_timer);
    b->sweep_timer = 0;
    atomic_store(&b->futures.sweep_ns, next_ns);
    if (next_ns != UINT64_MAX) {
        uint64_t delay = next_ns > now_ns ? next_ns - now_ns : 0;
        b->sweep_timer = pt_timers_after(b->runtime->timers, delay, sweep, b);
        if (b->sweep_timer == 0) {
            atomic_store(&b->futures.sweep_ns,
                         UINT64_MAX); /* no memory: the next call asks again */
        }
    }
}

static void sweep(void *self)
{
    patio_broker *b    = self;
    uint64_t      from = pt_clock_now(&b->runtime->clock);
    /* A deadline added while the table is walked must not be missed: it finds UINT64_MAX here and
     * asks for a sweep of its own. */
    atomic_store(&b->futures.sweep_ns, UINT64_MAX);
    uint64_t next  = pt_futures_sweep(&b->futures, from);
    uint64_t now   = pt_clock_now(&b->runtime->clock);
    uint64_t pause = (now - from) * SWEEP_SHARE;
    pause          = pause > sweep_pause_ns ? pause : sweep_pause_ns;
    pthread_mutex_lock(&b->lock);
    next = next < now + pause ? now + pause : next;
    if (atomic_load(&b->state) == PT_BROKER_RUNNING && next < atomic_load(&b->futures.sweep_ns)) {
        sweep_at(b, next, now);
    }
    pthread_mutex_unlock(&b->lock);
}

void pt_broker_sooner(patio_broker *b)
{
    /* The exact deadline is in the table; here it is enough to look soon, and then to plan. */
    uint64_t now  = pt_clock_now(&b->runtime->clock);
    uint64_t next = now + sweep_pause_ns;
    pthread_mutex_lock(&b->lock);
    if (atomic_load(&b->state) == PT_BROKER_RUNNING && next < atomic_load(&b->futures.sweep_ns)) {
        sweep_at(b, next, now);
    }
    pthread_mutex_unlock(&b->lock);
}

static void hear_progress(patio_broker *b, const patio_reply *reply)
{
    _Alignas(16) uint8_t scratch[1024];
    pt_arena             arena;
    patio_progress       progress;
    pt_arena_init(&arena, b->mem, scratch, sizeof(scratch), (size_t)b->max_decode_bytes);
    if (pt_decode_progress(&arena, pt_buf_view(reply->body), &progress, NULL) == PATIO_OK) {
        pt_futures_report(&b->futures, &reply->id, &progress);
    }
    pt_arena_reset(&arena);
}

void pt_broker_replied(void *self, const patio_reply *reply)
{
    patio_broker *b = self;
    if ((reply->flags & PATIO_REPLY_PARTIAL) != 0) {
        if (!pt_broker_relay_reply(b, reply)) {
            hear_progress(b, reply);
        }
        return;
    }
    patio_future *f = pt_futures_claim(&b->futures, &reply->id);
    if (f == NULL && pt_broker_relay_reply(b, reply)) {
        return;
    }
    if (f == NULL) {
        PT_COUNT(b->answered.replies_late);
        return;
    }
    PT_COUNT(b->answered.calls_answered);
    pt_future_complete(f, PATIO_OK, pt_buf_ref(reply->body), NULL);
}

/* The id of the task that a send is a duplicate of, as its result. NULL: there is no memory, or the
 * transport does not say. */
static patio_buf *name_original(patio_broker *b, const patio_receipt *receipt)
{
    static const patio_id nobody = {{0}};
    char                  text[33];
    patio_buf            *buf = NULL;
    if (memcmp(&receipt->original, &nobody, sizeof(nobody)) == 0) {
        return NULL;
    }
    patio_id_format(receipt->original, text);
    patio_value   value   = patio_string(text);
    patio_payload payload = {PATIO_SIZED(patio_payload), .kind = PATIO_PAYLOAD_VALUES,
                             .values = &value, .value_count = 1};
    pt_reply      reply   = {.id = receipt->id, .status = PATIO_OK};
    (void)pt_encode_reply(b->mem, &reply, &payload, UINT64_MAX / 2, &buf, NULL);
    return buf;
}

void pt_broker_published(void *self, const patio_receipt *receipt)
{
    patio_broker *b = self;
    bool accepted   = receipt->outcome == PATIO_ACCEPTED || receipt->outcome == PATIO_DUPLICATE;
    patio_future *f = pt_futures_claim(&b->futures, &receipt->id);
    if (f == NULL) {
        (void)pt_broker_relay_receipt(b, receipt);
        return; /* else its caller has given up */
    }
    if (receipt->outcome == PATIO_DUPLICATE && f->kind == PT_KIND_CALL) {
        /* it was dropped: nobody will answer this one */
        char text[33];
        char problem[160];
        patio_id_format(receipt->original, text);
        (void)snprintf(problem, sizeof(problem),
                       "task %s has the same dedup key; attach to it to get its result", text);
        pt_future_complete(f, PATIO_EXISTS, NULL, problem);
        return;
    }
    if (accepted) {
        f->level = receipt->level;
        PT_COUNT(b->called.sends_accepted);
        bool known = receipt->outcome == PATIO_DUPLICATE && f->kind == PT_KIND_SEND;
        pt_future_complete(f, PATIO_OK, known ? name_original(b, receipt) : NULL, NULL);
        return;
    }
    if (f->kind == PT_KIND_SEND) {
        PT_COUNT(b->called.sends_refused);
    }
    const patio_error *why = receipt->error;
    pt_future_complete(f, why != NULL && why->status != PATIO_OK ? why->status : PATIO_PEER_LOST,
                       NULL, why != NULL ? why->message : NULL);
}

void pt_broker_cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    /* Who gave up its future has its CANCELLED already; this is for those who asked by id. */
    patio_broker *b = self;
    pthread_mutex_lock(&b->lock);
    for (pt_cancelling *c = b->cancelling; c != NULL; c = c->next) {
        if (c->outcome == 0 && memcmp(&c->id, id, sizeof(*id)) == 0) {
            c->outcome = outcome;
        }
    }
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

void pt_broker_link(void *self, uint32_t state, const patio_error *why)
{
    static const char *const words[] = {"?", "connecting", "up", "blocked", "down"};
    patio_broker            *b       = self;
    pthread_mutex_lock(&b->lock);
    b->link_error.status     = PATIO_OK;
    b->link_error.message[0] = '\0';
    if (why != NULL) {
        pt_error_copy(&b->link_error, why);
    }
    atomic_store(&b->link, state);
    pt_health_changed(b);
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    pt_log_printf(&b->runtime->log, why != NULL ? PATIO_LOG_WARN : PATIO_LOG_DEBUG, "broker",
                  "link of transport %s is %s%s%s", b->transport_plugin->identity->name,
                  state < sizeof(words) / sizeof(words[0]) ? words[state] : "?",
                  why != NULL ? ": " : "", why != NULL ? why->message : "");
}
