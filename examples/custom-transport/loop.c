/* loop.c: the thread. It gathers, carries out one transaction, raises the events, and sleeps until
 * the host, another process or the clock has something for it. */
#include "spool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { TICK_MS = 1000, RETRY_MS = 300 };

static command *take_batch(patio_transport *t, bool *stopping)
{
    command *batch = NULL;
    pthread_mutex_lock(&t->lock);
    uint32_t count = 0;
    command *end   = NULL;
    for (command *c = t->first; c != NULL && count < BATCH_MAX; c = c->next, count++) {
        end = c;
    }
    if (end != NULL) {
        batch     = t->first;
        t->first  = end->next;
        end->next = NULL;
        t->last   = t->first != NULL ? t->last : &t->first;
        t->command_count -= count;
    }
    *stopping = t->stopping;
    pthread_mutex_unlock(&t->lock);
    return batch;
}

static bool carry_out(patio_transport *t, command *c)
{
    switch (c->kind) {
    case CMD_PUBLISH:
        return spool_do_publish(t, c);
    case CMD_SETTLE:
        return spool_do_settle(t, c);
    case CMD_STARTED:
        return spool_do_started(t, c);
    case CMD_NOTIFY:
        return spool_do_notify(t, c);
    case CMD_CANCEL:
        return spool_do_cancel(t, c);
    default:
        return spool_do_announce(t, c);
    }
}

static void fail_all(patio_transport *t, command *batch, const char *why)
{
    (void)t;
    for (command *c = batch; c != NULL; c = c->next) {
        c->outcome = c->kind == CMD_CANCEL ? PATIO_CANCEL_TOO_LATE : PATIO_UNKNOWN;
        c->status  = PATIO_IO;
        (void)snprintf(c->why, sizeof(c->why), "%.150s", why);
    }
}

/* ---- telling the host ---- */

static void tell_published(patio_transport *t, const command *c, const patio_error *why)
{
    bool ok = c->outcome == PATIO_ACCEPTED || c->outcome == PATIO_DUPLICATE;
    if (c->outcome == PATIO_ACCEPTED && (c->message.flags & PATIO_MESSAGE_NO_RECEIPT) != 0) {
        return; /* a reply follows; of a duplicate none would */
    }
    patio_receipt r = {
        PATIO_SIZED(patio_receipt), .outcome = c->outcome,     .id = c->id,
        .original = c->original,    .level = PATIO_LEVEL_DISK, .error = ok ? NULL : why};
    t->events->published(t->events->self, &r);
}

static void tell(patio_transport *t, const command *c)
{
    patio_error why = PATIO_ERROR_INIT;
    if (c->status != PATIO_OK) {
        (void)patio_fail(&why, c->status, 0, "%s", c->why);
    }
    if (c->kind == CMD_PUBLISH) {
        tell_published(t, c, &why);
    } else if (c->kind == CMD_CANCEL) {
        t->events->cancelled(t->events->self, &c->id, c->outcome);
    } else if (c->kind == CMD_SETTLE && c->status != PATIO_OK && c->tag != 0) {
        t->events->settle_failed(t->events->self, c->tag, &why);
    }
}

static void finish(patio_transport *t, command *batch)
{
    while (batch != NULL) {
        command *next = batch->next;
        tell(t, batch);
        spool_command_free(t, batch);
        batch = next;
    }
}

/* ---- the transaction ---- */

static bool begin(patio_transport *t)
{
    return spool_do(&t->io, "BEGIN IMMEDIATE", "") >= 0;
}

static bool commit(patio_transport *t)
{
    if (spool_do(&t->io, "COMMIT", "") >= 0) {
        return true;
    }
    patio_host_log(t->host, PATIO_LOG_ERROR, "spool %s: commit: %s", t->path,
                   sqlite3_errmsg(t->io.handle));
    (void)spool_do(&t->io, "ROLLBACK", "");
    return false;
}

/* Commands first: what they settle and publish is there to be delivered in the same breath. */
static void run_batch(patio_transport *t, command *batch)
{
    /* others write as well: what waits for its turn is not lost */
    bool ok = begin(t);
    for (int tries = 0; !ok && sqlite3_errcode(t->io.handle) == SQLITE_BUSY && tries < 30;
         tries++) {
        ok = begin(t);
    }
    for (command *c = batch; c != NULL && ok; c = c->next) {
        ok = carry_out(t, c);
    }
    char why[160];
    (void)snprintf(why, sizeof(why), "write to the spool %.60s: %.60s", t->path,
                   sqlite3_errmsg(t->io.handle));
    if (!ok) {
        (void)spool_do(&t->io, "ROLLBACK", "");
    }
    if (!ok || !commit(t)) {
        fail_all(t, batch, why);
    }
    finish(t, batch);
}

