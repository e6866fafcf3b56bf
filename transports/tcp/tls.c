/* TLS below a connection, by OpenSSL 3; the only file that knows it.
 *
 * No session is resumed (so there is no early data), nothing is renegotiated or compressed. A
 * connection's SSL object is used by the thread that reads and the one that writes, under a lock of
 * its own. Bytes go through a BIO of ours, since OpenSSL's own one would raise SIGPIPE. */
#include "tcp.h"

#include <errno.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { READ_AHEAD_BYTES = 128 * 1024 };

static const unsigned char alpn[]  = {7, 'p', 'a', 't', 'i', 'o', '/', '1'};
static const char          label[] = "EXPORTER-patio-auth-v1";

struct tls_context {
    _Atomic uint32_t refs;
    SSL_CTX         *ctx;
    BIO_METHOD      *method;
};

struct tls {
    pthread_mutex_t lock;
    tls_context    *context;
    SSL            *ssl;
    bool            more;      /* the last read was as long as its buffer */
    bool            read_room; /* reading waits until the socket can be written */
    patio_status    status;    /* of what ended it; OK: nothing has */
    char            why[200];
};

static int bio_write(BIO *b, const char *data, int size)
{
    const conn *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    ssize_t n = send(c->fd, data, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        BIO_set_retry_write(b);
    }
    return (int)n;
}

static int bio_read(BIO *b, char *data, int size)
{
    const conn *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    ssize_t n = recv(c->fd, data, (size_t)size, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        BIO_set_retry_read(b);
    }
    return (int)n;
}

static long bio_ctrl(BIO *b, int what, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *new_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "patio socket");
    if (m != NULL) {
        (void)BIO_meth_set_write(m, bio_write);
        (void)BIO_meth_set_read(m, bio_read);
        (void)BIO_meth_set_ctrl(m, bio_ctrl);
    }
    return m;
}

/* What OpenSSL says last, which is what it was about. */
static const char *reason(void)
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
    return patio_fail(err, PATIO_CONFIG, 0, "%s: %s %s: %s", ep->shown, what, path, reason());
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
        if (in[at] == alpn[0] && in_size - at > alpn[0] &&
            memcmp(in + at, alpn, sizeof(alpn)) == 0) {
            *out  = in + at + 1;
            *size = alpn[0];
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
        return ep->listens
                   ? patio_fail(
                         err, PATIO_CONFIG, 0,
                         "%s: a listening side needs tls_cert_file=FILE and tls_key_file=FILE",
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
    (void)SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn));
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

