/* A peer inside TLS stops in the middle of a message of TLS itself: a ticket, sent in two records.
 * Until it goes on OpenSSL writes nothing for this side, and waiting for that costs nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/ssl.h>

#include <patio/patio.h>

#include "place.h"
#include "raw_listener.h"
#include "raw_peer.h"
#include "tcp_world.h"

enum { TICKET_BYTES = 3000, RECORD_BYTES = 512, WAIT_MS = 400, TRIES = 10000 };

static uint8_t body[FRAME_BODY_MAX];

static int take_alpn(SSL *ssl, const unsigned char **out, unsigned char *size,
                     const unsigned char *in, unsigned in_size, void *arg)
{
    (void)ssl;
    (void)arg;
    (void)in_size;
    *out  = in + 1;
    *size = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static int fill_ticket(SSL *ssl, void *arg)
{
    static const uint8_t data[TICKET_BYTES];
    (void)arg;
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data, sizeof(data));
}

/* ---- who listens, made by hand ---- */

static int listen_on(uint16_t port)
{
    struct sockaddr_in a  = {.sin_family = AF_INET, .sin_port = htons(port)};
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr     = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static SSL_CTX *make_server(void)
{
    char     file[120];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_non_null(ctx);
    (void)snprintf(file, sizeof(file), "%s/server.crt", certificates());
    assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, file), 1);
    (void)snprintf(file, sizeof(file), "%s/server.key", certificates());
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_set_num_tickets(ctx, 0), 1);
    assert_int_equal(SSL_CTX_set_session_ticket_cb(ctx, fill_ticket, NULL, NULL), 1);
    SSL_CTX_set_alpn_select_cb(ctx, take_alpn, NULL);
    return ctx;
}

static void say(SSL *ssl, uint8_t type, const void *data, size_t size)
{
    uint8_t      frame[FRAME_HEADER_BYTES + 256];
    frame_header h = {.size = (uint32_t)size, .type = type};
    frame_put_header(frame, &h);
    if (size > 0) {
        memcpy(frame + FRAME_HEADER_BYTES, data, size);
    }
    size += FRAME_HEADER_BYTES;
    assert_int_equal(SSL_write(ssl, frame, (int)size), size);
}

/* The next frame of that type; its id. */
static uint64_t hear(SSL *ssl, uint8_t type)
{
    frame_header h = {.type = 0};
    while (h.type != type) {
        uint8_t header[FRAME_HEADER_BYTES];
        size_t  n = 0;
        assert_int_equal(SSL_read_ex(ssl, header, sizeof(header), &n), 1);
        assert_int_equal(n, sizeof(header));
        frame_get_header(header, &h);
        assert_true(h.size == 0 || SSL_read_ex(ssl, body, h.size, &n) == 1);
    }
    return h.id;
}

/* Let who connects in, as a worker that has task "t". */
static SSL *let_in(SSL_CTX *ctx, int listening)
{
    uint8_t hello[FRAME_HELLO_BYTES];
    uint8_t announce[128];
    SSL    *ssl = SSL_new(ctx);
    assert_non_null(ssl);
    assert_int_equal(SSL_set_fd(ssl, raw_accept(listening)), 1);
    assert_int_equal(SSL_accept(ssl), 1);
    (void)hear(ssl, FRAME_HELLO);
    raw_hello_listens(hello, "");
    say(ssl, FRAME_HELLO, hello, sizeof(hello));
    say(ssl, FRAME_WELCOME, NULL, 0);
    (void)hear(ssl, FRAME_ANNOUNCE);
    say(ssl, FRAME_ANNOUNCE, announce, raw_announce(announce, "t", 9));
    return ssl;
}

/* The records of one ticket, unsent; the first of them has *first bytes. */
static BIO *make_ticket(SSL *ssl, char **data, size_t *size, size_t *first)
{
    BIO *kept = BIO_new(BIO_s_mem());
    BIO *wire = SSL_get_wbio(ssl);
    assert_non_null(kept);
    assert_int_equal(BIO_up_ref(kept), 1);
    assert_int_equal(BIO_up_ref(wire), 1);
    assert_int_equal(SSL_set_max_send_fragment(ssl, RECORD_BYTES), 1);
    SSL_set0_wbio(ssl, kept);
    assert_int_equal(SSL_new_session_ticket(ssl), 1);
    assert_int_equal(SSL_do_handshake(ssl), 1);
    SSL_set0_wbio(ssl, wire);
    *size  = (size_t)BIO_get_mem_data(kept, data);
    *first = 5 + ((size_t)(uint8_t)(*data)[3] << 8 | (uint8_t)(*data)[4]);
    assert_true(*size > 3 * *first);
    return kept;
}

/* ---- who connects ---- */

static patio_broker *open_caller(uint16_t port)
{
    char listens[128];
    char connects[URL_ROOM];
    (void)snprintf(listens, sizeof(listens), "unix+listen://%s/caller", folder);
    place_connect_url(connects, "tls", port, "");
    return open_both(listens, connects);
}

static patio_future *call(patio_broker *caller)
{
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 60000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    assert_int_equal(patio_start(caller, "t", PATIO_NO_ARGS, &options, &f, NULL), PATIO_OK);
    return f;
}

static uint64_t cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* The I/O thread has seen what was sent, and sleeps again. */
static void send_and_await(int fd, const char *data, size_t size)
{
    uint64_t sleeps = sleeps_of("patio-tcp");
    assert_true(raw_send(fd, data, size));
    for (int i = 0; i < TRIES && sleeps_of("patio-tcp") == sleeps; i++) {
        usleep(1000);
    }
}

static void half_a_ticket_costs_nothing(void **state)
{
    (void)state;
    char         *ticket    = NULL;
    size_t        size      = 0;
    size_t        first     = 0;
    uint16_t      port      = free_port();
    int           listening = listen_on(port);
    SSL_CTX      *ctx       = make_server();
    patio_broker *caller    = open_caller(port);
    SSL          *ssl       = let_in(ctx, listening);
    int           fd        = SSL_get_fd(ssl);
    patio_future *f         = call(caller);
    patio_future *late      = NULL;
    (void)hear(ssl, FRAME_PUBLISH);
    BIO *kept = make_ticket(ssl, &ticket, &size, &first);
    send_and_await(fd, ticket, first);

    late           = call(caller);
    uint64_t spent = cpu_ms();
    usleep(WAIT_MS * 1000); /* the time itself is what is tested */
    spent = cpu_ms() - spent;
    if (spent >= WAIT_MS / 4) {
        fail_msg("%u ms of CPU time in %d ms", (unsigned)spent, WAIT_MS);
    }
    assert_true(recv(fd, body, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN);
    send_and_await(fd, ticket + first, first); /* some more, and not all */
    assert_true(recv(fd, body, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN);
    assert_true(raw_send(fd, ticket + 2 * first, size - 2 * first));
    (void)hear(ssl, FRAME_PUBLISH);

    BIO_free(kept);
    patio_future_destroy(late);
    patio_future_destroy(f);
    patio_broker_destroy(caller);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    (void)close(listening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_a_ticket_costs_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
