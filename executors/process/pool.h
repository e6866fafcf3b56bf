/* pool.h: the inside of the process executor.
 *
 *   child.h     what is known of a child
 *   process.c   options; create and destroy
 *   pool.c      the queue: submit, cancel, stop
 *   deal.c      which child gets which job
 *   give.c      jobs on their way to a child
 *   words.c     what is said to a child while it works
 *   loop.c      the one thread that reads from children
 *   reload.c    children that load their tasks anew, in place of the others
 *   staff.c     how many children there are: started, retired, buried
 *   hear.c      what a child says
 *   results.c   and what came of its jobs
 *   calls.c     the calls of its tasks, and their answers
 *   spawn.c     a new child
 *   life.c      how the end of a child is noticed
 *   end.c       a child that is no more, and what it was running
 *   watch.c     limits of memory, CPU and time
 *   output.c    standard output and error of a child
 *
 * Every job that is not in the queue is in the `jobs` of one child. Only the thread of loop.c takes
 * it out of there, and only outside of the lock is `done` called.
 */
#ifndef PROCESS_POOL_H
#define PROCESS_POOL_H

#include <patio/executor.h>
#include <patio/job_queue.h>
#include <patio/plugin_util.h>
#include <patio/spin.h>

#include <pthread.h>

#include "child.h"

enum {
    WATCH_NS     = 10 * 1000 * 1000,  /* how often limits are looked at */
    STUCK_NS     = 1000 * 1000,       /* how long jobs may wait behind another in a child */
    UNSURE_NS    = 100 * 1000 * 1000, /* after that each has a child for itself so long */
    LINGER_NS    = 100 * 1000 * 1000, /* how long the loop sleeps at most while there is work */
    DEPTH_NS     = 200 * 1000,        /* so much work may lie in a child's hands */
    SHORT_JOB_NS = 4 * 1000,          /* on average: more children than cores do not help */
    MESSAGE_MAX  = 6 * 1024,
};
#define NS_PER_MS UINT64_C(1000000)
#define NEVER     UINT64_MAX

enum {
    OPT_WORKERS,
    OPT_QUEUE_MAX,
    OPT_MEMORY_LIMIT,
    OPT_CPU_LIMIT,
    OPT_OUTPUT_LIMIT,
    OPT_KILL_GRACE,
    OPT_MAX_TASKS,
    OPT_MAX_AGE,
    OPT_NICE,
    OPT_CORE_DUMPS,
    OPT_DIRECTORY,
    OPT_PROGRAM,
    OPT_ADDRESS_SPACE,
    OPT_SHARED_BYTES,
    OPT_START_TIMEOUT,
    OPT_EXTRA,
    OPT_COUNT,
};
enum { TASK_MEMORY_LIMIT, TASK_CPU_LIMIT, TASK_OUTPUT_LIMIT, TASK_KILL_GRACE };

struct patio_executor {
    const patio_host            *host;
    const patio_executor_events *events;
    const patio_child_setup     *setup;
    patio_option_value           values[OPT_COUNT];
    char                        *directory;
    char                        *program;
    uint32_t                     workers;
    uint64_t                     shared_bytes;
    int                          epoll_fd;
    int                          wake_fd;
    pthread_t                    thread;
    pthread_t                    loop; /* the same, as it knows itself; under the lock */
    bool                         has_thread;

    pthread_mutex_t  lock;
    pthread_cond_t   changed;
    patio_job_queue  queue;
    _Atomic uint32_t queued;
    patio_job       *refused; /* could not begin; the loop finishes them */
    child           *children;
    uint32_t         ready;
    uint32_t         ever_ready;      /* since the start */
    uint64_t         wait_until_ns;   /* when the loop looks by itself */
    uint64_t         given_until_ns;  /* when it must, for what was given since it looked last */
    uint64_t         average_ns;      /* of recent jobs */
    uint64_t         unsure_until_ns; /* that is no guide until then */
    uint32_t         useful;          /* children that short jobs can make use of */
    uint32_t         lent; /* slots of tasks that wait for others; the loop's, under the lock */
    void (*tell_lent)(void *self, uint32_t count); /* NULL: nobody listens */
    void            *tell_lent_self;
    uint64_t         spawn_after_ns;
    uint32_t         failures; /* starts in vain, in a row */
    _Atomic uint64_t stop_at_ns;
    bool             fixed;        /* children are this program as it was started */
    bool             reload_asked; /* under the lock */
    uint32_t         reload_state; /* PATIO_RELOAD_…; under the lock */
    bool             reloading;    /* this and the next three: the loop's */
    uint32_t         generation;   /* of children that are started now */
    uint32_t         renewed;      /* of that one have been ready */
    uint64_t         reload_since_ns;
    bool             running;
    atomic_bool      stopping;
    bool             was_full;
    bool             deal_again; /* a child that is idle could not take a job; the loop's */
    patio_error      start_error;
    uint8_t         *packet;  /* to children; under the lock */
    uint8_t         *inbound; /* from children; the loop's */
    atomic_bool      woken;   /* somebody wants the loop to look */
    atomic_bool      asleep;  /* the loop must be woken for that */
};

/* job->link, beside what the queue needs of them: the job itself when it has begun; and of a
 * refused one, its outcome. */
enum { LINK_NEXT, LINK_STATUS, LINK_REPLY, LINK_BEGUN };

