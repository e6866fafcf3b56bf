/* Keys under which a second task is a duplicate: drop it, attach its caller, or replace the first.
 */
#include "hub.h"

static uint32_t bucket_of(const queue *q, patio_bytes key)
{
    uint32_t h = 2166136261u ^ (uint32_t)((uintptr_t)q >> 4);
    for (size_t i = 0; i < key.size; i++) {
        h = (h ^ key.data[i]) * 16777619u;
    }
    return h % KEY_BUCKETS;
}

static bool is_over(const keyed *k, uint64_t now)
{
    return k->expires_ns == 0 ? k->entry == NULL : k->expires_ns <= now;
}

static void free_attached(const patio_host *host, attached *all)
{
    while (all != NULL) {
        attached *next = all->next;
        host->free(host->self, all);
        all = next;
    }
}

static void free_key(hub *h, keyed **at)
{
    keyed *k = *at;
    *at      = k->next;
    if (k->entry != NULL) {
        k->entry->key = NULL;
    }
    free_attached(h->host, k->waiting);
    h->host->buf_drop(h->host->self, k->reply);
    h->host->free(h->host->self, k);
    h->keys.count--;
}

/* Away with what is over; one with callers that wait stays until they have their answer. */
static void prune(hub *h, uint32_t bucket, uint64_t now)
{
    for (keyed **at = &h->keys.buckets[bucket]; *at != NULL;) {
        if (is_over(*at, now) && (*at)->waiting == NULL) {
            free_key(h, at);
        } else {
            at = &(*at)->next;
        }
    }
}

static keyed *find(hub *h, const queue *q, patio_bytes key, uint64_t now)
{
    if (h->keys.buckets == NULL) {
        return NULL;
    }
    uint32_t bucket = bucket_of(q, key);
    prune(h, bucket, now);
    for (keyed *k = h->keys.buckets[bucket]; k != NULL; k = k->next) {
        if (k->queue == q && k->size == key.size && memcmp(k->key, key.data, key.size) == 0 &&
            !is_over(k, now)) {
            return k;
        }
    }
    return NULL;
}

/* One more key fits. */
static bool room_for(patio_transport *t, uint64_t now)
{
    hub *h = t->hub;
    for (uint32_t b = 0; h->keys.count >= t->max_dedup_keys && b < KEY_BUCKETS; b++) {
        prune(h, b, now);
    }
    return h->keys.count < t->max_dedup_keys;
}

