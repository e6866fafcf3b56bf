/* Results kept by id, each for its time, bounded by count and bytes. */
#include "memory.h"

#include <patio/results.h>

static uint32_t bucket_of(const patio_id *id)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        h = (h ^ id->bytes[i]) * 16777619u;
    }
    return h % KEY_BUCKETS;
}

void result_free(const patio_host *host, kept *k)
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

static bool make_buckets(hub *h)
{
    kept_store       *s    = &h->results;
    const patio_host *host = h->host;
    if (s->buckets == NULL) {
        s->buckets = host->alloc(host->self, KEY_BUCKETS * sizeof(*s->buckets));
        if (s->buckets != NULL) {
            memset(s->buckets, 0, KEY_BUCKETS * sizeof(*s->buckets));
        }
    }
    return s->buckets != NULL;
}

void result_keep(patio_transport *t, const entry *e, const patio_settlement *s, kept **out)
{
    const patio_host *host  = t->host;
    kept_store       *store = &t->hub->results;
    uint64_t          now   = host->now_ns(host->self);
    kept             *k     = make_buckets(t->hub) ? host->alloc(host->self, sizeof(*k)) : NULL;
    if (k == NULL) {
        patio_host_log(host, PATIO_LOG_WARN, "a result is not kept: out of memory");
        return;
    }
    *k = (kept){
        .queue      = e->lane->queue,
        .id         = e->id,
        .state      = s->verdict == PATIO_ACK ? PATIO_STATE_DONE : PATIO_STATE_DEAD,
        .expires_ns = s->result_ttl_ms < (UINT64_MAX - now) / 1000000u
                          ? now + s->result_ttl_ms * 1000000u
                          : UINT64_MAX,
    };
    if (s->reply != NULL) {
        k->reply = host->buf_ref(host->self, s->reply);
        k->size  = (uint32_t)host->buf_view(host->self, s->reply).size;
    }
    while (store->oldest != NULL &&
           (store->oldest->expires_ns <= now || store->count >= t->max_results ||
            store->bytes + k->size > t->max_result_bytes)) {
        evict(store, out);
    }
    kept **bucket = &store->buckets[bucket_of(&k->id)];
    k->next       = *bucket;
    *bucket       = k;
    if (store->newest != NULL) {
        store->newest->newer = k;
    } else {
        store->oldest = k;
    }
    store->newest = k;
    store->count++;
    store->bytes += k->size;
}

void results_fini(hub *h)
{
    kept *all = NULL;
    while (h->results.oldest != NULL) {
        evict(&h->results, &all);
    }
    result_free(h->host, all);
    h->host->free(h->host->self, h->results.buckets);
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

static patio_status results_get(patio_transport *t, const char *name, const patio_id *id,
                                uint64_t timeout_ms, patio_result *out, patio_error *err)
{
    const patio_host *host = t->host;
    hub              *h    = t->hub;
    patio_result      r    = {.struct_size = out->struct_size, .state = PATIO_STATE_UNKNOWN};
    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&h->lock);
    uint64_t    now = host->now_ns(host->self);
    queue      *q   = hub_queue(h, name, false);
    const kept *k   = q != NULL ? find(&h->results, q, id) : NULL;
    entry      *e   = q != NULL ? hub_entry_by_id(q, id, true) : NULL;
    if (k != NULL && k->expires_ns > now) {
        r.state  = k->state;
        r.ttl_ms = (k->expires_ns - now - 1) / 1000000u + 1;
        r.reply  = k->reply != NULL ? host->buf_ref(host->self, k->reply) : NULL;
    }
    if (e != NULL) {
        r.state = state_of(e); /* newer than what was kept: it may have been retried */
    }
    pthread_mutex_unlock(&h->lock);
    memcpy(out, &r, out->struct_size < sizeof(r) ? out->struct_size : sizeof(r));
    return PATIO_OK;
}

const patio_results_ops memory_results_ops = {PATIO_SIZED(patio_results_ops), .get = results_get};
