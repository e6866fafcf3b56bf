#include "place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "tcp_world.h"

const char *certificates(void)
{
    static char made[80];
    char        command[400];
    const char *source = getenv("PATIO_SOURCE");
    if (made[0] == '\0') {
        assert_non_null(source);
        (void)snprintf(command, sizeof(command), "'%s/scripts/demo-certificates' %s/certs", source,
                       folder);
        assert_int_equal(system(command), 0);
        (void)snprintf(made, sizeof(made), "%s/certs", folder);
    }
    return made;
}

uint16_t free_port(void)
{
    enum { FIRST = 12000, COUNT = 18000 }; /* below those the kernel gives out */
    static unsigned    tried;
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr    = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < COUNT; i++) {
        uint16_t port = (uint16_t)(FIRST + ((unsigned)getpid() * 37u + tried++) % COUNT);
        int      fd   = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        a.sin_port    = htons(port);
        assert_true(fd >= 0);
        int rc = bind(fd, (const struct sockaddr *)&a, sizeof(a));
        (void)close(fd);
        if (rc == 0) {
            return port;
        }
    }
    fail_msg("no port is free");
    return 0;
}

/* SCHEME://WHERE?A&B, where A and B may be "". */
static void put_url(char to[URL_ROOM], const char *scheme, const char *where, const char *a,
                    const char *b)
{
    (void)snprintf(to, URL_ROOM, "%s://%s%s%s%s%s", scheme, where,
                   a[0] != '\0' || b[0] != '\0' ? "?" : "", a,
                   a[0] != '\0' && b[0] != '\0' ? "&" : "", b);
}

void place_connect_url(char to[URL_ROOM], const char *scheme, uint16_t port, const char *options)
{
    char where[32];
    char trust[120] = "";
    (void)snprintf(where, sizeof(where), "127.0.0.1:%u", port);
    if (strcmp(scheme, "tls") == 0) {
        (void)snprintf(trust, sizeof(trust), "tls_ca_file=%s/ca.crt", certificates());
    }
    put_url(to, scheme, where, options, trust);
}

void place_make(place *p, const char *scheme, const char *listen_options,
                const char *connect_options)
{
    static unsigned made;
    char            listens[32];
    char            where[80];
    char            shown[200] = "";
    memset(p, 0, sizeof(*p));
    (void)snprintf(listens, sizeof(listens), "%s+listen", scheme);
    if (strcmp(scheme, "unix") == 0) {
        (void)snprintf(p->path, sizeof(p->path), "%s/%u", folder, made++);
        put_url(p->listen_url, listens, p->path, listen_options, "");
        put_url(p->connect_url, scheme, p->path, connect_options, "");
        return;
    }
    p->port = free_port();
    (void)snprintf(where, sizeof(where), "127.0.0.1:%u", p->port);
    if (strcmp(scheme, "tls") == 0) {
        (void)snprintf(shown, sizeof(shown),
                       "tls_cert_file=%s/server.crt&tls_key_file=%s/server.key", certificates(),
                       certificates());
    }
    put_url(p->listen_url, listens, where, listen_options, shown);
    place_connect_url(p->connect_url, scheme, p->port, connect_options);
}
