/* door PORT SECONDS: a port of 127.0.0.1 where whoever comes is thrown out. Says "shut" when it is,
 * and at the end how many came. */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (argc != 3) {
        (void)fprintf(stderr, "usage: door PORT SECONDS\n");
        return 2;
    }
    at.sin_port    = htons((uint16_t)strtoul(argv[1], NULL, 10));
    double seconds = strtod(argv[2], NULL);
    int    fd      = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int    reuse   = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 4096) != 0) {
        perror("door");
        return 1;
    }
    (void)printf("shut\n");
    (void)fflush(stdout);
    unsigned long came  = 0;
    double        until = now_s() + seconds;
    while (now_s() < until) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 50) <= 0) {
            continue;
        }
        int guest = accept(fd, NULL, NULL);
        if (guest >= 0) {
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            (void)setsockopt(guest, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            (void)close(guest);
            came++;
        }
    }
    (void)printf("came %lu\n", came);
    return 0;
}
