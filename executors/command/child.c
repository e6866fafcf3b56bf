/* What a running program reads and writes, and how it is brought to its end. On the executor's
 * thread. */
#include "command.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t forever = UINT64_MAX;

static const patio_option_value *option(const child *c, enum task_option which)
{
    return &c->what->values[which];
}

void child_close(child *c, enum stream stream)
{
    if (c->fds[stream] >= 0) {
        /* A copy of this process that somebody has forked holds it, too, and closing alone would
         * leave it in the set: with events that stand for the next program of this place. */
        (void)epoll_ctl(c->x->epoll, EPOLL_CTL_DEL, c->fds[stream], NULL);
        (void)close(c->fds[stream]);
        c->fds[stream] = -1;
    }
}

/* ---- its streams ---- */

/* Most inputs fit into the pipe at once, and nobody has to wait. A program that does not read all
 * of it has its reasons: EPIPE is no error (SIGPIPE is blocked on this thread). */
void child_feed(child *c)
{
    while (c->fds[STREAM_IN] >= 0 && c->written < c->in.input.size) {
        ssize_t n =
            write(c->fds[STREAM_IN], c->in.input.data + c->written, c->in.input.size - c->written);
        if (n > 0) {
            c->written += (size_t)n;
        } else if (errno == EAGAIN) {
            if (!loop_watch(c->x, c, STREAM_IN, EPOLLOUT)) {
                child_close(c, STREAM_IN);
            }
            return;
        } else if (errno != EINTR) {
            break;
        }
    }
    child_close(c, STREAM_IN);
}

static void keep_tail(child *c, const char *data, size_t size)
{
    if (size > TAIL_BYTES) {
        data += size - TAIL_BYTES;
        size = TAIL_BYTES;
    }
    size_t keep = c->tail_size + size > TAIL_BYTES ? TAIL_BYTES - size : c->tail_size;
    memmove(c->tail, c->tail + (c->tail_size - keep), keep);
    memcpy(c->tail + keep, data, size);
    c->tail_size = keep + size;
}

void child_log_line(child *c)
{
    if (c->line_size == 0) {
        return;
    }
    c->line[c->line_size] = '\0';
    if (c->lines < LINES_MAX) {
        c->job->ops->log(c->job, PATIO_LOG_INFO, c->line);
    } else if (c->lines == LINES_MAX) {
        c->job->ops->log(c->job, PATIO_LOG_WARN, "it writes too much; the rest is left out");
    }
    c->lines += c->lines <= LINES_MAX ? 1 : 0;
    c->line_size = 0;
}

static void take_errors(child *c, const char *data, size_t size)
{
    keep_tail(c, data, size);
    for (size_t i = 0; i < size && c->lines <= LINES_MAX; i++) {
        if (data[i] == '\n') {
            child_log_line(c);
            continue;
        }
        /* other control characters would let a program paint on our log */
        const char byte         = data[i];
        c->line[c->line_size++] = (char)((unsigned char)byte < 0x20 ? ' ' : byte);
        if (c->line_size == LINE_BYTES - 1) {
            child_log_line(c);
        }
    }
}

/* false: it is more than is allowed, or there is no memory for it. */
static bool take_output(child *c, const uint8_t *data, size_t size)
{
    const patio_host *host = c->x->host;
    size_t            most = (size_t)option(c, TASK_MAX_OUTPUT_BYTES)->number;
    if (size > most - c->output_size) {
        return false;
    }
    if (c->output_size + size > c->output_room) {
        size_t   room  = 2 * (c->output_size + size);
        uint8_t *grown = host->resize(host->self, c->output, room < most ? room : most);
        if (grown == NULL) {
            return false;
        }
        c->output      = grown;
        c->output_room = room < most ? room : most;
    }
    memcpy(c->output + c->output_size, data, size);
    c->output_size += size;
    return true;
}

/* Returns false when there is no more for now. */
static bool read_once(child *c, enum stream stream)
{
    patio_executor *x = c->x;
    if (c->fds[stream] < 0) {
        return false;
    }
    ssize_t n = read(c->fds[stream], x->buffer, READ_BYTES);
    if (n < 0) {
        return errno == EINTR;
    }
    if (n == 0) {
        child_close(c, stream);
        return false;
    }
    if (stream == STREAM_ERR) {
        take_errors(c, (const char *)x->buffer, (size_t)n);
    } else if (!take_output(c, x->buffer, (size_t)n)) {
        child_close(c, STREAM_OUT);
        child_end(c, WHY_OUTPUT, x->host->now_ns(x->host->self), 0);
        return false;
    }
    return true;
}

/* The leader is a zombie: its number, and so that of its group, is not given to anybody else. What
 * is left of the group ends now, and what it wrote is still in the pipes. */
static void reap(child *c)
{
    (void)kill(-c->pid, SIGKILL);
    guard_tell(c->x, c->index, 0);
    while (waitid(P_PID, (id_t)c->pid, &c->status, WEXITED) != 0) {
        if (errno != EINTR) {
            c->status = (siginfo_t){.si_code = CLD_EXITED, .si_status = PROGRAM_MISSING};
            break;
        }
    }
    c->exited = true;
    child_close(c, STREAM_EXIT);
    child_close(c, STREAM_IN);
    /* at most what a pipe holds: somebody who left the group may still be writing */
    for (int i = 0; i < 32 && read_once(c, STREAM_OUT); i++) {
    }
    for (int i = 0; i < 32 && read_once(c, STREAM_ERR); i++) {
    }
    child_close(c, STREAM_OUT);
    child_close(c, STREAM_ERR);
}

void child_event(child *c, enum stream stream)
{
    if (c->fds[stream] < 0) {
        return; /* closed by an event before this one */
    }
    switch (stream) {
    case STREAM_EXIT:
        reap(c);
        break;
    case STREAM_IN:
        child_feed(c);
        break;
    case STREAM_OUT:
    case STREAM_ERR:
    case STREAM_COUNT:
    default:
        (void)read_once(c, stream);
        break;
    }
}

/* ---- its end ---- */

void child_end(child *c, enum why why, uint64_t now_ns, uint64_t grace_ns)
{
    if (c->exited) {
        return;
    }
    c->why = c->why == WHY_ITSELF ? why : c->why;
    if (grace_ns == 0) {
        (void)kill(-c->pid, SIGKILL);
        c->killed     = true;
        c->kill_at_ns = 0;
    } else if (c->kill_at_ns == forever) {
        (void)kill(-c->pid, SIGTERM);
        (void)kill(-c->pid, SIGCONT); /* one that was stopped could not hear it */
        c->kill_at_ns = now_ns + grace_ns;
    }
}

uint64_t child_tick(child *c, uint64_t now_ns)
{
    uint64_t due = c->job->deadline_ns != 0 ? c->job->deadline_ns : forever;
    if (c->exited || c->killed) {
        return forever;
    }
    if (c->kill_at_ns == forever && now_ns >= due) {
        child_end(c, WHY_DEADLINE, now_ns,
                  (uint64_t)option(c, TASK_TERM_GRACE_MS)->number * 1000000);
    } else if (now_ns >= c->kill_at_ns) {
        child_end(c, c->why, now_ns, 0);
    }
    if (c->killed) {
        return forever;
    }
    return c->kill_at_ns != forever ? c->kill_at_ns : due;
}
