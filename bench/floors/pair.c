/* pair.c: so many bytes there and back between two processes over a SOCK_SEQPACKET socket pair,
 * which is what a call in a child process costs at least. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/clock.h"
#include "../src/samples.h"
#include "floors.h"

/* A longer packet than this goes by shared memory, where there is no packet of its size. */
#define BYTES_MAX 32768u

/* Nothing but system calls: this is a fork of a program with threads. */
static void answer(int fd, char *bytes)
{
    for (;;) {
        ssize_t got = recv(fd, bytes, BYTES_MAX, 0);
        if (got <= 0 || send(fd, bytes, (size_t)got, MSG_NOSIGNAL) < 0) {
            _exit(0);
        }
    }
}

static int play(int fd, char *bytes, size_t size, uint64_t *samples, uint32_t *rounds)
{
    uint64_t now_ns   = bench_now_ns();
    uint64_t until_ns = now_ns + BENCH_FLOOR_MAX_NS;
    for (uint32_t round = 0; round < BENCH_FLOOR_ROUNDS && now_ns < until_ns; round++) {
        uint64_t begun_ns = now_ns;
        if (send(fd, bytes, size, MSG_NOSIGNAL) < 0 || recv(fd, bytes, size, 0) < 0) {
            return errno;
        }
        now_ns = bench_now_ns();
        if (round >= BENCH_FLOOR_WARM) {
            samples[(*rounds)++] = now_ns - begun_ns;
        }
    }
    return *rounds > 0 ? 0 : ETIMEDOUT;
}

int bench_floor_pair(const bench_pin *pin, size_t size_bytes, double *p50_us)
{
    int       pair[2];
    uint32_t  rounds  = 0;
    size_t    size    = size_bytes < 1 ? 1 : size_bytes < BYTES_MAX ? size_bytes : BYTES_MAX;
    uint64_t *samples = malloc(BENCH_FLOOR_ROUNDS * sizeof(*samples));
    char     *bytes   = calloc(1, BYTES_MAX);
    int       problem = samples == NULL || bytes == NULL ? ENOMEM : 0;
    if (problem == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        problem = errno;
    } else if (problem == 0) {
        bench_pin_self(pin, BENCH_WORKER);
        pid_t child = fork();
        problem     = child < 0 ? errno : 0;
        if (child == 0) {
            (void)close(pair[0]);
            answer(pair[1], bytes);
        }
        (void)close(pair[1]);
        bench_pin_self(pin, BENCH_CALLER);
        problem = problem == 0 ? play(pair[0], bytes, size, samples, &rounds) : problem;
        bench_pin_release(pin);
        (void)close(pair[0]);
        if (child > 0) {
            (void)waitpid(child, NULL, 0);
        }
    }
    if (problem == 0) {
        bench_samples_sort(samples, rounds);
        *p50_us = (double)bench_samples_at(samples, rounds, 0.5) / 1e3;
    }
    free(samples);
    free(bytes);
    return problem;
}
