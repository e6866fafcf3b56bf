/* The worker's process, and what it takes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parts.h"

char bench_folder[] = "/tmp/patio-bench-XXXXXX";
char bench_path[64];

void bench_stop_with(const char *what)
{
    (void)fprintf(stderr, "patio-bench-tcp: %s: %s\n", what, strerror(errno));
    exit(1);
}

uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

pid_t bench_begin_worker(const char *options)
{
    const char *patio = getenv("PATIO");
    char        url[256];
    (void)snprintf(bench_path, sizeof(bench_path), "%s/s", bench_folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s?%s", bench_path, options);
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
