/* Who is there: HELLO, proof of the key, WELCOME. Everything here has a fixed size. */
#include "tcp.h"

static bool put_hello(conn *c)
{
    patio_transport *t = c->t;
    uint8_t          nonce[FRAME_NONCE_BYTES];
    if (t->host->random(t->host->self, nonce, sizeof(nonce)) != PATIO_OK) {
        return false;
    }
    frame_hello hello = {
        .version_min = FRAME_VERSION_MIN,
        .version_max = FRAME_VERSION,
        .connects    = c->connects,
        .has_key     = c->endpoint->keys[0][0] != '\0',
        .max_bytes   = (uint32_t)t->set.max_frame_bytes,
        .incarnation = t->incarnation,
        .nonce       = nonce,
    };
    frame_header h = {.type = FRAME_HELLO};
    for (unsigned i = 0; c->connects && i < 2; i++) {
        const char *key    = c->endpoint->keys[i];
        hello.key_hints[i] = key[0] != '\0' ? auth_hint(key, nonce) : 0;
    }
    frame_put_hello(c->hello_own, &hello);
    return write_frame(c, &h, (patio_bytes){c->hello_own, FRAME_HELLO_BYTES}, NULL, 0);
}

static bool make_proof(conn *c, bool from_listener, uint8_t mac[FRAME_MAC_BYTES])
{
    uint8_t binding[TLS_BINDING_BYTES];
    if (c->tls != NULL && !tls_binding(c, binding)) {
        return false;
    }
    return auth_mac(
        c->endpoint->keys[c->key_index], from_listener, c->connects ? c->hello_own : c->hello_peer,
        c->connects ? c->hello_peer : c->hello_own, c->tls != NULL ? binding : NULL, mac);
}

static bool put_proof(conn *c)
{
    uint8_t      mac[FRAME_MAC_BYTES];
    frame_header h = {.type = FRAME_AUTH};
    return make_proof(c, !c->connects, mac) &&
           write_frame(c, &h, (patio_bytes){mac, sizeof(mac)}, NULL, 0);
}

/* Who connects finds out here which of its keys the listening side has chosen. */
static bool check_proof(conn *c, patio_bytes body)
{
    uint8_t mac[FRAME_MAC_BYTES];
    for (unsigned i = 0; i < 2 && body.size == sizeof(mac); i++) {
        if (c->connects && c->endpoint->keys[i][0] != '\0') {
            c->key_index = (uint8_t)i;
        }
        if (make_proof(c, c->connects, mac) && auth_same(mac, body.data)) {
            return true;
        }
    }
    return false;
}

/* The one of our keys that who connects has, too; the first if none is: it will see. */
static void choose_key(conn *c, const frame_hello *hello)
{
    for (unsigned i = 0; i < 4; i++) {
        const char *key = c->endpoint->keys[i / 2];
        if (key[0] != '\0' && hello->key_hints[i % 2] != 0 &&
            auth_hint(key, hello->nonce) == hello->key_hints[i % 2]) {
            c->key_index = (uint8_t)(i / 2);
            return;
        }
    }
}

void hello_begin(conn *c)
{
    c->state = CONN_GREETING;
    if (!put_hello(c)) {
        c->broken = true;
    }
    write_mark_dirty(c);
}

void hello_goodbye(conn *c, enum goodbye reason)
{
    c->last_word = (uint8_t)(reason + 1);
}

static const char *open_up(conn *c, patio_status *status)
{
    if (c->connects && c->endpoint->link != NULL) {
        *status = PATIO_OK;
        return RECONNECT_LATE;
    }
    if (c->connects) {
        c->endpoint->link = c; /* from here on it may be given tasks: no other is opened */
    }
    c->state = CONN_OPEN;
    c->t->links[c->family].opened++;
    frame_header ping = {.type = FRAME_PING, .id = c->t->host->now_ns(c->t->host->self)};
    c->pinged_ns      = ping.id;
    if (!peer_announce(c) || !write_frame(c, &ping, (patio_bytes){NULL, 0}, NULL, 0)) {
        return "out of memory";
    }
    write_mark_dirty(c);
    return NULL;
}

static const char *refuse(conn *c, enum goodbye reason, patio_status *status)
{
    *status = PATIO_AUTH;
    hello_goodbye(c, reason);
    return reason == GOODBYE_AUTH ? "it has another key"
                                  : "one side has a key and the other has none";
}

/* Is this the HELLO of a connection of our own? Only that is believed, for its nonce is fresh: the
 * incarnation alone anybody may repeat who has heard it. */
static bool is_own_hello(const patio_transport *t, patio_bytes hello)
{
    for (const conn *o = t->conns; o != NULL; o = o->next) {
        if (o->connects && memcmp(o->hello_own, hello.data, FRAME_HELLO_BYTES) == 0) {
            o->endpoint->itself = true;
            return true;
        }
    }
    return false;
}

