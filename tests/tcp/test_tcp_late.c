/* A handshake of TLS that was begun before the files changed, and ends after it: by what they say
 * then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include <patio/patio.h>
#include <patio/peers.h>

#include "frame.h"
#include "place.h"
#include "raw_peer.h"
#include "tcp_world.h"

enum { TRIES = 1000, WAIT_US = 10 * 1000 };

static SSL_CTX *client;

static void make_client(void)
{
    static const unsigned char alpn[] = {7, 'p', 'a', 't', 'i', 'o', '/', '1'};
    char                       file[120];
    client = SSL_CTX_new(TLS_client_method());
    assert_non_null(client);
    (void)snprintf(file, sizeof(file), "%s/client.crt", certificates());
    assert_int_equal(SSL_CTX_use_certificate_chain_file(client, file), 1);
    (void)snprintf(file, sizeof(file), "%s/client.key", certificates());
    assert_int_equal(SSL_CTX_use_PrivateKey_file(client, file, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_set_alpn_protos(client, alpn, sizeof(alpn)), 0);
}

/* The handshake on that socket, and what the other side says behind it; -1: nothing, 0: it refused,
 * or the bytes. */
static int shake_hands(int fd, uint8_t *said, int room)
{
    SSL *ssl = SSL_new(client);
    assert_non_null(ssl);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    int n    = SSL_connect(ssl) == 1 ? SSL_read(ssl, said, room) : 0;
    int kind = SSL_get_error(ssl, n);
    SSL_free(ssl);
    (void)close(fd);
    return n > 0 ? n : kind == SSL_ERROR_WANT_READ ? -1 : 0;
}

static int connect_to(uint16_t port, suseconds_t patience_us)
{
    struct timeval patience = {.tv_sec = patience_us / 1000000, .tv_usec = patience_us % 1000000};
    int            fd       = raw_connect_port(port);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

/* Authorities to trust, all of it at once. */
static void trust(const char *authority, const char *file)
{
    char command[400];
    (void)snprintf(command, sizeof(command), "cp '%s/%s.crt' '%s.new' && mv '%s.new' '%s'",
                   certificates(), authority, file, file, file);
    assert_int_equal(system(command), 0);
}

static int32_t count_peer(void *arg, const patio_peer *p)
{
    (void)p;
    ++*(int *)arg;
    return 0;
}

static void await_peers(patio_broker *broker, int wanted)
{
    int peers = -1;
    for (int i = 0; i < TRIES && peers != wanted; i++) {
        peers = 0;
        assert_int_equal(patio_broker_peers(broker, count_peer, &peers, NULL), PATIO_OK);
        (void)usleep(WAIT_US);
    }
    assert_int_equal(peers, wanted);
}

static void who_was_late_is_judged_by_the_new_files(void **state)
{
    place           p;
    char            live[100];
    char            options[300];
    uint8_t         said[FRAME_HEADER_BYTES] = {0};
    frame_header    h;
    patio_registry *registry = NULL;
    int             refused  = -1;
    (void)state;
    (void)snprintf(live, sizeof(live), "%s/live.crt", folder);
    (void)snprintf(options, sizeof(options),
                   "tls_client=required&tls_reload_ms=100&handshake_ms=1min&tls_ca_file=%s", live);
    trust("ca", live);
    place_make(&p, "tls", options, "");
    make_client();
    assert_int_equal(patio_registry_create(NULL, &registry, NULL), PATIO_OK);
    patio_broker *broker = open_quiet_broker(registry, p.listen_url, "1");
    assert_non_null(broker);

    /* while its certificate is good, the other side waits for the HELLO */
    assert_int_equal(shake_hands(connect_to(p.port, 100000), said, sizeof(said)), -1);
    await_peers(broker, 0);
    int late = connect_to(p.port, 10000000);
    await_peers(broker, 1);

    trust("other-ca", live);
    for (int i = 0; i < TRIES && refused != 0; i++) {
        refused = shake_hands(connect_to(p.port, 100000), said, sizeof(said));
    }
    assert_int_equal(refused, 0);
    assert_int_equal(shake_hands(late, said, sizeof(said)), FRAME_HEADER_BYTES);
    frame_get_header(said, &h);
    assert_int_equal(h.type, FRAME_GOODBYE);
    assert_int_equal(h.id, GOODBYE_TRUST);

    assert_int_equal(patio_broker_stop(broker, 1000, NULL), PATIO_OK);
    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    SSL_CTX_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_late_is_judged_by_the_new_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
