/* Waiting for futures inside a task: it hangs a note at each of them, and is suspended. */
#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/future.h"
#include "runtime/run.h"

enum { NOTES_ON_STACK = 4 };

static void hang(patio_future *f, pt_waiting *note, patio_waker waker)
{
    pthread_mutex_lock(&f->table->waiting);
    note->waker = waker;
    note->next  = f->waiting;
    note->at    = &f->waiting;
    if (note->next != NULL) {
        note->next->at = &note->next;
    }
    f->waiting = note;
    atomic_fetch_add(&f->awaiting, 1);
    pthread_mutex_unlock(&f->table->waiting);
}

/* Under the lock. */
static void take_off(patio_future *f, pt_waiting *note)
{
    *note->at = note->next;
    if (note->next != NULL) {
        note->next->at = note->at;
    }
    note->at = NULL;
    atomic_fetch_sub(&f->awaiting, 1);
}

static void remove_note(patio_future *f, pt_waiting *note)
{
    pthread_mutex_lock(&f->table->waiting);
    if (note->at != NULL) {
        take_off(f, note);
    }
    pthread_mutex_unlock(&f->table->waiting);
}

void pt_future_wake_tasks(patio_future *f)
{
    for (bool more = true; more;) {
        patio_waker waker = {.target = NULL};
        pthread_mutex_lock(&f->table->waiting);
        pt_waiting *note = f->waiting;
        if (note != NULL) {
            waker = note->waker;
            take_off(f, note);
        }
        more = f->waiting != NULL;
        pthread_mutex_unlock(&f->table->waiting);
        /* the task may be gone by now: its ticket knows */
        (void)patio_resume(waker);
    }
}

static bool find_done(patio_future *const *futures, size_t count, size_t *index)
{
    for (size_t i = 0; i < count; i++) {
        if (patio_future_done(futures[i])) {
            *index = i;
            return true;
        }
    }
    return false;
}

static uint64_t first_deadline(patio_future *const *futures, size_t count, uint64_t until)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t deadline = pt_future_sleep_end(futures[i]);
        until             = deadline < until ? deadline : until;
    }
    return until;
}

/* A deadline has come: of futures, which end; of this wait or its task, which is said. */
static patio_status look_at_time(pt_awaiter *me, patio_future *const *futures, size_t count,
                                 uint64_t until_ns)
{
    uint64_t     now = pt_now_ns();
    patio_status st  = pt_await_told(me, now);
    for (size_t i = 0; i < count; i++) {
        pt_future_expire(futures[i], now);
    }
    if (st != PATIO_OK || now >= until_ns) {
        return st != PATIO_OK ? st : PATIO_TIMEOUT;
    }
    /* one has ended now, or somebody else is completing it this very moment, and will wake us */
    size_t any = 0;
    st         = find_done(futures, count, &any) ? PATIO_OK
                                                 : pt_await(me, PT_TICKET_CALL, now + PT_NS_PER_MS, false);
    return st == PATIO_TIMEOUT ? PATIO_OK : st;
}

/* With the notes hung: until one is done. It is done after its note was hung, and so it wakes us;
 * or before, and so it is seen here. */
static patio_status await_first(pt_awaiter *me, patio_future *const *futures, size_t count,
                                uint64_t until_ns, size_t *index)
{
    while (!find_done(futures, count, index)) {
        uint64_t     limit = first_deadline(futures, count, until_ns);
        patio_status st    = pt_await(me, PT_TICKET_CALL, limit, false);
        if (st == PATIO_TIMEOUT) {
            st = look_at_time(me, futures, count, until_ns);
        }
        if (st != PATIO_OK) {
            return find_done(futures, count, index) ? PATIO_OK : st;
        }
    }
    return PATIO_OK;
}

patio_status pt_future_await(pt_awaiter *me, patio_future *const *futures, size_t count,
                             uint64_t until_ns, size_t *index)
{
    pt_waiting             few[NOTES_ON_STACK];
    const patio_allocator *mem   = me->run->mem;
    pt_waiting            *notes = few;
    if (find_done(futures, count, index)) {
        return PATIO_OK;
    }
    if (count > NOTES_ON_STACK && (notes = pt_alloc(mem, count * sizeof(*notes))) == NULL) {
        return PATIO_NO_MEMORY;
    }
    patio_waker waker = pt_await_ticket(me, PT_TICKET_CALL);
    for (size_t i = 0; i < count; i++) {
        hang(futures[i], &notes[i], waker);
    }
    patio_status st = await_first(me, futures, count, until_ns, index);
    for (size_t i = 0; i < count; i++) {
        remove_note(futures[i], &notes[i]);
    }
    (void)pt_await_void(me, PT_TICKET_CALL);
    if (notes != few) {
        pt_free(mem, notes);
    }
    return st;
}
