/* Peers made by hand, without a key. */
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "parts.h"

int peer_join(void)
{
    const int          on = 1;
    struct sockaddr_in a  = bench_address(bench_port);
    for (int i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            bench_stop_with("socket");
        }
        if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            return fd;
        }
        (void)close(fd);
        usleep(10 * 1000);
    }
    bench_stop_with("connect");
    return -1;
}

void peer_put_all(int fd, const void *data, size_t size)
{
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) {
        bench_stop_with("send");
    }
}

size_t peer_put_frame(uint8_t *to, uint8_t type, uint64_t id, const void *body, size_t size)
{
    frame_header h = {.size = (uint32_t)size, .type = type, .id = id};
    frame_put_header(to, &h);
    if (size > 0) {
        memcpy(to + FRAME_HEADER_BYTES, body, size);
    }
    return FRAME_HEADER_BYTES + size;
}

void peer_get_frame(int fd, frame_header *h, uint8_t *body)
{
    uint8_t header[FRAME_HEADER_BYTES];
    if (recv(fd, header, sizeof(header), MSG_WAITALL) != (ssize_t)sizeof(header)) {
        bench_stop_with("read");
    }
    frame_get_header(header, h);
    if (h->size > 0 && recv(fd, body, h->size, MSG_WAITALL) != (ssize_t)h->size) {
        bench_stop_with("read");
    }
}

void peer_greet(int fd, uint64_t incarnation)
{
    static uint8_t body[FRAME_BODY_MAX];
    uint8_t        out[256];
    uint8_t        hello[FRAME_HELLO_BYTES];
    uint8_t        nonce[FRAME_NONCE_BYTES] = {1};
    uint8_t        announce[32]             = {7, 'd', 'e', 'f', 'a', 'u', 'l', 't'};
    frame_header   h;
    frame_hello    own = {.version_min = 1,
                          .version_max = 1,
                          .connects    = true,
                          .max_bytes   = 1 << 24,
                          .incarnation = incarnation,
                          .nonce       = nonce};
    frame_put_hello(hello, &own);
    peer_put_all(fd, out, peer_put_frame(out, FRAME_HELLO, 0, hello, sizeof(hello)));
    do {
        peer_get_frame(fd, &h, body);
    } while (h.type != FRAME_ANNOUNCE);
    peer_put_all(fd, out, peer_put_frame(out, FRAME_ANNOUNCE, 0, announce, 12));
}
