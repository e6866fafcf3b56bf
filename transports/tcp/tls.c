/* TLS below a connection: a stream over OpenSSL 3.
 *
 * A connection's SSL object is used by the thread that reads and the one that writes, under a lock
 * of its own. */
#include "tls.h"

#include <errno.h>

#include <openssl/x509v3.h>

/* Whose certificate it has to be: the name that the URL says, which is also sent to the peer. */
static bool expect_name(SSL *ssl, const endpoint *ep)
{
    const char        *name  = ep->tls.name[0] != '\0' ? ep->tls.name : ep->host;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    union {
        const char *in;
        char       *out;
    } text = {.in = name}; /* the macro casts const away, which clang warns of */
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
        return true;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, text.out) == 1;
}

bool tls_begin(conn *c, tls_context *context)
{
    const patio_host *host = c->t->host;
    struct tls       *s    = host->alloc(host->self, sizeof(*s));
    if (s == NULL) {
        return false;
    }
    memset(s, 0, sizeof(*s));
    s->hello.over = c->connects;
    s->ssl        = SSL_new(context->ctx);
    BIO *bio      = s->ssl != NULL ? BIO_new(context->method) : NULL;
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
    (void)SSL_set_app_data(s->ssl, c);
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

/* After the handshake each step is a change of keys, which OpenSSL makes without end while it looks
 * for data; so it is told to look no further. */
static void on_step(const SSL *ssl, int what, int value)
{
    conn       *c    = SSL_get_app_data(ssl);
    struct tls *s    = c->tls;
    uint32_t    left = atomic_load_explicit(&c->turn_rekeys, memory_order_relaxed);
    (void)value;
    if ((what & SSL_CB_LOOP) == 0) {
        return;
    }
    if (left > 0) {
        atomic_store_explicit(&c->turn_rekeys, left - 1, memory_order_relaxed);
    } else if (s->status == PATIO_OK) {
        set_why(s, PATIO_PROTOCOL, "", "it does nothing but change its keys");
        SSL_set_shutdown(s->ssl, SSL_RECEIVED_SHUTDOWN);
    }
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
        set_why(s, PATIO_AUTH, "TLS failed: ", tls_reason());
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
        SSL_set_info_callback(s->ssl, on_step);
        s->hello.over = true;
        step          = STREAM_READY;
        s->more       = true; /* what came behind the handshake has been read by it */
        if (size != tls_alpn[0]) {
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
        } else {
            s->write_data = kind == SSL_ERROR_WANT_READ;
        }
        errno = EAGAIN;
        return -1;
    }
    if (kind == SSL_ERROR_ZERO_RETURN && s->status == PATIO_OK) {
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
    s->read_room  = false;
    s->write_data = false;
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

/* Under the stream's lock: the bytes that went, and in *n -1 if not all did. */
static size_t write_part(const conn *c, const struct iovec *from, ssize_t *n)
{
    struct tls *s    = c->tls;
    size_t      sent = 0;
    while (sent < from->iov_len) {
        size_t once = 0;
        errno       = 0;
        int rc = SSL_write_ex(s->ssl, (const uint8_t *)from->iov_base + sent, from->iov_len - sent,
                              &once);
        if (rc != 1) {
            *n = outcome(c, s, rc, errno, false);
            *n = *n == 0 ? -1 : *n;
            break;
        }
        sent += once;
    }
    return sent;
}

static ssize_t write_tls(conn *c, const struct iovec *parts, int count)
{
    size_t  sent = 0;
    ssize_t n    = 0;
    pthread_mutex_lock(&c->tls->lock);
    ERR_clear_error();
    if (SSL_in_init(c->tls->ssl) == 1) {
        /* in the middle of a message of TLS itself it would read on, and what came behind that
         * message would stay with OpenSSL, of which no poll would tell */
        c->tls->write_data = true;
        n                  = -1;
        errno              = EAGAIN;
    }
    for (int i = 0; i < count && n == 0; i++) {
        sent += write_part(c, &parts[i], &n);
    }
    int os_errno = n < 0 && errno != EAGAIN ? EPROTO : EAGAIN;
    ERR_clear_error();
    pthread_mutex_unlock(&c->tls->lock);
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

bool tls_writes_wait_for_data(conn *c)
{
    return c->tls != NULL && c->tls->write_data;
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

const stream_ops stream_tls = {
    .read   = read_tls,
    .write  = write_tls,
    .more   = more_tls,
    .why    = why_tls,
    .finish = finish_tls,
    .free   = free_tls,
};
