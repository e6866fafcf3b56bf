/* async.h: the inside of the async executor.
 *
 *   async.c     options, life           submit.c   jobs come in, tasks are woken: any thread
 *   loop.c      the thread of a loop    idle.c     what it does when nothing is ready
 *   alarm.c     who wakes it in time
 *   fiber.c     tasks on their stacks   stack.c    memory for stacks, with guards
 *   switch.c    from stack to stack     overflow.c what is said when a stack was too small
 *   timers.c    who wakes when          fd.c       who waits for which descriptor
 *   watch.c     who holds a loop for long
 *
 * A loop is a thread with a uv_loop_t. All that is not atomic in it belongs to that thread. A task
 * runs on a fiber of one loop from its start to its end.
 *
 * A job's links: [0] to [2] are its place in the inbox, then in the queue of its loop, which is
 * fair between task names; [3] says where it is (word_of_job).
 */
#ifndef ASYNC_H
#define ASYNC_H

#include <patio/await.h>
#include <patio/executor.h>
#include <patio/job_queue.h>
#include <patio/plugin_util.h>
#include <patio/spin.h>

#include <uv.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "switch.h"

typedef struct loop    loop;
typedef struct fiber   fiber;
typedef struct fd_wait fd_wait;

/* What comes by the inbox: a fiber, or a job that has no fiber yet (lowest bit 1). */
typedef uintptr_t item;

/* loop.sleeping: not, in the uv loop, or inside the transport's `poll` */
enum { LOOP_AWAKE = 0, LOOP_SLEEPS = 1, LOOP_POLLS = 2 };

/* fiber.wake */
enum { AWAKE = 0, WOKEN = 1, PARKED = 2 };

/* Neither moves nor is freed before the executor is: a late wake may look at any. */
struct fiber {
    context          context;
    loop            *loop;
    patio_job       *job;  /* NULL: it is free */
    item             next; /* in the ready queue, the inbox, the free list */
    _Atomic uint32_t wake;
    uint32_t         timer; /* position in the heap + 1; 0: none */
    uint8_t         *stack; /* lowest byte */
    bool             made;  /* its context is on its stack */
    bool             ended; /* its job has run; `outcome` says how */
    bool             retire;
    patio_outcome    outcome;
    void            *fake_stack; /* ASan's */
    void            *tsan;
    unsigned         valgrind;
};

typedef struct due_entry {
    uint64_t due_ns;
    fiber   *fiber;
} due_entry;

struct loop {
    patio_executor *x;
    pthread_t       thread;
    uv_loop_t       uv;
    uv_async_t      async;
    uv_poll_t       alarm;
    int             alarm_fd;
    uint32_t        share; /* tasks in work at once */

    /* written by all */
    _Alignas(64) _Atomic item inbox; /* last in first */
    _Atomic uint32_t sleeping;       /* LOOP_…; who takes it back to 0 sends the wake-up */
    _Atomic uint32_t senders;        /* threads that are about to send one */
    _Atomic uint32_t rang;           /* the host's timer has */
    _Atomic uint32_t cancels;        /* a job that waits to be started was cancelled */
    _Atomic uint32_t stopping;

    /* jobs ever taken, and ever done. Written on two sides, so on two lines; those who bring jobs
     * look at the other side only when the loop seems full */
    _Alignas(64) _Atomic uint32_t taken;
    _Atomic uint32_t done_seen;
    _Alignas(64) _Atomic uint32_t done;

    /* read by the watch */
    _Alignas(64) _Atomic uint64_t resumed; /* counts; odd while a task runs */
    _Atomic(const char *) running;         /* its name */
    _Atomic uint64_t      running_id[2];
    _Atomic uint64_t      reported; /* value of `resumed` that the watch spoke of */
    _Atomic uint64_t      reported_since_ns;
    uint64_t              watched;    /* the watch's own: value it saw last */
    uint64_t              watched_ns; /* and when it saw it first */

