/* Nobody holds the I/O thread: peers inside TLS that send without a pause, or work for nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "hostile_world.h"

/* A TLS client made by hand. */
typedef struct client {
    int      fd;
    SSL_CTX *ctx;
    SSL     *ssl;
} client;

static void client_begin(client *c)
{
    static const unsigned char alpn[] = {7, 'p', 'a', 't', 'i', 'o', '/', '1'};
    c->fd                             = stranger();
    c->ctx                            = SSL_CTX_new(TLS_client_method());
    c->ssl                            = SSL_new(c->ctx);
    assert_int_equal(SSL_set_alpn_protos(c->ssl, alpn, sizeof(alpn)), 0);
    assert_int_equal(SSL_set_fd(c->ssl, c->fd), 1);
    assert_int_equal(SSL_connect(c->ssl), 1);
}

static void client_end(client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    (void)close(c->fd);
}

static void say(client *c, uint8_t type, uint64_t id, const void *data, size_t size)
{
    uint8_t      frame[FRAME_HEADER_BYTES + FRAME_HELLO_BYTES];
    frame_header h = {.size = (uint32_t)size, .type = type, .id = id};
    frame_put_header(frame, &h);
    if (size > 0) {
        memcpy(frame + FRAME_HEADER_BYTES, data, size);
    }
    size += FRAME_HEADER_BYTES;
    assert_int_equal(SSL_write(c->ssl, frame, (int)size), size);
}

static frame_header hear(client *c)
{
    uint8_t      header[FRAME_HEADER_BYTES];
    frame_header h;
    size_t       n = 0;
    assert_int_equal(SSL_read_ex(c->ssl, header, sizeof(header), &n), 1);
    assert_int_equal(n, sizeof(header));
    frame_get_header(header, &h);
    assert_true(h.size == 0 || SSL_read_ex(c->ssl, body, h.size, &n) == 1);
    return h;
}

/* HELLO, and what it is answered: it is let in. */
static void client_open(client *c)
{
    uint8_t hello[FRAME_HELLO_BYTES];
    raw_hello(hello, key, 1);
    say(c, FRAME_HELLO, 0, hello, sizeof(hello));
    assert_int_equal(hear(c).type, FRAME_HELLO);
    assert_int_equal(hear(c).type, FRAME_WELCOME);
}

/* What is said from here on is kept, to be sent as fast as a socket takes it. */
static BIO *keep(client *c)
{
    BIO *kept = BIO_new(BIO_s_mem());
    assert_non_null(kept);
    assert_int_equal(BIO_up_ref(kept), 1);
    SSL_set0_wbio(c->ssl, kept);
    return kept;
}

static bool send_kept(client *c, BIO *kept)
{
    char *data = NULL;
    long  size = BIO_get_mem_data(kept, &data);
    return raw_send(c->fd, data, (size_t)size);
}

enum { FLOOD_BYTES = 32 * 1024 * 1024, FLOOD_FRAMES = 1000, LAST = 4711 };

typedef struct flood {
    client       c;
    BIO         *kept;
    _Atomic bool over;
} flood;

static void *pour(void *arg)
{
    flood *f = arg;
    if (send_kept(&f->c, f->kept)) {
        while (hear(&f->c).id != LAST) {
        }
    }
    atomic_store(&f->over, true);
    return NULL;
}

