/* Standard output and error of a child: lines of the log, with the task's id. */
#include "pool.h"

#include <errno.h>
#include <unistd.h>

enum { READ_BYTES = 16 * 1024 };

static void say(patio_executor *x, child *c, unsigned which)
{
    stream     *s      = &c->streams[which];
    int32_t     level  = which == 0 ? PATIO_LOG_INFO : PATIO_LOG_WARN;
    const char *name   = which == 0 ? "stdout" : "stderr";
    uint64_t    number = 0;
    char        text[OUTPUT_LINE + 32];
    (void)snprintf(text, sizeof(text), "%s: %.*s", name, (int)s->size, s->line);
    s->size = 0;
    pthread_mutex_lock(&x->lock);
    const patio_job *job = watch_running(c, &number);
    pthread_mutex_unlock(&x->lock);
    if (job != NULL) {
        job->ops->log(job, level, text);
    } else {
        patio_host_log(x->host, level, "child %d: %s", (int)c->pid, text);
    }
}

/* Control characters would be another's line, or a terminal's command. */
static char shown(char byte)
{
    return ((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f ? '?' : byte;
}

static void take(patio_executor *x, child *c, unsigned which, const char *bytes, size_t size)
{
    stream *s = &c->streams[which];
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n' || s->size == OUTPUT_LINE) {
            say(x, c, which);
        }
        if (bytes[i] != '\n') {
            s->line[s->size++] = shown(bytes[i]);
        }
    }
}

void output_read(patio_executor *x, child *c, unsigned which)
{
    char    bytes[READ_BYTES];
    stream *s = &c->streams[which];
    if (s->fd < 0) {
        return;
    }
    uint64_t number = 0;
    pthread_mutex_lock(&x->lock);
    const patio_job *job   = watch_running(c, &number);
    uint64_t         limit = job != NULL ? give_limits(x, job).output_bytes
                                         : (uint64_t)x->values[OPT_OUTPUT_LIMIT].number;
    pthread_mutex_unlock(&x->lock);
    ssize_t got = read(s->fd, bytes, sizeof(bytes));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        loop_close(x, &s->fd);
        return;
    }
    uint64_t left = limit > c->output_bytes ? limit - c->output_bytes : 0;
    c->output_bytes += (uint64_t)got;
    take(x, c, which, bytes, (uint64_t)got < left ? (size_t)got : (size_t)left);
    if (c->output_bytes > limit) {
        end_kill(c, CAUSE_OUTPUT);
    }
}

void output_flush(patio_executor *x, child *c)
{
    for (unsigned which = 0; which < 2; which++) {
        for (int i = 0; i < 8 && c->streams[which].fd >= 0; i++) {
            output_read(x, c, which);
        }
        if (c->streams[which].size > 0) {
            say(x, c, which);
        }
    }
}
