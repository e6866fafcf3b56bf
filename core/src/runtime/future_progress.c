/* Reports of running tasks, at the caller.
 *
 * A report may come while its call ends, and while the call's slot is given away. The lock orders
 * all three: a call that listens lets go of its slot under it (pt_future_forget_progress), so a
 * future that is pending under the lock stays where it is until the lock is given back. */
#include <string.h>

#include "base/id.h"
#include "runtime/future.h"

/* Under the lock: one more reference, unless the last one has gone. */
static bool hold(patio_future *f)
{
    uint32_t refs = atomic_load(&f->refs);
    while (refs != 0 && !atomic_compare_exchange_weak(&f->refs, &refs, refs + 1)) {
    }
    return refs != 0;
}

/* The future that listens for this id, with a reference, the report kept in it. */
static patio_future *find_and_keep(pt_futures *table, const patio_id *id, const patio_progress *p)
{
    uint64_t incarnation = 0;
    uint64_t number      = 0;
    pt_id_split(id, &incarnation, &number);
    patio_future *f    = incarnation == table->incarnation
                             ? pt_futures_at(table, (uint32_t)(number & (PT_SLOTS_MAX - 1)))
                             : NULL;
    uint64_t      word = number << 8 | PT_FUTURE_PENDING;
    /* the second look at the word: that it was this call that listens, and not the next one */
    if (f == NULL || atomic_load(&f->word) != word || !f->listens ||
        atomic_load(&f->word) != word || !hold(f)) {
        return NULL;
    }
    if (f->progress == NULL) {
        f->progress = pt_alloc(table->mem, sizeof(*f->progress));
    }
    if (f->progress != NULL) {
        *f->progress = *p;
    }
    return f;
}

void pt_futures_report(pt_futures *table, const patio_id *id, const patio_progress *p)
{
    pthread_mutex_lock(&table->reporting);
    patio_future *f = find_and_keep(table, id, p);
    pthread_mutex_unlock(&table->reporting);
    if (f != NULL) {
        if (f->on_progress != NULL) {
            f->on_progress(f, p, f->on_progress_arg);
        }
        pt_future_unref(f);
    }
}

void pt_future_forget_progress(patio_future *f)
{
    pthread_mutex_lock(&f->table->reporting);
    pt_free(f->table->mem, f->progress);
    f->progress = NULL;
    f->listens  = false;
    pthread_mutex_unlock(&f->table->reporting);
}

patio_status patio_future_progress(patio_future *f, patio_progress *out)
{
    uint32_t     bytes = out->struct_size;
    patio_status st    = PATIO_NOT_FOUND;
    pthread_mutex_lock(&f->table->reporting);
    if (f->listens && f->progress != NULL) {
        memcpy(out, f->progress, bytes < sizeof(*out) ? bytes : sizeof(*out));
        out->struct_size = bytes;
        st               = PATIO_OK;
    }
    pthread_mutex_unlock(&f->table->reporting);
    return st;
}
