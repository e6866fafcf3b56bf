/* Queues and lanes, by their names. */
#include "store.h"

queue *store_queue(store_room *s, const char *name, bool make)
{
    queue **at = &s->queues;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    if (*at != NULL || !make || s->queue_count >= QUEUES_MAX) {
        return *at;
    }
    size_t size = strlen(name) + 1;
    queue *q    = s->host->alloc(s->host->self, sizeof(*q) + size);
    if (q != NULL) {
        memset(q, 0, sizeof(*q));
        memcpy(q->name, name, size);
        q->store = s;
        *at      = q; /* behind the others: the first ones are asked for most */
        s->queue_count++;
    }
    return q;
}

/* Keyed, so that nobody can choose names that all fall into one bucket. */
static uint32_t hash(const store_room *s, const char *text)
{
    uint64_t h = s->seed;
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return (uint32_t)(h >> 32);
}

static lane **bucket_of(const queue *q, uint32_t h)
{
    return &q->buckets[h & (q->bucket_count - 1)];
}

static bool grow_buckets(queue *q)
{
    if (q->lane_count < q->bucket_count) {
        return true;
    }
    const patio_host *host    = q->store->host;
    uint32_t          count   = q->bucket_count > 0 ? q->bucket_count * 2 : LANE_BUCKETS_MIN;
    lane            **buckets = host->alloc(host->self, count * sizeof(*buckets));
    if (buckets == NULL) {
        return q->bucket_count > 0; /* longer chains are no harm */
    }
    memset(buckets, 0, count * sizeof(*buckets));
    host->free(host->self, q->buckets);
    q->buckets      = buckets;
    q->bucket_count = count;
    for (uint32_t i = 0; i < q->lane_count; i++) {
        lane  *l  = q->lanes[i];
        lane **at = bucket_of(q, l->hash);
        l->next   = *at;
        *at       = l;
    }
    return true;
}

static bool grow_lanes(queue *q)
{
    if (q->lane_count < q->lane_room) {
        return true;
    }
    const patio_host *host  = q->store->host;
    uint32_t          words = q->lane_room / WORD_BITS;
    uint32_t          room  = q->lane_room > 0 ? q->lane_room * 2 : WORD_BITS;
    lane            **lanes = host->resize(host->self, q->lanes, room * sizeof(lane *));
    if (lanes == NULL) {
        return false;
    }
    q->lanes       = lanes;
    uint64_t *bits = host->resize(host->self, q->nonempty, room / WORD_BITS * sizeof(*bits));
    if (bits == NULL) {
        return false;
    }
    memset(bits + words, 0, (room / WORD_BITS - words) * sizeof(*bits));
    q->nonempty  = bits;
    q->lane_room = room;
    return true;
}

static lane *find(const queue *q, uint32_t h, const char *task)
{
    lane *l = q->bucket_count > 0 ? *bucket_of(q, h) : NULL;
    while (l != NULL && (l->hash != h || strcmp(l->task, task) != 0)) {
        l = l->next;
    }
    return l;
}

static lane *add(queue *q, uint32_t h, const char *task)
{
    const patio_host *host = q->store->host;
    size_t            size = strlen(task) + 1;
    lane             *l    = host->alloc(host->self, sizeof(*l) + size);
    if (l != NULL) {
        lane **at = bucket_of(q, h);
        memset(l, 0, sizeof(*l));
        memcpy(l->task, task, size);
        l->queue                  = q;
        l->hash                   = h;
        l->index                  = q->lane_count;
        l->next                   = *at;
        *at                       = l;
        q->lanes[q->lane_count++] = l;
        q->store->lanes++;
    }
    return l;
}

lane *store_lane(queue *q, const char *task, bool make)
{
    if (q->last_lane != NULL && strcmp(q->last_lane->task, task) == 0) {
        return q->last_lane;
    }
    uint32_t h = hash(q->store, task);
    lane    *l = find(q, h, task);
    if (l != NULL) {
        q->last_lane = l;
    } else if (make && q->store->lanes < LANES_MAX && grow_lanes(q) && grow_buckets(q)) {
        l = add(q, h, task);
    }
    return l;
}

patio_status store_no_name(const store_room *s, const queue *q, const char *what, const char *name,
                           patio_error *err)
{
    if (q == NULL && s->queue_count >= QUEUES_MAX) {
        return patio_fail(err, PATIO_FULL, 0,
                          "%s %s: %u queues are known here, the most there can be", what, name,
                          s->queue_count);
    }
    if (q != NULL && s->lanes >= LANES_MAX) {
        return patio_fail(err, PATIO_FULL, 0,
                          "%s %s: %llu names of tasks are known here, the most there can be", what,
                          name, (unsigned long long)s->lanes);
    }
    return patio_fail(err, PATIO_NO_MEMORY, 0, "%s %s: out of memory", what, name);
}

static void set_bit(uint64_t *bits, uint32_t at, bool on)
{
    uint64_t bit         = UINT64_C(1) << (at % WORD_BITS);
    bits[at / WORD_BITS] = on ? bits[at / WORD_BITS] | bit : bits[at / WORD_BITS] & ~bit;
}

lane *store_lane_drop(lane *l)
{
    queue *q    = l->queue;
    lane **at   = bucket_of(q, l->hash);
    lane  *last = q->lanes[--q->lane_count];
    while (*at != l) {
        at = &(*at)->next;
    }
    *at          = l->next;
    q->last_lane = NULL;
    q->store->lanes--;
    set_bit(q->nonempty, last->index, false);
    last->index           = l->index;
    q->lanes[last->index] = last;
    set_bit(q->nonempty, last->index, last->nonempty != 0);
    last = last != l ? last : NULL;
    q->store->host->free(q->store->host->self, l);
    return last;
}

static void free_queue(const patio_host *host, queue *q)
{
    host->free(host->self, q->lanes);
    host->free(host->self, q->buckets);
    host->free(host->self, q->nonempty);
    host->free(host->self, q);
}

void store_queue_drop(queue *q)
{
    store_room *s  = q->store;
    queue     **at = &s->queues;
    while (*at != q) {
        at = &(*at)->next;
    }
    *at = q->next;
    s->queue_count--;
    free_queue(s->host, q);
}

void names_fini(store_room *s, void (*forget)(const patio_host *host, queue *q))
{
    const patio_host *host = s->host;
    while (s->queues != NULL) {
        queue *q  = s->queues;
        s->queues = q->next;
        forget(host, q);
        for (uint32_t i = 0; i < q->lane_count; i++) {
            host->free(host->self, q->lanes[i]);
        }
        free_queue(host, q);
    }
}
