/* Waiting for a file descriptor: by the executor's loop, or by a poll that a wake ends. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/awaiter.h"
#include "runtime/run.h"

/* A regular file is always ready; as an event loop cannot wait for one, nobody may. */
static patio_status check_pollable(int fd)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) {
        return PATIO_NO_MEMORY;
    }
    struct epoll_event nothing = {.events = 0};
    int                rc      = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &nothing);
    int                why     = errno;
    close(epoll);
    if (rc == 0) {
        return PATIO_OK;
    }
    return why == ENOMEM || why == ENOSPC ? PATIO_NO_MEMORY : PATIO_INVALID;
}

static uint32_t seen(uint32_t events, short revents)
{
    uint32_t ready = 0;
    if ((revents & (POLLERR | POLLNVAL)) != 0) {
        return events;
    }
    ready |= (revents & (POLLIN | POLLHUP | POLLRDHUP)) != 0 ? (uint32_t)PATIO_FD_READ : 0;
    ready |= (revents & (POLLOUT | POLLHUP)) != 0 ? (uint32_t)PATIO_FD_WRITE : 0;
    return ready & events;
}

static void poll_until(struct pollfd fds[2], uint64_t until_ns)
{
    uint64_t        now  = pt_now_ns();
    uint64_t        left = until_ns > now ? until_ns - now : 0;
    struct timespec time = {.tv_sec  = (time_t)(left / 1000000000u),
                            .tv_nsec = (long)(left % 1000000000u)};
    fds[0].revents       = 0;
    fds[1].revents       = 0;
    (void)ppoll(fds, 2, until_ns == UINT64_MAX ? NULL : &time, NULL);
}

static patio_status poll_by_thread(pt_awaiter *a, int fd, uint32_t events, uint64_t until_ns,
                                   uint32_t *ready)
{
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) {
        return PATIO_NO_MEMORY;
    }
    uint64_t      limit  = pt_await_deadline(a) < until_ns ? pt_await_deadline(a) : until_ns;
    struct pollfd fds[2] = {{.fd = fd}, {.fd = wake_fd, .events = POLLIN}};
    fds[0].events        = (short)(((events & PATIO_FD_READ) != 0 ? POLLIN | POLLRDHUP : 0) |
                            ((events & PATIO_FD_WRITE) != 0 ? POLLOUT : 0));
    atomic_store(&a->wake_fd, wake_fd + 1);
    patio_status st = PATIO_OK;
    *ready          = 0;
    while (*ready == 0) {
        uint64_t now = pt_now_ns();
        st           = pt_await_told(a, now);
        if (st != PATIO_OK) {
            break;
        }
        poll_until(fds, limit);
        *ready = seen(events, fds[0].revents);
        if (*ready == 0 && pt_now_ns() >= until_ns) {
            st = PATIO_TIMEOUT;
            break;
        }
        uint64_t drained = 0;
        (void)!read(wake_fd, &drained, sizeof(drained));
    }
    atomic_store(&a->wake_fd, 0);
    pt_await_quiesce(a); /* somebody may still be about to write to it */
    close(wake_fd);
    return st;
}

static patio_status wait_by_loop(pt_awaiter *a, int fd, uint32_t events, uint64_t until_ns,
                                 uint32_t *ready)
{
    uint64_t deadline = pt_await_deadline(a);
    uint64_t limit    = deadline < until_ns ? deadline : until_ns;
    *ready            = 0;
    for (bool first = true;; first = false) {
        uint64_t     now = pt_now_ns();
        patio_status st  = pt_await_told(a, now);
        if (st == PATIO_OK && now >= until_ns && !first) {
            st = PATIO_TIMEOUT;
        }
        if (st == PATIO_OK) {
            st = pt_await_park_fd(a, fd, events, limit, ready);
        }
        if (st != PATIO_OK || *ready != 0) {
            return st;
        }
    }
}

patio_status pt_await_fd(pt_awaiter *a, int fd, uint32_t events, uint64_t until_ns, uint32_t *ready)
{
    if (a->ops != NULL) {
        return wait_by_loop(a, fd, events, until_ns, ready);
    }
    patio_status st = check_pollable(fd);
    return st == PATIO_OK ? poll_by_thread(a, fd, events, until_ns, ready) : st;
}
