/* pair.c: so many bytes there and back between two processes over a SOCK_SEQPACKET socket pair,
 * which is what a call in a child process costs at least. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../src/clock.h"
#include "../src/samples.h"
#include "floors.h"

/* A longer packet than this goes by shared memory, where there is no packet of its size. */
#define BYTES_MAX 32768u

typedef struct packets {
    int       near_fd;
    int       far_fd;
    size_t    size;
    char     *bytes; /* of each process its own */
    uint64_t *samples;
    uint32_t  rounds;
} packets;

static void *there(void *arg)
{
    packets *p = arg;
    for (;;) {
        ssize_t got = recv(p->far_fd, p->bytes, BYTES_MAX, 0);
        if (got <= 0 || send(p->far_fd, p->bytes, (size_t)got, MSG_NOSIGNAL) < 0) {
            return NULL;
        }
    }
}

static int here(void *arg)
{
    packets *p        = arg;
    int      problem  = 0;
    uint64_t now_ns   = bench_now_ns();
    uint64_t until_ns = now_ns + BENCH_FLOOR_MAX_NS;
    for (uint32_t round = 0; round < BENCH_FLOOR_ROUNDS && now_ns < until_ns; round++) {
        uint64_t begun_ns = now_ns;
        if (send(p->near_fd, p->bytes, p->size, MSG_NOSIGNAL) < 0 ||
            recv(p->near_fd, p->bytes, p->size, 0) < 0) {
            problem = errno;
            break;
        }
        now_ns = bench_now_ns();
        if (round >= BENCH_FLOOR_WARM) {
            p->samples[p->rounds++] = now_ns - begun_ns;
        }
    }
    (void)shutdown(p->near_fd, SHUT_RDWR); /* the other side reads its end */
    return problem != 0 ? problem : p->rounds > 0 ? 0 : ETIMEDOUT;
}

int bench_floor_pair(const bench_pin *pin, size_t size_bytes, double *p50_us)
{
    int     pair[2] = {-1, -1};
    packets p   = {.size = size_bytes < 1 ? 1 : size_bytes < BYTES_MAX ? size_bytes : BYTES_MAX};
    p.samples   = malloc(BENCH_FLOOR_ROUNDS * sizeof(*p.samples));
    p.bytes     = calloc(1, BYTES_MAX);
    int problem = p.samples == NULL || p.bytes == NULL ? ENOMEM : 0;
    if (problem == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        problem = errno;
    }
    if (problem == 0) {
        p.near_fd = pair[0];
        p.far_fd  = pair[1];
        problem   = bench_pair_fork(pin, here, there, &p);
        (void)close(pair[0]);
        (void)close(pair[1]);
    }
    if (problem == 0) {
        bench_samples_sort(p.samples, p.rounds);
        *p50_us = (double)bench_samples_at(p.samples, p.rounds, 0.5) / 1e3;
    }
    free(p.samples);
    free(p.bytes);
    return problem;
}
