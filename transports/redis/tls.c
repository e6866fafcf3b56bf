/* TLS on a non-blocking socket. The I/O thread reads while any thread may write, and an SSL object
 * bears one user at a time: hence a lock around each call, which never waits for the network. */
#include "redis.h"
#include "socket_bio.h"

#include <arpa/inet.h>
#include <errno.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

static void say(char *text, size_t room, const char *what)
{
    unsigned long code = ERR_get_error();
    char          name[160];
    ERR_error_string_n(code, name, sizeof(name));
    const char *reason = ERR_reason_error_string(code);
    (void)snprintf(text, room, "%s: %s", what, reason != NULL ? reason : name);
    ERR_clear_error();
}

static patio_status refuse(patio_error *err, const char *what, const char *file)
{
    char why[256];
    say(why, sizeof(why), what);
    return patio_fail(err, PATIO_CONFIG, 0, "TLS: %s (%s)", why, file);
}

patio_status tls_prepare(patio_transport *t, patio_error *err)
{
    const settings *s = &t->set;
    if (!t->tls) {
        return PATIO_OK;
    }
    t->ssl_ctx = SSL_CTX_new(TLS_client_method());
    t->bio     = socket_bio_method();
    if (t->ssl_ctx == NULL || t->bio == NULL ||
        SSL_CTX_set_min_proto_version(t->ssl_ctx, TLS1_2_VERSION) != 1) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "TLS: out of memory");
    }
    SSL_CTX_set_verify(t->ssl_ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(t->ssl_ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(t->ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                        SSL_OP_IGNORE_UNEXPECTED_EOF);
    int ok = s->tls_ca_file[0] != '\0'
                 ? SSL_CTX_load_verify_locations(t->ssl_ctx, s->tls_ca_file, NULL)
                 : SSL_CTX_set_default_verify_paths(t->ssl_ctx);
    if (ok != 1) {
        return refuse(err, "certificates of authorities cannot be read", s->tls_ca_file);
    }
    if (s->tls_cert_file[0] != '\0' &&
        SSL_CTX_use_certificate_chain_file(t->ssl_ctx, s->tls_cert_file) != 1) {
        return refuse(err, "the client's certificate cannot be read", s->tls_cert_file);
    }
    if (s->tls_key_file[0] != '\0' &&
        SSL_CTX_use_PrivateKey_file(t->ssl_ctx, s->tls_key_file, SSL_FILETYPE_PEM) != 1) {
        return refuse(err, "the client's key cannot be used", s->tls_key_file);
    }
    return PATIO_OK;
}

bool tls_begin(conn *c)
{
    patio_transport *t    = c->t;
    const char      *name = t->set.tls_server_name[0] != '\0' ? t->set.tls_server_name : c->host;
    c->ssl                = SSL_new(t->ssl_ctx);
    if (c->ssl == NULL || !socket_bio_set(c->ssl, t->bio, c->fd)) {
        return false;
    }
    uint8_t            address[16];
    X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
        if (X509_VERIFY_PARAM_set1_ip_asc(param, name) != 1) {
            return false;
        }
    } else if (SSL_set1_host(c->ssl, name) != 1 || SSL_set_tlsext_host_name(c->ssl, name) != 1) {
        return false;
    }
    SSL_set_connect_state(c->ssl);
    return true;
}

int tls_handshake(conn *c, char *why, size_t room)
{
    ERR_clear_error();
    int n = SSL_do_handshake(c->ssl);
    if (n == 1) {
        c->tls_write_first = false;
        return 1;
    }
    int error = SSL_get_error(c->ssl, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        c->tls_write_first = error == SSL_ERROR_WANT_WRITE;
        return 0;
    }
    long verified = SSL_get_verify_result(c->ssl);
    if (verified != X509_V_OK) {
        (void)snprintf(why, room, "TLS: the server's certificate was refused: %s",
                       X509_verify_cert_error_string(verified));
        ERR_clear_error();
    } else if (error == SSL_ERROR_SYSCALL) {
        (void)snprintf(why, room,
                       "TLS: the server ended the handshake; does it speak TLS on this port?");
    } else {
        say(why, room, "TLS: the handshake failed");
    }
    return -1;
}

/* As recv and send: -1 with errno. */
static ssize_t result(conn *c, int n)
{
    int error = SSL_get_error(c->ssl, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    errno = error == SSL_ERROR_SYSCALL && errno != 0 ? errno : ECONNRESET;
    ERR_clear_error();
    return -1;
}

ssize_t tls_read(conn *c, void *data, size_t size)
{
    pthread_mutex_lock(&c->tls_lock);
    ERR_clear_error();
    errno     = 0;
    int     n = SSL_read(c->ssl, data, (int)size);
    ssize_t r = n > 0 ? n : result(c, n);
    pthread_mutex_unlock(&c->tls_lock);
    return r;
}

ssize_t tls_write(conn *c, const void *data, size_t size)
{
    pthread_mutex_lock(&c->tls_lock);
    ERR_clear_error();
    errno     = 0;
    int     n = SSL_write(c->ssl, data, (int)(size < (1u << 30) ? size : (1u << 30)));
    ssize_t r = n > 0 ? n : result(c, n);
    pthread_mutex_unlock(&c->tls_lock);
    if (r == 0) {
        errno = ECONNRESET;
        r     = -1;
    }
    return r;
}
