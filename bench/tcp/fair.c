/* Many that call at once: who got how much. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <patio/patio.h>

#include "parts.h"

/* What a broker sends for mul(6, 7), caught by a peer that claims to know the task. */
static size_t catch_call(uint8_t *to)
{
    char                 url[128];
    uint8_t              hello[FRAME_HELLO_BYTES];
    uint8_t              nonce[FRAME_NONCE_BYTES] = {2};
    uint8_t              out[256];
    static uint8_t       body[FRAME_BODY_MAX];
    static const uint8_t announce[] = "\7default\1\0\0\0\7default\1\0\0\0\1\0\0\0\4\0\0\0\3mul";
    frame_header         h;
    patio_broker        *broker = NULL;
    patio_future        *f      = NULL;
    uint16_t             port   = bench_free_port();
    struct sockaddr_in   a      = bench_address(port);
    (void)snprintf(url, sizeof(url), "tcp+listen://127.0.0.1:%u", port);
    if (patio_broker_open(NULL, url, &broker, NULL) != PATIO_OK ||
        patio_broker_start(broker, NULL) != PATIO_OK) {
        bench_stop_with("broker");
    }
    int         fd  = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    frame_hello own = {.version_min = 1,
                       .version_max = 1,
                       .connects    = true,
                       .max_bytes   = 1 << 24,
                       .incarnation = 99,
                       .nonce       = nonce};
    if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
        bench_stop_with("connect");
    }
    frame_put_hello(hello, &own);
    peer_put_all(fd, out, peer_put_frame(out, FRAME_HELLO, 0, hello, sizeof(hello)));
    do {
        peer_get_frame(fd, &h, body);
    } while (h.type != FRAME_ANNOUNCE);
    peer_put_all(fd, out, peer_put_frame(out, FRAME_ANNOUNCE, 0, announce, sizeof(announce) - 1));
    patio_call_options options = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE,
                                  .timeout_ms = 3600000};
    if (patio_start(broker, "mul", PATIO_ARGS(6, 7), &options, &f, NULL) != PATIO_OK) {
        bench_stop_with("start");
    }
    do {
        peer_get_frame(fd, &h, body);
    } while (h.type != FRAME_PUBLISH);
    memcpy(to, body, h.size);
    (void)close(fd);
    patio_future_destroy(f);
    patio_broker_destroy(broker);
    return h.size;
}

static void call_again(int fd, uint8_t *out, size_t size, uint64_t number)
{
    memcpy(out + FRAME_HEADER_BYTES, &number, sizeof(number)); /* an id of its own */
    peer_put_all(fd, out,
                 peer_put_frame(out, FRAME_PUBLISH, number + 1, out + FRAME_HEADER_BYTES, size));
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

void bench_fair(int count)
{
    static uint64_t done[BENCH_MOST];
    static int      fds[BENCH_MOST];
    static uint8_t  in[65536];
    uint8_t         out[4096];
    size_t          size   = catch_call(out + FRAME_HEADER_BYTES);
    pid_t           worker = bench_begin_worker("max_connections=20000");
    uint64_t        number = 1;
    uint64_t        sum    = 0;
    int             set    = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < count; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        fds[i]               = peer_join();
        peer_greet(fds[i], (uint64_t)i + 100);
        (void)epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &e);
    }
    for (int i = 0; i < count; i++) {
        call_again(fds[i], out, size, number++);
    }
    for (uint64_t end = bench_now_ns() + BENCH_SECONDS * UINT64_C(1000000000);
         bench_now_ns() < end;) {
        struct epoll_event events[256];
        int                n = epoll_wait(set, events, 256, 100);
        for (int k = 0; k < n; k++) {
            int     fd  = fds[events[k].data.u32];
            ssize_t got = recv(fd, in, sizeof(in), MSG_DONTWAIT);
            for (ssize_t at = 0; at + FRAME_HEADER_BYTES <= got;) {
                frame_header h;
                frame_get_header(in + at, &h);
                at += FRAME_HEADER_BYTES + (ssize_t)h.size;
                if (h.type == FRAME_SETTLE) {
                    bool ok = in[at - (ssize_t)h.size] == PATIO_ACK;
                    done[events[k].data.u32] += ok ? 1 : 0;
                    call_again(fd, out, size, number++);
                }
            }
        }
    }
    qsort(done, (size_t)count, sizeof(done[0]), compare);
    for (int i = 0; i < count; i++) {
        sum += done[i];
    }
    printf("fair: %d callers, %.0f calls/s, each %llu to %llu, median %llu: max/min %.2f\n", count,
           (double)sum / BENCH_SECONDS, (unsigned long long)done[0],
           (unsigned long long)done[count - 1], (unsigned long long)done[count / 2],
           (double)done[count - 1] / (double)(done[0] > 0 ? done[0] : 1));
    (void)kill(worker, SIGKILL);
    (void)waitpid(worker, NULL, 0);
}
