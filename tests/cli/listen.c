/* listen.c: what a service manager hears. `listen PATH` binds a datagram socket and prints each
 * message on a line of its own, line ends in it as "|". */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char               text[4096];
    int                fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (argc != 2 || strlen(argv[1]) >= sizeof(at.sun_path)) {
        return 2;
    }
    memcpy(at.sun_path, argv[1], strlen(argv[1]));
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        perror("listen");
        return 1;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    puts("listening");
    for (ssize_t n = recv(fd, text, sizeof(text) - 1, 0); n >= 0;
         n         = recv(fd, text, sizeof(text) - 1, 0)) {
        text[n] = '\0';
        for (char *c = text; *c != '\0'; c++) {
            *c = *c == '\n' ? '|' : *c;
        }
        puts(text);
    }
    return 1;
}
