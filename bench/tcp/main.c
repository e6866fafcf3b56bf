/* patio-bench-tcp: what many connections and large payloads cost over the transport tcp, beside
 * plain sockets of the same run.
 *
 *   patio-bench-tcp idle [COUNT]      resident memory and CPU of a worker with that many idle peers
 *   patio-bench-tcp fair [COUNT]      that many peers call at once: who got how much
 *   patio-bench-tcp large [MIB]       one call with a payload of that size, there and back
 *
 * PATIO names the command; the worker is a process of it. Peers of idle and fair are made by hand,
 * in one process each. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts.h"

static void many_descriptors(void)
{
    struct rlimit limit;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void idle(int count)
{
    pid_t worker = bench_begin_worker("max_connections=20000");
    (void)close(peer_join());
    uint64_t before = bench_memory_of(worker, "VmRSS");
    for (int i = 0; i < count; i++) {
        peer_greet(peer_join(), (uint64_t)i + 100);
    }
    sleep(2); /* buffers that were kept for a while go */
    uint64_t      after = bench_memory_of(worker, "VmRSS");
    unsigned long ticks = bench_ticks_of(worker);
    sleep(BENCH_SECONDS);
    printf("idle: %d connections, %.2f KiB resident each, %lu ticks of CPU in %d s\n", count,
           (double)(after - before) / 1024 / count, bench_ticks_of(worker) - ticks, BENCH_SECONDS);
    (void)kill(worker, SIGKILL);
    (void)waitpid(worker, NULL, 0);
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (argc < 2 || getenv("PATIO") == NULL || count < 0 || count > BENCH_MOST) {
        (void)fprintf(stderr,
                      "usage: PATIO=/path/of/patio patio-bench-tcp idle|fair|large [NUMBER]\n");
        return 2;
    }
    many_descriptors();
    if (strcmp(argv[1], "idle") == 0) {
        idle(count > 0 ? count : 10000);
    } else if (strcmp(argv[1], "fair") == 0) {
        bench_fair(count > 0 ? count : 1000);
    } else {
        bench_large(count > 0 ? count : 64);
    }
    return 0;
}
