/* The worker's process, and what it takes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "parts.h"

uint16_t bench_port;

void bench_stop_with(const char *what)
{
    (void)fprintf(stderr, "patio-bench-tcp: %s: %s\n", what, strerrordesc_np(errno));
    exit(1);
}

uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct sockaddr_in bench_address(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int bench_listen(uint16_t *port)
{
    struct sockaddr_in a    = bench_address(0);
    socklen_t          size = sizeof(a);
    int                fd   = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) != 0) {
        bench_stop_with("listen");
    }
    *port = ntohs(a.sin_port);
    return fd;
}

uint16_t bench_free_port(void)
{
    uint16_t port;
    (void)close(bench_listen(&port));
    return port;
}

pid_t bench_begin_worker(const char *options)
{
    const char *patio = getenv("PATIO");
    char        url[256];
    bench_port = bench_free_port();
    (void)snprintf(url, sizeof(url), "tcp+listen://127.0.0.1:%u?handshakes_per_second=0&%s",
                   bench_port, options);
    pid_t pid = fork();
    if (pid == 0) {
        execl(patio, "patio", "worker", "-b", url, "-m", "demo", "-j", "2", "--log-level", "off",
              "-o", "max_body_bytes=1GiB", "-o", "max_decode_bytes=1GiB", (char *)NULL);
        _exit(127);
    }
    return pid;
}

uint64_t bench_memory_of(pid_t pid, const char *field)
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

unsigned long bench_ticks_of(pid_t pid)
{
    char          file[64];
    unsigned long user   = 0;
    unsigned long system = 0;
    (void)snprintf(file, sizeof(file), "/proc/%d/stat", (int)pid);
    FILE *in = fopen(file, "re");
    if (in == NULL || fscanf(in, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                             &user, &system) != 2) {
        bench_stop_with(file);
    }
    (void)fclose(in);
    return user + system;
}
