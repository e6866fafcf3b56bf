/* pool.h: threads and a bounded queue.
 *
 *   thread.c   options, create and destroy
 *   pool.c     who runs what, and who is woken for it
 *   threads.c  how many threads there are: start, stop, lent slots
 *   stuck.c    tasks that do not return
 */
#ifndef THREAD_POOL_H
#define THREAD_POOL_H

#include <patio/executor.h>
#include <patio/job_queue.h>
#include <patio/plugin_util.h>
#include <patio/poll.h>
#include <patio/spin.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What a thread is at. Its job's end and the watch on it must not both win. */
enum {
    AT_QUEUE    = 0,
    AT_JOB      = 1,
    AT_STUCK    = 2, /* it is being given up */
    AT_GIVEN_UP = 3, /* the host knows */
};

typedef struct worker {
    patio_executor  *pool;
    struct worker   *below; /* next in the stack of sleepers, or of the parked */
    pthread_t        thread;
    pthread_cond_t   wake;
    uint64_t         since_ns; /* when its job, or its wait, began */
    bool             woken;
    bool             parked;
    bool             lent; /* its task waits for others, in its slot somebody else works */
    _Atomic uint32_t at;
    patio_job       *job;    /* under the lock: what it runs */
    uint64_t         due_ns; /* when that is stuck; UINT64_MAX: never */
} worker;

struct patio_executor {
    void                        *block; /* the allocation it lies in */
    const patio_host            *host;
    const patio_executor_events *events;
    uint32_t                     worker_count;
    uint32_t                     extra_max; /* slots that may be lent */
    uint32_t                     stuck_max;
    uint64_t                     stuck_after_ns; /* past the deadline; UINT64_MAX: never */
    uint32_t                     queue_max;
    size_t                       stack_bytes;
    worker                      *workers; /* room for all of them */
    uint32_t                     started; /* threads; none ends before the pool does */
    const patio_poll_ops        *poll;    /* of the transport; NULL: it is not to be had */
    patio_transport             *transport;

    /* read by spinners without the lock, so on a line of its own */
    _Alignas(64) _Atomic uint32_t queued;
    _Atomic bool ends; /* who looks for jobs is to leave */
    patio_spin   spin;

    _Alignas(64) pthread_mutex_t lock;
    pthread_cond_t  ended; /* a worker left, or a look at stuck ones is over */
    patio_job_queue queue;
    worker         *sleepers; /* last to sleep is first to wake: its cache is warm */
    worker         *parked;   /* threads that are too many for now */
    uint32_t        sleeping;
    uint32_t        coming;          /* woken, but not awake yet */
    worker         *poller;          /* does the transport's I/O until a job comes; NULL: none */
    worker         *watcher;         /* a sleeper that looks now and then; NULL: none */
    uint32_t        alive;           /* threads that are not parked */
    uint32_t        lent;            /* of them, those that wait inside a task */
    uint32_t        stuck;           /* of them, those that do not come back */
    uint32_t        left;            /* ended, while stopping */
    uint32_t        useful;          /* workers that can run beside those who bring jobs */
    uint64_t        taken;           /* jobs ever taken out of the queue */
    uint64_t        unsure_until_ns; /* how long jobs took is no guide until then */
    uint64_t        average_ns;      /* of recent jobs */
    uint64_t        watch_ns; /* when the timer looks for stuck ones; UINT64_MAX: it is not set */
    uint64_t        timer;
    bool            looking; /* that timer's function runs */
    bool            running;
    bool            refused; /* somebody heard FULL */
    bool            worn;
    bool            stopping;
};

/* Under the lock: threads that can take a job, or will when theirs is done. */
static inline uint32_t pool_able(const patio_executor *x)
{
    return x->alive - x->lent - x->stuck;
}

/* Under the lock: somebody looks for a job, and will find it. */
static inline bool pool_looks(const patio_executor *x)
{
    return x->poller != NULL || atomic_load_explicit(&x->spin.spinning, memory_order_relaxed) > 0;
}

patio_status pool_submit(patio_executor *x, patio_job *job, patio_error *err);
void        *pool_work(void *arg); /* a worker */
/* Under the lock: somebody who was to take a job does not. */
void pool_hand_over(patio_executor *x);
/* The worker that this thread is, NULL if it is none. */
worker *pool_self(void);

patio_status threads_start(patio_executor *x, patio_error *err);
patio_status threads_stop(patio_executor *x, uint64_t grace_ms, patio_error *err);
/* Under the lock: another thread is needed, if there may be one. */
void threads_add(patio_executor *x);
/* Under the lock: this thread is too many; sleep until it is not. */
void                        threads_sleep(patio_executor *x, worker *me);
extern const patio_lend_ops threads_lend_ops;

/* Under the lock: those that may take jobs or have one. */
static inline uint32_t threads_limit(const patio_executor *x)
{
    return x->worker_count + x->lent + x->stuck;
}

/* Under the lock: this thread sleeps if it is too many. */
static inline void threads_park(patio_executor *x, worker *me)
{
    if (x->alive > threads_limit(x) && x->running) {
        threads_sleep(x, me);
    }
}

/* Under the lock: jobs wait and nobody can take one. Who looks for work takes it, and who sleeps
 * may be woken by those who work; only if nobody does either, another is needed. */
static inline void threads_more(patio_executor *x)
{
    if (x->queue.count == 0 || pool_looks(x) || !x->running) {
        return;
    }
    if (x->sleeping > 0) {
        if (x->sleeping == pool_able(x) && x->coming == 0) {
            pool_hand_over(x); /* those who would have taken it wait, or do not come back */
        }
    } else if (x->alive < threads_limit(x)) {
        threads_add(x);
    }
}

/* Under the lock: set the timer for a job that is due then. Returns the one before, or 0. */
uint64_t stuck_watch(patio_executor *x, uint64_t due_ns);
/* It was given up: wait until the host knows. */
bool stuck_given_up(worker *me);

/* Under the lock: the worker has begun a job. Returns a timer to cancel without the lock, or 0. */
static inline uint64_t stuck_begin(patio_executor *x, worker *me, patio_job *job)
{
    enum { SLACK_NS = 10 * 1000 * 1000 }; /* sooner by less does not set the timer anew */
    bool never = x->stuck_after_ns == UINT64_MAX || job->deadline_ns == 0 ||
                 job->deadline_ns > UINT64_MAX - x->stuck_after_ns;
    me->job    = job;
    me->due_ns = never ? UINT64_MAX : job->deadline_ns + x->stuck_after_ns;
    atomic_store_explicit(&me->at, AT_JOB, memory_order_release);
    return never || me->due_ns + SLACK_NS >= x->watch_ns ? 0 : stuck_watch(x, me->due_ns);
}

/* Its job has returned; must be called before `done`, without the lock. true: it was given up. */
static inline bool stuck_returned(worker *me)
{
    uint32_t at = AT_JOB;
    return !atomic_compare_exchange_strong(&me->at, &at, AT_QUEUE) && stuck_given_up(me);
}
/* No worker is left: cancel the timer, and wait for what it does. */
void stuck_fini(patio_executor *x);

#endif
