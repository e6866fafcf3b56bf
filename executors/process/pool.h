/* pool.h: the inside of the process executor.
 *
 *   process.c   options; create and destroy
 *   pool.c      the queue: submit, cancel, stop
 *   give.c      jobs on their way to a child
 *   loop.c      the one thread that reads from children, starts and ends them
 *   hear.c      what a child says
 *   spawn.c     a new child
 *   end.c       a child that is no more, and what it was running
 *   watch.c     limits of memory, CPU and time
 *   output.c    standard output and error of a child
 *
 * Every job that is not in the queue is in the `jobs` of one child. Only the thread of loop.c takes
 * it out of there, and only outside of the lock is `done` called.
 */
#ifndef PROCESS_POOL_H
#define PROCESS_POOL_H

#include <patio/child_protocol.h>
#include <patio/executor.h>
#include <patio/plugin_util.h>
#include <patio/spin.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    DEPTH_MAX   = 64, /* jobs in a child's hands */
    OUTPUT_LINE = 1024,
    WATCH_NS    = 10 * 1000 * 1000,  /* how often limits are looked at */
    STUCK_NS    = 1000 * 1000,       /* how long jobs may wait behind another in a child */
    LINGER_NS   = 100 * 1000 * 1000, /* how long the loop sleeps at most while there is work */
    DEPTH_NS    = 200 * 1000,        /* so much work may lie in a child's hands */
    MESSAGE_MAX = 6 * 1024,
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
    OPT_COUNT,
};
enum { TASK_MEMORY_LIMIT, TASK_CPU_LIMIT, TASK_OUTPUT_LIMIT, TASK_KILL_GRACE };

typedef enum child_state {
    CHILD_STARTING,
    CHILD_READY,
    CHILD_LEAVING, /* gets no more jobs, finishes what it has */
    CHILD_CLOSED,  /* was told to end, by its closed socket */
} child_state;

typedef enum cause {
    CAUSE_NONE, /* by itself */
    CAUSE_MEMORY,
    CAUSE_CPU,
    CAUSE_TIME,
    CAUSE_OUTPUT,
    CAUSE_CANCELLED,
    CAUSE_STOPPED,
    CAUSE_PROTOCOL, /* closed its socket, or sent what is no frame */
    CAUSE_UNREADY,  /* did not get ready */
} cause;

typedef struct limits {
    uint64_t memory_bytes; /* 0: none */
    uint64_t cpu_ns;
    uint64_t output_bytes;
    uint64_t grace_ns;
} limits;

typedef struct stream {
    int      fd;
    uint32_t size;
    char     line[OUTPUT_LINE];
} stream;

typedef struct child child;
struct child {
    patio_executor   *x;
    child            *next;
    pid_t             pid;
    int               pid_fd;
    int               jobs_fd;
    int               words_fd;
    int               statm_fd;
    patio_child_page *page;
    uint64_t          incarnation;
    uint64_t          born_ns;
    stream            streams[2];

    /* under the lock */
    _Atomic child_state state;
    bool                gone;   /* to be forgotten at the end of the loop's turn */
    bool                taken;  /* somebody is about to send it a job */
    uint32_t            pins;   /* threads that speak to it without the lock */
    uint64_t            first;  /* oldest job that is not done */
    _Atomic uint64_t    number; /* of the next job */
    _Atomic uint32_t    held;   /* jobs in `jobs` */
    patio_job          *jobs[DEPTH_MAX];
    _Atomic uint64_t    moved_ns; /* when it last got or ended one */

    /* of the job that runs, as far as it is watched; only the loop's, but for the start */
    limits           allowed;
    _Atomic uint64_t cpu_from_ns;
    uint64_t         output_bytes;
    uint64_t         told_ns; /* when the running job was cancelled; 0: it was not */
    uint64_t         told_number;
    uint64_t         lost_ns; /* when its socket was found closed; 0: it is open */
    cause            why;
    bool             killed;
    bool             stuck; /* was asked to flush */
};

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
    patio_job       *head;
    patio_job       *tail;
    _Atomic uint32_t queued;
    patio_job       *refused; /* could not begin; the loop finishes them */
    child           *children;
    uint32_t         ready;
    uint64_t         wait_until_ns; /* when the loop looks by itself */
    uint64_t         average_ns;    /* of recent jobs */
    uint64_t         spawn_after_ns;
    uint32_t         failures; /* starts in vain, in a row */
    _Atomic uint64_t stop_at_ns;
    bool             running;
    atomic_bool      stopping;
    bool             was_full;
    patio_error      start_error;
    uint8_t         *packet;  /* to children; under the lock */
    uint8_t         *inbound; /* from children; the loop's */
    patio_spin       spin;
};

/* job->link: next in the queue; 1 when it has begun; and of a refused one, its outcome. */
enum { LINK_NEXT, LINK_BEGUN, LINK_REPLY, LINK_DELAY };

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

/* give.c */
/* A job for a child that was taken, from any thread. */
void give_one(patio_executor *x, child *c, patio_job *job);
/* As much of the queue as children can take; the loop's. */
void give_all(patio_executor *x);
/* How many jobs a child may still get; under the lock. */
uint64_t give_places(const patio_executor *x, const child *c);
/* Take back what has not begun; under the lock. Returns how many. */
uint32_t give_withdraw(patio_executor *x, child *c);
limits   give_limits(const patio_executor *x, const patio_job *job);
/* Say something to a child while it works. bytes may be empty. */
void give_word(patio_executor *x, child *c, uint32_t type, uint64_t number,
               const patio_child_answer *answer, const char *text, patio_bytes bytes);

/* loop.c */
void *loop_run(void *x);
enum { WATCH_PID, WATCH_JOBS, WATCH_OUT, WATCH_ERR, WATCH_KINDS };
/* A child could not be started, or did not get ready: the next one later. */
void loop_note_failure(patio_executor *x, patio_status status, const char *why);
bool loop_watch(patio_executor *x, child *c, int fd, unsigned kind);

/* hear.c */
/* The next packet, if there is one; false: the other side is gone. */
bool hear_packet(patio_executor *x, child *c);
void hear_frames(patio_executor *x, child *c, const uint8_t *packet, size_t size, int fd);

/* spawn.c */
patio_status spawn_child(patio_executor *x, patio_error *err);
void         spawn_close(patio_executor *x, child *c);

/* end.c */
void end_kill(child *c, cause why);
void end_child(patio_executor *x, child *c);

/* watch.c */
/* How many it has begun of those from `first` on. Under the lock. */
uint32_t watch_begun(const child *c);
/* The job that a child runs; NULL: none. Under the lock. */
patio_job *watch_running(const child *c, uint64_t *number);
/* Looks at all children; returns when to look again. */
uint64_t watch_all(patio_executor *x, uint64_t now);
uint64_t watch_cpu_ns(const child *c);

/* output.c */
void output_read(patio_executor *x, child *c, unsigned which);
void output_flush(patio_executor *x, child *c);

#endif
