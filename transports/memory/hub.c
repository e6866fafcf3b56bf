#include "hub.h"

void *hub_make(void *arg)
{
    const patio_host *host = arg;
    hub              *h    = host->alloc(host->self, sizeof(*h));
    if (h == NULL) {
        return NULL;
    }
    memset(h, 0, sizeof(*h));
    h->host = host;
    pthread_mutexattr_t adaptive;
    pthread_mutexattr_init(&adaptive);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    /* held for a few dozen nanoseconds: looking again beats sleeping */
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(&h->lock, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
    return h;
}

static void free_queue(hub *h, queue *q)
{
    const patio_host *host = h->host;
    for (uint32_t i = 0; i < q->lane_count; i++) {
        host->free(host->self, q->lanes[i]);
    }
    host->free(host->self, q->lanes);
    host->free(host->self, q->nonempty);
    host->free(host->self, q);
}

void hub_free(void *arg)
{
    hub              *h    = arg;
    const patio_host *host = h->host;
    /* a timer may be running, about to take the lock or about to leave it */
    pthread_mutex_lock(&h->lock);
    h->closing = true;
    pthread_mutex_unlock(&h->lock);
    for (uint32_t c = 0; c < h->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e = &h->chunks[c][i];
            if (e->state == ENTRY_DELAYED) {
                (void)host->cancel(host->self, e->timer);
            }
            if (e->state != ENTRY_FREE) {
                host->buf_drop(host->self, e->body);
                host->buf_drop(host->self, e->cause);
            }
        }
        host->free(host->self, h->chunks[c]);
    }
    host->free(host->self, h->chunks);
    results_fini(h);
    dedup_fini(h);
    while (h->queues != NULL) {
        queue *next = h->queues->next;
        free_queue(h, h->queues);
        h->queues = next;
    }
    pthread_mutex_destroy(&h->lock);
    host->free(host->self, h);
}

queue *hub_queue(hub *h, const char *name, bool make)
{
    queue *q = h->queues;
    while (q != NULL && strcmp(q->name, name) != 0) {
        q = q->next;
    }
    if (q != NULL || !make) {
        return q;
    }
    size_t size = strlen(name) + 1;
    q           = h->host->alloc(h->host->self, sizeof(*q) + size);
    if (q != NULL) {
        memset(q, 0, sizeof(*q));
        memcpy(q->name, name, size);
        q->hub    = h;
        q->next   = h->queues;
        h->queues = q;
    }
    return q;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint32_t hash(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * 16777619u;
    }
    return h;
}

static bool grow_lanes(queue *q)
{
    if (q->lane_count < q->lane_room) {
        return true;
    }
    const patio_host *host  = q->hub->host;
    uint32_t          room  = q->lane_room + WORD_BITS;
    lane            **lanes = host->resize(host->self, q->lanes, room * sizeof(lane *));
    if (lanes == NULL) {
        return false;
    }
    q->lanes       = lanes;
    uint64_t *bits = host->resize(host->self, q->nonempty, room / WORD_BITS * sizeof(*bits));
    if (bits == NULL) {
        return false;
    }
    bits[room / WORD_BITS - 1] = 0;
    q->nonempty                = bits;
    q->lane_room               = room;
    return true;
}

lane *hub_lane(queue *q, const char *task, bool make)
{
    uint32_t bucket = hash(task) % LANE_BUCKETS;
    lane    *l      = q->buckets[bucket];
    while (l != NULL && strcmp(l->task, task) != 0) {
        l = l->next;
    }
    if (l != NULL || !make || !grow_lanes(q)) {
        return l;
    }
    const patio_host *host = q->hub->host;
    size_t            size = strlen(task) + 1;
    l                      = host->alloc(host->self, sizeof(*l) + size);
    if (l != NULL) {
        memset(l, 0, sizeof(*l));
        memcpy(l->task, task, size);
        l->queue                  = q;
        l->index                  = q->lane_count;
        l->next                   = q->buckets[bucket];
        q->buckets[bucket]        = l;
        q->lanes[q->lane_count++] = l;
        q->hub->lanes++;
    }
    return l;
}

static bool add_chunk(hub *h)
{
    const patio_host *host = h->host;
    entry **chunks = host->resize(host->self, h->chunks, (h->chunk_count + 1) * sizeof(*chunks));
    if (chunks == NULL) {
        return false;
    }
    h->chunks    = chunks;
    entry *chunk = host->alloc(host->self, CHUNK_ENTRIES * sizeof(*chunk));
    if (chunk == NULL) {
        return false;
    }
    memset(chunk, 0, CHUNK_ENTRIES * sizeof(*chunk));
    for (uint32_t i = CHUNK_ENTRIES; i-- > 0;) {
        chunk[i].tag  = h->chunk_count * CHUNK_ENTRIES + i + 1;
        chunk[i].hub  = h;
        chunk[i].next = h->free;
        h->free       = &chunk[i];
    }
    h->chunks[h->chunk_count++] = chunk;
    return true;
}

