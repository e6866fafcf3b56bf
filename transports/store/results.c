/* Results kept by id, each for its time, bounded by count and bytes. */
#include "store.h"

static uint32_t bucket_of(const patio_id *id)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        h = (h ^ id->bytes[i]) * 16777619u;
    }
    return h % KEY_BUCKETS;
}

void store_result_free(const patio_host *host, kept *k)
{
    while (k != NULL) {
        kept *next = k->next;
        host->buf_drop(host->self, k->reply);
        host->free(host->self, k);
        k = next;
    }
}

/* The oldest goes, into the list of those to be freed. */
static void evict(kept_store *s, kept **out)
{
    kept  *k  = s->oldest;
    kept **at = &s->buckets[bucket_of(&k->id)];
    while (*at != k) {
        at = &(*at)->next;
    }
    *at       = k->next;
    s->oldest = k->newer;
    s->newest = s->oldest != NULL ? s->newest : NULL;
    s->count--;
    s->bytes -= k->size;
    k->queue->named--;
    k->next = *out;
    *out    = k;
}

static kept *find(const kept_store *s, const queue *q, const patio_id *id)
{
    kept *k = s->buckets != NULL ? s->buckets[bucket_of(id)] : NULL;
    while (k != NULL && (k->queue != q || memcmp(&k->id, id, sizeof(*id)) != 0)) {
        k = k->next;
    }
    return k;
}

static bool make_buckets(const patio_host *host, kept_store *s)
{
    if (s->buckets == NULL) {
        s->buckets = host->alloc(host->self, KEY_BUCKETS * sizeof(*s->buckets));
        if (s->buckets != NULL) {
            memset(s->buckets, 0, KEY_BUCKETS * sizeof(*s->buckets));
        }
    }
    return s->buckets != NULL;
}

void store_result_keep(store_room *s, const store_bounds *b, const entry *e, uint32_t state,
                       uint64_t ttl_ms, patio_buf *reply, kept **out)
{
    const patio_host *host = s->host;
    kept_store       *all  = &s->results;
    uint64_t          now  = host->now_ns(host->self);
    kept             *k    = make_buckets(host, all) ? host->alloc(host->self, sizeof(*k)) : NULL;
    if (k == NULL) {
        patio_host_log(host, PATIO_LOG_WARN, "a result is not kept: out of memory");
        return;
    }
    *k = (kept){
        .queue      = e->lane->queue,
        .id         = e->id,
        .state      = state,
        .expires_ns = ttl_ms < (UINT64_MAX - now) / 1000000u ? now + ttl_ms * 1000000u : UINT64_MAX,
    };
    if (reply != NULL) {
        k->reply = host->buf_ref(host->self, reply);
        k->size  = (uint32_t)host->buf_view(host->self, reply).size;
    }
    while (all->oldest != NULL && (all->oldest->expires_ns <= now || all->count >= b->max_results ||
                                   all->bytes + k->size > b->max_result_bytes)) {
        evict(all, out);
    }
    kept **bucket = &all->buckets[bucket_of(&k->id)];
    k->next       = *bucket;
    *bucket       = k;
    if (all->newest != NULL) {
        all->newest->newer = k;
    } else {
        all->oldest = k;
    }
    all->newest = k;
    all->count++;
    k->queue->named++;
    all->bytes += k->size;
}

void store_result_gone(store_room *s, const store_bounds *b, const entry *e, uint32_t state,
                       bool named, kept **out)
{
    const kept *k     = find(&s->results, e->lane->queue, &e->id);
    bool        known = k != NULL && k->state == state; /* and perhaps with a reply */
    if (!known && (named || (e->flags & PATIO_MESSAGE_KEEP_RESULT) != 0)) {
        store_result_keep(s, b, e, state, GONE_TTL_MS, NULL, out);
    }
}

void store_results_fini(store_room *s)
{
    kept *all = NULL;
    while (s->results.oldest != NULL) {
        evict(&s->results, &all);
    }
    store_result_free(s->host, all);
    s->host->free(s->host->self, s->results.buckets);
}

static uint32_t state_of(const entry *e)
{
    switch (e->state) {
    case ENTRY_LEASED:
        return PATIO_STATE_RUNNING;
    case ENTRY_DEAD:
        return PATIO_STATE_DEAD;
    default:
        return PATIO_STATE_QUEUED;
    }
}

void store_result_get(store_room *s, const char *name, const patio_id *id, patio_result *out)
{
    const patio_host *host = s->host;
    patio_result      r    = {.struct_size = out->struct_size, .state = PATIO_STATE_UNKNOWN};
    pthread_mutex_lock(s->lock);
    uint64_t     now = host->now_ns(host->self);
    queue       *q   = store_queue(s, name, false);
    const kept  *k   = q != NULL ? find(&s->results, q, id) : NULL;
    const entry *e   = q != NULL ? store_entry_by_id(q, id, true) : NULL;
    if (k != NULL && k->expires_ns > now) {
        r.state  = k->state;
        r.ttl_ms = (k->expires_ns - now - 1) / 1000000u + 1;
        r.reply  = k->reply != NULL ? host->buf_ref(host->self, k->reply) : NULL;
    }
    if (e != NULL) {
        r.state = state_of(e); /* newer than what was kept: it may have been retried */
    }
    pthread_mutex_unlock(s->lock);
    memcpy(out, &r, out->struct_size < sizeof(r) ? out->struct_size : sizeof(r));
}
