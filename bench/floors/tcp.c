/* tcp.c: a message there and back between two processes over loopback TCP, blocking sockets, no
 * delay. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../src/clock.h"
#include "../src/samples.h"
#include "floors.h"

/* Neither side ever waits longer than this for the other. */
static const struct timeval patience = {.tv_sec = 5};

typedef struct wire {
    int       near_fd;
    int       far_fd;
    size_t    size;
    uint8_t  *near_data;
    uint8_t  *far_data;
    uint64_t *samples;
    uint32_t  rounds; /* measured */
} wire;

/* 0 or an errno; ECONNRESET when the other side is gone. */
static int send_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : ECONNRESET;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int recv_all(int fd, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = recv(fd, data, size, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : ECONNRESET;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static void *there(void *arg)
{
    wire *l = arg;
    while (recv_all(l->far_fd, l->far_data, l->size) == 0 &&
           send_all(l->far_fd, l->far_data, l->size) == 0) {
    }
    return NULL;
}

static int here(void *arg)
{
    wire    *l        = arg;
    int      problem  = 0;
    uint64_t now_ns   = bench_now_ns();
    uint64_t until_ns = now_ns + BENCH_FLOOR_MAX_NS;
    for (uint32_t round = 1; round <= BENCH_FLOOR_ROUNDS && now_ns < until_ns; round++) {
        uint64_t begun_ns = now_ns;
        problem           = send_all(l->near_fd, l->near_data, l->size);
        if (problem == 0) {
            problem = recv_all(l->near_fd, l->near_data, l->size);
        }
        if (problem != 0) {
            break;
        }
        now_ns = bench_now_ns();
        if (round > BENCH_FLOOR_WARM) {
            l->samples[l->rounds++] = now_ns - begun_ns;
        }
    }
    (void)shutdown(l->near_fd, SHUT_RDWR); /* the other side reads its end */
    return problem != 0 ? problem : l->rounds > 0 ? 0 : ETIMEDOUT;
}

static int tune(int fd)
{
    const int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
        return errno;
    }
    return 0;
}

/* Loopback completes a connect as soon as there is a backlog, so one process can make both ends. */
static int connect_both(wire *l, int listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          size    = sizeof(address);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        return errno;
    }
    l->near_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->near_fd < 0 || connect(l->near_fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        return errno;
    }
    l->far_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (l->far_fd < 0) {
        return errno;
    }
    int problem = tune(l->near_fd);
    return problem != 0 ? problem : tune(l->far_fd);
}

static int wire_open(wire *l)
{
    l->near_data = calloc(1, l->size);
    l->far_data  = calloc(1, l->size);
    l->samples   = malloc(BENCH_FLOOR_ROUNDS * sizeof(*l->samples));
    if (l->near_data == NULL || l->far_data == NULL || l->samples == NULL) {
        return ENOMEM;
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return errno;
    }
    int problem = connect_both(l, listener);
    (void)close(listener);
    return problem;
}

static void wire_close(wire *l)
{
    if (l->near_fd >= 0) {
        (void)close(l->near_fd);
    }
    if (l->far_fd >= 0) {
        (void)close(l->far_fd);
    }
    free(l->samples);
    free(l->far_data);
    free(l->near_data);
}

int bench_floor_tcp(const bench_pin *pin, size_t size_bytes, double *p50_us)
{
    wire l       = {.near_fd = -1, .far_fd = -1, .size = size_bytes > 0 ? size_bytes : 1};
    int  problem = wire_open(&l);
    if (problem == 0) {
        problem = bench_pair_fork(pin, here, there, &l);
    }
    if (problem == 0) {
        bench_samples_sort(l.samples, l.rounds);
        *p50_us = (double)bench_samples_at(l.samples, l.rounds, 0.5) / 1e3;
    }
    wire_close(&l);
    return problem;
}