static void one_that_sends_all_the_time_holds_nobody(void **state)
{
    flood     f = {0};
    pthread_t thread;
    int       calls = 0;
    serve(*state, "");
    client_begin(&f.c);
    client_open(&f.c);
    f.kept = keep(&f.c);
    for (size_t i = 0; i < FLOOD_FRAMES; i++) {
        frame_header h = {.type = FRAME_PONG, .id = 1};
        frame_put_header(body + i * FRAME_HEADER_BYTES, &h);
    }
    for (size_t n = 0; n < FLOOD_BYTES; n += FLOOD_FRAMES * FRAME_HEADER_BYTES) {
        assert_true(SSL_write(f.c.ssl, body, FLOOD_FRAMES * FRAME_HEADER_BYTES) > 0);
    }
    say(&f.c, FRAME_PING, LAST, NULL, 0);
    assert_int_equal(pthread_create(&thread, NULL, pour, &f), 0);
    while (!atomic_load(&f.over)) {
        expect_service();
        calls++;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (calls < 10) {
        fail_msg("%d calls while %d MiB were sent", calls, FLOOD_BYTES >> 20);
    }
    BIO_free(f.kept);
    client_end(&f.c);
}

enum { REKEYS = 300 };

static void rekey(client *c)
{
    assert_int_equal(SSL_key_update(c->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(c->ssl), 1);
}

/* Nothing but changes of keys; `open`: of one that was let in. */
static void change_keys(bool open)
{
    client c = {0};
    serve("tls", "handshake_ms=60s&ping_ms=60s&dead_ms=90s");
    client_begin(&c);
    if (open) {
        client_open(&c);
    }
    BIO *kept = keep(&c);
    for (int i = 0; i < REKEYS; i++) {
        rekey(&c);
    }
    (void)send_kept(&c, kept);
    assert_true(raw_closed(c.fd));
    BIO_free(kept);
    client_end(&c);
    expect_service();
}

static void a_stranger_that_changes_its_keys_is_put_out(void **state)
{
    (void)state;
    change_keys(false);
}

static void one_that_does_nothing_but_change_its_keys_is_put_out(void **state)
{
    (void)state;
    change_keys(true);
}

static void keys_are_changed_now_and_then(void **state)
{
    client c = {0};
    serve(*state, "");
    client_begin(&c);
    client_open(&c);
    for (uint64_t i = 1; i <= REKEYS; i++) {
        rekey(&c);
        say(&c, FRAME_PING, i, NULL, 0);
        while (hear(&c).id != i) {
        }
    }
    client_end(&c);
}

/* The beginning of a ClientHello of 128 KiB, for which OpenSSL would make room at once. */
static void a_stranger_that_announces_a_long_greeting_is_put_out(void **state)
{
    const uint8_t greeting[] = {0x16, 3, 1, 0, 38, 1, 1, 0xff, 0, 3, 3};
    (void)state;
    serve("tls", "handshake_ms=60s");
    int fd = stranger();
    assert_true(raw_send(fd, greeting, sizeof(greeting)));
    assert_true(raw_closed(fd));
    (void)close(fd);
    expect_service();
}

/* One byte of a greeting in each record of 16 KiB. */
static void a_stranger_that_says_little_with_much_is_put_out(void **state)
{
    const uint8_t header[FRAME_HEADER_BYTES] = {FRAME_HELLO_BYTES, 0, 0, 0, FRAME_HELLO};
    client        c                          = {0};
    (void)state;
    serve("tls", "handshake_ms=60s");
    client_begin(&c);
    assert_int_equal(SSL_set_block_padding(c.ssl, SSL3_RT_MAX_PLAIN_LENGTH), 1);
    BIO *kept = keep(&c);
    for (size_t i = 0; i < sizeof(header) - 1; i++) {
        assert_int_equal(SSL_write(c.ssl, header + i, 1), 1);
    }
    (void)send_kept(&c, kept);
    assert_true(raw_closed(c.fd));
    BIO_free(kept);
    client_end(&c);
    expect_service();
}

int main(void)
{
    static char tls[] = "tls";

#define INSIDE_TLS(name)                                                                           \
    {                                                                                              \
#name, name, NULL, end_service, tls                                                        \
    }
    const struct CMUnitTest tests[] = {
        INSIDE_TLS(one_that_sends_all_the_time_holds_nobody),
        INSIDE_TLS(a_stranger_that_announces_a_long_greeting_is_put_out),
        INSIDE_TLS(a_stranger_that_says_little_with_much_is_put_out),
        INSIDE_TLS(a_stranger_that_changes_its_keys_is_put_out),
        INSIDE_TLS(one_that_does_nothing_but_change_its_keys_is_put_out),
        INSIDE_TLS(keys_are_changed_now_and_then),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