    /* the loop's own */
    _Alignas(64) context context;
    fiber          *current;
    fiber          *ready_first;
    fiber          *ready_last;
    uint32_t        ready_count;
    uint32_t        running_count; /* jobs on fibers */
    patio_job_queue waiting;       /* to be started */
    due_entry      *heap;
    uint32_t        heap_used;
    uint32_t        heap_room;
    uint64_t        armed_ns;    /* when the alarm rings; UINT64_MAX: it does not */
    uint64_t        armed;       /* the host's timer; 0: none */
    bool            hosts_clock; /* which is not the machine's: the alarm is the host's timer */
    uint64_t        polled_ns;
    bool            stops; /* it has seen that it is to stop */
    patio_spin      spin;
    fiber          *free; /* with a stack that is warm */
    fiber          *cold; /* without memory on their stacks */
    uint32_t        free_count;
    uint32_t        free_low; /* least free_count since the last trim */
    uint64_t        trim_ns;  /* when the next may be */
    uint32_t        fiber_count;
    fiber         **chunks; /* of FIBERS_PER_CHUNK */
    uint32_t        chunk_count;
    uint8_t       **slabs; /* of STACKS_PER_SLAB */
    uint32_t        slab_count;
    uint32_t        slab_used; /* stacks taken from the last */
    fd_wait        *fd_free;
    uint32_t        fd_count; /* tasks that wait for descriptors */
    bool            uv_shown; /* to a task, whose handles may be on it ever since */
    void           *alt_stack;
    size_t          alt_bytes;
    stack_t         alt_before;
    void           *fake_stack; /* ASan's, of the thread's own stack */
    const void     *stack_bottom;
    size_t          stack_size;
    void           *tsan;
};

struct patio_executor {
    void                        *block; /* the allocation it lies in */
    const patio_host            *host;
    const patio_executor_events *events;
    const patio_poll_ops        *poll; /* of `transport`; NULL: none may be polled */
    patio_transport             *transport;
    uint32_t                     max_workers;
    uint32_t                     queue_max;
    uint32_t                     loop_count;
    uint32_t                     keep_stacks; /* warm, per loop */
    size_t                       stack_bytes;
    size_t                       page_bytes;
    uint64_t                     block_warn_ns;
    loop                        *loops;
    uint32_t                     started;

    _Atomic uint32_t running;
    _Atomic uint32_t refused;           /* somebody heard FULL */
    _Alignas(64) _Atomic uint32_t next; /* loop to begin the search at */

    /* the watch */
    _Atomic uint32_t watching;
    _Atomic uint32_t watch_off;

    pthread_mutex_t lock;
    pthread_cond_t  ended;
    uint32_t        alive; /* loops; this and the next under the lock */
    uint64_t        watch_timer;
};

/* GUARD_BYTES: also functions with large frames do not reach over it unseen. */
enum { FIBERS_PER_CHUNK = 64, STACKS_PER_SLAB = 32, GUARD_BYTES = 64 * 1024 };

/* The loop of this thread; NULL on others. As a fiber never changes its thread, a compiler that
 * keeps the address over a switch is right. In the static block, so that the fault handler may look
 * at it on any thread. */
extern _Thread_local loop *here __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* items */
static inline item item_of_job(patio_job *job)
{
    return (item)job | 1;
}
static inline item item_of_fiber(fiber *f)
{
    return (item)f;
}
static inline patio_job *job_of(item i)
{
    return (i & 1) != 0 ? (patio_job *)(i & ~(item)1) : NULL;
}
static inline fiber *fiber_of(item i)
{
    return (fiber *)i;
}
/* link[3]: the loop that has it, and whether it was cancelled there; then the fiber that runs it;
 * NULL before and after. */
enum { JOB_CANCELLED = 1, JOB_RUNS = 2, JOB_BITS = 3 };

static inline _Atomic(uintptr_t) *word_of_job(patio_job *job)
{
    return (_Atomic(uintptr_t) *)(void *)&job->link[3];
}
/* NULL: none (any more). */
static inline fiber *fiber_of_job(patio_job *job)
{
    uintptr_t word = atomic_load_explicit(word_of_job(job), memory_order_acquire);
    return (word & JOB_RUNS) != 0 ? (fiber *)(word & ~(uintptr_t)JOB_BITS) : NULL;
}

