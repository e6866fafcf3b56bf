/* command.h: the inside of the command executor.
 *
 *   command.c  options, create and destroy
 *   prepare.c  a task's command line, taken apart once
 *   texts.c    texts that grow;  expand.c  arguments and environment of one run
 *   spawn.c    a program, begun
 *   begin.c    from a job to a running program;  child.c  what it reads and writes
 *   judge.c    how it ended
 *   loop.c     the one thread that looks after all of them;  life.c  its start and its end
 *   guard.c    nobody outlives this process
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <patio/executor.h>
#include <patio/job_queue.h>
#include <patio/plugin_util.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    TAIL_BYTES        = 2048, /* of standard error, for the task's error */
    LINE_BYTES        = 1024, /* longest line of the log; longer ones are split */
    LINES_MAX         = 1000, /* of one run in the log */
    READ_BYTES        = 64 * 1024,
    KEPT_BYTES        = 256 * 1024, /* of output memory, from run to run */
    MESSAGE_BYTES     = TAIL_BYTES + 256,
    SPAWN_STACK_BYTES = 64 * 1024,
    SPAWN_PAUSE_MS    = 1000, /* no process to be had: the task may come back after that */
    PROGRAM_MISSING   = 127,  /* as a shell says it */
};

enum task_option {
    TASK_COMMAND,
    TASK_SHELL,
    TASK_CONTENT_TYPE,
    TASK_MAX_OUTPUT_BYTES,
    TASK_TERM_GRACE_MS,
    TASK_RETRY_EXIT,
    TASK_SNOOZE_EXIT,
    TASK_ENV,
    TASK_DIRECTORY,
};

/* Texts that end in a NUL each, in one block that grows; remembered by where they begin. */
typedef struct texts {
    const patio_host *host;
    char             *data;
    size_t            size;
    size_t            room;
    size_t           *starts;
    size_t            count;
    size_t            start_room;
    bool              failed; /* out of memory; checked once, at the end */
} texts;

void texts_init(texts *t, const patio_host *host);
void texts_fini(texts *t);
void texts_reset(texts *t);
/* The next text begins; what is added from here on belongs to it. texts_end closes it. */
void texts_begin(texts *t);
void texts_add(texts *t, const char *data, size_t size);
void texts_end(texts *t);
void texts_put(texts *t, const char *text);
void texts_printf(texts *t, const char *format, ...) PATIO_PRINTF(2, 3);
/* Pointers to texts first, first + 1 …, NULL behind the last; NULL when out of memory. Freed by the
 * caller through the host. */
char **texts_pointers(const texts *t, size_t first, size_t count);

/* A task that this executor has, taken apart. */
typedef struct prepared {
    struct prepared          *next;
    const patio_option_value *values;
    const char               *task;
    char                     *program; /* where argv[0] was found */
    texts                     words;   /* argv */
    texts                     env;     /* NAME=VALUE, as it is for every run */
    bool                      shell;
    bool                      uses_arguments; /* a word has a place for one */
} prepared;

patio_status prepare(const patio_host *host, const char *task, const patio_option_value *values,
                     prepared **out, patio_error *err);
void         prepared_free(const patio_host *host, prepared *p);
/* The program of this name, as a shell would find it. NOT_FOUND, NO_MEMORY. */
patio_status find_program(const patio_host *host, const char *name, char **out);
/* Is there a place for an argument at `text`: {0}, {name}? *name is what stands in it, *size the
 * whole place. A doubled brace, {{name}}, stands for {name}: then *literal is set. */
bool find_place(const char *text, const char **name, size_t *name_size, size_t *size,
                bool *literal);

/* What one run is begun with. */
typedef struct invocation {
    texts       texts;
    char      **argv;
    char      **env;
    patio_bytes input;
} invocation;

/* false: the arguments do not fit the command (`problem` says how), or memory is out (it is ""). */
bool invocation_make(invocation *in, const patio_host *host, const prepared *p,
                     const patio_job *job, const patio_job_view *view, char *problem, size_t room);
void invocation_fini(invocation *in, const patio_host *host);

/* ---- a program, begun ---- */

typedef struct spawn_request {
    const char  *program;
    char *const *argv;
    char *const *env;
    const char  *directory; /* "": that of this process */
    bool         outlives;  /* this process */
    int          in, out, err;
    void        *stack; /* of the child until it is the program */
    size_t       stack_bytes;
} spawn_request;

