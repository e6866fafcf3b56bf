#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { TOUCH_MS = 5000, TOLD_NOTHING = UINT32_MAX };

/* ---- systemd: one datagram to $NOTIFY_SOCKET; '@' stands for an abstract address ---- */

static void say(const char *text)
{
    const char        *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to   = {.sun_family = AF_UNIX};
    size_t             size = path != NULL ? strlen(path) : 0;
    if (size < 2 || size >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(to.sun_path, path, size);
    to.sun_path[0] = path[0] == '@' ? '\0' : path[0];
    int fd         = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        socklen_t room = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
        (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                     (const struct sockaddr *)&to, room);
        (void)close(fd);
    }
}

static uint64_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid  = getenv("WATCHDOG_PID");
    if (usec == NULL || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid())) {
        return 0;
    }
    return strtoull(usec, NULL, 10) / 1000;
}

/* A line each: systemd cuts at the newline, and a reason has none. */
static void say_health(cli_notify *n, const patio_health *h)
{
    char text[1200];
    bool first = h->ready != 0 && !n->begun;
    if (n->told == h->state && !first) {
        if (n->watchdog_ms != 0) {
            say("WATCHDOG=1");
        }
        return;
    }
    (void)snprintf(text, sizeof(text), "%s%sSTATUS=%s%s%s", first ? "READY=1\n" : "",
                   n->watchdog_ms != 0 ? "WATCHDOG=1\n" : "", patio_health_name(h->state),
                   h->reason[0] != '\0' ? ": " : "", h->reason);
    say(text);
    n->begun = n->begun || first;
    n->told  = h->state;
}

/* ---- the file: there while it is ready, with the process's number in it ---- */

static void remove_file(cli_notify *n)
{
    if (n->there) {
        (void)unlink(n->ready_file);
        n->there = false;
    }
}

static void make_file(cli_notify *n)
{
    char text[32];
    int  fd   = open(n->ready_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    int  size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (fd < 0 || write(fd, text, (size_t)size) != size) {
        fprintf(stderr, "patio worker: write the ready file %s: %s\n", n->ready_file,
                strerror(errno));
    }
    n->there      = fd >= 0;
    n->touched_ms = pt_now_ns() / PT_NS_PER_MS;
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* Its time says that the process lives: a probe may look whether it is recent. */
static void touch_file(cli_notify *n)
{
    uint64_t now = pt_now_ns() / PT_NS_PER_MS;
    if (now - n->touched_ms >= TOUCH_MS) {
        (void)utimensat(AT_FDCWD, n->ready_file, NULL, AT_SYMLINK_NOFOLLOW);
        n->touched_ms = now;
    }
}

bool cli_notify_start(cli_notify *n, const char *ready_file)
{
    *n = (cli_notify){.ready_file = ready_file, .told = TOLD_NOTHING, .watchdog_ms = watchdog_ms()};
    if (ready_file != NULL && unlink(ready_file) != 0 && errno != ENOENT) {
        fprintf(stderr, "patio worker: remove the ready file %s of an earlier run: %s\n",
                ready_file, strerror(errno));
        return false;
    }
    return true;
}

void cli_notify_health(cli_notify *n, const patio_health *h)
{
    say_health(n, h);
    if (n->ready_file == NULL) {
        return;
    }
    if (h->ready == 0) {
        remove_file(n);
    } else if (!n->there) {
        make_file(n);
    } else {
        touch_file(n);
    }
}

/* Type=notify-reload wants to know when that was. */
void cli_notify_reloading(cli_notify *n)
{
    char            text[128];
    struct timespec t;
    (void)n;
    clock_gettime(CLOCK_MONOTONIC, &t);
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading",
                   (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u);
    say(text);
}

void cli_notify_reloaded(cli_notify *n)
{
    n->begun = false;
}

void cli_notify_stop(cli_notify *n)
{
    remove_file(n);
    say("STOPPING=1\nSTATUS=draining");
}

uint64_t cli_notify_pause_ms(const cli_notify *n, uint64_t most_ms)
{
    uint64_t half = n->watchdog_ms / 2;
    return half != 0 && half < most_ms ? half : most_ms;
}
