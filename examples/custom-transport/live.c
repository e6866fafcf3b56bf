/* live.c: who is there. Each instance has a row and holds a lock on one byte of a file beside the
 * spool; the kernel lets go of it when the process dies, however it dies. A process that is alive
 * and does not move is given up when its row has not been renewed for a lease. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t boot_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Times of another boot mean nothing. */
static void read_boot_id(char out[64])
{
    int     fd         = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n          = fd >= 0 ? read(fd, out, 36) : 0;
    out[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int lock_byte(int fd, int64_t at, int command, short *type)
{
    struct flock lock = {.l_type = *type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    int          rc   = fcntl(fd, command, &lock);
    *type             = lock.l_type;
    return rc;
}

static bool is_locked(const patio_transport *t, int64_t instance)
{
    short type = F_WRLCK;
    return lock_byte(t->live_fd, instance, F_OFD_GETLK, &type) == 0 && type != F_UNLCK;
}

/* Inside a transaction. */
bool spool_register(patio_transport *t)
{
    char boot[64];
    read_boot_id(boot);
    if (spool_do(&t->io,
                 "INSERT INTO instances (project, incarnation, boot, seen, lease) VALUES "
                 "(?,?,?,?,?)",
                 "titii", t->project, (int64_t)t->incarnation, boot, boot_ms(),
                 (int64_t)t->lease_ms) < 0) {
        return false;
    }
    t->me       = sqlite3_last_insert_rowid(t->io.handle);
    short write = F_WRLCK;
    if (lock_byte(t->live_fd, t->me, F_OFD_SETLK, &write) != 0) {
        return false;
    }
    pthread_mutex_lock(&t->lock);
    t->subs_changed = true;
    t->look         = true;
    pthread_mutex_unlock(&t->lock);
    t->next_beat_ns = 0;
    return true;
}

/* The tasks of an instance go back: at no cost if it leaves in good order, with a crash charged to
 * what had started if it died. What was claimed must not run again. Inside a transaction. */
static bool release(patio_transport *t, int64_t instance, bool crashed)
{
    int64_t now = spool_wall_ms();
    if (spool_do(&t->io, SPOOL_WORKER_LOST("owner=?"), "ti",
                 "its worker was lost, and it is not run again", instance) < 0) {
        return false;
    }
    int64_t gone =
        spool_do(&t->io,
                 "UPDATE tasks SET state=3, owner=0, died_at=?1, died=1+(SELECT "
                 "coalesce(max(o.died),0) FROM tasks o WHERE o.project=tasks.project AND "
                 "o.queue=tasks.queue AND o.died<>0) WHERE owner=?2 AND state=4",
                 "ii", now, instance);
    if (gone > 0) {
        patio_host_log(t->host, PATIO_LOG_WARN,
                       "spool: %lld claimed tasks of a worker that is gone are dead letters",
                       (long long)gone);
    }
    return gone >= 0 &&
           spool_do(&t->io,
                    "UPDATE tasks SET state=0, owner=0, attempt=attempt+started*?1, "
                    "crashes=crashes+started*?1, started=0 WHERE owner=?2 AND state=2",
                    "ii", (int64_t)crashed, instance) >= 0 &&
           spool_do(&t->io,
                    "DELETE FROM replies WHERE caller=(SELECT incarnation FROM instances WHERE "
                    "id=?)",
                    "i", instance) >= 0 &&
           spool_do(&t->io, "DELETE FROM signals WHERE owner=?", "i", instance) >= 0 &&
           spool_do(&t->io, "DELETE FROM consumers WHERE instance=?", "i", instance) >= 0 &&
           spool_do(&t->io, "DELETE FROM instances WHERE id=?", "i", instance) >= 0;
}

void spool_leave(patio_transport *t)
{
    if (spool_do(&t->io, "BEGIN IMMEDIATE", "") >= 0) {
        bool ok = release(t, t->me, false);
        (void)spool_do(&t->io, ok ? "COMMIT" : "ROLLBACK", "");
    }
}

/* Somebody has given us up: what we held is others' now. */
static void lose_everything(patio_transport *t)
{
    patio_error why = PATIO_ERROR_INIT;
    (void)patio_fail(&why, PATIO_STALE, 0,
                     "this process did not renew its leases for %llu ms and was given up",
                     (unsigned long long)t->lease_ms);
    for (uint32_t i = 0;; i++) {
        pthread_mutex_lock(&t->lock);
        bool      more = i < t->lease_room;
        patio_tag tag  = more ? t->leases[i].tag : 0;
        if (tag != 0) {
            spool_lease_end(t, &t->leases[i]);
        }
        pthread_mutex_unlock(&t->lock);
        if (!more) {
            return;
        }
        if (tag != 0) {
            t->events->lease_lost(t->events->self, tag, &why);
        }
    }
}

/* Three times per lease, and at once after a sleep. */
void spool_beat(patio_transport *t)
{
    uint64_t now = t->host->now_ns(t->host->self);
    if (now < t->next_beat_ns) {
        return;
    }
    t->next_beat_ns = now + t->lease_ms * 1000000u / 3;
    int64_t renewed =
        spool_do(&t->io, "UPDATE instances SET seen=? WHERE id=?", "ii", boot_ms(), t->me);
    if (renewed != 0) {
        return; /* or an error: the next beat will tell */
    }
    lose_everything(t);
    if (spool_do(&t->io, "BEGIN IMMEDIATE", "") >= 0) {
        bool ok = spool_register(t);
        (void)spool_do(&t->io, ok ? "COMMIT" : "ROLLBACK", "");
    }
}

static bool is_dead(const patio_transport *t, sqlite3_stmt *s, const char *boot)
{
    const char *theirs = (const char *)sqlite3_column_text(s, 1);
    int64_t     seen   = sqlite3_column_int64(s, 2);
    int64_t     lease  = sqlite3_column_int64(s, 3);
    return theirs == NULL || strcmp(theirs, boot) != 0 ||
           !is_locked(t, sqlite3_column_int64(s, 0)) || boot_ms() - seen > lease;
}

static int64_t find_dead(patio_transport *t)
{
    char    boot[64];
    int64_t dead = 0;
    read_boot_id(boot);
    sqlite3_stmt *s =
        spool_sql(&t->io, "SELECT id, boot, seen, lease FROM instances WHERE id<>?", "i", t->me);
    while (s != NULL && dead == 0 && sqlite3_step(s) == SQLITE_ROW) {
        dead = is_dead(t, s, boot) ? sqlite3_column_int64(s, 0) : 0;
    }
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    return dead;
}

static void forget_old(patio_transport *t)
{
    int64_t now = spool_wall_ms();
    (void)spool_do(&t->io, "DELETE FROM results WHERE expires<?", "i", now);
    (void)spool_do(&t->io, "DELETE FROM gone WHERE expires<?", "i", now);
    (void)spool_do(&t->io, "DELETE FROM keys WHERE expires<?", "i", now);
    (void)spool_do(&t->io,
                   "DELETE FROM tasks WHERE seq IN (SELECT seq FROM tasks WHERE died<>0 AND "
                   "died_at<? LIMIT 1000)",
                   "i", now - (int64_t)t->dead_ttl_ms);
}

/* Once a second: has anybody died? Once in ten: what has outlived its time? */
void spool_tidy(patio_transport *t)
{
    uint64_t now = t->host->now_ns(t->host->self);
    if (now < t->next_tidy_ns) {
        return;
    }
    bool forget     = now >= t->next_forget_ns;
    t->next_tidy_ns = now + 900000000u;
    int64_t dead    = 0;
    while ((dead = find_dead(t)) != 0 && spool_do(&t->io, "BEGIN IMMEDIATE", "") >= 0) {
        /* it may have come back, or somebody was quicker */
        bool ok = find_dead(t) != dead || release(t, dead, true);
        (void)spool_do(&t->io, ok ? "COMMIT" : "ROLLBACK", "");
        pthread_mutex_lock(&t->lock);
        t->look = true;
        pthread_mutex_unlock(&t->lock);
        if (!ok) {
            break;
        }
    }
    if (forget) {
        t->next_forget_ns = now + 10000000000u;
        forget_old(t);
    }
    pthread_mutex_lock(&t->lock);
    bool look = t->look;
    pthread_mutex_unlock(&t->lock);
    if (look) {
        spool_wake(t);
    }
}
