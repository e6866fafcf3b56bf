/* The slab of entries. */
#include "store.h"

void store_init(store_room *s, const patio_host *host, pthread_mutex_t *lock)
{
    memset(s, 0, sizeof(*s));
    s->host = host;
    s->lock = lock;
    (void)host->random(host->self, &s->seed, sizeof(s->seed)); /* without it, 0 will do */
}

void store_fini(store_room *s, void (*forget)(const patio_host *host, queue *q))
{
    const patio_host *host = s->host;
    for (uint32_t c = 0; c < s->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e = &s->chunks[c][i];
            if (e->state == ENTRY_DELAYED && e->timer != 0) {
                (void)host->cancel(host->self, e->timer);
            }
            if (e->state != ENTRY_FREE) {
                host->buf_drop(host->self, e->body);
                host->buf_drop(host->self, e->cause);
            }
        }
        host->free(host->self, s->chunks[c]);
    }
    host->free(host->self, s->chunks);
    ids_fini(s);
    store_results_fini(s);
    dedup_fini(s);
    names_fini(s, forget);
}

static bool add_chunk(store_room *s)
{
    const patio_host *host = s->host;
    entry **chunks = host->resize(host->self, s->chunks, (s->chunk_count + 1) * sizeof(*chunks));
    if (chunks == NULL) {
        return false;
    }
    s->chunks    = chunks;
    entry *chunk = host->alloc(host->self, CHUNK_ENTRIES * sizeof(*chunk));
    if (chunk == NULL) {
        return false;
    }
    memset(chunk, 0, CHUNK_ENTRIES * sizeof(*chunk));
    for (uint32_t i = CHUNK_ENTRIES; i-- > 0;) {
        chunk[i].tag  = s->chunk_count * CHUNK_ENTRIES + i + 1;
        chunk[i].next = s->free;
        s->free       = &chunk[i];
    }
    s->chunks[s->chunk_count++] = chunk;
    return true;
}

entry *store_entry_new(store_room *s)
{
    if (s->free == NULL && !add_chunk(s)) {
        return NULL;
    }
    entry *e = s->free;
    s->free  = e->next;
    e->tag += UINT64_C(1) << 32;
    e->next        = NULL;
    e->prev        = NULL;
    e->cause       = NULL;
    e->key         = NULL;
    e->fence       = 0;
    e->timer       = 0;
    e->deadline_ns = 0;
    e->claimed     = false;
    return e;
}

entry *store_entry_find(store_room *s, uint64_t tag, uint8_t state)
{
    uint32_t slot = (uint32_t)tag - 1;
    if ((uint32_t)tag == 0 || slot / CHUNK_ENTRIES >= s->chunk_count) {
        return NULL;
    }
    entry *e = &s->chunks[slot / CHUNK_ENTRIES][slot % CHUNK_ENTRIES];
    return e->tag == tag && e->state == state ? e : NULL;
}

void store_fill(entry *e, lane *l, const patio_message *m, size_t size, uint64_t now, uint32_t keep)
{
    store_room *s = l->queue->store;
    e->lane       = l;
    l->held++;
    e->body        = s->host->buf_ref(s->host->self, m->body);
    e->accepted_ns = now;
    if (m->ttl_ms != 0 && m->ttl_ms < (UINT64_MAX - now) / 1000000u) {
        e->deadline_ns = now + m->ttl_ms * 1000000u;
    }
    e->id       = m->id;
    e->flags    = m->flags & keep;
    e->attempt  = m->attempt != 0 ? m->attempt : 1;
    e->crashes  = m->crashes;
    e->priority = (uint8_t)(m->priority < PRIORITIES ? m->priority : PATIO_PRIORITY_MAX);
    e->state    = ENTRY_GONE; /* in no list yet */
    e->indexed  = false;
    if (s->ids.buckets != NULL) {
        ids_insert(s, e);
    }
    s->held++;
    s->held_bytes += size;
}

void store_entry_free(store_room *s, entry *e)
{
    if (e->state < ENTRY_OWN) {
        s->held--;
        s->held_bytes -= store_body_size(e);
    }
    if (e->indexed) {
        ids_remove(s, e);
    }
    e->lane->held--;
    e->state = ENTRY_FREE;
    e->body  = NULL;
    e->cause = NULL;
    e->key   = NULL;
    e->next  = s->free;
    s->free  = e;
}

void store_bury(store_room *s, entry *e)
{
    const patio_host *host = s->host;
    while (e != NULL) {
        entry *next = e->next;
        if (e->timer != 0) {
            /* not under the lock, which a timer that runs right now waits for */
            (void)host->cancel(host->self, e->timer);
        }
        pthread_mutex_lock(s->lock);
        patio_buf *body  = e->body;
        patio_buf *cause = e->cause;
        e->timer         = 0;
        store_entry_free(s, e);
        pthread_mutex_unlock(s->lock);
        host->buf_drop(host->self, body);
        host->buf_drop(host->self, cause);
        e = next;
    }
}

uint64_t store_time_left(const entry *e, uint64_t now, uint32_t *flags)
{
    if (e->deadline_ns == 0) {
        return 0;
    }
    if (e->deadline_ns <= now) {
        *flags |= PATIO_MESSAGE_EXPIRED;
        return 0;
    }
    return (e->deadline_ns - now - 1) / 1000000u + 1;
}

void store_counts(const queue *q, uint64_t now, patio_counts *out)
{
    uint64_t oldest = UINT64_MAX;
    out->ready      = q->ready;
    out->leased     = q->leased;
    out->delayed    = q->delayed;
    out->dead       = q->dead;
    for (uint32_t i = 0; i < q->lane_count; i++) {
        for (unsigned p = 0; p < PRIORITIES; p++) {
            const entry *e = q->lanes[i]->ready[p].first;
            oldest         = e != NULL && e->accepted_ns < oldest ? e->accepted_ns : oldest;
        }
    }
    if (oldest < now) {
        out->oldest_age_ms = (now - oldest) / 1000000u;
    }
}

size_t store_body_size(const entry *e)
{
    const patio_host *host = e->lane->queue->store->host;
    return host->buf_view(host->self, e->body).size;
}

bool store_has_room(const store_room *s, const store_bounds *b, size_t size)
{
    uint64_t bytes = s->held_bytes - s->dead_bytes;
    return s->held - s->dead < b->max_queued && bytes <= b->max_queued_bytes &&
           size <= b->max_queued_bytes - bytes;
}
