/* hole ADDRESS PORT: a listener whose queue is full: who connects hears nothing, neither yes nor
 * no. Says "ready" and stays until it is killed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 16, PATIENCE_MS = 300 };

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        (void)fprintf(stderr, "usage: hole ADDRESS PORT\n");
        return 2;
    }
    to.sin_port  = htons((uint16_t)strtoul(argv[2], NULL, 10));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int reuse    = 1;
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    if (bind(listener, (struct sockaddr *)&to, sizeof(to)) != 0 || listen(listener, 0) != 0) {
        perror("hole");
        return 1;
    }
    for (int i = 0; i < MOST; i++) {
        int           fd   = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct pollfd open = {.fd = fd, .events = POLLOUT};
        (void)connect(fd, (struct sockaddr *)&to, sizeof(to));
        if (poll(&open, 1, PATIENCE_MS) == 0) {
            (void)printf("ready\n");
            (void)fflush(stdout);
            for (;;) {
                (void)pause();
            }
        }
    }
    (void)fprintf(stderr, "hole: the queue does not fill up\n");
    return 1;
}
