/* Certificates and what else the options of a tls:// endpoint say, made into an SSL_CTX.
 *
 * No session is resumed (so there is no early data), nothing is renegotiated or compressed. */
#include "tls.h"

#include <openssl/x509v3.h>

enum { READ_AHEAD_BYTES = 128 * 1024, SOON_DAYS = 14 };

const char *tls_reason(void)
{
    unsigned long first = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(first)) {
        return strerrordesc_np(ERR_GET_REASON(first));
    }
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text != NULL ? text : "no reason given";
}

static patio_status bad(patio_error *err, const endpoint *ep, const char *what, const char *path)
{
    if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_PEM_LIB) { /* which is all OpenSSL says */
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s: %s %s: nothing in PEM that is one and needs no password", ep->shown,
                          what, path);
    }
    return patio_fail(err, PATIO_CONFIG, 0, "%s: %s %s: %s", ep->shown, what, path, tls_reason());
}

static int no_password(char *text, int size, int writing, void *arg)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)arg;
    return -1; /* never ask on the terminal */
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *size,
                       const unsigned char *in, unsigned in_size, void *arg)
{
    (void)ssl;
    (void)arg;
    for (unsigned at = 0; at < in_size; at += in[at] + 1u) {
        if (in[at] == tls_alpn[0] && in_size - at > tls_alpn[0] &&
            memcmp(in + at, tls_alpn, sizeof(tls_alpn)) == 0) {
            *out  = in + at + 1;
            *size = tls_alpn[0];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static patio_status load_trust(SSL_CTX *ctx, const endpoint *ep, patio_error *err)
{
    const tls_settings *set   = &ep->tls;
    X509_STORE         *store = SSL_CTX_get_cert_store(ctx);
    if (set->ca[0] == '\0') {
        if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
            return bad(err, ep, "the system's certificates", "");
        }
    } else if (SSL_CTX_load_verify_file(ctx, set->ca) != 1) {
        return bad(err, ep, "tls_ca_file", set->ca);
    }
    if (set->crl[0] != '\0') {
        if (X509_STORE_load_file(store, set->crl) != 1) {
            return bad(err, ep, "tls_crl_file", set->crl);
        }
        (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    if (ep->listens && set->client != TLS_CLIENT_NONE && set->ca[0] != '\0') {
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(set->ca));
    }
    return PATIO_OK;
}

static patio_status load_own(SSL_CTX *ctx, const endpoint *ep, patio_error *err)
{
    const tls_settings *set = &ep->tls;
    if (set->cert[0] == '\0') {
        return ep->listens ? patio_fail(err, PATIO_CONFIG, 0,
                                        "%s: a listening side needs tls_cert_file=FILE, and "
                                        "tls_key_file=FILE if the key is not in the same file",
                                        ep->shown)
                           : PATIO_OK;
    }
    const char *key = set->cert_key[0] != '\0' ? set->cert_key : set->cert;
    if (SSL_CTX_use_certificate_chain_file(ctx, set->cert) != 1) {
        return bad(err, ep, "tls_cert_file", set->cert);
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        return bad(err, ep, "tls_key_file", key);
    }
    return PATIO_OK;
}

static patio_status set_up(SSL_CTX *ctx, const endpoint *ep, patio_error *err)
{
    const tls_settings *set = &ep->tls;
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(ctx, OPENING_SHOWN_BYTES);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD_BYTES);
    if (SSL_CTX_set_min_proto_version(ctx, set->min_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1) {
        return bad(err, ep, "tls_min", "");
    }
    if (set->ciphers[0] != '\0' && SSL_CTX_set_cipher_list(ctx, set->ciphers) != 1) {
        return bad(err, ep, "tls_ciphers", set->ciphers);
    }
    if (set->suites[0] != '\0' && SSL_CTX_set_ciphersuites(ctx, set->suites) != 1) {
        return bad(err, ep, "tls_suites", set->suites);
    }
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    (void)SSL_CTX_set_alpn_protos(ctx, tls_alpn, sizeof(tls_alpn));
    int verify = SSL_VERIFY_PEER;
    if (ep->listens) {
        verify = set->client == TLS_CLIENT_NONE ? SSL_VERIFY_NONE
                 : set->client == TLS_CLIENT_REQUIRED
                     ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                     : SSL_VERIFY_PEER;
    }
    SSL_CTX_set_verify(ctx, verify, NULL);
    patio_status st = load_own(ctx, ep, err);
    return st == PATIO_OK ? load_trust(ctx, ep, err) : st;
}

/* It is the other side that refuses such a certificate, and says so in its own log. */
static void look_at_dates(const SSL_CTX *ctx, const endpoint *ep)
{
    const patio_host *host = ep->t->host;
    const X509       *own  = SSL_CTX_get0_certificate(ctx);
    int               days = 0;
    int               secs = 0;
    if (own == NULL) {
        return;
    }
    if (ASN1_TIME_diff(&days, &secs, X509_get0_notBefore(own), NULL) == 1 && days + secs < 0) {
        patio_host_log(host, PATIO_LOG_WARN,
                       "%s: the certificate of tls_cert_file %s is not valid yet", ep->shown,
                       ep->tls.cert);
    }
    if (ASN1_TIME_diff(&days, &secs, NULL, X509_get0_notAfter(own)) != 1 || days >= SOON_DAYS) {
        return;
    }
    if (days + secs < 0) {
        patio_host_log(host, PATIO_LOG_WARN,
                       "%s: the certificate of tls_cert_file %s has expired; peers refuse it",
                       ep->shown, ep->tls.cert);
    } else {
        patio_host_log(host, PATIO_LOG_WARN,
                       "%s: the certificate of tls_cert_file %s expires in %d days and %d hours",
                       ep->shown, ep->tls.cert, days, secs / 3600);
    }
}

patio_status tls_context_new(const endpoint *ep, tls_context **out, patio_error *err)
{
    const patio_host *host = ep->t->host;
    tls_context      *made = host->alloc(host->self, sizeof(*made));
    if (made == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    ERR_clear_error();
    atomic_init(&made->refs, 1);
    made->method    = tls_bio_method();
    made->ctx       = SSL_CTX_new(ep->listens ? TLS_server_method() : TLS_client_method());
    patio_status st = made->ctx != NULL && made->method != NULL
                          ? set_up(made->ctx, ep, err)
                          : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory for TLS");
    if (st == PATIO_OK) {
        look_at_dates(made->ctx, ep);
    }
    ERR_clear_error();
    if (st != PATIO_OK) {
        tls_context_unref(ep, made);
        return st;
    }
    *out = made;
    return PATIO_OK;
}

void tls_context_unref(const endpoint *ep, tls_context *context)
{
    if (context != NULL &&
        atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) == 1) {
        SSL_CTX_free(context->ctx);
        BIO_meth_free(context->method);
        ep->t->host->free(ep->t->host->self, context);
    }
}
