/* rival.h: what the programs share that measure other systems beside patio. Each takes COUNT
 * requests of SIZE bytes, WINDOW in flight, between two processes on this machine, answered by an
 * echo, and prints requests per second. Its server, if it needs one, is a child of its own. */
#ifndef RIVAL_H
#define RIVAL_H

#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RIVAL_SIZE_MAX = 65536, RIVAL_WINDOW_MAX = 4096, RIVAL_TRIES = 500 };

typedef struct rival_job {
    long count;
    long window;
    long size;
} rival_job;

static inline void rival_require(int holds, const char *what, const char *why)
{
    if (!holds) {
        (void)fprintf(stderr, "%s: %s\n", what, why);
        exit(1);
    }
}

static inline rival_job rival_arguments(int argc, char **argv)
{
    rival_job job = {100000, 256, 100};
    job.count     = argc > 1 ? strtol(argv[1], NULL, 10) : job.count;
    job.window    = argc > 2 ? strtol(argv[2], NULL, 10) : job.window;
    job.size      = argc > 3 ? strtol(argv[3], NULL, 10) : job.size;
    rival_require(job.count > 0 && job.window > 0 && job.window <= RIVAL_WINDOW_MAX &&
                      job.size > 0 && job.size <= RIVAL_SIZE_MAX,
                  "arguments", "COUNT WINDOW SIZE");
    return job;
}

static inline double rival_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A port that nobody had a moment ago. */
static inline uint16_t rival_port(void)
{
    struct sockaddr_in a    = {.sin_family = AF_INET};
    socklen_t          size = sizeof(a);
    int                fd   = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr       = htonl(INADDR_LOOPBACK);
    rival_require(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
                      getsockname(fd, (struct sockaddr *)&a, &size) == 0,
                  "port", "none is free");
    (void)close(fd);
    return ntohs(a.sin_port);
}

/* Runs begin(arg) in a child, which ends with this process. */
static inline pid_t rival_child(void (*begin)(void *arg), void *arg)
{
    pid_t pid = fork();
    rival_require(pid >= 0, "fork", "no process");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        begin(arg);
        _exit(0);
    }
    return pid;
}

static inline void rival_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static inline void rival_report(const rival_job *job, double from)
{
    printf("%.0f\n", (double)job->count / (rival_seconds() - from));
    (void)fflush(stdout);
}

#endif
