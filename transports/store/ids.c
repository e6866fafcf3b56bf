/* Entries by id. Only those who cancel or ask ask so: the index is made when it is first needed in
 * a room with many entries, kept up while somebody goes on asking, and given back when nobody does.
 * Without it a task costs one look at a pointer. */
#include "store.h"

enum {
    SCAN_CHUNKS   = 4,     /* so few are looked through as fast */
    UNASKED_TASKS = 65536, /* that come with nobody asking before the index goes */
};

static uint32_t bucket_of(const id_index *x, const patio_id *id)
{
    /* one half is the sender's, the other counts: multiplied so that both reach the upper bits
     * (Fibonacci hashing, Knuth, TAOCP 3, 6.4) */
    uint64_t half[2];
    memcpy(half, id->bytes, sizeof(half));
    return (uint32_t)(((half[0] ^ half[1] << 32 ^ half[1] >> 32) * UINT64_C(0x9e3779b97f4a7c15)) >>
                      x->shift);
}

static void insert(id_index *x, entry *e)
{
    entry **at = &x->buckets[bucket_of(x, &e->id)];
    e->same    = *at;
    e->indexed = true;
    *at        = e;
}

void ids_fini(store_room *s)
{
    if (s->ids.buckets != NULL) {
        s->host->free(s->host->self, s->ids.buckets);
        s->ids.buckets = NULL;
    }
}

static void drop(store_room *s)
{
    ids_fini(s);
    for (uint32_t c = 0; c < s->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            s->chunks[c][i].indexed = false;
        }
    }
}

/* As many buckets as there is room for entries. Without memory it is looked for as before. */
static bool build(store_room *s)
{
    id_index *x    = &s->ids;
    uint32_t  bits = 9;
    drop(s);
    while (bits < 31 && UINT32_C(1) << bits < s->chunk_count * CHUNK_ENTRIES) {
        bits++;
    }
    size_t bytes = sizeof(entry *) << bits;
    x->buckets   = s->host->alloc(s->host->self, bytes);
    if (x->buckets == NULL) {
        return false;
    }
    memset(x->buckets, 0, bytes);
    x->shift  = 64 - bits;
    x->chunks = s->chunk_count;
    for (uint32_t c = 0; c < s->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e = &s->chunks[c][i];
            if (e->state != ENTRY_FREE && e->state < ENTRY_OWN) {
                insert(x, e);
            }
        }
    }
    return true;
}

void ids_insert(store_room *s, entry *e)
{
    if (s->ids.unasked++ >= UNASKED_TASKS) {
        drop(s);
    } else {
        insert(&s->ids, e);
    }
}

void ids_remove(store_room *s, entry *e)
{
    entry **at = &s->ids.buckets[bucket_of(&s->ids, &e->id)];
    while (*at != e) {
        at = &(*at)->same;
    }
    *at        = e->same;
    e->indexed = false;
}

static bool matches(const entry *e, const queue *q, const patio_id *id, bool dead)
{
    bool is = e->state == ENTRY_READY || e->state == ENTRY_LEASED || e->state == ENTRY_DELAYED ||
              (dead && e->state == ENTRY_DEAD);
    return is && e->lane->queue == q && memcmp(&e->id, id, sizeof(*id)) == 0;
}

static entry *scan(const store_room *s, const queue *q, const patio_id *id, bool dead)
{
    for (uint32_t c = 0; c < s->chunk_count; c++) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            entry *e = &s->chunks[c][i];
            if (matches(e, q, id, dead)) {
                return e;
            }
        }
    }
    return NULL;
}

entry *store_entry_by_id(queue *q, const patio_id *id, bool dead)
{
    store_room *s = q->store;
    id_index   *x = &s->ids;
    if (s->chunk_count <= SCAN_CHUNKS) {
        return scan(s, q, id, dead);
    }
    /* as the room grows the chains do, up to four of them on average */
    if ((x->buckets == NULL || x->chunks * 4 < s->chunk_count) && !build(s)) {
        return scan(s, q, id, dead);
    }
    x->unasked = 0;
    entry *e   = x->buckets[bucket_of(x, id)];
    while (e != NULL && !matches(e, q, id, dead)) {
        e = e->same;
    }
    return e;
}
