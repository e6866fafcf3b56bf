/* clock.c: a wall clock that jumps. The file that PATIO_TEST_CLOCK names holds a number of seconds,
 * as text in 24 bytes that are written in place; by so much this process is ahead of time. Other
 * clocks stay as they are. Part of the ledger, and a library to be loaded before a server. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { FILE_BYTES = 24 };

/* A sanitizer calls these before it is ready itself. */
#define PLAIN __attribute__((no_sanitize_address, no_sanitize_thread))
#define SHOWN PLAIN __attribute__((visibility("default")))

int    clock_gettime(clockid_t id, struct timespec *out);
int    gettimeofday(struct timeval *restrict out, void *restrict zone);
time_t time(time_t *out);

PLAIN static long long ahead_s(void)
{
    static _Atomic(const char *) text;
    static const char            none[] = "0";
    const char                  *now    = atomic_load(&text);
    if (now == NULL) {
        const char *name = getenv("PATIO_TEST_CLOCK");
        int         fd   = name != NULL ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        void *seen = fd >= 0 ? mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
        now        = seen != MAP_FAILED ? seen : none;
        atomic_store(&text, now);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return strtoll(now, NULL, 10);
}

SHOWN int clock_gettime(clockid_t id, struct timespec *out)
{
    int rc = (int)syscall(SYS_clock_gettime, id, out);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += ahead_s();
    }
    return rc;
}

SHOWN int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

SHOWN time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
