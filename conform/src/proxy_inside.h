/* proxy_inside.h: what the proxy's files share. */
#ifndef CONFORM_PROXY_INSIDE_H
#define CONFORM_PROXY_INSIDE_H

#include <sys/socket.h>

#include "kit.h"

enum { PROXY_LINKS = 64, PROXY_ROOM = 65536 };

/* One direction: what was read and not yet written. */
typedef struct stream {
    uint8_t  data[PROXY_ROOM];
    size_t   used;
    uint64_t due_ms; /* not written before */
    bool     eof;
} stream;

typedef struct proxied {
    int    fds[2]; /* client, server */
    bool   connecting;
    stream way[2]; /* to the server, and from it */
} proxied;

struct kit_proxy {
    pthread_t               thread;
    pthread_mutex_t         lock;
    int                     listener;
    int                     wake[2];
    struct sockaddr_storage to;
    socklen_t               to_size;
    proxied                *links[PROXY_LINKS];
    uint32_t                flags;
    uint32_t                slice;
    uint64_t                delay_ms;
    uint64_t                rate;
    uint64_t                budget; /* bytes left of the rate */
    uint64_t                budget_ms;
    uint64_t                cut_after;
    bool                    cut_half;
    bool                    reset;
    bool                    cut;
    bool                    stop;
    uint64_t                accepted;
};

/* What its thread runs. */
void *kit_proxy_run(void *proxy);

#endif
