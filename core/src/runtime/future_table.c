#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "runtime/future.h"

patio_status pt_futures_init(pt_futures *table, const patio_allocator *mem, uint32_t max_slots,
                             patio_error *err)
{
    table->mem         = mem;
    table->max_slots   = max_slots;
    table->chunk_count = (max_slots + PT_CHUNK_SLOTS - 1) / PT_CHUNK_SLOTS;
    table->chunks      = pt_calloc(mem, table->chunk_count, sizeof(*table->chunks));
    if (table->chunks == NULL) {
        return pt_no_memory(err, "broker");
    }
    pthread_mutex_init(&table->growing, NULL);
    pthread_mutex_init(&table->reporting, NULL);
    pthread_mutex_init(&table->waiting, NULL);
    atomic_store(&table->sweep_ns, UINT64_MAX);
    patio_spin_init(&table->spin, 1);
    return PATIO_OK;
}

void pt_futures_fini(pt_futures *table)
{
    if (table->chunks == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < PT_KEPT_READINGS; slot++) {
        patio_future *f = pt_futures_at(table, slot);
        if (f != NULL && f->spare != NULL) {
            pt_reading_free(table->mem, f->spare);
        }
    }
    for (uint32_t i = 0; i < table->chunk_count; i++) {
        pt_free(table->mem, atomic_load(&table->chunks[i]));
    }
    pt_free(table->mem, table->chunks);
    pthread_mutex_destroy(&table->growing);
    pthread_mutex_destroy(&table->reporting);
    pthread_mutex_destroy(&table->waiting);
}

patio_future *pt_futures_at(const pt_futures *table, uint32_t slot)
{
    if (slot >= table->max_slots) {
        return NULL;
    }
    patio_future *chunk =
        atomic_load_explicit(&table->chunks[slot >> PT_CHUNK_BITS], memory_order_acquire);
    return chunk != NULL ? &chunk[slot & (PT_CHUNK_SLOTS - 1)] : NULL;
}

static _Atomic uint32_t *next_free(const void *table, uint32_t slot)
{
    return &pt_futures_at(table, slot)->next_free;
}

static void push_free(pt_futures *table, patio_future *f)
{
    pt_stack_push(&table->free, f->slot, &f->next_free);
}

static patio_future *pop_free(pt_futures *table)
{
    uint32_t slot = pt_stack_pop(&table->free, next_free, table);
    return slot != 0 ? pt_futures_at(table, slot - 1) : NULL;
}

/* Under `growing`: the next chunk; its first slot is returned, the others go to the free stack. */
static patio_future *make_chunk(pt_futures *table)
{
    uint32_t      made  = atomic_load(&table->made);
    patio_future *chunk = pt_calloc(table->mem, PT_CHUNK_SLOTS, sizeof(patio_future));
    if (chunk == NULL) {
        return NULL;
    }
    for (uint32_t k = 0; k < PT_CHUNK_SLOTS; k++) {
        chunk[k].table = table;
        chunk[k].slot  = made + k;
    }
    uint32_t used = table->max_slots - made;
    used          = used < PT_CHUNK_SLOTS ? used : PT_CHUNK_SLOTS;
    atomic_store(&table->chunks[made >> PT_CHUNK_BITS], chunk);
    atomic_store(&table->made, made + used);
    for (uint32_t k = used - 1; k > 0; k--) {
        push_free(table, &chunk[k]);
    }
    return &chunk[0];
}

/* NULL: *full, or out of memory. */
static patio_future *grow(pt_futures *table, bool *full)
{
    pthread_mutex_lock(&table->growing);
    /* another thread may have made room meanwhile */
    patio_future *f = pop_free(table);
    *full           = f == NULL && atomic_load(&table->made) == table->max_slots;
    if (f == NULL && !*full) {
        f = make_chunk(table);
    }
    pthread_mutex_unlock(&table->growing);
    return f;
}

patio_status pt_future_new(pt_futures *table, uint32_t kind, patio_future **out, patio_error *err)
{
    bool          full = false;
    patio_future *f    = pop_free(table);
    if (f == NULL) {
        f = grow(table, &full);
    }
    if (f == NULL) {
        return full ? pt_fail(err, PATIO_FULL, "broker",
                              "%u calls are in flight, as many as max_pending allows",
                              table->max_slots)
                    : pt_no_memory(err, "broker");
    }
    uint64_t number = atomic_load_explicit(&f->word, memory_order_relaxed) >> 8;
    uint64_t next   = ((number >> PT_SLOT_BITS) + 1) << PT_SLOT_BITS | f->slot;
    f->status       = PATIO_STATE;
    f->reply        = NULL;
    f->on_done      = NULL;
    f->reading      = NULL;
    f->problem      = NULL;
    f->level        = 0;
    f->queue        = NULL;
    f->kind         = kind;
    atomic_store_explicit(&f->listens, false, memory_order_relaxed);
    atomic_store_explicit(&f->done, 0, memory_order_relaxed);
    atomic_store_explicit(&f->refs, 2, memory_order_relaxed);
    atomic_store_explicit(&f->word, next << 8 | PT_FUTURE_FREE, memory_order_relaxed);
    *out = f;
    return PATIO_OK;
}

uint64_t pt_future_open(patio_future *f, uint64_t deadline_ns)
{
    uint64_t word = atomic_load_explicit(&f->word, memory_order_relaxed) | PT_FUTURE_PENDING;
    atomic_store_explicit(&f->deadline_ns, deadline_ns, memory_order_relaxed);
    /* from here on the sweep, a reply or a stop may end it */
    atomic_store_explicit(&f->word, word, memory_order_release);
    return word;
}

