/* Cancelling by id. Whoever runs the task is told. A task that waits in the broker cannot be taken
 * out of the middle of its queue: all processes of the project remember its id, and the one that it
 * is delivered to throws it away. */
#include "transport.h"

enum { TOMBS = 10000, ENDED = 8192, WAIT_MS = 300, WORDS_BYTES = 512 };

static bool note(patio_transport *t, patio_id **ring, uint32_t size, uint32_t *count,
                 const patio_id *id)
{
    if (*ring == NULL) {
        *ring = t->host->alloc(t->host->self, size * sizeof(**ring));
    }
    if (*ring == NULL) {
        return false;
    }
    (*ring)[(*count)++ % size] = *id;
    return true;
}

static bool is_in(const patio_id *ring, uint32_t size, uint32_t count, const patio_id *id)
{
    uint32_t n = count < size ? count : size;
    for (uint32_t i = 0; i < n; i++) {
        if (memcmp(&ring[i], id, sizeof(*id)) == 0) {
            return true;
        }
    }
    return false;
}

bool cancel_is_dead(const patio_transport *t, const patio_id *id)
{
    return t->tombs != NULL && is_in(t->tombs, TOMBS, t->tomb_count, id);
}

void cancel_note(patio_transport *t, const patio_id *id)
{
    (void)note(t, &t->tombs, TOMBS, &t->tomb_count, id);
}

void cancel_ended(patio_transport *t, const patio_id *id)
{
    (void)note(t, &t->ended, ENDED, &t->ended_count, id);
}

const char *cancel_here(patio_transport *t, const patio_id *id)
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
    bool late = !told && t->ended != NULL && is_in(t->ended, ENDED, t->ended_count, id);
    if (!told && !late) {
        cancel_note(t, id);
    }
    pthread_mutex_unlock(&t->lock);
    if (tag != 0) {
        t->events->cancel_wanted(t->events->self, tag);
    }
    return told ? "told" : late ? "late" : "noted";
}

patio_status transport_cancel(patio_transport *t, const char *name, const patio_id *id,
                              patio_error *err)
{
    patio_status st = place_check_name(name, err);
    if (st != PATIO_OK) {
        return st;
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
    bool stopped = !t->started || t->stopping;
    a->id        = *id;
    a->queue     = place_queue(t, name, true);
    a->until_ns  = t->host->now_ns(t->host->self) + WAIT_MS * UINT64_C(1000000);
    bool asked   = !stopped && a->queue != NULL && control_ask(t, a, words);
    pthread_mutex_unlock(&t->lock);
    if (!asked) {
        t->host->free(t->host->self, a);
        return stopped ? patio_fail(err, PATIO_CLOSED, 0, "cancel: the transport is stopped")
                       : patio_fail(err, PATIO_UNREACHABLE, 0, "cancel: not connected");
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
    tell(t, a,
         a->told   ? PATIO_CANCEL_TOLD
         : a->late ? PATIO_CANCEL_TOO_LATE
                   : PATIO_CANCEL_REMOVED);
    t->host->free(t->host->self, a);
}
