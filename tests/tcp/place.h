/* place.h: where a listener of a test is, over any kind of stream. */
#ifndef PLACE_H
#define PLACE_H

#include <stdint.h>

/* The folder of scripts/demo-certificates, made at the first call. */
const char *certificates(void);
/* A port of 127.0.0.1 that nobody has, and that no connection is given by chance. */
uint16_t free_port(void);

enum { URL_ROOM = 480 };

/* One to listen on, and its URLs. */
typedef struct place {
    uint16_t port;     /* 0 of a UNIX socket */
    char     path[64]; /* of a UNIX socket; else "" */
    char     listen_url[URL_ROOM];
    char     connect_url[URL_ROOM];
} place;

/* scheme: unix, tcp or tls. Options are as in a URL, "a=1&b=2" or "". */
void place_make(place *p, const char *scheme, const char *listen_options,
                const char *connect_options);
/* Of who connects to that port, whoever listens there. */
void place_connect_url(char to[URL_ROOM], const char *scheme, uint16_t port, const char *options);

#endif