static bool changed(patio_transport *t)
{
    int64_t version = spool_number(&t->io, -1, "PRAGMA data_version", "");
    bool    other   = version != t->data_version;
    t->data_version = version;
    return other;
}

static bool take_look(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    bool look = t->look || t->subs_changed;
    t->look   = false;
    pthread_mutex_unlock(&t->lock);
    return look;
}

/* ---- opening ---- */

static void open_spool(patio_transport *t)
{
    patio_error err = PATIO_ERROR_INIT;
    if (spool_db_open(t, &t->io, &err) == PATIO_OK && begin(t)) {
        if (spool_register(t) && commit(t)) {
            char wal[4096];
            (void)snprintf(wal, sizeof(wal), "%s-wal", t->path);
            t->watch = inotify_add_watch(t->inotify_fd, wal, IN_MODIFY);
            t->up    = true;
            t->events->link(t->events->self, PATIO_LINK_UP, NULL);
            return;
        }
        (void)spool_fail(&t->io, "register with the spool", &err);
        (void)spool_do(&t->io, "ROLLBACK", "");
    }
    if (err.status == PATIO_OK) {
        (void)spool_fail(&t->io, "open the spool", &err);
    }
    spool_db_close(&t->io);
    t->events->link(t->events->self, PATIO_LINK_CONNECTING, &err);
}

static void drain_descriptor(int fd)
{
    char buffer[4096];
    while (read(fd, buffer, sizeof(buffer)) > 0) {
    }
}

static void sleep_until_needed(patio_transport *t)
{
    struct pollfd fds[2] = {{.fd = t->wake_fd, .events = POLLIN},
                            {.fd = t->inotify_fd, .events = POLLIN}};
    int           wait   = t->up ? TICK_MS : RETRY_MS;
    if (t->up) {
        int64_t due = spool_number(
            &t->io, -1, "SELECT min(due) FROM tasks WHERE project=? AND state=1", "t", t->project);
        int64_t in = due - spool_wall_ms();
        if (due >= 0 && in < wait) {
            wait = in > 0 ? (int)in : 0;
        }
    }
    (void)poll(fds, 2, wait);
    drain_descriptor(t->wake_fd);
    drain_descriptor(t->inotify_fd);
}

static bool have_commands(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    bool some = t->first != NULL;
    pthread_mutex_unlock(&t->lock);
    return some;
}

static void look_again(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    t->look = true;
    pthread_mutex_unlock(&t->lock);
    spool_wake(t);
}

static bool grace_is_over(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    bool over  = t->stopping && t->host->now_ns(t->host->self) > t->stop_by_ns;
    t->gave_up = t->gave_up || (over && t->first != NULL);
    pthread_mutex_unlock(&t->lock);
    return over;
}

static void work(patio_transport *t, bool stopping)
{
    bool look  = take_look(t);
    bool due   = spool_number(&t->io, 0,
                              "SELECT EXISTS (SELECT 1 FROM tasks WHERE project=? AND state=1 AND "
                                "due<=?)",
                              "ti", t->project, spool_wall_ms()) != 0;
    bool other = changed(t);
    if (!stopping) {
        spool_beat(t);
    }
    if (look || due || other) {
        if (!stopping && spool_deliver(t)) {
            look_again(t); /* after what the host has said meanwhile */
        }
        while (spool_take_replies(t)) {
        }
        spool_take_signals(t);
    }
    if (!stopping) {
        spool_tidy(t);
    }
}

void *spool_loop(void *arg)
{
    patio_transport *t        = arg;
    bool             stopping = false;
    for (;;) {
        if (!t->up && !stopping) {
            open_spool(t);
        }
        bool     over  = grace_is_over(t);
        command *batch = t->up || stopping ? take_batch(t, &stopping) : NULL;
        if (batch != NULL && t->up && !over) {
            run_batch(t, batch);
            look_again(t);
        } else if (batch != NULL) {
            fail_all(t, batch, over ? "there was no time left to write it" : "it was never opened");
            finish(t, batch);
        }
        if (t->up) {
            work(t, stopping);
        }
        if (stopping && !have_commands(t)) {
            break;
        }
        if (!have_commands(t)) {
            sleep_until_needed(t);
        }
        pthread_mutex_lock(&t->lock);
        stopping = t->stopping;
        pthread_mutex_unlock(&t->lock);
    }
    if (t->up) {
        spool_leave(t);
        spool_db_close(&t->io);
    }
    return NULL;
}
