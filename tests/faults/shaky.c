/* shaky.c: loaded before a program (LD_PRELOAD), it makes rare what is seldom met and always
 * allowed, often:
 *
 *   PATIO_SHAKY_IO=N      one in N of what libraries read, write, accept or wait for is
 * interrupted, not possible just now, or done in part
 *
 *   PATIO_SHAKY_PAUSE=N   after one in N locks that are taken or let go a thread pauses, 3 ms at
 *                         most
 *
 * What a program does by its own code, as a test does that plays a peer, goes on undisturbed: only
 * calls out of shared objects count.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE /* its inline functions would be the ones that are defined here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_MOST_US = 3000, PART_MOST = 40, CALLERS = 64 };

static _Thread_local uint64_t state;

static uint64_t chance(void)
{
    if (state == 0) {
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        state = (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)syscall(SYS_gettid) * 7919u + 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 8;
}

/* One in as many as the variable says? */
static bool strikes(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t    n    = text != NULL ? strtoull(text, NULL, 10) : 0;
    return n != 0 && chance() % n == 0;
}

#define IO()    strikes("PATIO_SHAKY_IO")
#define NEXT(f) (*(void **)&real = real == NULL ? dlsym(RTLD_NEXT, #f) : (void *)(uintptr_t)real)

/* Is that address within a shared object? */
static bool is_library(void *at)
{
    static _Thread_local struct {
        void *at;
        bool  library;
    } seen[CALLERS];
    size_t i = ((uintptr_t)at >> 2) % CALLERS;
    if (seen[i].at != at) {
        Dl_info about;
        bool    found   = dladdr(at, &about) != 0 && about.dli_fname != NULL;
        seen[i].at      = at;
        seen[i].library = found && strstr(about.dli_fname, ".so") != NULL;
    }
    return seen[i].library;
}

#define BY_LIBRARY() is_library(__builtin_return_address(0))

static bool is_stream(int fd)
{
    int       type = 0;
    socklen_t size = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* Interrupted, or nothing to be done now: what a socket may say at any time. */
static bool fails(int fd, int flags)
{
    bool waits = (flags & MSG_DONTWAIT) == 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
    if (!IO() || !is_stream(fd)) {
        return false;
    }
    errno = waits || chance() % 2 == 0 ? EINTR : EAGAIN;
    return true;
}

static size_t part(int fd, size_t size, int flags)
{
    if (size < 2 || (flags & MSG_PEEK) != 0 || !IO() || !is_stream(fd)) {
        return size;
    }
    size_t most = chance() % 2 == 0 && size > PART_MOST ? PART_MOST : size;
    return 1 + chance() % most;
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    static ssize_t (*real)(int, const void *, size_t, int);
    NEXT(send);
    if (!BY_LIBRARY()) {
        return real(fd, data, size, flags);
    }
    return fails(fd, flags) ? -1 : real(fd, data, part(fd, size, flags), flags);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    static ssize_t (*real)(int, void *, size_t, int);
    NEXT(recv);
    if (!BY_LIBRARY()) {
        return real(fd, data, size, flags);
    }
    return fails(fd, flags) ? -1 : real(fd, data, part(fd, size, flags), flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);
    NEXT(sendmsg);
    struct msghdr cut = *message;
    if (!BY_LIBRARY() || message->msg_iovlen == 0 || message->msg_controllen != 0) {
        return real(fd, message, flags);
    }
    if (fails(fd, flags)) {
        return -1;
    }
    struct iovec first = message->msg_iov[0];
    size_t       size  = first.iov_len;
    first.iov_len      = part(fd, size, flags);
    cut.msg_iov        = &first;
    cut.msg_iovlen     = 1;
    return real(fd, first.iov_len < size ? &cut : message, flags);
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
    static __typeof__(accept4) *real;
    NEXT(accept4);
    return BY_LIBRARY() && fails(fd, 0) ? -1 : real(fd, address, size, flags);
}

/* Interrupted before it began. */
static bool is_interrupted(void *by)
{
    bool yes = is_library(by) && IO();
    errno    = yes ? EINTR : errno;
    return yes;
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms)
{
    static int (*real)(int, struct epoll_event *, int, int);
    NEXT(epoll_wait);
    return is_interrupted(__builtin_return_address(0)) ? -1 : real(fd, events, count, timeout_ms);
}

int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout_ms, const sigset_t *mask)
{
    static int (*real)(int, struct epoll_event *, int, int, const sigset_t *);
    NEXT(epoll_pwait);
    return is_interrupted(__builtin_return_address(0)) ? -1
                                                       : real(fd, events, count, timeout_ms, mask);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    static int (*real)(struct pollfd *, nfds_t, int);
    NEXT(poll);
    return is_interrupted(__builtin_return_address(0)) ? -1 : real(fds, count, timeout_ms);
}

static void pause_by_chance(void)
{
    static _Thread_local bool inside;
    int                       error = errno;
    if (!inside && strikes("PATIO_SHAKY_PAUSE")) {
        inside = true;
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)(chance() % PAUSE_MOST_US) * 1000},
                        NULL);
        inside = false;
    }
    errno = error;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static int (*real)(pthread_mutex_t *);
    NEXT(pthread_mutex_lock);
    int failed = real(mutex);
    pause_by_chance();
    return failed;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static int (*real)(pthread_mutex_t *);
    NEXT(pthread_mutex_unlock);
    int failed = real(mutex);
    pause_by_chance();
    return failed;
}
