#include "runtime/timers.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"

/* A timer's number is generation << 32 | slot + 1: a slot that was reused has another number. */
typedef struct slot {
    uint64_t due_ns;
    patio_fn fn;
    void    *arg;
    uint32_t generation;
    uint32_t heap_at; /* position in the heap, or next free slot */
} slot;

struct pt_timers {
    const patio_allocator *mem;
    pt_clock              *clock;
    pt_clock               real; /* where none was given */
    bool                   advancing;
    pthread_mutex_t        lock;
    pthread_cond_t         changed; /* a timer became the first, or stop */
    pthread_cond_t         ran;     /* the running function returned */
    pthread_t              thread;
    bool                   started;
    bool                   stopping;
    uint64_t               running; /* number of the timer whose function runs, 0: none */
    slot                  *slots;
    uint32_t              *heap; /* slot numbers, first due on top */
    uint32_t               room;
    uint32_t               used; /* in the heap */
    uint32_t               made; /* slots ever used */
    uint32_t               free; /* slot + 1 of the free list, 0: none */
};

static bool before(const pt_timers *t, uint32_t a, uint32_t b)
{
    return t->slots[t->heap[a]].due_ns < t->slots[t->heap[b]].due_ns;
}

static void swap(pt_timers *t, uint32_t a, uint32_t b)
{
    uint32_t s                   = t->heap[a];
    t->heap[a]                   = t->heap[b];
    t->heap[b]                   = s;
    t->slots[t->heap[a]].heap_at = a;
    t->slots[t->heap[b]].heap_at = b;
}

