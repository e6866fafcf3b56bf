/* One call with a large payload, beside plain TCP. */
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

static void send_whole(int fd, const char *data, size_t bytes)
{
    if (send(fd, data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
        bench_stop_with("send");
    }
}

static void recv_whole(int fd, char *data, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t n = recv(fd, data + at, bytes - at, 0);
        if (n <= 0) {
            bench_stop_with("recv");
        }
        at += (size_t)n;
    }
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in a  = bench_address(port);
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
        bench_stop_with("connect");
    }
    return fd;
}

/* Seconds for as many bytes there and back again over plain TCP on loopback, two processes. */
static double plain_seconds(size_t bytes)
{
    uint16_t port;
    int      listener = bench_listen(&port);
    char    *data     = malloc(bytes);
    if (data == NULL) {
        bench_stop_with("malloc");
    }
    memset(data, 7, bytes);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = connect_to(port);
        memset(data, 8, bytes); /* pages of its own, before the clock runs */
        send_whole(fd, data, 1);
        recv_whole(fd, data, bytes);
        send_whole(fd, data, bytes);
        _exit(0);
    }
    int fd = accept(listener, NULL, NULL);
    recv_whole(fd, data, 1);
    uint64_t from = bench_now_ns();
    send_whole(fd, data, bytes);
    recv_whole(fd, data, bytes);
    double seconds = (double)(bench_now_ns() - from) / 1e9;
    (void)waitpid(pid, NULL, 0);
    free(data);
    (void)close(fd);
    (void)close(listener);
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
    (void)close(peer_join());
    (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u?max_frame_bytes=1GiB", bench_port);
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
        seconds = plain_seconds(bytes); /* in turn: both have the same company */
        plain   = seconds < plain ? seconds : plain;
    }
    uint64_t own_peak    = bench_memory_of(getpid(), "VmHWM");
    uint64_t worker_peak = bench_memory_of(worker, "VmHWM");
    printf("large: %d MiB there and back in %.1f ms, plain TCP %.1f ms: %.2f of their "
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
