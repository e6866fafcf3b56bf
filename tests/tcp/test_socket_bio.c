/* What is written to a connection that the other side has closed is an error, and no SIGPIPE. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "socket_bio.h"

typedef struct place {
    SSL_CTX    *context;
    BIO_METHOD *method;
    SSL        *ssl;
    int         ends[2]; /* ours, theirs */
} place;

static void open_place(place *p)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->ends), 0);
    p->context = SSL_CTX_new(TLS_client_method());
    p->method  = socket_bio_method();
    p->ssl     = SSL_new(p->context);
    assert_non_null(p->method);
    assert_non_null(p->ssl);
    assert_true(socket_bio_set(p->ssl, p->method, p->ends[0]));
    SSL_set_connect_state(p->ssl);
}

static void close_place(place *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->context);
    BIO_meth_free(p->method);
    assert_int_equal(close(p->ends[0]), 0); /* it stayed ours */
}

static void a_write_to_who_has_gone_is_an_error(void **state)
{
    place p;
    (void)state;
    (void)signal(SIGPIPE, SIG_DFL);
    open_place(&p);
    assert_int_equal(close(p.ends[1]), 0);
    errno = 0;
    int n = SSL_do_handshake(p.ssl);
    assert_int_equal(SSL_get_error(p.ssl, n), SSL_ERROR_SYSCALL);
    assert_int_equal(errno, EPIPE);
    close_place(&p);
}

static void it_waits_for_an_answer_and_sees_the_end(void **state)
{
    uint8_t hello[4096];
    place   p;
    (void)state;
    open_place(&p);
    int n = SSL_do_handshake(p.ssl);
    assert_int_equal(SSL_get_error(p.ssl, n), SSL_ERROR_WANT_READ);
    assert_true(read(p.ends[1], hello, sizeof(hello)) > 0);
    assert_int_equal(close(p.ends[1]), 0);
    n = SSL_do_handshake(p.ssl);
    assert_int_not_equal(SSL_get_error(p.ssl, n), SSL_ERROR_WANT_READ);
    assert_true(BIO_eof(SSL_get_rbio(p.ssl)));
    close_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_to_who_has_gone_is_an_error),
        cmocka_unit_test(it_waits_for_an_answer_and_sees_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
