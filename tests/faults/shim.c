/* shim.c: loaded before a program (LD_PRELOAD), it makes the world of that program another one,
 * without touching the machine's:
 *
 *   PATIO_SHIM_CLOCK=FILE          the wall clock is off by so many seconds as FILE says, now or
 * from when it is written anew; the monotonic clock is not
 *
 *   PATIO_SHIM_NAME=NAME=A,B,...   NAME has these addresses, in this order; =never: nobody answers
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Called very early by some libraries: nothing here may allocate. */
static long offset_s(void)
{
    char        text[32] = "";
    const char *path     = getenv("PATIO_SHIM_CLOCK");
    int         fd       = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return 0;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    long failed = syscall(SYS_clock_gettime, id, out);
    if (failed == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += offset_s();
    }
    return (int)failed;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return -1;
    }
    out->tv_sec  = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

typedef int (*lookup_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    union {
        void     *symbol;
        lookup_fn call;
    } real            = {.symbol = dlsym(RTLD_NEXT, "getaddrinfo")};
    const char *named = getenv("PATIO_SHIM_NAME");
    size_t      size  = node != NULL ? strlen(node) : 0;
    if (named == NULL || size == 0 || strncmp(named, node, size) != 0 || named[size] != '=') {
        return real.call(node, service, hints, out);
    }
    char              list[256] = "";
    char             *rest      = NULL;
    struct addrinfo **end       = out;
    *out                        = NULL;
    strncpy(list, named + size + 1, sizeof(list) - 1);
    if (strcmp(list, "never") == 0) { /* a name server that does not answer */
        if (hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0) {
            return EAI_NONAME;
        }
        for (;;) {
            (void)pause();
        }
    }
    for (char *one = strtok_r(list, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        int failed = real.call(one, service, hints, end);
        if (failed != 0) {
            return failed;
        }
        while (*end != NULL) {
            end = &(*end)->ai_next;
        }
    }
    return *out != NULL ? 0 : EAI_NONAME;
}