static void release(patio_future *f)
{
    pt_futures *table = f->table;
    pt_buf_drop(f->reply);
    if (f->reading != NULL && f->slot < PT_KEPT_READINGS) {
        pt_reading_reset(f->reading);
        f->spare = f->reading;
    } else if (f->reading != NULL) {
        pt_reading_free(table->mem, f->reading);
    }
    pt_free(table->mem, f->problem);
    if (f->listens) {
        pt_future_forget_progress(f);
    }
    uint64_t word = atomic_load_explicit(&f->word, memory_order_relaxed);
    atomic_store_explicit(&f->word, word & ~(uint64_t)0xff, memory_order_release);
    push_free(table, f);
}

void pt_future_unref(patio_future *f)
{
    if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1) {
        release(f);
    }
}

void patio_future_destroy(patio_future *future)
{
    if (future != NULL) {
        pt_future_unref(future);
    }
}

void pt_future_drop(patio_future *f)
{
    atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
    pt_future_unref(f);
}

patio_id pt_future_make_id(const patio_future *f)
{
    return pt_id_make(f->table->incarnation,
                      atomic_load_explicit(&f->word, memory_order_relaxed) >> 8);
}

bool pt_future_claim_word(patio_future *f, uint64_t word)
{
    uint64_t pending = (word & ~(uint64_t)0xff) | PT_FUTURE_PENDING;
    return atomic_compare_exchange_strong_explicit(&f->word, &pending,
                                                   (word & ~(uint64_t)0xff) | PT_FUTURE_CLAIMED,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

patio_future *pt_futures_claim(pt_futures *table, const patio_id *id)
{
    uint64_t incarnation = 0;
    uint64_t number      = 0;
    pt_id_split(id, &incarnation, &number);
    patio_future *f = incarnation == table->incarnation
                          ? pt_futures_at(table, (uint32_t)(number & (PT_SLOTS_MAX - 1)))
                          : NULL;
    return f != NULL && pt_future_claim_word(f, number << 8) ? f : NULL;
}

static void finish(patio_future *f, patio_status status, patio_buf *reply, const char *problem)
{
    pt_futures *table = f->table;
    f->status         = status;
    f->reply          = reply;
    f->problem        = problem != NULL ? pt_strdup(table->mem, problem) : NULL;
    uint64_t word     = atomic_load_explicit(&f->word, memory_order_relaxed);
    atomic_store_explicit(&f->word, (word & ~(uint64_t)0xff) | PT_FUTURE_DONE,
                          memory_order_release);
    /* Store, then look for sleepers and pollers; these count themselves, then look at done: one
     * sees the other. */
    atomic_store_explicit(&f->done, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&f->sleepers, memory_order_seq_cst) != 0) {
        pt_unpark(&f->done, INT32_MAX);
    }
    if (atomic_load_explicit(&f->pollers, memory_order_seq_cst) != 0) {
        table->poll->interrupt(table->transport);
    }
    if (atomic_load_explicit(&f->awaiting, memory_order_seq_cst) != 0) {
        pt_future_wake_tasks(f);
    }
    if (atomic_load_explicit(&table->crowd, memory_order_seq_cst) != 0) {
        atomic_fetch_add(&table->tide, 1);
        pt_unpark(&table->tide, INT32_MAX);
    }
}

void pt_future_complete(patio_future *f, patio_status status, patio_buf *reply, const char *problem)
{
    finish(f, status, reply, problem);
    if (f->on_done != NULL && !pt_callback_may_run(f)) {
        pt_callback_owe(f);
        return;
    }
    pt_callback_run(f);
}

void pt_future_give_up(patio_future *f, patio_status status, const char *problem)
{
    finish(f, status, NULL, problem);
    if (f->on_done != NULL) {
        pt_callback_owe(f);
        return;
    }
    pt_future_unref(f);
}

uint64_t pt_futures_sweep(pt_futures *table, uint64_t now_ns)
{
    uint64_t next = UINT64_MAX;
    uint32_t made = atomic_load(&table->made);
    for (uint32_t slot = 0; slot < made; slot++) {
        patio_future *f = pt_futures_at(table, slot);
        if (f == NULL) {
            continue; /* made but not yet hung in: it will announce its own deadline */
        }
        uint64_t word = atomic_load_explicit(&f->word, memory_order_acquire);
        uint64_t due  = atomic_load_explicit(&f->deadline_ns, memory_order_relaxed);
        if ((word & 0xff) != PT_FUTURE_PENDING || due == UINT64_MAX) {
            continue;
        }
        if (due > now_ns) {
            next = due < next ? due : next;
        } else if (pt_future_claim_word(f, word)) {
            pt_future_complete(f, PATIO_TIMEOUT, NULL, NULL);
        }
    }
    return next;
}

void pt_futures_fail_all(pt_futures *table, patio_status status, const char *problem)
{
    for (uint32_t slot = 0; slot < atomic_load(&table->made); slot++) {
        patio_future *f    = pt_futures_at(table, slot);
        uint64_t      word = f != NULL ? atomic_load(&f->word) : 0;
        if ((word & 0xff) == PT_FUTURE_PENDING && pt_future_claim_word(f, word)) {
            pt_future_give_up(f, status, problem);
        }
    }
}

uint32_t pt_futures_pending(const pt_futures *table)
{
    uint32_t pending = 0;
    for (uint32_t slot = 0; slot < atomic_load(&table->made); slot++) {
        const patio_future *f = pt_futures_at(table, slot);
        pending += f != NULL && (atomic_load(&f->word) & 0xff) == PT_FUTURE_PENDING;
    }
    return pending;
}