/* Jobs taken and not done, as far as one can know beside the loop. */
static inline uint32_t active_of(const loop *l)
{
    uint32_t done = atomic_load(&l->done);
    return atomic_load(&l->taken) - done;
}

static inline uint64_t now_of(const patio_executor *x)
{
    return x->host->now_ns(x->host->self);
}

/* submit.c */
item         item_next(item i);
void         item_set_next(item i, item next);
patio_status submit_job(patio_executor *x, patio_job *job, patio_error *err);
patio_status cancel_job(patio_executor *x, patio_job *job, patio_error *err);
/* Make a fiber ready that is parked; any thread. */
void wake_fiber(fiber *f);
/* Have the loop look around, if it sleeps. */
void wake_loop(loop *l);

/* loop.c */
void *loop_run(void *arg);
void  loop_push(loop *l, fiber *f);
/* On the loop's thread: a job to be started. */
void loop_queue(loop *l, patio_job *job);

/* alarm.c */
patio_status alarm_open(loop *l, patio_error *err);
/* At due_ns of the host's clock the loop wakes, or sooner. */
void alarm_set(loop *l, uint64_t due_ns);
/* Nothing rings from here on. */
void alarm_cancel(loop *l);
/* Before the loop's last turn. */
void alarm_close(loop *l);

/* idle.c */
void idle_until_something(loop *l);
/* Look for events of the uv loop without waiting. */
void idle_poll(loop *l, uint64_t now_ns);
/* Everything of the uv loop is closed. */
void         idle_close(loop *l);
patio_status idle_open(loop *l, patio_error *err);

/* fiber.c */
/* NULL: out of memory. */
fiber *fiber_take(loop *l);
/* Until its job has ended or it waits. */
void fiber_enter(fiber *f);
/* On a fiber: back to the loop. */
void fiber_leave(fiber *f);
void fiber_release(fiber *f);
/* Give memory of stacks back that was not needed for a second, a little at a time and in at most a
 * tenth of the time. */
void fiber_trim(loop *l, uint64_t now_ns);
/* When there may be some to give; UINT64_MAX: never, as things are. */
uint64_t fiber_trim_due_ns(const loop *l);
/* On the loop's thread, before the first and after the last. */
void fiber_begin(loop *l);
void fiber_end(loop *l);

/* stack.c */
/* Lowest byte of a new stack, NULL if there is no memory. */
uint8_t *stack_new(loop *l);
void     stack_drop_memory(const patio_executor *x, uint8_t *stack);
void     stack_free_all(loop *l);
/* Are so many stacks possible here? Else a warning says what to change. */
void stack_check_limits(const patio_executor *x);

/* timers.c */
bool timers_reserve(loop *l, uint32_t fibers);
void timers_add(loop *l, fiber *f, uint64_t due_ns);
void timers_remove(loop *l, fiber *f);
/* Fibers that are due become ready. */
void timers_expire(loop *l, uint64_t now_ns);
/* When the first is due; UINT64_MAX: none. */
uint64_t timers_first_ns(const loop *l);

/* fd.c */
patio_status fd_await(fiber *f, int fd, uint32_t events, uint64_t until_ns, uint32_t *ready);
void         fd_free_all(loop *l);

/* Park the fiber that runs; the slots of patio_suspend_ops. */
void fiber_park(fiber *f, uint64_t until_ns);
void fiber_yield(fiber *f);

/* watch.c */
void watch_begin(patio_executor *x);
void watch_end(patio_executor *x);
/* The task that just stopped was reported as one that holds the loop. */
void watch_released(loop *l);

/* overflow.c */
void overflow_install(void);
void overflow_remove(void);
bool overflow_open(loop *l);
void overflow_close(loop *l);
/* On the loop's thread. */
void overflow_enter_thread(loop *l);
void overflow_leave_thread(loop *l);

#endif
