/* patio-bench-tcp: what many connections and large payloads cost over the transport tcp, beside
 * plain sockets of the same run.
 *
 *   patio-bench-tcp idle [COUNT]      resident memory and CPU of a worker with that many idle peers
 *   patio-bench-tcp fair [COUNT]      that many peers call at once: who got how much
 *   patio-bench-tcp large [MIB]       one call with a payload of that size, there and back
 *
 * PATIO names the command; the worker is a process of it. Peers of idle and fair are made by hand,
 * in one process each. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <patio/patio.h>

#include "frame.h"

enum { MOST = 20000, SECONDS = 5, MIB = 1024 * 1024 };

static char folder[] = "/tmp/patio-bench-XXXXXX";
static char path[64];

static void stop_with(const char *what)
{
    (void)fprintf(stderr, "patio-bench-tcp: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the worker's process ---- */

static pid_t begin_worker(const char *options)
{
    const char *patio = getenv("PATIO");
    char        url[256];
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s?%s", path, options);
    pid_t pid = fork();
    if (pid == 0) {
        execl(patio, "patio", "worker", "-b", url, "-m", "demo", "-j", "2", "--log-level", "off",
              "-o", "max_body_bytes=1GiB", "-o", "max_decode_bytes=1GiB", (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* A field of /proc/PID/status in bytes. */
static uint64_t memory_of(pid_t pid, const char *field)
{
    char file[64];
    char line[256];
    (void)snprintf(file, sizeof(file), "/proc/%d/status", (int)pid);
    FILE    *in   = fopen(file, "re");
    uint64_t kb   = 0;
    size_t   size = strlen(field);
    while (in != NULL && kb == 0 && fgets(line, sizeof(line), in) != NULL) {
        kb = strncmp(line, field, size) == 0 && line[size] == ':'
                 ? strtoull(line + size + 1, NULL, 10)
                 : 0;
    }
    if (in != NULL) {
        (void)fclose(in);
    }
    return kb * 1024;
}

/* User and system ticks so far. */
static unsigned long ticks_of(pid_t pid)
{
    char          file[64];
    unsigned long user   = 0;
    unsigned long system = 0;
    (void)snprintf(file, sizeof(file), "/proc/%d/stat", (int)pid);
    FILE *in = fopen(file, "re");
    if (in == NULL || fscanf(in, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                             &user, &system) != 2) {
        stop_with(file);
    }
    (void)fclose(in);
    return user + system;
}

/* ---- peers made by hand, without a key ---- */

static int join(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path) + 1);
    for (int i = 0; i < 1000; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            stop_with("socket");
        }
        if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0) {
            return fd;
        }
        (void)close(fd);
        usleep(10 * 1000);
    }
    stop_with("connect");
    return -1;
}

static void put_all(int fd, const void *data, size_t size)
{
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) {
        stop_with("send");
    }
}

static size_t put_frame(uint8_t *to, uint8_t type, uint64_t id, const void *body, size_t size)
{
    frame_header h = {.size = (uint32_t)size, .type = type, .id = id};
    frame_put_header(to, &h);
    if (size > 0) {
        memcpy(to + FRAME_HEADER_BYTES, body, size);
    }
    return FRAME_HEADER_BYTES + size;
}

static void get_frame(int fd, frame_header *h, uint8_t *body)
{
    uint8_t header[FRAME_HEADER_BYTES];
    if (recv(fd, header, sizeof(header), MSG_WAITALL) != (ssize_t)sizeof(header)) {
        stop_with("read");
    }
    frame_get_header(header, h);
    if (h->size > 0 && recv(fd, body, h->size, MSG_WAITALL) != (ssize_t)h->size) {
        stop_with("read");
    }
}

static void greet(int fd, uint64_t incarnation)
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
    put_all(fd, out, put_frame(out, FRAME_HELLO, 0, hello, sizeof(hello)));
    do {
        get_frame(fd, &h, body);
    } while (h.type != FRAME_ANNOUNCE);
    put_all(fd, out, put_frame(out, FRAME_ANNOUNCE, 0, announce, 12));
}

