/* From a job to a running program. On the executor's thread. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0, 1 and 2 may be free in this process; the child needs them for itself. */
static int above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO) {
        return fd;
    }
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)close(fd);
    return higher;
}

static bool make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    ends[0] = above_standard(ends[0]);
    ends[1] = above_standard(ends[1]);
    return ends[0] >= 0 && ends[1] >= 0;
}

static void close_both(int ends[2])
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            (void)close(ends[i]);
        }
    }
}

/* Returns 0 or an errno. The streams' near ends are the child's, non-blocking. */
static int start_program(child *c)
{
    patio_executor *x      = c->x;
    int             in[2]  = {-1, -1};
    int             out[2] = {-1, -1};
    int             err[2] = {-1, -1};
    int             rc     = 0;
    if (!make_pipe(in) || !make_pipe(out) || !make_pipe(err)) {
        rc = errno;
    }
    spawn_request request = {
        .program     = c->what->program,
        .argv        = c->in.argv,
        .env         = c->in.env,
        .directory   = c->what->values[TASK_DIRECTORY].text,
        .in          = in[0],
        .out         = out[1],
        .err         = err[1],
        .stack       = x->stack,
        .stack_bytes = SPAWN_STACK_BYTES,
    };
    if (rc == 0) {
        rc = spawn(&request, &c->pid, &c->fds[STREAM_EXIT]);
    }
    if (rc != 0) {
        close_both(in);
        close_both(out);
        close_both(err);
        return rc;
    }
    (void)close(in[0]);
    (void)close(out[1]);
    (void)close(err[1]);
    c->fds[STREAM_IN]  = in[1];
    c->fds[STREAM_OUT] = out[0];
    c->fds[STREAM_ERR] = err[0];
    for (int i = STREAM_IN; i <= STREAM_ERR; i++) {
        (void)fcntl(c->fds[i], F_SETFL, O_NONBLOCK | (i == STREAM_IN ? O_WRONLY : O_RDONLY));
    }
    return 0;
}

/* It could not be begun. What a program lacks is the task's failure; what this machine lacks for
 * the moment is not, and the task goes elsewhere or comes back later. */
static void refuse_start(child *c, int rc, patio_outcome *out)
{
    char text[MESSAGE_BYTES];
    char reason[128];
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the GNU one, which is */
    const char *why = strerror_r(rc, reason, sizeof(reason));
    (void)snprintf(text, sizeof(text), "run %s: %s", c->what->program, why);
    if (rc == EAGAIN || rc == ENOMEM || rc == EMFILE || rc == ENFILE) {
        patio_host_log(c->x->host, PATIO_LOG_WARN, "task %s: %s; it is given back", c->what->task,
                       text);
        out->verdict  = PATIO_RETURN;
        out->status   = PATIO_FULL;
        out->delay_ms = SPAWN_PAUSE_MS;
    } else {
        c->job->ops->fail(c->job, PATIO_TASK_FAILED, 0, rc == ENOENT ? PROGRAM_MISSING : rc,
                          rc == E2BIG ? "ArgumentError" : "CannotRun", text, out);
    }
}

static const prepared *find_task(const patio_executor *x, const patio_job *job)
{
    const prepared *p = x->tasks;
    while (p != NULL && p->values != job->options) {
        p = p->next;
    }
    return p;
}

/* All before the program runs. false: *out says what becomes of the job. */
static bool get_ready(child *c, patio_outcome *out)
{
    patio_job *job = c->job;
    char       problem[256];
    c->view = (patio_job_view){PATIO_SIZED(patio_job_view)};
    c->what = find_task(c->x, job);
    if (!job->ops->begin(job, out) || !job->ops->view(job, &c->view, out)) {
        return false;
    }
    if (invocation_make(&c->in, c->x->host, c->what, job, &c->view, problem, sizeof(problem))) {
        return true;
    }
    if (problem[0] != '\0') {
        job->ops->fail(job, PATIO_TASK_FAILED, 0, PATIO_INVALID, "ArgumentError", problem, out);
    } else {
        out->verdict  = PATIO_RETURN;
        out->status   = PATIO_NO_MEMORY;
        out->delay_ms = SPAWN_PAUSE_MS;
    }
    return false;
}

static void clear(child *c)
{
    c->why         = WHY_ITSELF;
    c->exited      = false;
    c->killed      = false;
    c->kill_at_ns  = UINT64_MAX;
    c->written     = 0;
    c->output_size = 0;
    c->line_size   = 0;
    c->lines       = 0;
    c->tail_size   = 0;
    c->pid         = -1;
    for (int i = 0; i < STREAM_COUNT; i++) {
        c->fds[i] = -1;
    }
}

bool child_begin(child *c, patio_job *job)
{
    patio_outcome out = {PATIO_SIZED(patio_outcome)};
    clear(c);
    c->job     = job;
    bool ready = get_ready(c, &out);
    int  rc    = ready ? start_program(c) : 0;
    if (!ready || rc != 0) {
        if (ready) {
            refuse_start(c, rc, &out);
        }
        invocation_fini(&c->in, c->x->host);
        child_hand_over(c, &out);
        return false;
    }
    guard_tell(c->x, c->index, c->pid);
    bool watched = loop_watch(c->x, c, STREAM_EXIT, EPOLLIN) &&
                   loop_watch(c->x, c, STREAM_OUT, EPOLLIN) &&
                   loop_watch(c->x, c, STREAM_ERR, EPOLLIN);
    child_feed(c);
    if (!watched) {
        /* out of memory in the kernel: without being watched it would run for ever */
        child_end(c, WHY_STOP, 0, 0);
        child_close(c, STREAM_OUT);
        child_close(c, STREAM_ERR);
        while (waitid(P_PID, (id_t)c->pid, &c->status, WEXITED) != 0 && errno == EINTR) {
        }
        c->exited = true;
        child_close(c, STREAM_EXIT);
    }
    return true;
}
