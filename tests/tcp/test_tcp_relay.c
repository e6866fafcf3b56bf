/* Somebody in the middle, with a certificate that is trusted, who ends TLS on both sides and hands
 * on all that is said: to have the same key is not enough then, for it is proved for one channel.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "place.h"
#include "raw_peer.h"
#include "relay.h"
#include "tcp_world.h"

static pid_t worker;
static pid_t relay;

static int end_both(void **state)
{
    (void)state;
    if (relay > 0) {
        relay_end(relay);
    }
    if (worker > 0) {
        worker_end(worker);
    }
    relay  = 0;
    worker = 0;
    return 0;
}

/* What becomes of a call through the relay; a link that does not come to be says why in err. */
static patio_status call_through(const relay_ends *ends, const char *scheme, const char *key,
                                 patio_error *err)
{
    place              p;
    char               url[URL_ROOM];
    char               options[64];
    uint16_t           port   = 0;
    patio_broker      *broker = NULL;
    patio_future      *f      = NULL;
    patio_call_options wait   = {PATIO_SIZED(patio_call_options), .timeout_ms = 10000,
                                 .flags = PATIO_CALL_WAIT_ROUTE};
    (void)snprintf(options, sizeof(options), "%s%s", key[0] != '\0' ? "key=" : "", key);
    place_make(&p, scheme, options, options);
    worker = worker_begin((const char *const[]){p.listen_url, NULL});
    (void)close(raw_connect_port(p.port)); /* it listens now */
    relay = relay_begin(ends, p.port, &port);
    place_connect_url(url, scheme, port, options);
    patio_status st = start_quiet_broker(NULL, url, "1", &broker, err);
    st = st == PATIO_OK ? patio_call(broker, "mul", PATIO_ARGS(6, 7), &wait, &f, err) : st;
    if (st == PATIO_OK) {
        assert_int_equal(patio_future_value(f)->as.i64, 42);
    }
    patio_future_destroy(f);
    patio_broker_destroy(broker);
    return st;
}

static relay_ends both_tls(int version)
{
    static char cert[120];
    static char key[120];
    (void)snprintf(cert, sizeof(cert), "%s/server.crt", certificates());
    (void)snprintf(key, sizeof(key), "%s/server.key", certificates());
    return (relay_ends){.tls_in      = true,
                        .tls_out     = true,
                        .tls_version = version,
                        .cert_file   = cert,
                        .key_file    = key};
}

static void expect_end_to_end(const relay_ends *ends, const char *scheme, const char *key)
{
    patio_error err = PATIO_ERROR_INIT;
    if (call_through(ends, scheme, key, &err) != PATIO_OK) {
        fail_msg("through the relay: %s", err.message);
    }
    (void)end_both(NULL);
}

/* The relay hands on rightly: nobody minds one who ends TLS while there is no key, nor one who
 * leaves TLS alone. */
static void what_is_handed_on_is_whole(void **state)
{
    (void)state;
    relay_ends two   = both_tls(0);
    relay_ends plain = {.tls_in = false};
    expect_end_to_end(&two, "tls", "");
    expect_end_to_end(&plain, "tls", "open-sesame");
    expect_end_to_end(&plain, "tcp", "open-sesame");
}

static void expect_auth(int version)
{
    patio_error err = PATIO_ERROR_INIT;
    relay_ends  two = both_tls(version);
    assert_int_equal(call_through(&two, "tls", "open-sesame", &err), PATIO_AUTH);
    if (strstr(err.message, "key") == NULL) {
        fail_msg("it says: %s", err.message);
    }
    (void)end_both(NULL);
}

static void a_key_handed_on_from_another_channel_is_refused(void **state)
{
    (void)state;
    expect_auth(TLS1_2_VERSION);
    expect_auth(TLS1_3_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_handed_on_is_whole, end_both),
        cmocka_unit_test_teardown(a_key_handed_on_from_another_channel_is_refused, end_both),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