static const char *got_hello(conn *c, patio_bytes body, patio_status *status)
{
    frame_hello  hello;
    bool         key     = c->endpoint->keys[0][0] != '\0';
    frame_header welcome = {.type = FRAME_WELCOME};
    if (!frame_get_hello(body, &hello) || hello.connects == c->connects) {
        return HELLO_STRANGE;
    }
    if (hello.version_min > FRAME_VERSION || hello.version_max < FRAME_VERSION_MIN) {
        hello_goodbye(c, GOODBYE_VERSION);
        return "it speaks another version of the protocol";
    }
    if (hello.incarnation == c->t->incarnation) {
        hello_goodbye(c, GOODBYE_SELF);
        *status = is_own_hello(c->t, body) ? PATIO_OK : PATIO_PROTOCOL;
        return *status == PATIO_OK ? "it is this very broker" : "it repeats who this side is";
    }
    memcpy(c->hello_peer, body.data, FRAME_HELLO_BYTES);
    c->max_bytes        = hello.max_bytes;
    c->version          = hello.version_max < FRAME_VERSION ? hello.version_max : FRAME_VERSION;
    c->peer_incarnation = hello.incarnation;
    if (hello.has_key != key) {
        return refuse(c, GOODBYE_NEEDS_KEY, status);
    }
    c->state = CONN_PROVING;
    if (c->connects) {
        return NULL; /* the listening side proves first, or says welcome */
    }
    choose_key(c, &hello);
    if (!put_hello(c) ||
        !(key ? put_proof(c) : write_frame(c, &welcome, (patio_bytes){NULL, 0}, NULL, 0))) {
        return "out of memory";
    }
    write_mark_dirty(c);
    return key ? NULL : open_up(c, status);
}

static const char *got_proof(conn *c, patio_bytes body, patio_status *status)
{
    frame_header welcome = {.type = FRAME_WELCOME};
    if (c->endpoint->keys[0][0] == '\0') {
        return "a proof that nobody asked for";
    }
    if (!check_proof(c, body)) {
        return refuse(c, GOODBYE_AUTH, status);
    }
    if (c->connects) {
        c->proven = true; /* its welcome may come */
        write_mark_dirty(c);
        return put_proof(c) ? NULL : "out of memory";
    }
    if (!write_frame(c, &welcome, (patio_bytes){NULL, 0}, NULL, 0)) {
        return "out of memory";
    }
    return open_up(c, status);
}

const char *hello_no_room(uint64_t reason)
{
    return reason == GOODBYE_FULL   ? "it has too many connections"
           : reason == GOODBYE_BUSY ? "it had too many handshakes from this address"
                                    : NULL;
}

static const char *got_goodbye(const conn *c, uint64_t reason, patio_status *status)
{
    if (reason == GOODBYE_AUTH || reason == GOODBYE_NEEDS_KEY) {
        *status = PATIO_AUTH;
        return reason == GOODBYE_AUTH ? "it refused our key"
                                      : "one side has a key and the other has none";
    }
    if (reason == GOODBYE_SELF) {
        /* our listening side has seen it first, if it is true */
        *status = c->endpoint->itself ? PATIO_OK : PATIO_UNREACHABLE;
        return c->endpoint->itself ? "it is this very broker" : "it says that it is this side";
    }
    if (reason == GOODBYE_TLS) {
        *status = PATIO_CONFIG;
        return "it speaks TLS; write tls:// instead of tcp://";
    }
    if (reason == GOODBYE_ALLOW) {
        *status = PATIO_AUTH;
        return "its allow-list does not have this side's certificate";
    }
    if (reason == GOODBYE_TRUST) {
        *status = PATIO_AUTH;
        return "this side's certificate is not good any more for it";
    }
    *status = PATIO_UNREACHABLE;
    return hello_no_room(reason) != NULL ? hello_no_room(reason)
           : reason == GOODBYE_VERSION   ? "it speaks another version of the protocol"
                                         : "it said goodbye";
}

const char *hello_frame(conn *c, const frame_header *h, patio_bytes body, patio_status *status)
{
    bool proven = c->endpoint->keys[0][0] == '\0' || c->proven;
    switch (h->type) {
    case FRAME_HELLO:
        return c->state == CONN_GREETING ? got_hello(c, body, status) : "a second HELLO";
    case FRAME_AUTH:
        return c->state == CONN_PROVING && !c->proven ? got_proof(c, body, status)
                                                      : "a proof at the wrong time";
    case FRAME_WELCOME:
        return c->connects && c->state == CONN_PROVING && proven ? open_up(c, status)
                                                                 : "a WELCOME at the wrong time";
    default:
        return got_goodbye(c, h->id, status);
    }
}
