/* proxy.h: a link that misbehaves. */
#ifndef CONFORM_PROXY_H
#define CONFORM_PROXY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct kit       kit;
typedef struct kit_proxy kit_proxy;

enum {
    KIT_PROXY_HOLD_UP   = 1u << 0, /* bytes to the server vanish into a buffer that is not read */
    KIT_PROXY_HOLD_DOWN = 1u << 1, /* bytes from it */
    KIT_PROXY_REFUSE    = 1u << 2, /* new connections are closed at once */
};
kit_proxy *kit_proxy_start(const char *host, uint32_t port, uint32_t *listen_port);
void       kit_proxy_stop(kit_proxy *p);
void       kit_proxy_set(kit_proxy *p, uint32_t flags);
/* slice: most bytes per write, 0: any; delay and rate: 0: none. */
void kit_proxy_shape(kit_proxy *p, uint32_t slice_bytes, uint64_t delay_ms, uint64_t bytes_per_s);
void kit_proxy_cut(kit_proxy *p, bool reset);
/* Close after so many more bytes from the client have passed: in the middle of a frame. */
void     kit_proxy_cut_after(kit_proxy *p, uint64_t bytes, bool half);
uint32_t kit_proxy_connections(kit_proxy *p); /* open now */
uint64_t kit_proxy_accepted(kit_proxy *p);    /* so far */
/* Start one before the case's URL and send every instance opened after it through it. */
void kit_proxy_install(kit *k);

#endif
