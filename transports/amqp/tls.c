/* TLS of our own: verified during the handshake, with the reason of a refusal
 * kept. */
#include "socket_bio.h"
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

static void last_error(char *text, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    if (code == 0) {
        (void)snprintf(text, size, "%s", "no reason given");
    } else {
        const char *reason = ERR_reason_error_string(code);
        (void)snprintf(text, size, "%s", reason != NULL ? reason : "unknown error");
    }
    ERR_clear_error();
}

static patio_status refuse(patio_error *err, const char *what, const char *file)
{
    char why[120];
    last_error(why, sizeof(why));
    return patio_fail(err, PATIO_CONFIG, 0, "tls: %s %s: %s", what, file, why);
}

static patio_status load_files(patio_transport *t, SSL_CTX *ctx, patio_error *err)
{
    const settings *set = &t->set;
    if (set->tls_ca_file[0] != '\0'
            ? SSL_CTX_load_verify_locations(ctx, set->tls_ca_file, NULL) != 1
            : SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return refuse(err, "read tls_ca_file", set->tls_ca_file);
    }
    if (set->tls_cert_file[0] != '\0' &&
        SSL_CTX_use_certificate_chain_file(ctx, set->tls_cert_file) != 1) {
        return refuse(err, "read tls_cert_file", set->tls_cert_file);
    }
    const char *key = set->tls_key_file[0] != '\0' ? set->tls_key_file : set->tls_cert_file;
    if (key[0] != '\0' && (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
                           SSL_CTX_check_private_key(ctx) != 1)) {
        return refuse(err, "read tls_key_file", key);
    }
    if (set->tls_crl_file[0] != '\0') {
        X509_STORE  *store  = SSL_CTX_get_cert_store(ctx);
        X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
        if (lookup == NULL ||
            X509_load_crl_file(lookup, set->tls_crl_file, X509_FILETYPE_PEM) < 1) {
            return refuse(err, "read tls_crl_file", set->tls_crl_file);
        }
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    return PATIO_OK;
}

patio_status tls_make(patio_transport *t, patio_error *err)
{
    if (!t->set.tls) {
        return PATIO_OK;
    }
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    t->tls_bio   = socket_bio_method();
    if (ctx == NULL || t->tls_bio == NULL) {
        SSL_CTX_free(ctx);
        return refuse(err, "make a context", "");
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    /* frames say how long they are: an end without goodbye cuts off nothing unseen */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(ctx, t->set.tls_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    patio_status st = load_files(t, ctx, err);
    if (st != PATIO_OK) {
        SSL_CTX_free(ctx);
        return st;
    }
    t->tls = ctx;
    return PATIO_OK;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* The name that the certificate must have: what was asked for, or the host of
 * the URL. */
int tls_begin(connection *c)
{
    patio_transport *t    = c->t;
    const char      *name = t->set.tls_server_name[0] ? t->set.tls_server_name : c->host;
    c->tls_why[0]         = '\0';
    c->ssl                = SSL_new(t->tls);
    if (c->ssl == NULL || !socket_bio_set(c->ssl, t->tls_bio, c->fd)) {
        return -1;
    }
    X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
    bool               ok    = true;
    if (is_address(name)) {
        ok = X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    } else {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
             SSL_set_tlsext_host_name(c->ssl, name) == 1;
    }
    SSL_set_connect_state(c->ssl);
    return ok ? 0 : -1;
}

int tls_handshake(connection *c)
{
    ERR_clear_error();
    errno              = 0;
    c->tls_wants_write = false;
    int got            = SSL_do_handshake(c->ssl);
    if (got == 1) {
        return 1;
    }
    int error = SSL_get_error(c->ssl, got);
    if (error == SSL_ERROR_WANT_WRITE) {
        c->tls_wants_write = true;
    }
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* What the broker says no to. A certificate is a matter of who we are; versions and ciphers are
 * what a person has set. */
static patio_status explain_alert(const connection *c, int alert, char *text, size_t size)
{
    const char *word    = SSL_alert_desc_string_long(alert);
    bool        unnamed = c->t->set.tls_cert_file[0] == '\0';
    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
        (void)snprintf(text, size, "the broker %s (alert: %s)",
                       unnamed ? "demands a client certificate (tls_cert_file, tls_key_file)"
                               : "refuses the client certificate of tls_cert_file",
                       word);
        return PATIO_AUTH;
    case SSL_AD_HANDSHAKE_FAILURE:
        (void)snprintf(text, size, "the broker refuses the handshake%s (alert: %s)",
                       unnamed ? "; does it demand a client certificate (tls_cert_file)?" : "",
                       word);
        return unnamed ? PATIO_AUTH : PATIO_CONFIG;
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_INSUFFICIENT_SECURITY:
        (void)snprintf(text, size, "the broker has no TLS 1.2 or newer (alert: %s)", word);
        return PATIO_CONFIG;
    default:
        (void)snprintf(text, size, "the broker ends it (alert: %s)", word);
        return PATIO_UNREACHABLE;
    }
}

patio_status tls_explain(const connection *c, char *text, size_t size)
{
    long          verdict = c->ssl != NULL ? SSL_get_verify_result(c->ssl) : X509_V_OK;
    unsigned long code    = ERR_peek_last_error();
    int           reason  = ERR_GET_REASON(code);
    if (c->t->set.tls_verify && verdict != X509_V_OK) {
        (void)snprintf(text, size, "certificate refused: %s",
                       X509_verify_cert_error_string(verdict));
        ERR_clear_error();
        return PATIO_AUTH;
    }
    if (code == 0) {
        (void)snprintf(text, size, "%s",
                       errno != 0 ? strerrordesc_np(errno)
                                  : "the other side closed the connection");
        return PATIO_UNREACHABLE;
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
        ERR_clear_error();
        return explain_alert(c, reason - SSL_AD_REASON_OFFSET, text, size);
    }
    last_error(text, size);
    return ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_UNSUPPORTED_PROTOCOL
               ? PATIO_CONFIG
               : PATIO_UNREACHABLE;
}

void tls_end(connection *c)
{
    SSL_free(c->ssl);
    c->ssl             = NULL;
    c->tls_wants_write = false;
}
