/* Cancelling by id. Whoever runs the task is told. A task that waits in the
 * broker cannot be taken out of the middle of its queue: all processes of the
 * project remember its id, and the one that it is delivered to throws it away.
 */
#include "transport.h"

enum { TOMBS = 10000, ENDED = 8192, WORDS_BYTES = 512 };

struct tomb {
    patio_id id;
    queue   *waits; /* in this queue, as far as anybody knows; NULL: it does not */
};

static tomb *find_tomb(const patio_transport *t, const patio_id *id)
{
    uint32_t n = t->tomb_count < TOMBS ? t->tomb_count : TOMBS;
    for (uint32_t i = 0; t->tombs != NULL && i < n; i++) {
        if (memcmp(&t->tombs[i].id, id, sizeof(*id)) == 0) {
            return &t->tombs[i];
        }
    }
    return NULL;
}

/* One that is thrown away is told to all, so that nobody counts it any more. */
bool cancel_is_dead(patio_transport *t, const patio_id *id)
{
    if (find_tomb(t, id) == NULL) {
        return false;
    }
    char text[33];
    char words[64];
    props_write_id(text, id);
    (void)snprintf(words, sizeof(words), "gone %s", text);
    control_tell_all(t, words);
    return true;
}

static void note_tomb(patio_transport *t, const patio_id *id)
{
    if (t->tombs == NULL) {
        t->tombs = t->host->alloc(t->host->self, TOMBS * sizeof(*t->tombs));
    }
    if (t->tombs != NULL && find_tomb(t, id) == NULL) {
        t->tombs[t->tomb_count++ % TOMBS] = (tomb){.id = *id};
    }
}

void cancel_open(patio_transport *t, const patio_id *id, queue *waits)
{
    tomb *found = find_tomb(t, id);
    if (found != NULL) {
        found->waits = waits;
    }
}

/* What is cancelled and still in the broker is not ready. An empty queue holds
 * nothing of it. */
uint64_t cancel_still_ready(patio_transport *t, const queue *q, uint64_t messages)
{
    uint64_t waits = 0;
    pthread_mutex_lock(&t->lock);
    uint32_t n = t->tomb_count < TOMBS ? t->tomb_count : TOMBS;
    for (uint32_t i = 0; t->tombs != NULL && i < n; i++) {
        if (t->tombs[i].waits == q) {
            waits++;
            if (messages == 0 && !place_has_delays(q)) {
                t->tombs[i].waits = NULL;
            }
        }
    }
    pthread_mutex_unlock(&t->lock);
    return messages > waits ? messages - waits : 0;
}

void cancel_ended(patio_transport *t, const patio_id *id)
{
    if (t->ended == NULL) {
        t->ended = t->host->alloc(t->host->self, ENDED * sizeof(*t->ended));
    }
    if (t->ended != NULL) {
        t->ended[t->ended_count++ % ENDED] = *id;
    }
}

static bool has_ended(const patio_transport *t, const patio_id *id)
{
    uint32_t n = t->ended_count < ENDED ? t->ended_count : ENDED;
    for (uint32_t i = 0; t->ended != NULL && i < n; i++) {
        if (memcmp(&t->ended[i], id, sizeof(*id)) == 0) {
            return true;
        }
    }
    return false;
}

const char *cancel_here(patio_transport *t, const char *name, const patio_id *id)
{
    patio_tag tag  = 0;
    bool      told = false;
    pthread_mutex_lock(&t->lock);
    for (delivery *d = t->leases.next; d != &t->leases && !told; d = d->next) {
        bool runs = d->state == LEASE_HELD || d->state == LEASE_CLAIMED;
        if (runs && memcmp(&d->id, id, sizeof(*id)) == 0) {
            told           = true;
            tag            = d->told_cancel ? 0 : d->tag;
            d->told_cancel = true;
        }
    }
    bool late = !told && has_ended(t, id);
    if (!told && !late) {
        note_tomb(t, id);
    }
    const queue *q     = place_queue(t, name, false);
    bool         waits = q != NULL && place_has_delays(q); /* who asks may never have seen any */
    pthread_mutex_unlock(&t->lock);
    if (tag != 0) {
        t->events->cancel_wanted(t->events->self, tag);
    }
    return told ? "told" : late ? "late" : waits ? "delayed" : "noted";
}

patio_status transport_cancel(patio_transport *t, const char *name, const patio_id *id,
                              patio_error *err)
{
    patio_status st = place_check_name(name, err);
    if (st != PATIO_OK) {
        return st;
    }
    pthread_mutex_lock(&t->lock);
    bool stopped = !t->started || t->stopping;
    pthread_mutex_unlock(&t->lock);
    if (stopped) {
        return patio_fail(err, PATIO_CLOSED, 0, "cancel: the transport is stopped");
    }
    if (!control_can(t, err, "cancel")) {
        return PATIO_UNSUPPORTED;
    }
    ask *a = control_new(t, ASK_CANCEL);
    if (a == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "cancel: out of memory");
    }
    char words[WORDS_BYTES];
    char text[33];
    props_write_id(text, id);
    (void)snprintf(words, sizeof(words), "cancel %s %s", text, name);
    pthread_mutex_lock(&t->lock);
    a->id      = *id;
    a->queue   = place_queue(t, name, true);
    bool asked = !t->stopping && a->queue != NULL && control_ask(t, a, words);
    pthread_mutex_unlock(&t->lock);
    if (!asked) {
        t->host->free(t->host->self, a);
        return patio_fail(err, PATIO_UNREACHABLE, 0, "cancel: not connected");
    }
    return PATIO_OK;
}

static void tell(patio_transport *t, const ask *a, uint32_t outcome)
{
    t->events->cancelled(t->events->self, &a->id, outcome);
}

/* Nobody runs it and nobody has ended it: it waits, if anything waits. */
void cancel_finish(patio_transport *t, ask *a)
{
    if (a->told || a->late) {
        tell(t, a, a->told ? PATIO_CANCEL_TOLD : PATIO_CANCEL_TOO_LATE);
        t->host->free(t->host->self, a);
        return;
    }
    pthread_mutex_lock(&t->lock);
    rpc *r = rpc_new(t, RPC_PASSIVE, a->queue->work.name);
    if (r != NULL) {
        r->cancel = a;
        rpc_add(t, r);
    }
    pthread_mutex_unlock(&t->lock);
    if (r == NULL) {
        tell(t, a, PATIO_CANCEL_REMOVED);
        t->host->free(t->host->self, a);
    }
}

/* I/O thread, without the lock: the queue has been looked at. */
void cancel_decided(patio_transport *t, ask *a, uint64_t messages)
{
    pthread_mutex_lock(&t->lock);
    bool waits = messages > 0 || a->delayed;
    if (waits) {
        char text[33];
        char words[WORDS_BYTES];
        props_write_id(text, &a->id);
        note_tomb(t, &a->id);
        cancel_open(t, &a->id, a->queue);
        (void)snprintf(words, sizeof(words), "removed %s %s", text, a->queue->name);
        control_tell_all(t, words);
    }
    pthread_mutex_unlock(&t->lock);
    tell(t, a, waits ? PATIO_CANCEL_REMOVED : PATIO_CANCEL_TOO_LATE);
    t->host->free(t->host->self, a);
}
