/* One call with a large payload, beside a plain socket pair. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <patio/patio.h>

#include "parts.h"

enum { MIB = 1024 * 1024 };

/* Seconds for as many bytes there and back again over a plain socket pair, two processes. */
static double plain_seconds(size_t bytes)
{
    int   fd[2];
    char *data = malloc(bytes);
    if (data == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0) {
        bench_stop_with("socketpair");
    }
    memset(data, 7, bytes);
    pid_t pid = fork();
    if (pid == 0) {
        memset(data, 8, bytes); /* pages of its own, before the clock runs */
        (void)!send(fd[1], data, 1, MSG_NOSIGNAL);
        for (size_t at = 0; at < bytes;) {
            ssize_t n = recv(fd[1], data + at, bytes - at, 0);
            at += n > 0 ? (size_t)n : bytes;
        }
        (void)!send(fd[1], data, bytes, MSG_NOSIGNAL);
        _exit(0);
    }
    if (recv(fd[0], data, 1, 0) != 1) {
        bench_stop_with("recv");
    }
    uint64_t from = bench_now_ns();
    if (send(fd[0], data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
        bench_stop_with("send");
    }
    for (size_t at = 0; at < bytes;) {
        ssize_t n = recv(fd[0], data + at, bytes - at, 0);
        at += n > 0 ? (size_t)n : bytes;
    }
    double seconds = (double)(bench_now_ns() - from) / 1e9;
    (void)waitpid(pid, NULL, 0);
    free(data);
    (void)close(fd[0]);
    (void)close(fd[1]);
    return seconds;
}

void bench_large(int mib)
{
    size_t        bytes = (size_t)mib * MIB;
    char          url[160];
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    pid_t         worker = bench_begin_worker("max_frame_bytes=1GiB");
    (void)snprintf(url, sizeof(url), "unix://%s?max_frame_bytes=1GiB", bench_path);
    (void)close(peer_join());
    if (patio_config_create(&config, &err) != PATIO_OK ||
        patio_config_set(config, "broker", url, "bench", &err) != PATIO_OK ||
        patio_config_set(config, "max_body_bytes", "1GiB", "bench", &err) != PATIO_OK ||
        patio_config_set(config, "max_decode_bytes", "1GiB", "bench", &err) != PATIO_OK ||
        patio_broker_create(NULL, NULL, config, &broker, &err) != PATIO_OK ||
        patio_broker_start(broker, &err) != PATIO_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    uint8_t *data = malloc(bytes);
    if (data == NULL) {
        bench_stop_with("malloc");
    }
    memset(data, 7, bytes);
    uint64_t own_before    = bench_memory_of(getpid(), "VmRSS");
    uint64_t worker_before = bench_memory_of(worker, "VmRSS");
    double   best          = 1e9;
    double   plain         = 1e9;
    for (int i = 0; i < 5; i++) {
        patio_future *f    = NULL;
        uint64_t      from = bench_now_ns();
        if (patio_call(broker, "echo", PATIO_ARGS(patio_blob(data, bytes)), NULL, &f, &err) !=
            PATIO_OK) {
            (void)fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        double seconds = (double)(bench_now_ns() - from) / 1e9;
        best           = seconds < best ? seconds : best;
        if (patio_future_value(f)->size != bytes ||
            memcmp(patio_future_value(f)->as.bytes, data, bytes) != 0) {
            bench_stop_with("echo is not what was sent");
        }
        patio_future_destroy(f);
    }
    uint64_t own_peak    = bench_memory_of(getpid(), "VmHWM");
    uint64_t worker_peak = bench_memory_of(worker, "VmHWM");
    for (int i = 0; i < 5; i++) {
        double seconds = plain_seconds(bytes);
        plain          = seconds < plain ? seconds : plain;
    }
    printf("large: %d MiB there and back in %.1f ms, plain sockets %.1f ms: %.2f of their "
           "throughput; peak memory above that at rest: caller %.2f, worker %.2f of the payload\n",
           mib, best * 1e3, plain * 1e3, plain / best,
           (double)(own_peak - own_before) / (double)bytes,
           (double)(worker_peak - worker_before) / (double)bytes);
    patio_broker_destroy(broker);
    patio_config_destroy(config);
    free(data);
    (void)kill(worker, SIGKILL);
    (void)waitpid(worker, NULL, 0);
}