static patio_status attach(patio_transport *t, keyed *k, const patio_message *m, patio_error *err)
{
    if (k->waiting_count >= ATTACHED_MAX) {
        return patio_fail(err, PATIO_FULL, 0, "send %s: %d callers wait for this task already",
                          m->task, ATTACHED_MAX);
    }
    attached *a = t->host->alloc(t->host->self, sizeof(*a));
    if (a == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    *a         = (attached){.next   = k->waiting,
                            .origin = t,
                            .id     = m->id,
                            .quiet  = (m->flags & PATIO_MESSAGE_NO_RECEIPT) != 0};
    k->waiting = a;
    k->waiting_count++;
    return PATIO_OK;
}

patio_status dedup_look(patio_transport *t, queue *q, const patio_message *m, uint32_t *verdict,
                        keyed **found, patio_error *err)
{
    uint64_t now = t->host->now_ns(t->host->self);
    keyed   *k   = find(t->hub, q, m->dedup_key, now);
    *found       = k;
    *verdict     = KEY_DUPLICATE;
    if (k == NULL) {
        *verdict = KEY_NEW;
        return room_for(t, now) ? PATIO_OK
                                : patio_fail(err, PATIO_FULL, 0,
                                             "send %s: %llu dedup keys are remembered "
                                             "(max_dedup_keys)",
                                             m->task, (unsigned long long)t->hub->keys.count);
    }
    bool queued =
        k->entry != NULL && (k->entry->state == ENTRY_READY || k->entry->state == ENTRY_DELAYED);
    if (m->dedup_conflict == PATIO_DEDUP_REPLACE && (queued || k->entry == NULL)) {
        *verdict = queued ? KEY_REPLACES : KEY_NEW;
        if (!queued) {
            k->expires_ns = 1; /* it is over: the new one takes its place */
            *found        = NULL;
        }
        return PATIO_OK;
    }
    if (m->dedup_conflict == PATIO_DEDUP_ATTACH && (m->flags & PATIO_MESSAGE_CALL) != 0) {
        if (k->entry != NULL) {
            *verdict = KEY_ATTACHED;
            return attach(t, k, m, err);
        }
        *verdict = k->reply != NULL ? KEY_ANSWERED : KEY_DUPLICATE;
    }
    return PATIO_OK;
}

bool dedup_set(patio_transport *t, queue *q, const patio_message *m, entry *e)
{
    hub              *h    = t->hub;
    const patio_host *host = t->host;
    keyed_store      *s    = &h->keys;
    uint64_t          now  = host->now_ns(host->self);
    if (s->buckets == NULL) {
        s->buckets = host->alloc(host->self, KEY_BUCKETS * sizeof(*s->buckets));
        if (s->buckets == NULL) {
            return false;
        }
        memset(s->buckets, 0, KEY_BUCKETS * sizeof(*s->buckets));
    }
    keyed *k = host->alloc(host->self, sizeof(*k) + m->dedup_key.size);
    if (k == NULL) {
        return false;
    }
    *k = (keyed){.entry = e, .queue = q, .original = m->id, .size = (uint32_t)m->dedup_key.size};
    memcpy(k->key, m->dedup_key.data, m->dedup_key.size);
    if (m->dedup_window_ms > 0) {
        k->expires_ns = m->dedup_window_ms < (UINT64_MAX - now) / 1000000u
                            ? now + m->dedup_window_ms * 1000000u
                            : UINT64_MAX;
    }
    uint32_t bucket    = bucket_of(q, m->dedup_key);
    k->next            = s->buckets[bucket];
    s->buckets[bucket] = k;
    s->count++;
    e->key = k;
    return true;
}

attached *dedup_end(entry *e, patio_buf *reply)
{
    keyed            *k    = e->key;
    const patio_host *host = e->hub->host;
    if (k == NULL) {
        return NULL;
    }
    attached *all    = k->waiting;
    attached *alive  = NULL;
    k->waiting       = NULL;
    k->waiting_count = 0;
    k->entry         = NULL;
    e->key           = NULL;
    if (reply != NULL) {
        k->reply = host->buf_ref(host->self, reply);
    }
    while (all != NULL) {
        attached *next = all->next;
        if (all->origin->running) {
            instance_hold(all->origin);
            all->next = alive;
            alive     = all;
        } else {
            host->free(host->self, all);
        }
        all = next;
    }
    return alive;
}

void dedup_forget_origin(hub *h, const patio_transport *t)
{
    for (uint32_t b = 0; h->keys.buckets != NULL && b < KEY_BUCKETS; b++) {
        for (keyed *k = h->keys.buckets[b]; k != NULL; k = k->next) {
            for (attached **at = &k->waiting; *at != NULL;) {
                attached *a = *at;
                if (a->origin == t) {
                    *at = a->next;
                    k->waiting_count--;
                    h->host->free(h->host->self, a);
                } else {
                    at = &a->next;
                }
            }
        }
    }
}

void dedup_fini(hub *h)
{
    for (uint32_t b = 0; h->keys.buckets != NULL && b < KEY_BUCKETS; b++) {
        while (h->keys.buckets[b] != NULL) {
            h->keys.buckets[b]->entry = NULL; /* its chunk is gone */
            free_key(h, &h->keys.buckets[b]);
        }
    }
    h->host->free(h->host->self, h->keys.buckets);
}

void say_gone(const farewell *f, patio_status status, const char *why)
{
    if (f->origin == NULL) {
        return;
    }
    patio_error   err     = PATIO_ERROR_INIT;
    patio_receipt receipt = {PATIO_SIZED(patio_receipt), .outcome = PATIO_UNKNOWN, .id = f->id,
                             .error = &err};
    (void)patio_fail(&err, status, 0, "%s", why);
    f->origin->events->published(f->origin->events->self, &receipt);
    instance_release(f->origin);
}

void dedup_tell(const patio_host *host, attached *all, patio_buf *reply, patio_status status,
                const char *why)
{
    while (all != NULL) {
        attached        *next   = all->next;
        patio_transport *origin = all->origin;
        if (reply != NULL) {
            patio_reply r = {PATIO_SIZED(patio_reply), .id = all->id, .body = reply};
            origin->events->replied(origin->events->self, &r);
            instance_release(origin);
        } else {
            say_gone(&(farewell){.origin = all->quiet ? origin : NULL, .id = all->id}, status, why);
            if (!all->quiet) {
                instance_release(origin); /* it has had its one receipt: its deadline speaks */
            }
        }
        host->free(host->self, all);
        all = next;
    }
}