static void sift(pt_timers *t, uint32_t i)
{
    while (i > 0 && before(t, i, (i - 1) / 2)) {
        swap(t, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
    for (;;) {
        uint32_t first = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->used; child++) {
            if (before(t, child, first)) {
                first = child;
            }
        }
        if (first == i) {
            return;
        }
        swap(t, i, first);
        i = first;
    }
}

static void take_out(pt_timers *t, uint32_t s)
{
    uint32_t at = t->slots[s].heap_at;
    t->used--;
    if (at != t->used) {
        swap(t, at, t->used);
        sift(t, at);
    }
    t->slots[s].generation++;
    t->slots[s].heap_at = t->free;
    t->free             = s + 1;
}

static uint64_t number(const pt_timers *t, uint32_t s)
{
    return (uint64_t)t->slots[s].generation << 32 | (s + 1);
}

static void wait_for_first(pt_timers *t)
{
    if (t->used == 0) {
        pthread_cond_wait(&t->changed, &t->lock);
        return;
    }
    uint64_t        due  = t->slots[t->heap[0]].due_ns;
    struct timespec when = {
        .tv_sec  = (time_t)(due / 1000000000u),
        .tv_nsec = (long)(due % 1000000000u),
    };
    pthread_cond_timedwait(&t->changed, &t->lock, &when);
}

/* Under the lock, which is open while the function runs. */
static void run_first(pt_timers *t)
{
    uint32_t s   = t->heap[0];
    slot     due = t->slots[s];
    t->running   = number(t, s);
    take_out(t, s);
    pthread_mutex_unlock(&t->lock);
    due.fn(due.arg);
    pthread_mutex_lock(&t->lock);
    t->running = 0;
    pthread_cond_broadcast(&t->ran);
}

static void *run(void *arg)
{
    pt_timers *t = arg;
    pthread_mutex_lock(&t->lock);
    while (!t->stopping) {
        if (t->used == 0 || t->slots[t->heap[0]].due_ns > pt_now_ns()) {
            wait_for_first(t);
            continue;
        }
        run_first(t);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static bool grow(pt_timers *t)
{
    if (t->made < t->room) {
        return true;
    }
    uint32_t room  = t->room != 0 ? t->room * 2 : 16;
    slot    *slots = pt_resize(t->mem, t->slots, room * sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    t->slots       = slots;
    uint32_t *heap = pt_resize(t->mem, t->heap, room * sizeof(*heap));
    if (heap == NULL) {
        return false;
    }
    t->heap = heap;
    t->room = room;
    return true;
}

patio_status pt_timers_create(const patio_allocator *mem, pt_clock *clock, pt_timers **out,
                              patio_error *err)
{
    pt_timers *t = pt_calloc(mem, 1, sizeof(*t));
    if (t == NULL) {
        return pt_no_memory(err, "timers");
    }
    t->mem   = mem;
    t->clock = clock != NULL ? clock : &t->real;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, &monotonic);
    pthread_cond_init(&t->ran, NULL);
    pthread_condattr_destroy(&monotonic);
    /* room for the few that most processes need: deadlines do not hang on memory later */
    if (!grow(t)) {
        pt_timers_destroy(t);
        return pt_no_memory(err, "timers");
    }
    *out = t;
    return PATIO_OK;
}

void pt_timers_destroy(pt_timers *t)
{
    if (t == NULL) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    if (t->started) {
        pthread_join(t->thread, NULL);
    }
    pthread_cond_destroy(&t->ran);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    pt_free(t->mem, t->heap);
    pt_free(t->mem, t->slots);
    pt_free(t->mem, t);
}

static bool ready(pt_timers *t)
{
    if (t->clock->manual) {
        return !t->stopping && (t->free != 0 || grow(t));
    }
    if (!t->started && pthread_create(&t->thread, NULL, run, t) == 0) {
        t->started = true;
        (void)pthread_setname_np(t->thread, "patio-timers");
    }
    return t->started && !t->stopping && (t->free != 0 || grow(t));
}

uint64_t pt_timers_after(pt_timers *t, uint64_t delay_ns, patio_fn fn, void *arg)
{
    uint64_t due = pt_clock_now(t->clock);
    if (__builtin_add_overflow(due, delay_ns, &due)) {
        due = UINT64_MAX;
    }
    pthread_mutex_lock(&t->lock);
    uint64_t made = 0;
    if (ready(t)) {
        uint32_t s = 0;
        if (t->free != 0) {
            s       = t->free - 1;
            t->free = t->slots[s].heap_at;
        } else {
            s           = t->made++;
            t->slots[s] = (slot){.generation = 1};
        }
        t->slots[s].due_ns  = due;
        t->slots[s].fn      = fn;
        t->slots[s].arg     = arg;
        t->slots[s].heap_at = t->used;
        t->heap[t->used]    = s;
        t->used++;
        sift(t, t->used - 1);
        made = number(t, s);
        if (t->heap[0] == s) {
            pthread_cond_signal(&t->changed);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return made;
}

static bool cancel_locked(pt_timers *t, uint64_t timer)
{
    uint32_t s = (uint32_t)timer - 1;
    if (timer == 0 || s >= t->made || t->slots[s].generation != (uint32_t)(timer >> 32)) {
        return false;
    }
    take_out(t, s);
    return true;
}

bool pt_timers_cancel(pt_timers *t, uint64_t timer)
{
    pthread_mutex_lock(&t->lock);
    bool cancelled = cancel_locked(t, timer);
    while (timer != 0 && t->running == timer && !pthread_equal(pthread_self(), t->thread)) {
        pthread_cond_wait(&t->ran, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return cancelled;
}

void pt_timers_drop(pt_timers *t, uint64_t timer)
{
    pthread_mutex_lock(&t->lock);
    (void)cancel_locked(t, timer);
    pthread_mutex_unlock(&t->lock);
}

void pt_timers_quiesce(pt_timers *t)
{
    pthread_mutex_lock(&t->lock);
    uint64_t seen = t->running;
    while (seen != 0 && t->running == seen && !pthread_equal(pthread_self(), t->thread)) {
        pthread_cond_wait(&t->ran, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
}

/* The next one's time comes, and it runs. false: none is due by then. */
static bool step_to(pt_timers *t, uint64_t then_ns)
{
    if (t->used == 0 || t->slots[t->heap[0]].due_ns > then_ns) {
        return false;
    }
    uint64_t due = t->slots[t->heap[0]].due_ns;
    if (due > atomic_load(&t->clock->now_ns)) {
        atomic_store(&t->clock->now_ns, due);
    }
    run_first(t);
    return true;
}

bool pt_timers_advance(pt_timers *t, uint64_t then_ns, patio_fn calm, void *arg)
{
    pthread_mutex_lock(&t->lock);
    if (t->advancing) {
        pthread_mutex_unlock(&t->lock);
        return false;
    }
    t->advancing = true;
    t->thread    = pthread_self();
    do {
        pthread_mutex_unlock(&t->lock);
        calm(arg);
        pthread_mutex_lock(&t->lock);
    } while (step_to(t, then_ns));
    atomic_store(&t->clock->now_ns, then_ns);
    t->advancing = false;
    pthread_mutex_unlock(&t->lock);
    return true;
}
