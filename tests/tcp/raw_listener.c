#include "raw_listener.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "raw_peer.h"
#include "tcp.h"

int raw_listen(const char *path)
{
    struct sockaddr_un a  = {.sun_family = AF_UNIX};
    int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && strlen(path) < sizeof(a.sun_path));
    memcpy(a.sun_path, path, strlen(path) + 1);
    (void)unlink(path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

int raw_accept(int listening)
{
    struct timeval limit = {.tv_sec = 10};
    struct pollfd  p     = {.fd = listening, .events = POLLIN};
    if (poll(&p, 1, 10000) != 1) {
        fail_msg("it does not connect any more");
    }
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return fd;
}

void raw_hello_listens(uint8_t hello[FRAME_HELLO_BYTES], const char *key)
{
    uint8_t     nonce[FRAME_NONCE_BYTES] = {3, 1, 4};
    frame_hello h                        = {.version_min = FRAME_VERSION_MIN,
                                            .version_max = FRAME_VERSION,
                                            .has_key     = key[0] != '\0',
                                            .max_bytes   = 1 << 24,
                                            .incarnation = 815,
                                            .nonce       = nonce};
    frame_put_hello(hello, &h);
}

void raw_greeted(int fd, raw_opening *o, const char *key)
{
    static uint8_t body[FRAME_BODY_MAX];
    frame_header   h;
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_HELLO && h.size == sizeof(o->theirs));
    memcpy(o->theirs, body, sizeof(o->theirs));
    raw_hello_listens(o->own, key);
    assert_true(key[0] == '\0' || auth_mac(key, true, o->theirs, o->own, NULL, o->proof));
}

int raw_let_in(int listening, const char *key, raw_opening *o)
{
    static uint8_t body[FRAME_BODY_MAX];
    uint8_t        mac[FRAME_MAC_BYTES];
    frame_header   h;
    int            fd = raw_accept(listening);
    raw_greeted(fd, o, key);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, o->own, sizeof(o->own)));
    assert_true(raw_frame(fd, FRAME_AUTH, 0, o->proof, sizeof(o->proof)));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_AUTH);
    assert_true(auth_mac(key, false, o->theirs, o->own, NULL, mac));
    assert_memory_equal(mac, body, sizeof(mac));
    assert_true(raw_frame(fd, FRAME_WELCOME, 0, NULL, 0));
    return fd;
}

bool raw_kept_out(int fd)
{
    static uint8_t body[FRAME_BODY_MAX];
    frame_header   h;
    while (raw_read(fd, &h, body)) {
        if (h.type != FRAME_HELLO && h.type != FRAME_GOODBYE) {
            return false;
        }
    }
    return raw_closed(fd);
}