/* Begin it, in a process group of its own, which it leads. Only on the thread that stays until it
 * has ended: the program is killed with that thread. Returns 0 or an errno. */
int spawn(const spawn_request *request, pid_t *pid, int *pidfd);

/* ---- a running program ---- */

enum why { WHY_ITSELF, WHY_DEADLINE, WHY_CANCELLED, WHY_OUTPUT, WHY_STOP };
enum stream { STREAM_EXIT, STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_COUNT };

typedef struct child {
    patio_executor *x;
    struct child   *next; /* free, or running */
    uint32_t        index;
    enum why        why; /* who wanted it to end */
    patio_job      *job;
    const prepared *what;
    patio_job_view  view;
    invocation      in;
    pid_t           pid;
    int             fds[STREAM_COUNT]; /* -1: closed */
    bool            exited;
    bool            killed;
    uint64_t        kill_at_ns; /* after TERM; UINT64_MAX: not told yet */
    siginfo_t       status;
    size_t          written;
    uint8_t        *output;
    size_t          output_size;
    size_t          output_room;
    size_t          line_size;
    uint32_t        lines;
    size_t          tail_size;
    char            line[LINE_BYTES];
    char            tail[TAIL_BYTES];
} child;

struct patio_executor {
    const patio_host            *host;
    const patio_executor_events *events;
    prepared                    *tasks;
    child                       *children;
    uint32_t                     worker_count;
    uint32_t                     queue_max;

    pthread_t thread;
    bool      has_thread;
    int       epoll;
    int       wake;  /* eventfd */
    int       guard; /* the guard ends when this closes; -1: there is none */
    pid_t     guard_pid;
    int32_t  *groups; /* shared with the guard, one for each child */
    void     *stack;
    uint8_t  *buffer; /* READ_BYTES */

    /* the thread's own */
    child   *free;
    child   *running;
    uint32_t running_count;

    pthread_mutex_t lock;
    pthread_cond_t  ended;
    patio_job_queue queue;
    patio_job_queue forgotten;  /* cancelled before they began, to be handed back */
    uint64_t        stop_at_ns; /* what runs then is ended; UINT64_MAX: stays */
    uint64_t        stop_term_ns;
    bool            open;
    bool            quit;
    bool            woken;
    bool            refused;
    bool            cancels; /* somebody was cancelled: ask all of them */
    bool            idle;    /* nothing runs */
};

/* Begin the job's program; if that cannot be it is `done`, and false returned. */
bool child_begin(child *c, patio_job *job);
/* Something happened to one of its descriptors. */
void child_event(child *c, enum stream stream);
/* It is to end, for this reason: now and by TERM, and by KILL if it does not. */
void child_end(child *c, enum why why, uint64_t now_ns, uint64_t grace_ns);
/* Look at deadline and grace; when to look again. */
uint64_t child_tick(child *c, uint64_t now_ns);
/* Has all been read and reaped? Then hand over its outcome: the child is free again. */
bool child_finish(child *c);
void child_fini(child *c);
/* Among each other. */
void child_hand_over(child *c, patio_outcome *out);
void child_feed(child *c);
void child_close(child *c, enum stream stream);
void child_log_line(child *c);
/* Let the loop look at one of its descriptors; false: the kernel has no memory. */
bool loop_watch(patio_executor *x, child *c, enum stream stream, uint32_t events);

/* The number of the eventfd in the epoll set. */
enum { LOOP_WAKE_INDEX = -1 };
patio_status loop_submit(patio_executor *x, patio_job *job, patio_error *err);
patio_status loop_cancel(patio_executor *x, patio_job *job, patio_error *err);
void        *loop_run(void *arg);
void         loop_wake(patio_executor *x);
void         loop_give_back(patio_executor *x, patio_job *job, patio_status status);

patio_status life_start(patio_executor *x, patio_error *err);
patio_status life_stop(patio_executor *x, uint64_t grace_ms, patio_error *err);
void         life_close(patio_executor *x);

/* ---- the guard: a process that ends what is left of the groups when this process is gone ---- */

patio_status guard_start(patio_executor *x, patio_error *err);
void         guard_stop(patio_executor *x);
/* The group of child `index` has begun, or is gone (0). */
void guard_tell(patio_executor *x, uint32_t index, pid_t group);

#endif