static void many_descriptors(void)
{
    struct rlimit limit;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void idle(int count)
{
    pid_t worker = begin_worker("max_connections=20000&ping_ms=1h&dead_ms=1h");
    (void)close(join());
    uint64_t before = memory_of(worker, "VmRSS");
    for (int i = 0; i < count; i++) {
        greet(join(), (uint64_t)i + 100);
    }
    sleep(2); /* buffers that were kept for a while go */
    uint64_t      after = memory_of(worker, "VmRSS");
    unsigned long ticks = ticks_of(worker);
    sleep(SECONDS);
    printf("idle: %d connections, %.2f KiB resident each, %lu ticks of CPU in %d s\n", count,
           (double)(after - before) / 1024 / count, ticks_of(worker) - ticks, SECONDS);
    (void)kill(worker, SIGKILL);
    (void)waitpid(worker, NULL, 0);
}

/* ---- many that call ---- */

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
    struct sockaddr_un   a      = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/c", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s", a.sun_path);
    if (patio_broker_open(NULL, url, &broker, NULL) != PATIO_OK ||
        patio_broker_start(broker, NULL) != PATIO_OK) {
        stop_with("broker");
    }
    int         fd  = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    frame_hello own = {.version_min = 1,
                       .version_max = 1,
                       .connects    = true,
                       .max_bytes   = 1 << 24,
                       .incarnation = 99,
                       .nonce       = nonce};
    if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
        stop_with("connect");
    }
    frame_put_hello(hello, &own);
    put_all(fd, out, put_frame(out, FRAME_HELLO, 0, hello, sizeof(hello)));
    do {
        get_frame(fd, &h, body);
    } while (h.type != FRAME_ANNOUNCE);
    put_all(fd, out, put_frame(out, FRAME_ANNOUNCE, 0, announce, sizeof(announce) - 1));
    patio_call_options options = {PATIO_SIZED(patio_call_options), .flags = PATIO_CALL_WAIT_ROUTE,
                                  .timeout_ms = 3600000};
    if (patio_start(broker, "mul", PATIO_ARGS(6, 7), &options, &f, NULL) != PATIO_OK) {
        stop_with("start");
    }
    do {
        get_frame(fd, &h, body);
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
    put_all(fd, out, put_frame(out, FRAME_PUBLISH, number + 1, out + FRAME_HEADER_BYTES, size));
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static void fair(int count)
{
    static uint64_t done[MOST];
    static int      fds[MOST];
    static uint8_t  in[65536];
    uint8_t         out[4096];
    size_t          size   = catch_call(out + FRAME_HEADER_BYTES);
    pid_t           worker = begin_worker("max_connections=20000");
    uint64_t        number = 1;
    uint64_t        sum    = 0;
    int             set    = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < count; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        fds[i]               = join();
        greet(fds[i], (uint64_t)i + 100);
        (void)epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &e);
    }
    for (int i = 0; i < count; i++) {
        call_again(fds[i], out, size, number++);
    }
    for (uint64_t end = now_ns() + SECONDS * UINT64_C(1000000000); now_ns() < end;) {
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
           (double)sum / SECONDS, (unsigned long long)done[0], (unsigned long long)done[count - 1],
           (unsigned long long)done[count / 2],
           (double)done[count - 1] / (double)(done[0] > 0 ? done[0] : 1));
    (void)kill(worker, SIGKILL);
    (void)waitpid(worker, NULL, 0);
}

/* ---- large payloads ---- */

/* Seconds for as many bytes there and back again over a plain socket pair, two processes. */
static double plain_seconds(size_t bytes)
{
    int   fd[2];
    char *data = malloc(bytes);
    if (data == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0) {
        stop_with("socketpair");
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
        stop_with("recv");
    }
    uint64_t from = now_ns();
    if (send(fd[0], data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
        stop_with("send");
    }
    for (size_t at = 0; at < bytes;) {
        ssize_t n = recv(fd[0], data + at, bytes - at, 0);
        at += n > 0 ? (size_t)n : bytes;
    }
    double seconds = (double)(now_ns() - from) / 1e9;
    (void)waitpid(pid, NULL, 0);
    free(data);
    (void)close(fd[0]);
    (void)close(fd[1]);
    return seconds;
}

static void large(int mib)
{
    size_t        bytes = (size_t)mib * MIB;
    char          url[160];
    patio_config *config = NULL;
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    pid_t         worker = begin_worker("max_frame_bytes=1GiB");
    (void)snprintf(url, sizeof(url), "unix://%s?max_frame_bytes=1GiB", path);
    (void)close(join());
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
        stop_with("malloc");
    }
    memset(data, 7, bytes);
    uint64_t own_before    = memory_of(getpid(), "VmRSS");
    uint64_t worker_before = memory_of(worker, "VmRSS");
    double   best          = 1e9;
    double   plain         = 1e9;
    for (int i = 0; i < 5; i++) {
        patio_future *f    = NULL;
        uint64_t      from = now_ns();
        if (patio_call(broker, "echo", PATIO_ARGS(patio_blob(data, bytes)), NULL, &f, &err) !=
            PATIO_OK) {
            (void)fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        double seconds = (double)(now_ns() - from) / 1e9;
        best           = seconds < best ? seconds : best;
        if (patio_future_value(f)->size != bytes ||
            memcmp(patio_future_value(f)->as.bytes, data, bytes) != 0) {
            stop_with("echo is not what was sent");
        }
        patio_future_destroy(f);
    }
    uint64_t own_peak    = memory_of(getpid(), "VmHWM");
    uint64_t worker_peak = memory_of(worker, "VmHWM");
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

int main(int argc, char **argv)
{
    int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (argc < 2 || getenv("PATIO") == NULL || count < 0 || count > MOST) {
        (void)fprintf(stderr,
                      "usage: PATIO=/path/of/patio patio-bench-tcp idle|fair|large [NUMBER]\n");
        return 2;
    }
    if (mkdtemp(folder) == NULL) {
        stop_with("mkdtemp");
    }
    many_descriptors();
    if (strcmp(argv[1], "idle") == 0) {
        idle(count > 0 ? count : 10000);
    } else if (strcmp(argv[1], "fair") == 0) {
        fair(count > 0 ? count : 1000);
    } else {
        large(count > 0 ? count : 64);
    }
    (void)unlink(path);
    (void)rmdir(folder);
    return 0;
}
