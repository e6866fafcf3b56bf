#include "raw_peer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>

#include <cmocka.h>

#include "tcp.h"

enum { MOST_URLS = 4 };

static void limit_waits(int fd)
{
    struct timeval limit = {.tv_sec = 10};
    const int      on    = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* if it is one of TCP */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int raw_connect_from(const char *own_address, uint16_t port)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    struct sockaddr_in to  = {.sin_family = AF_INET, .sin_port = htons(port)};
    int                fd  = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr     = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, own_address, &own.sin_addr), 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
    limit_waits(fd);
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Somebody is about to listen there. */
static int connect_to(const struct sockaddr *a, socklen_t size, const char *what)
{
    for (int i = 0; i < 1000; i++) {
        int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        if (connect(fd, a, size) == 0) {
            limit_waits(fd);
            return fd;
        }
        (void)close(fd);
        usleep(10 * 1000);
    }
    fail_msg("nobody listens on %s", what);
    return -1;
}

int raw_connect(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof(a.sun_path));
    memcpy(a.sun_path, path, strlen(path) + 1);
    return connect_to((const struct sockaddr *)&a, sizeof(a), path);
}

int raw_connect_port(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr    = htonl(INADDR_LOOPBACK);
    return connect_to((const struct sockaddr *)&a, sizeof(a), "the port");
}

bool raw_send(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool raw_frame(int fd, uint8_t type, uint64_t id, const void *body, size_t size)
{
    uint8_t      header[FRAME_HEADER_BYTES];
    frame_header h = {.size = (uint32_t)size, .type = type, .id = id};
    frame_put_header(header, &h);
    return raw_send(fd, header, sizeof(header)) && raw_send(fd, body, size);
}

static bool read_all(int fd, uint8_t *to, size_t size)
{
    while (size > 0) {
        ssize_t n = recv(fd, to, size, 0);
        if (n <= 0) {
            return false;
        }
        to += n;
        size -= (size_t)n;
    }
    return true;
}

bool raw_read(int fd, frame_header *h, uint8_t *body)
{
    uint8_t header[FRAME_HEADER_BYTES];
    if (!read_all(fd, header, sizeof(header))) {
        return false;
    }
    frame_get_header(header, h);
    assert_true(h->size <= FRAME_BODY_MAX);
    return read_all(fd, body, h->size);
}

bool raw_closed(int fd)
{
    uint8_t rest[4096];
    ssize_t n = 0;
    do {
        n = recv(fd, rest, sizeof(rest), 0);
    } while (n > 0);
    return n == 0 || errno == ECONNRESET || errno == EPIPE;
}

uint8_t  raw_version     = FRAME_VERSION_MIN;
uint64_t raw_incarnation = 4711;

void raw_hello(uint8_t hello[FRAME_HELLO_BYTES], const char *key, uint8_t first_of_nonce)
{
    uint8_t     nonce[FRAME_NONCE_BYTES] = {first_of_nonce, 2, 3};
    frame_hello h                        = {.version_min = FRAME_VERSION_MIN,
                                            .version_max = raw_version,
                                            .connects    = true,
                                            .has_key     = key[0] != '\0',
                                            .max_bytes   = 1 << 24,
                                            .incarnation = raw_incarnation,
                                            .nonce       = nonce};
    frame_put_hello(hello, &h);
}

int raw_open(const char *path, const char *key, uint8_t sent[FRAME_HELLO_BYTES + FRAME_MAC_BYTES])
{
    return raw_prove(raw_connect(path), key, sent);
}

int raw_prove(int fd, const char *key, uint8_t sent[FRAME_HELLO_BYTES + FRAME_MAC_BYTES])
{
    static uint8_t body[FRAME_BODY_MAX];
    uint8_t        own[FRAME_HELLO_BYTES];
    uint8_t        theirs[FRAME_HELLO_BYTES];
    uint8_t        mac[FRAME_MAC_BYTES] = {0};
    frame_header   h;
    raw_hello(own, key, 1);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, own, sizeof(own)));
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_HELLO);
    memcpy(theirs, body, sizeof(theirs));
    if (key[0] != '\0') {
        assert_true(raw_read(fd, &h, body) && h.type == FRAME_AUTH);
        assert_true(auth_mac(key, true, own, theirs, NULL, mac));
        assert_memory_equal(mac, body, sizeof(mac)); /* docs/tcp.md says what is proven */
        assert_true(auth_mac(key, false, own, theirs, NULL, mac));
        assert_true(raw_frame(fd, FRAME_AUTH, 0, mac, sizeof(mac)));
    }
    assert_true(raw_read(fd, &h, body) && h.type == FRAME_WELCOME);
    if (sent != NULL) {
        memcpy(sent, own, sizeof(own));
        memcpy(sent + sizeof(own), mac, sizeof(mac));
    }
    return fd;
}

static size_t put_name(uint8_t *to, const char *name)
{
    to[0] = (uint8_t)strlen(name);
    memcpy(to + 1, name, to[0]);
    return to[0] + 1u;
}

size_t raw_announce(uint8_t *to, const char *task, uint32_t credit)
{
    size_t at = put_name(to, "default");
    frame_put32(to + at, task[0] != '\0' ? 1 : 0);
    at += 4;
    if (task[0] != '\0') {
        at += put_name(to + at, "default");
        frame_put32(to + at, credit);
        frame_put32(to + at + 4, 1);
        frame_put32(to + at + 8, (uint32_t)strlen(task) + 1);
        at += 12;
        at += put_name(to + at, task);
    }
    return at;
}

size_t raw_publish(uint8_t *to, uint64_t number, const char *task, size_t body_bytes)
{
    frame_publish p = {.flags = PATIO_MESSAGE_CALL, .fence = 1, .ttl_ms = 5000, .attempt = 1};
    memcpy(p.id.bytes, &number, sizeof(number));
    p.id.bytes[15] = 1;
    size_t head    = frame_put_publish(to, &p, "default", task);
    memset(to + head, 0x5a, body_bytes);
    return head + body_bytes;
}

pid_t worker_begin(const char *const *urls)
{
    const char *patio                    = getenv("PATIO");
    const char *words[8 + 2 * MOST_URLS] = {"patio", "worker", "-m",          "demo",
                                            "-j",    "2",      "--log-level", "off"};
    size_t      count                    = 8;
    assert_non_null(patio);
    for (size_t i = 0; urls[i] != NULL && i + 1 < MOST_URLS; i++) {
        words[count++] = "-b";
        words[count++] = urls[i];
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* a sanitizer that keeps what was freed would hide what grows */
        (void)setenv("ASAN_OPTIONS", "quarantine_size_mb=8:detect_leaks=0", 1);
        execv(patio, (char *const *)(uintptr_t)words);
        _exit(127);
    }
    return pid;
}

void worker_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

uint64_t worker_resident_bytes(pid_t pid)
{
    char          path[64];
    unsigned long all      = 0;
    unsigned long resident = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &all, &resident), 2);
    (void)fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
