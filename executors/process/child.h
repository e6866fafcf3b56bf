/* child.h: what the process executor knows of a child. */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include <patio/child_ring.h>
#include <patio/executor.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    DEPTH_MAX   = 64, /* jobs in a child's hands */
    OUTPUT_LINE = 1024,
};

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

/* A word that its socket had no room for. */
typedef struct words_entry {
    struct words_entry *next;
    size_t              size;
    int                 fd; /* -1: none */
    _Alignas(8) uint8_t packet[];
} words_entry;

typedef struct child child;
struct child {
    patio_executor   *x;
    child            *next;
    pid_t             pid;
    int               pid_fd;
    pthread_t         waiter; /* in place of the kernel, where it has no pidfd_open */
    bool              has_waiter;
    int               jobs_fd;
    int               words_fd;
    int               statm_fd;
    int               bell_fd;
    patio_child_page *page;
    uint64_t          incarnation;
    uint64_t          born_ns;
    uint32_t          generation; /* how many reloads were begun before it was started */

    /* the loop's */
    stream   streams[2];
    uint64_t result_at; /* read of its ring of results */
    uint64_t seen;      /* it may be read up to here: all that was said before it has been heard */
    uint32_t packets;   /* that were heard */
    uint32_t lending;   /* what was last seen of the word of its page */
    bool     lends;     /* its task waits for others, and its slot is lent; under the lock */

    /* under words_lock */
    pthread_mutex_t words_lock;
    words_entry    *words; /* oldest first */
    words_entry   **words_end;
    size_t          words_bytes;
    bool            words_watched;

    /* under the lock */
    _Atomic child_state state;
    atomic_bool         broken; /* it says nonsense, or does not listen: the loop ends it */
    bool                gone;   /* to be forgotten at the end of the loop's turn */
    bool                taken;  /* somebody is about to send it a job */
    uint64_t            job_at; /* written of its ring of jobs */
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
    atomic_bool      killed; /* or found dead: whoever deals jobs looks at it from other threads */
    bool             stuck;  /* was asked to flush; under the lock */
};

#endif
