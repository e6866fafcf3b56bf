/* The opening of a connection against a stranger: whatever comes, nobody without the key gets in,
 * and who has it does in the order of docs/tcp.md only. */
#include <stdlib.h>
#include <string.h>

#include "tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What hello.c calls of the rest of the plugin. */
static uint32_t announced;
static uint64_t random_state;

bool write_frame(conn *c, const frame_header *h, patio_bytes head, patio_buf *tail, uint64_t tag)
{
    (void)h;
    (void)tail;
    (void)tag;
    c->appended += FRAME_HEADER_BYTES + head.size;
    c->written = c->appended;
    return true;
}

void write_mark_dirty(conn *c)
{
    (void)c;
}

bool peer_announce(conn *c)
{
    (void)c;
    announced++;
    return true;
}

enum { THIS_CHANNEL = 7, OTHER_CHANNEL = 8 };

bool tls_binding(conn *c, uint8_t binding[TLS_BINDING_BYTES])
{
    (void)c;
    memset(binding, THIS_CHANNEL, TLS_BINDING_BYTES);
    return true;
}

static patio_status next_random(void *self, void *to, size_t size)
{
    uint8_t *out = to;
    (void)self;
    for (size_t i = 0; i < size; i++) {
        random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        out[i]       = (uint8_t)(random_state >> 56);
    }
    return PATIO_OK;
}

static uint64_t no_time(void *self)
{
    (void)self;
    return 1;
}

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

enum {
    LISTENS   = 1,
    HAS_KEY   = 2,
    TWO_KEYS  = 4,
    IN_TLS    = 8,
    KNOWS_KEY = 16,
    UNBOUND   = 32, /* what it proves is of no channel */
    ELSEWHERE = 64, /* and of another one: somebody hands it on */
};

/* What a peer with that key would say now. */
static void prove(const conn *c, const char *key, uint8_t mode, uint8_t mac[FRAME_MAC_BYTES])
{
    uint8_t binding[TLS_BINDING_BYTES];
    bool    bound = c->tls != NULL && (mode & UNBOUND) == 0;
    memset(binding, (mode & ELSEWHERE) != 0 ? OTHER_CHANNEL : THIS_CHANNEL, sizeof(binding));
    (void)auth_mac(key, c->connects, c->connects ? c->hello_own : c->hello_peer,
                   c->connects ? c->hello_peer : c->hello_own, bound ? binding : NULL, mac);
}

/* May somebody who says that get in? */
static bool may_open(uint8_t mode)
{
    bool bound = (mode & IN_TLS) == 0 || (mode & (UNBOUND | ELSEWHERE)) == 0;
    return (mode & HAS_KEY) == 0 || ((mode & KNOWS_KEY) != 0 && bound);
}

static void feed(conn *c, const uint8_t *data, size_t size, uint8_t mode)
{
    while (size >= FRAME_HEADER_BYTES && c->state != CONN_OPEN) {
        frame_header h;
        uint8_t      mac[FRAME_MAC_BYTES];
        patio_status status = PATIO_PROTOCOL;
        frame_get_header(data, &h);
        if (frame_check_header(&h, false, 1 << 20) != NULL || h.size > size - FRAME_HEADER_BYTES) {
            return;
        }
        patio_bytes body = {data + FRAME_HEADER_BYTES, h.size};
        if (h.type == FRAME_AUTH && (mode & KNOWS_KEY) != 0) {
            prove(c, c->endpoint->keys[c->key_index], mode, mac);
            body = (patio_bytes){mac, sizeof(mac)};
        }
        if (hello_frame(c, &h, body, &status) != NULL) {
            return;
        }
        data += FRAME_HEADER_BYTES + h.size;
        size -= FRAME_HEADER_BYTES + h.size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char first[]  = "the first key";
    static char second[] = "the second key";
    static char none[]   = "";
    if (size == 0) {
        return 0;
    }
    uint8_t         mode = data[0];
    patio_host      host = {.random = next_random, .now_ns = no_time};
    patio_transport t    = {.host = &host, .incarnation = 1, .set.max_frame_bytes = 1 << 20};
    endpoint        ep   = {.t = &t, .listens = (mode & LISTENS) != 0};
    conn c = {.t = &t, .endpoint = &ep, .state = CONN_GREETING, .connects = (mode & LISTENS) == 0};
    ep.keys[0]   = (mode & HAS_KEY) != 0 ? first : none;
    ep.keys[1]   = (mode & (HAS_KEY | TWO_KEYS)) == (HAS_KEY | TWO_KEYS) ? second : none;
    c.tls        = (mode & IN_TLS) != 0 ? (struct tls *)(void *)&host : NULL;
    random_state = 1;
    announced    = 0;
    if (c.connects) {
        hello_begin(&c);
    }
    feed(&c, data + 1, size - 1, mode);
    bool open = c.state == CONN_OPEN;
    require(!open || may_open(mode));
    require(announced == (open ? 1u : 0u));
    require(c.key_index == 0 || ep.keys[1][0] != '\0');
    return 0;
}
