/* zmq_pipeline: ZeroMQ DEALER to ROUTER and back over loopback TCP, two processes, COUNT messages
 * of SIZE bytes, WINDOW in flight: bytes only, nothing is encoded and nobody waits for a lease.
 *
 *   zmq_pipeline [COUNT [WINDOW [SIZE]]]      prints messages per second */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

enum { SIZE_MAX_BYTES = 65536 };

static void require(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "zmq_pipeline: %s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

/* Send back whatever comes to whom it came from. */
static void serve(int ready)
{
    char   where[256];
    size_t size    = sizeof(where);
    void  *context = zmq_ctx_new();
    void  *router  = zmq_socket(context, ZMQ_ROUTER);
    int    none    = 0;
    (void)zmq_setsockopt(router, ZMQ_SNDHWM, &none, sizeof(none));
    (void)zmq_setsockopt(router, ZMQ_RCVHWM, &none, sizeof(none));
    require(zmq_bind(router, "tcp://127.0.0.1:*") == 0, "bind");
    require(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, where, &size) == 0, "endpoint");
    require(write(ready, where, size) == (ssize_t)size, "tell");
    for (;;) {
        zmq_msg_t from;
        zmq_msg_t body;
        (void)zmq_msg_init(&from);
        (void)zmq_msg_init(&body);
        require(zmq_msg_recv(&from, router, 0) >= 0, "receive");
        require(zmq_msg_recv(&body, router, 0) >= 0, "receive");
        require(zmq_msg_send(&from, router, ZMQ_SNDMORE) >= 0, "send");
        require(zmq_msg_send(&body, router, 0) >= 0, "send");
    }
}

int main(int argc, char **argv)
{
    static char data[SIZE_MAX_BYTES];
    long        count  = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    long        window = argc > 2 ? strtol(argv[2], NULL, 10) : 256;
    long        size   = argc > 3 ? strtol(argv[3], NULL, 10) : 100;
    char        where[256];
    int         tell[2];
    require(count > 0 && window > 0 && size > 0 && size <= SIZE_MAX_BYTES, "arguments");
    require(pipe(tell) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        serve(tell[1]);
    }
    require(read(tell[0], where, sizeof(where)) > 0, "read");
    void *context = zmq_ctx_new();
    void *dealer  = zmq_socket(context, ZMQ_DEALER);
    require(zmq_connect(dealer, where) == 0, "connect");
    long            sent = 0;
    struct timespec from;
    struct timespec to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long done = 0; done < count; done++) {
        while (sent < count && sent - done < window) {
            require(zmq_send(dealer, data, (size_t)size, 0) == size, "send");
            sent++;
        }
        require(zmq_recv(dealer, data, sizeof(data), 0) == size, "receive");
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf("%.0f\n", (double)count / seconds);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return 0;
}