/* pool.c */
patio_status pool_start(patio_executor *x, patio_error *err);
patio_status pool_stop(patio_executor *x, uint64_t grace_ms, patio_error *err);
patio_status pool_submit(patio_executor *x, patio_job *job, patio_error *err);
patio_status pool_cancel(patio_executor *x, patio_job *job, patio_error *err);
void         pool_wake(patio_executor *x);
/* Under the lock. */
void       pool_push_front(patio_executor *x, patio_job *job);
patio_job *pool_pop(patio_executor *x);
/* Not under the lock. */
void     pool_done(patio_executor *x, patio_job *job, patio_outcome *out);
void     pool_give_back(patio_executor *x, patio_job *job, patio_status status);
uint64_t pool_now(const patio_executor *x);

/* deal.c; under the lock, but for deal_all */
/* The child that is to get one job now; NULL: it is to wait. */
child *deal_one(const patio_executor *x, const patio_job *job);
/* As much of the queue as children can take; the loop's. */
void deal_all(patio_executor *x);
/* How many jobs a child may still get. */
uint64_t deal_places(const patio_executor *x, const child *c);
/* Take back what has not begun. Returns how many. */
uint32_t deal_withdraw(patio_executor *x, child *c);

/* give.c */
/* A job for a child that was taken, from any thread. */
void give_one(patio_executor *x, child *c, patio_job *job);
/* The same for several, by the loop. Returns how many it got. */
uint32_t give_many(patio_executor *x, child *c, patio_job **jobs, uint32_t count);
limits   give_limits(const patio_executor *x, const patio_job *job);
/* Must a job have a child for itself, because its use of something is measured? */
static inline bool give_is_measured(const limits *l)
{
    return l->memory_bytes != 0 || l->cpu_ns != 0;
}

/* words.c */
/* Say something to a child while it works. bytes may be empty. Kept until its socket has room; a
 * child that does not listen at all is ended. */
void words_say(patio_executor *x, child *c, uint32_t type, uint64_t number,
               const patio_child_answer *answer, const char *text, patio_bytes bytes);
/* There is room; the loop's. */
void words_go_on(patio_executor *x, child *c);
void words_fini(patio_executor *x, child *c);

/* loop.c */
void *loop_run(void *x);
enum { WATCH_PID, WATCH_JOBS, WATCH_OUT, WATCH_ERR, WATCH_BELL, WATCH_WORDS, WATCH_KINDS };
bool loop_watch(patio_executor *x, child *c, int fd, unsigned kind);
void loop_close(patio_executor *x, int *fd); /* -1: none */

/* staff.c; the loop's */
void staff_spawn(patio_executor *x, uint64_t now);
/* Those that have served enough, or are to stop, get nothing more; those that have nothing more are
 * closed, and end by themselves. */
void staff_retire(patio_executor *x, uint64_t now);
void staff_bury(patio_executor *x);
/* Slots of tasks that wait for others are lent. */
void staff_lend(patio_executor *x);
/* A child could not be started, or did not get ready: the next one later. */
void staff_note_failure(patio_executor *x, patio_status status, const char *why);
/* When to look at all that again. */
uint64_t staff_next(const patio_executor *x, uint64_t now);

/* reload.c; the loop's */
extern const patio_reload_ops reload_ops;
/* Begin what was asked for; is it over? */
void reload_look(patio_executor *x, uint64_t now);
/* Is it to be replaced, because it loaded its tasks before the reload that is under way? */
bool reload_is_stale(const patio_executor *x, const child *c);
bool reload_any_stale(const patio_executor *x);
/* A child of this generation did not come up: no other is replaced then. */
void reload_failed(patio_executor *x, uint32_t generation, const char *why);

/* hear.c */
/* The next packet, if there is one; false: the other side is gone. */
bool hear_packet(patio_executor *x, child *c);

/* results.c */
/* What it says came of a job; false: it is none of this protocol. */
bool results_take(patio_executor *x, child *c, const patio_child_part *part, int fd);
/* Read its ring up to `end`. */
void results_read(patio_executor *x, child *c, uint64_t end);
/* The job of a number that a child has; under the lock. NULL: none. */
patio_job *results_job(const child *c, uint64_t number);
/* The bytes of a frame; NULL: no memory, or they are not what it says. */
patio_buf *results_bytes(const patio_host *host, const patio_child_part *part, int fd);

/* calls.c */
/* false: it is none of this protocol. */
bool calls_publish(patio_executor *x, child *c, const patio_child_part *part, int fd);
bool calls_cancel(patio_executor *x, child *c, const patio_child_part *part);
extern const patio_relay_ops calls_relay_ops;

/* spawn.c */
patio_status spawn_child(patio_executor *x, patio_error *err);
void         spawn_close(patio_executor *x, child *c);

/* life.c */
/* Make pid_fd, which can be read when the child has ended and is to be reaped. false with errno. */
bool life_watch(child *c);
/* It has ended, and was reaped: nobody writes to pid_fd any more. */
void life_fini(child *c);

/* end.c */
void end_kill(child *c, cause why);
void end_child(patio_executor *x, child *c);

/* watch.c */
/* How many it has begun of those from `first` on. Under the lock. */
uint32_t watch_begun(const child *c);
/* The job that a child runs; NULL: none. Under the lock. */
patio_job *watch_running(const child *c, uint64_t *number);
/* The oldest that it was given and has not ended; NULL: none. Under the lock. */
patio_job *watch_oldest(const child *c, uint64_t *number);
/* Looks at all children; returns when to look again. */
uint64_t watch_all(patio_executor *x, uint64_t now);
uint64_t watch_cpu_ns(const child *c);

/* output.c */
void output_read(patio_executor *x, child *c, unsigned which);
void output_flush(patio_executor *x, child *c);

#endif
