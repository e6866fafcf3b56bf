/* process.c: workers and callers in processes of their own, to be killed. They are forked before
 * the case has any thread, wait for the word to go, and speak in lines. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit.h"

static void close_others(kit *k, const kit_process *mine)
{
    for (uint32_t n = 0; n < KIT_PROCESSES; n++) {
        kit_process *p = &k->processes[n];
        if (p != mine && p->pid > 0) {
            (void)close(p->go);
            (void)close(p->say);
        }
    }
}

static void be_child(kit *k, kit_process *p, uint32_t index, void (*fn)(kit *k, kit_process *self))
{
    char word = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_others(k, p);
    k->child          = true;
    k->thread         = pthread_self();
    k->instance_count = index; /* its place in a mesh */
    if (read(p->go, &word, 1) != 1) {
        _exit(0);
    }
    if (setjmp(k->out) == 0) {
        fn(k, p);
    } else {
        kit_process_say(p, "! %s", k->failure);
    }
    if (atomic_load(&k->breaches) > 0) {
        kit_process_say(p, "! %s", k->breach);
    }
    _exit(0);
}

kit_process *kit_process_fork(kit *k, void (*fn)(kit *k, kit_process *self), uint32_t index)
{
    kit_process *p = k->processes;
    while (p < k->processes + KIT_PROCESSES && p->pid != 0) {
        p++;
    }
    int go[2];
    int say[2];
    /* ports are chosen before, so that all know the same ones */
    for (uint32_t n = 0; n < KIT_INSTANCES - 1; n++) {
        char text[2048];
        kit_url(k, k->options->url, n, text, sizeof(text));
    }
    KIT_CHECK(k, p < k->processes + KIT_PROCESSES && pipe(go) == 0 && pipe(say) == 0,
              "the kit has no more room for processes");
    (void)fflush(NULL);
    p->pid = fork();
    KIT_CHECK(k, p->pid >= 0, "fork failed: errno %d", errno);
    if (p->pid == 0) {
        (void)close(go[1]);
        (void)close(say[0]);
        p->go  = go[0];
        p->say = say[1];
        be_child(k, p, index, fn);
    }
    (void)close(go[0]);
    (void)close(say[1]);
    p->go   = go[1];
    p->say  = say[0];
    p->used = 0;
    p->eof  = false;
    return p;
}

void kit_process_go(kit *k, kit_process *p)
{
    KIT_CHECK(k, write(p->go, "g", 1) == 1, "the kit's own process is gone");
}

void kit_process_kill(kit *k, kit_process *p, int signal)
{
    KIT_CHECK(k, p->pid > 0 && kill(p->pid, signal) == 0, "kill failed: errno %d", errno);
}

void kit_process_collect(kit *k, kit_process *p)
{
    (void)k;
    if (p->pid > 0) {
        while (waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR) {
        }
        (void)close(p->go);
        (void)close(p->say);
        p->pid = 0;
    }
}

void kit_processes_end(kit *k)
{
    for (uint32_t n = 0; n < KIT_PROCESSES; n++) {
        kit_process *p = &k->processes[n];
        if (p->pid > 0) {
            (void)kill(p->pid, SIGKILL);
            kit_process_collect(k, p);
        }
    }
}

void kit_process_say(kit_process *self, const char *format, ...)
{
    char    line[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
    line[size]  = '\n';
    if (write(self->say, line, size + 1) < 0) {
        _exit(1);
    }
}

/* One line into out; false when none comes in time. */
static bool read_line(kit_process *p, char *out, size_t size, uint64_t until_ms)
{
    for (;;) {
        char *end = memchr(p->line, '\n', p->used);
        if (end != NULL) {
            size_t n = (size_t)(end - p->line);
            (void)snprintf(out, size, "%.*s", (int)n, p->line);
            p->used -= n + 1;
            memmove(p->line, end + 1, p->used);
            return true;
        }
        uint64_t now = kit_now_ms();
        if (p->eof || now >= until_ms) {
            return false;
        }
        struct pollfd fd = {.fd = p->say, .events = POLLIN};
        if (poll(&fd, 1, (int)(until_ms - now)) > 0) {
            ssize_t n = read(p->say, p->line + p->used, sizeof(p->line) - p->used);
            p->eof    = n <= 0;
            p->used += n > 0 ? (size_t)n : 0;
        }
    }
}

void kit_process_expect(kit *k, kit_process *p, const char *begin, uint64_t within_ms)
{
    char    *line  = p->said;
    uint64_t until = kit_now_ms() + within_ms;
    while (read_line(p, line, sizeof(p->said), until)) {
        KIT_CHECK(k, line[0] != '!', "in the other process: %s", line + 2);
        if (strncmp(line, begin, strlen(begin)) == 0) {
            return;
        }
    }
    kit_fail(k, __FILE__, __LINE__, "another process has not said \"%s\" within %llu ms%s", begin,
             (unsigned long long)within_ms, p->eof ? ": it has ended" : "");
}

static void say_deliveries(kit *k, kit_process *self, bool settle)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_subscribe(i, 8);
    kit_process_say(self, "ready");
    for (uint32_t n = 0;; n++) {
        KIT_AWAIT(k, 600000, kit_delivered_count(i) > n, "nothing more comes");
        kit_delivery d = kit_delivered(i, n);
        if (k->ops->caps & PATIO_CAP_STARTED) {
            (void)k->ops->started(i->t, d.tag, NULL);
            kit_sleep_ms(settle ? 0 : 200); /* whoever kills us means a task that has started */
        }
        if (settle) {
            kit_settle_ok(i, d.tag, PATIO_ACK, 0, 30);
        }
        kit_process_say(self, "d %u %u %u", d.number, d.attempt, d.crashes);
    }
}

void kit_hold_process(kit *k, kit_process *self)
{
    say_deliveries(k, self, false);
}

void kit_work_process(kit *k, kit_process *self)
{
    say_deliveries(k, self, true);
}
