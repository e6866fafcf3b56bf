/* Queues, lanes and entries. */
#include "tcp.h"

queue *hub_queue(patio_transport *t, const char *name, bool make)
{
    queue *q = t->queues;
    while (q != NULL && strcmp(q->name, name) != 0) {
        q = q->next;
    }
    if (q != NULL || !make || t->queue_count >= QUEUES_MAX) {
        return q;
    }
    size_t size = strlen(name) + 1;
    q           = t->host->alloc(t->host->self, sizeof(*q) + size);
    if (q != NULL) {
        memset(q, 0, sizeof(*q));
        memcpy(q->name, name, size);
        q->t      = t;
        q->next   = t->queues;
        t->queues = q;
        t->queue_count++;
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
    const patio_host *host  = q->t->host;
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
    if (l != NULL || !make || q->t->lanes >= LANES_MAX || !grow_lanes(q)) {
        return l;
    }
    const patio_host *host = q->t->host;
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
        q->t->lanes++;
    }
    return l;
}

static bool add_chunk(patio_transport *t)
{
    const patio_host *host = t->host;
    entry **chunks = host->resize(host->self, t->chunks, (t->chunk_count + 1) * sizeof(*chunks));
    if (chunks == NULL) {
        return false;
    }
    t->chunks    = chunks;
    entry *chunk = host->alloc(host->self, CHUNK_ENTRIES * sizeof(*chunk));
    if (chunk == NULL) {
        return false;
    }
    memset(chunk, 0, CHUNK_ENTRIES * sizeof(*chunk));
    for (uint32_t i = CHUNK_ENTRIES; i-- > 0;) {
        chunk[i].tag  = t->chunk_count * CHUNK_ENTRIES + i + 1;
        chunk[i].t    = t;
        chunk[i].next = t->free;
        t->free       = &chunk[i];
    }
    t->chunks[t->chunk_count++] = chunk;
    return true;
}

entry *hub_entry_new(patio_transport *t)
{
    if (t->free == NULL && !add_chunk(t)) {
        return NULL;
    }
    entry *e = t->free;
    t->free  = e->next;
    e->tag += UINT64_C(1) << 32;
    e->next        = NULL;
    e->prev        = NULL;
    e->link        = NULL;
    e->holder      = NULL;
    e->cause       = NULL;
    e->fence       = 0;
    e->timer       = 0;
    e->deadline_ns = 0;
    e->claimed     = false;
    e->asked       = false;
    return e;
}

entry *hub_entry_find(patio_transport *t, uint64_t tag, uint8_t state)
{
    uint32_t slot = (uint32_t)tag - 1;
    if ((uint32_t)tag == 0 || slot / CHUNK_ENTRIES >= t->chunk_count) {
        return NULL;
    }
    entry *e = &t->chunks[slot / CHUNK_ENTRIES][slot % CHUNK_ENTRIES];
    return e->tag == tag && e->state == state ? e : NULL;
}

void hub_entry_free(entry *e)
{
    patio_transport  *t    = e->t;
    const patio_host *host = t->host;
    if (e->state != ENTRY_INBOX && e->state != ENTRY_DELIVERED) {
        t->held--;
        t->held_bytes -= host->buf_view(host->self, e->body).size;
        if (e->state != ENTRY_DEAD && (e->flags & PATIO_MESSAGE_CALL) == 0) {
            t->sends--;
        }
    }
    host->buf_drop(host->self, e->body);
    host->buf_drop(host->self, e->cause);
    e->body  = NULL;
    e->cause = NULL;
    e->state = ENTRY_FREE;
    e->next  = t->free;
    t->free  = e;
    if (t->waiting_calm && t->sends == 0) {
        pthread_cond_broadcast(&t->calm);
    }
}

void hub_append(list *l, entry *e)
{
    e->next = NULL;
    e->prev = l->last;
    if (l->last != NULL) {
        l->last->next = e;
    } else {
        l->first = e;
    }
    l->last = e;
}

void hub_unlink(list *l, entry *e)
{
    if (e->prev != NULL) {
        e->prev->next = e->next;
    } else {
        l->first = e->next;
    }
    if (e->next != NULL) {
        e->next->prev = e->prev;
    } else {
        l->last = e->prev;
    }
}

/* By their order: at the end, but what comes back unstarted has its old place. */
static void insert(list *l, entry *e)
{
    entry *after = l->last;
    if (after == NULL || after->order < e->order) {
        hub_append(l, e);
        return;
    }
    entry *before = l->first;
    while (before->order < e->order) {
        before = before->next;
    }
    e->next = before;
    e->prev = before->prev;
    if (before->prev != NULL) {
        before->prev->next = e;
    } else {
        l->first = e;
    }
    before->prev = e;
}

void hub_push_ready(entry *e)
{
    lane  *l = e->lane;
    queue *q = l->queue;
    e->state = ENTRY_READY;
    insert(&l->ready[e->priority], e);
    l->nonempty |= 1u << e->priority;
    q->nonempty[l->index / WORD_BITS] |= UINT64_C(1) << (l->index % WORD_BITS);
    q->ready++;
}

void hub_unlink_ready(entry *e)
{
    lane  *l = e->lane;
    queue *q = l->queue;
    hub_unlink(&l->ready[e->priority], e);
    q->ready--;
    if (l->ready[e->priority].first == NULL) {
        l->nonempty &= ~(1u << e->priority);
        if (l->nonempty == 0) {
            q->nonempty[l->index / WORD_BITS] &= ~(UINT64_C(1) << (l->index % WORD_BITS));
        }
    }
}

void hub_link(conn *c, entry **first, entry *e)
{
    e->link      = c;
    e->link_prev = NULL;
    e->link_next = *first;
    if (*first != NULL) {
        (*first)->link_prev = e;
    }
    *first = e;
}

void hub_unlink_link(entry **first, entry *e)
{
    if (e->link_prev != NULL) {
        e->link_prev->link_next = e->link_next;
    } else {
        *first = e->link_next;
    }
    if (e->link_next != NULL) {
        e->link_next->link_prev = e->link_prev;
    }
    e->link = NULL;
}

static void free_queue(patio_transport *t, queue *q)
{
    const patio_host *host = t->host;
    for (uint32_t i = 0; i < q->lane_count; i++) {
        host->free(host->self, q->lanes[i]->routes);
        host->free(host->self, q->lanes[i]);
    }
    host->free(host->self, q->own);
    host->free(host->self, q->lanes);
    host->free(host->self, q->nonempty);
    host->free(host->self, q);
}

void hub_fini(patio_transport *t)
{
    const patio_host *host = t->host;
    for (uint32_t c = 0; c < t->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e = &t->chunks[c][i];
            if (e->state == ENTRY_DELAYED && e->timer != 0) {
                (void)host->cancel(host->self, e->timer);
            }
            if (e->state != ENTRY_FREE) {
                host->buf_drop(host->self, e->body);
                host->buf_drop(host->self, e->cause);
            }
        }
        host->free(host->self, t->chunks[c]);
    }
    host->free(host->self, t->chunks);
    while (t->queues != NULL) {
        queue *next = t->queues->next;
        free_queue(t, t->queues);
        t->queues = next;
    }
}
