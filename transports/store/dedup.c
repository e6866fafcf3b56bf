/* Keys under which a second task is a duplicate: drop it, attach its caller, or replace the first.
 */
#include "store.h"

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

static void free_key(store_room *s, keyed **at)
{
    keyed *k = *at;
    *at      = k->next;
    if (k->entry != NULL) {
        k->entry->key = NULL;
    }
    k->queue->named--;
    free_attached(s->host, k->waiting);
    s->host->buf_drop(s->host->self, k->reply);
    s->host->free(s->host->self, k);
    s->keys.count--;
}

/* Away with what is over; one with callers that wait stays until they have their answer. */
static void prune(store_room *s, uint32_t bucket, uint64_t now)
{
    for (keyed **at = &s->keys.buckets[bucket]; *at != NULL;) {
        if (is_over(*at, now) && (*at)->waiting == NULL) {
            free_key(s, at);
        } else {
            at = &(*at)->next;
        }
    }
}

static keyed *find(store_room *s, const queue *q, patio_bytes key, uint64_t now)
{
    if (s->keys.buckets == NULL) {
        return NULL;
    }
    uint32_t bucket = bucket_of(q, key);
    prune(s, bucket, now);
    for (keyed *k = s->keys.buckets[bucket]; k != NULL; k = k->next) {
        if (k->queue == q && k->size == key.size && memcmp(k->key, key.data, key.size) == 0 &&
            !is_over(k, now)) {
            return k;
        }
    }
    return NULL;
}

/* One more key fits. */
static bool room_for(store_room *s, uint64_t most, uint64_t now)
{
    for (uint32_t b = 0; s->keys.buckets != NULL && s->keys.count >= most && b < KEY_BUCKETS; b++) {
        prune(s, b, now);
    }
    return s->keys.count < most;
}

static patio_status attach(const patio_host *host, patio_transport *origin, keyed *k,
                           const patio_message *m, patio_error *err)
{
    if (k->waiting_count >= DEDUP_CALLER_MAX) {
        return patio_fail(err, PATIO_FULL, 0, "send %s: %d callers wait for this task already",
                          m->task, DEDUP_CALLER_MAX);
    }
    attached *a = host->alloc(host->self, sizeof(*a));
    if (a == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    *a         = (attached){.next   = k->waiting,
                            .origin = origin,
                            .id     = m->id,
                            .quiet  = (m->flags & PATIO_MESSAGE_NO_RECEIPT) != 0};
    k->waiting = a;
    k->waiting_count++;
    return PATIO_OK;
}

patio_status dedup_look(store_room *s, const store_bounds *b, queue *q, patio_transport *origin,
                        const patio_message *m, uint32_t *verdict, keyed **found, patio_error *err)
{
    uint64_t now = s->host->now_ns(s->host->self);
    keyed   *k   = find(s, q, m->dedup_key, now);
    *found       = k;
    *verdict     = KEY_DUPLICATE;
    if (k == NULL) {
        *verdict = KEY_NEW;
        return room_for(s, b->max_dedup_keys, now)
                   ? PATIO_OK
                   : patio_fail(err, PATIO_FULL, 0,
                                "send %s: %llu dedup keys are remembered "
                                "(max_dedup_keys)",
                                m->task, (unsigned long long)s->keys.count);
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
            return attach(s->host, origin, k, m, err);
        }
        *verdict = k->reply != NULL ? KEY_ANSWERED : KEY_DUPLICATE;
    }
    return PATIO_OK;
}

bool dedup_set(store_room *s, queue *q, const patio_message *m, entry *e)
{
    const patio_host *host = s->host;
    keyed_store      *all  = &s->keys;
    uint64_t          now  = host->now_ns(host->self);
    if (all->buckets == NULL) {
        all->buckets = host->alloc(host->self, KEY_BUCKETS * sizeof(*all->buckets));
        if (all->buckets == NULL) {
            return false;
        }
        memset(all->buckets, 0, KEY_BUCKETS * sizeof(*all->buckets));
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
    uint32_t bucket      = bucket_of(q, m->dedup_key);
    k->next              = all->buckets[bucket];
    all->buckets[bucket] = k;
    all->count++;
    q->named++;
    e->key = k;
    return true;
}

attached *dedup_end(entry *e, patio_buf *reply)
{
    keyed *k = e->key;
    if (k == NULL) {
        return NULL;
    }
    attached *all    = k->waiting;
    k->waiting       = NULL;
    k->waiting_count = 0;
    k->entry         = NULL;
    e->key           = NULL;
    if (reply != NULL) {
        const patio_host *host = e->lane->queue->store->host;
        k->reply               = host->buf_ref(host->self, reply);
    }
    return all;
}

void dedup_forget_origin(store_room *s, const patio_transport *t)
{
    for (uint32_t b = 0; s->keys.buckets != NULL && b < KEY_BUCKETS; b++) {
        for (keyed *k = s->keys.buckets[b]; k != NULL; k = k->next) {
            for (attached **at = &k->waiting; *at != NULL;) {
                attached *a = *at;
                if (a->origin == t) {
                    *at = a->next;
                    k->waiting_count--;
                    s->host->free(s->host->self, a);
                } else {
                    at = &a->next;
                }
            }
        }
    }
}

void dedup_fini(store_room *s)
{
    for (uint32_t b = 0; s->keys.buckets != NULL && b < KEY_BUCKETS; b++) {
        while (s->keys.buckets[b] != NULL) {
            s->keys.buckets[b]->entry = NULL; /* its chunk is gone */
            free_key(s, &s->keys.buckets[b]);
        }
    }
    s->host->free(s->host->self, s->keys.buckets);
}
