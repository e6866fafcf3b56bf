/* Tasks on their stacks. A fiber runs one job after the other; between two it waits in the loop's
 * pool, its stack warm. */
#include "async.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(low, high) 0u
#define VALGRIND_STACK_DEREGISTER(id)      (void)(id)
#endif

enum {
    TRIM_EVERY_NS = 1000 * 1000 * 1000,
    TRIM_FOR_NS   = 20 * 1000, /* which others wait; on a guest one stack can take longer */
    TRIM_SHARE    = 10,        /* of the loop's time, at most one part in so many */
};

/* ---- from the loop to a fiber and back; the sanitizers are told ---- */

void fiber_enter(fiber *f)
{
    loop *l    = f->loop;
    l->current = f;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&l->fake_stack, f->stack, l->x->stack_bytes);
#endif
#ifdef WITH_TSAN
    __tsan_switch_to_fiber(f->tsan, 0);
#endif
    context_switch(&l->context, &f->context);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(l->fake_stack, NULL, NULL);
#endif
    l->current = NULL;
}

static void arrive(fiber *f)
{
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(f->fake_stack, &f->loop->stack_bottom, &f->loop->stack_size);
#else
    (void)f;
#endif
}

/* `last`: nobody comes back to this stack. */
static void go_back(fiber *f, bool last)
{
    loop *l = f->loop;
    (void)last;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &f->fake_stack, l->stack_bottom, l->stack_size);
#endif
#ifdef WITH_TSAN
    __tsan_switch_to_fiber(l->tsan, 0);
#endif
    context_switch(&f->context, &l->context);
    arrive(f);
}

void fiber_leave(fiber *f)
{
    go_back(f, false);
}

static void run_jobs(void *arg)
{
    fiber *f = arg;
    arrive(f);
    while (!f->retire) {
        f->job->run(f->job, &f->outcome);
        f->ended = true;
        fiber_leave(f);
    }
    go_back(f, true);
}

/* ---- the pool ---- */

/* What frames that never returned have left in ASan's books of a stack. */
static void forget_frames(const fiber *f)
{
#ifdef WITH_ASAN
    __asan_unpoison_memory_region(f->stack, f->loop->x->stack_bytes);
#else
    (void)f;
#endif
}

static bool add_chunk(loop *l)
{
    const patio_host *host = l->x->host;
    fiber **chunks = host->resize(host->self, l->chunks, (l->chunk_count + 1) * sizeof(fiber *));
    if (chunks == NULL) {
        return false;
    }
    l->chunks    = chunks;
    fiber *chunk = host->alloc(host->self, FIBERS_PER_CHUNK * sizeof(fiber));
    if (chunk == NULL) {
        return false;
    }
    memset(chunk, 0, FIBERS_PER_CHUNK * sizeof(fiber));
    chunks[l->chunk_count++] = chunk;
    return true;
}

static fiber *new_fiber(loop *l)
{
    uint32_t n = l->fiber_count;
    if (!timers_reserve(l, n + 1) || (n == l->chunk_count * FIBERS_PER_CHUNK && !add_chunk(l))) {
        return NULL;
    }
    fiber *f = &l->chunks[n / FIBERS_PER_CHUNK][n % FIBERS_PER_CHUNK];
    f->stack = stack_new(l);
    if (f->stack == NULL) {
        return NULL;
    }
    f->loop     = l;
    f->valgrind = VALGRIND_STACK_REGISTER(f->stack, f->stack + l->x->stack_bytes);
    l->fiber_count++;
    return f;
}

static fiber *pop(fiber **list)
{
    fiber *f = *list;
    if (f != NULL) {
        *list = fiber_of(f->next);
    }
    return f;
}

static void push(fiber **list, fiber *f)
{
    f->next = item_of_fiber(*list);
    *list   = f;
}

static void make(fiber *f)
{
#ifdef WITH_TSAN
    f->tsan = __tsan_create_fiber(0);
#endif
    forget_frames(f);
    f->retire     = false;
    f->fake_stack = NULL;
    context_make(&f->context, f->stack, f->loop->x->stack_bytes, run_jobs, f);
    f->made = true;
}

fiber *fiber_take(loop *l)
{
    fiber *f = pop(&l->free);
    if (f != NULL) {
        l->free_count--;
        l->free_low = l->free_count < l->free_low ? l->free_count : l->free_low;
        return f;
    }
    l->free_low = 0;
    f           = pop(&l->cold);
    f           = f != NULL ? f : new_fiber(l);
    if (f != NULL) {
        make(f);
    }
    return f;
}

void fiber_release(fiber *f)
{
    f->job = NULL;
    push(&f->loop->free, f);
    f->loop->free_count++;
}

/* Its function returns: the sanitizers' books of this stack are closed. */
static void retire(fiber *f)
{
    if (!f->made) {
        return;
    }
    f->retire = true;
    fiber_enter(f);
#ifdef WITH_TSAN
    __tsan_destroy_fiber(f->tsan);
#endif
    f->made = false;
}

uint64_t fiber_trim_due_ns(const loop *l)
{
    return l->free_count > l->x->keep_stacks ? l->trim_ns : UINT64_MAX;
}

void fiber_trim(loop *l, uint64_t now_ns)
{
    if (now_ns < fiber_trim_due_ns(l)) {
        return;
    }
    uint64_t from_ns = now_ns;
    while (l->free_low > l->x->keep_stacks && now_ns < from_ns + TRIM_FOR_NS) {
        fiber *f = pop(&l->free);
        l->free_count--;
        l->free_low--;
        retire(f);
        stack_drop_memory(l->x, f->stack);
        push(&l->cold, f);
        now_ns = now_of(l->x);
    }
    if (l->free_low > l->x->keep_stacks) {
        l->trim_ns = now_ns + (TRIM_SHARE - 1) * (now_ns - from_ns);
        return;
    }
    l->free_low = l->free_count;
    l->trim_ns  = now_ns + TRIM_EVERY_NS;
}

void fiber_begin(loop *l)
{
#ifdef WITH_TSAN
    l->tsan = __tsan_get_current_fiber();
#else
    (void)l;
#endif
}

void fiber_end(loop *l)
{
    const patio_host *host = l->x->host;
    for (uint32_t i = 0; i < l->fiber_count; i++) {
        fiber *f = &l->chunks[i / FIBERS_PER_CHUNK][i % FIBERS_PER_CHUNK];
        retire(f);
        forget_frames(f);
        VALGRIND_STACK_DEREGISTER(f->valgrind);
    }
    stack_free_all(l);
    for (uint32_t i = 0; i < l->chunk_count; i++) {
        host->free(host->self, l->chunks[i]);
    }
    host->free(host->self, l->chunks);
    host->free(host->self, l->heap);
}

/* ---- waiting; on the fiber ---- */

void fiber_park(fiber *f, uint64_t until_ns)
{
    uint32_t awake = AWAKE;
    if (atomic_compare_exchange_strong(&f->wake, &awake, PARKED)) {
        if (until_ns != UINT64_MAX) {
            timers_add(f->loop, f, until_ns);
        }
        fiber_leave(f);
        timers_remove(f->loop, f);
    }
    /* what woke it has written what it woke it for: an exchange, so that this is seen */
    (void)atomic_exchange(&f->wake, AWAKE);
}

void fiber_yield(fiber *f)
{
    loop_push(f->loop, f);
    fiber_leave(f);
}