patio_status tls_context_new(const endpoint *ep, tls_context **out, patio_error *err)
{
    const patio_host *host = ep->t->host;
    tls_context      *made = host->alloc(host->self, sizeof(*made));
    if (made == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    ERR_clear_error();
    atomic_init(&made->refs, 1);
    made->method    = new_method();
    made->ctx       = SSL_CTX_new(ep->listens ? TLS_server_method() : TLS_client_method());
    patio_status st = made->ctx != NULL && made->method != NULL
                          ? set_up(made->ctx, ep, err)
                          : patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory for TLS");
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

/* Whose certificate it has to be: the name that the URL says, which is also sent to the peer. */
static bool expect_name(SSL *ssl, const endpoint *ep)
{
    const char        *name  = ep->tls.name[0] != '\0' ? ep->tls.name : ep->host;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
        return true;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

bool tls_begin(conn *c, tls_context *context)
{
    const patio_host *host = c->t->host;
    struct tls       *s    = host->alloc(host->self, sizeof(*s));
    if (s == NULL) {
        return false;
    }
    memset(s, 0, sizeof(*s));
    s->ssl   = SSL_new(context->ctx);
    BIO *bio = s->ssl != NULL ? BIO_new(context->method) : NULL;
    if (bio == NULL || (c->connects && !expect_name(s->ssl, c->endpoint))) {
        BIO_free(bio);
        SSL_free(s->ssl);
        host->free(host->self, s);
        ERR_clear_error();
        return false;
    }
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    if (c->connects) {
        SSL_set_connect_state(s->ssl);
    } else {
        SSL_set_accept_state(s->ssl);
    }
    pthread_mutex_init(&s->lock, NULL);
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    s->context = context;
    c->tls     = s;
    c->stream  = &stream_tls;
    return true;
}

static void free_tls(conn *c)
{
    struct tls *s = c->tls;
    SSL_free(s->ssl);
    tls_context_unref(c->endpoint, s->context);
    pthread_mutex_destroy(&s->lock);
    c->t->host->free(c->t->host->self, s);
    c->tls = NULL;
}

static void set_why(struct tls *s, patio_status status, const char *what, const char *text)
{
    s->status = status;
    (void)snprintf(s->why, sizeof(s->why), "%s%s", what, text);
}

/* Say in words what ended it. */
static void explain(const conn *c, struct tls *s, int kind, int os_errno)
{
    unsigned long code = ERR_peek_error();
    int           what = ERR_GET_REASON(code);
    if (s->status != PATIO_OK) {
        return;
    }
    if (kind != SSL_ERROR_SSL || code == 0 || what == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        set_why(s, PATIO_PEER_LOST, "",
                kind == SSL_ERROR_SYSCALL && os_errno != 0 ? strerrordesc_np(os_errno)
                                                           : "closed by the peer");
    } else if (what == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        set_why(s, PATIO_AUTH, "its certificate is not good: ",
                X509_verify_cert_error_string(SSL_get_verify_result(s->ssl)));
    } else if (what == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        set_why(s, PATIO_AUTH, "", "it showed no certificate, and one is required");
    } else if (what == SSL_R_WRONG_VERSION_NUMBER && c->connects) {
        set_why(s, PATIO_CONFIG, "", "it does not speak TLS; is it a tcp:// address?");
    } else if (what == SSL_R_UNSUPPORTED_PROTOCOL || what == SSL_R_NO_PROTOCOLS_AVAILABLE ||
               what == SSL_R_VERSION_TOO_LOW) {
        set_why(s, PATIO_AUTH, "it speaks no version of TLS that is allowed here: ",
                ERR_reason_error_string(code));
    } else if (what >= SSL_AD_REASON_OFFSET) {
        set_why(s, PATIO_AUTH, "it refused this side: ", ERR_reason_error_string(code));
    } else {
        set_why(s, PATIO_AUTH, "TLS failed: ", reason());
    }
}

enum stream_step tls_handshake(conn *c)
{
    struct tls *s = c->tls;
    pthread_mutex_lock(&s->lock);
    ERR_clear_error();
    errno                 = 0;
    int              rc   = SSL_do_handshake(s->ssl);
    int              kind = SSL_get_error(s->ssl, rc);
    enum stream_step step = STREAM_FAILED;
    if (rc == 1) {
        const unsigned char *chosen = NULL;
        unsigned             size   = 0;
        SSL_get0_alpn_selected(s->ssl, &chosen, &size);
        step    = STREAM_READY;
        s->more = true; /* what came behind the handshake has been read by it */
        if (size != alpn[0]) {
            set_why(s, PATIO_AUTH, "", "it speaks TLS, but not patio/1 inside");
            step = STREAM_FAILED;
        } else if (SSL_version(s->ssl) == TLS1_2_VERSION && SSL_get_extms_support(s->ssl) != 1) {
            set_why(s, PATIO_AUTH, "", "it speaks TLS without the extended master secret");
            step = STREAM_FAILED;
        }
    } else if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        step = kind == SSL_ERROR_WANT_READ ? STREAM_WANT_READ : STREAM_WANT_WRITE;
    } else {
        explain(c, s, kind, errno);
    }
    ERR_clear_error();
    pthread_mutex_unlock(&s->lock);
    return step;
}

/* Under the stream's lock: what a failed call means to the caller. */
static ssize_t outcome(const conn *c, struct tls *s, int rc, int os_errno, bool reading)
{
    int kind = SSL_get_error(s->ssl, rc);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        if (reading) {
            s->read_room = kind == SSL_ERROR_WANT_WRITE;
        }
        errno = EAGAIN;
        return -1;
    }
    if (kind == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    explain(c, s, kind, os_errno);
    errno = EPROTO;
    return -1;
}

static ssize_t read_tls(conn *c, void *data, size_t size)
{
    struct tls *s   = c->tls;
    size_t      got = 0;
    ssize_t     n   = 0;
    pthread_mutex_lock(&s->lock);
    ERR_clear_error();
    s->read_room = false;
    while (got < size) {
        size_t once = 0;
        errno       = 0;
        int rc      = SSL_read_ex(s->ssl, (uint8_t *)data + got, size - got, &once);
        if (rc != 1) {
            n = outcome(c, s, rc, errno, true);
            break;
        }
        got += once;
    }
    /* what ended it is found again when this has been worked on */
    s->more      = got > 0 && (got == size || n == 0 || errno != EAGAIN);
    int os_errno = errno;
    ERR_clear_error();
    pthread_mutex_unlock(&s->lock);
    errno = os_errno;
    return got > 0 ? (ssize_t)got : n;
}

static ssize_t write_tls(conn *c, const void *data, size_t size)
{
    struct tls *s    = c->tls;
    size_t      sent = 0;
    ssize_t     n    = 0;
    pthread_mutex_lock(&s->lock);
    ERR_clear_error();
    while (sent < size) {
        size_t once = 0;
        errno       = 0;
        int rc      = SSL_write_ex(s->ssl, (const uint8_t *)data + sent, size - sent, &once);
        if (rc != 1) {
            n = outcome(c, s, rc, errno, false);
            n = n == 0 ? -1 : n;
            break;
        }
        sent += once;
    }
    int os_errno = n < 0 && errno != EAGAIN ? EPROTO : EAGAIN;
    ERR_clear_error();
    pthread_mutex_unlock(&s->lock);
    errno = os_errno;
    return sent > 0 ? (ssize_t)sent : n;
}

static bool more_tls(conn *c)
{
    pthread_mutex_lock(&c->tls->lock);
    bool more = c->tls->more;
    pthread_mutex_unlock(&c->tls->lock);
    return more;
}

bool tls_reads_wait_for_room(conn *c)
{
    return c->tls != NULL && c->tls->read_room; /* the I/O thread's own */
}

static const char *why_tls(conn *c, int os_errno, patio_status *status)
{
    (void)os_errno;
    pthread_mutex_lock(&c->tls->lock);
    bool known = c->tls->status != PATIO_OK; /* then it and the words do not change any more */
    *status    = known ? c->tls->status : PATIO_PEER_LOST;
    pthread_mutex_unlock(&c->tls->lock);
    return known ? c->tls->why : "the connection failed";
}

static void finish_tls(conn *c)
{
    struct tls *s = c->tls;
    pthread_mutex_lock(&s->lock);
    if (s->status == PATIO_OK && SSL_is_init_finished(s->ssl) == 1) {
        (void)SSL_shutdown(s->ssl);
    }
    ERR_clear_error();
    pthread_mutex_unlock(&s->lock);
}

bool tls_binding(conn *c, uint8_t binding[TLS_BINDING_BYTES])
{
    pthread_mutex_lock(&c->tls->lock);
    int rc = SSL_export_keying_material(c->tls->ssl, binding, TLS_BINDING_BYTES, label,
                                        sizeof(label) - 1, NULL, 0, 0);
    ERR_clear_error();
    pthread_mutex_unlock(&c->tls->lock);
    return rc == 1;
}

static bool copy_name(const ASN1_STRING *from, char name[256])
{
    int size = from != NULL ? ASN1_STRING_length(from) : 0;
    if (size <= 0 || size > 255 || memchr(ASN1_STRING_get0_data(from), 0, (size_t)size) != NULL) {
        return false;
    }
    memcpy(name, ASN1_STRING_get0_data(from), (size_t)size);
    name[size] = '\0';
    return true;
}

bool tls_peer_name(conn *c, unsigned index, char name[256])
{
    X509 *shown = c->tls != NULL ? SSL_get0_peer_certificate(c->tls->ssl) : NULL;
    name[0]     = '\0';
    if (shown == NULL) {
        return false;
    }
    if (index == 0) {
        const X509_NAME *subject = X509_get_subject_name(shown);
        int              at      = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        (void)(at >= 0 &&
               copy_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), name));
        return true; /* "" if it has none or an odd one: it matches nothing */
    }
    GENERAL_NAMES *names = X509_get_ext_d2i(shown, NID_subject_alt_name, NULL, NULL);
    bool           there = (int)index <= sk_GENERAL_NAME_num(names);
    if (there) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, (int)index - 1);
        (void)(one->type == GEN_DNS && copy_name(one->d.dNSName, name));
    }
    GENERAL_NAMES_free(names);
    return there;
}

void tls_describe(conn *c, char *text, size_t room)
{
    char name[256];
    bool named = tls_peer_name(c, 0, name) && name[0] != '\0';
    (void)snprintf(text, room, "%s%s%s", SSL_get_version(c->tls->ssl), named ? " CN=" : "",
                   named ? name : "");
}

const stream_ops stream_tls = {
    .read   = read_tls,
    .write  = write_tls,
    .more   = more_tls,
    .why    = why_tls,
    .finish = finish_tls,
    .free   = free_tls,
};