entry *hub_entry_new(hub *h)
{
    if (h->free == NULL && !add_chunk(h)) {
        return NULL;
    }
    entry *e = h->free;
    h->free  = e->next;
    h->held++;
    return e;
}

entry *hub_entry_find(hub *h, uint64_t tag)
{
    uint32_t slot = (uint32_t)tag - 1;
    if ((uint32_t)tag == 0 || slot / CHUNK_ENTRIES >= h->chunk_count) {
        return NULL;
    }
    entry *e = &h->chunks[slot / CHUNK_ENTRIES][slot % CHUNK_ENTRIES];
    return e->tag == tag && e->state == ENTRY_LEASED ? e : NULL;
}

void hub_entry_free(hub *h, entry *e)
{
    h->held--;
    h->held_bytes -= h->host->buf_view(h->host->self, e->body).size;
    e->state  = ENTRY_FREE;
    e->body   = NULL;
    e->cause  = NULL;
    e->origin = NULL;
    e->holder = NULL;
    e->key    = NULL;
    e->next   = h->free;
    h->free   = e;
}

void hub_append(list *l, entry *e)
{
    e->next = NULL;
    if (l->last != NULL) {
        l->last->next = e;
    } else {
        l->first = e;
    }
    l->last = e;
}

void hub_push_ready(entry *e)
{
    lane  *l = e->lane;
    queue *q = l->queue;
    e->state = ENTRY_READY;
    e->order = ++q->hub->order;
    hub_append(&l->ready[e->priority], e);
    l->nonempty |= 1u << e->priority;
    q->nonempty[l->index / WORD_BITS] |= UINT64_C(1) << (l->index % WORD_BITS);
    q->ready++;
}

static void took_ready(lane *l, unsigned priority)
{
    queue *q = l->queue;
    if (l->ready[priority].first == NULL) {
        l->ready[priority].last = NULL;
        l->nonempty &= ~(1u << priority);
        if (l->nonempty == 0) {
            q->nonempty[l->index / WORD_BITS] &= ~(UINT64_C(1) << (l->index % WORD_BITS));
        }
    }
    q->ready--;
}

/* Highest priority first, then the oldest. */
static bool sooner(const lane *a, const lane *b)
{
    int high_a = 31 - __builtin_clz(a->nonempty);
    int high_b = 31 - __builtin_clz(b->nonempty);
    return high_a != high_b ? high_a > high_b
                            : a->ready[high_a].first->order < b->ready[high_b].first->order;
}

entry *hub_take(subscription *s)
{
    queue *q    = s->queue;
    lane  *best = NULL;
    for (uint32_t w = 0; w < s->words; w++) {
        for (uint64_t bits = q->nonempty[w] & s->lanes[w]; bits != 0; bits &= bits - 1) {
            lane *l = q->lanes[w * WORD_BITS + (uint32_t)__builtin_ctzll(bits)];
            best    = best == NULL || sooner(l, best) ? l : best;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    unsigned priority           = 31u - (unsigned)__builtin_clz(best->nonempty);
    entry   *e                  = best->ready[priority].first;
    best->ready[priority].first = e->next;
    took_ready(best, priority);
    return e;
}

void hub_unlink_ready(entry *e)
{
    list  *l    = &e->lane->ready[e->priority];
    entry *last = NULL;
    for (entry **at = &l->first; *at != NULL; at = &(*at)->next) {
        if (*at == e) {
            *at = e->next;
            if (l->last == e) {
                l->last = last;
            }
            break;
        }
        last = *at;
    }
    took_ready(e->lane, e->priority);
}

entry *hub_entry_by_id(queue *q, const patio_id *id, bool dead)
{
    hub *h = q->hub;
    for (uint32_t c = 0; c < h->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e  = &h->chunks[c][i];
            bool   is = e->state == ENTRY_READY || e->state == ENTRY_LEASED ||
                      e->state == ENTRY_DELAYED || (dead && e->state == ENTRY_DEAD);
            if (is && e->lane->queue == q && memcmp(&e->id, id, sizeof(*id)) == 0) {
                return e;
            }
        }
    }
    return NULL;
}

void hub_bury(hub *h, entry *e)
{
    const patio_host *host = h->host;
    while (e != NULL) {
        entry *next = e->next;
        if (e->timer != 0) {
            /* not under the lock, which a timer that runs right now waits for */
            (void)host->cancel(host->self, e->timer);
        }
        pthread_mutex_lock(&h->lock);
        patio_buf *body  = e->body;
        patio_buf *cause = e->cause;
        e->timer         = 0;
        hub_entry_free(h, e);
        pthread_mutex_unlock(&h->lock);
        host->buf_drop(host->self, body);
        host->buf_drop(host->self, cause);
        e = next;
    }
}
