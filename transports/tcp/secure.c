/* Between a socket and HELLO: TLS where it is wanted, its files, and who is let in. */
#include "tcp.h"

#include <errno.h>
#include <sys/stat.h>

static uint64_t mix(uint64_t stamp, uint64_t value)
{
    return (stamp ^ value) * UINT64_C(1099511628211);
}

/* Changes when one of the files does. */
static uint64_t look(const endpoint *ep)
{
    const char *const files[] = {ep->tls.cert, ep->tls.cert_key, ep->tls.ca, ep->tls.crl,
                                 ep->tls.allow};
    uint64_t          stamp   = 1;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct stat about;
        if (files[i][0] != '\0' && stat(files[i], &about) == 0) {
            stamp = mix(stamp, (uint64_t)about.st_mtim.tv_sec);
            stamp = mix(stamp, (uint64_t)about.st_mtim.tv_nsec);
            stamp = mix(stamp, (uint64_t)about.st_ino);
            stamp = mix(stamp, (uint64_t)about.st_size);
        }
    }
    return stamp;
}

patio_status secure_load(endpoint *ep, patio_error *err)
{
    const patio_host *host    = ep->t->host;
    tls_context      *context = NULL;
    allow_list       *allow   = NULL;
    if (!ep->is_tls) {
        return PATIO_OK;
    }
    ep->stamp       = look(ep); /* before reading: what changes meanwhile is read again */
    patio_status st = tls_context_new(ep, &context, err);
    if (st == PATIO_OK && ep->tls.allow[0] != '\0') {
        st = allow_load(host, ep->tls.allow, &allow, err);
    }
    if (st != PATIO_OK) {
        tls_context_unref(ep, context);
        return st;
    }
    /* connections that are there keep the old one as long as they need it */
    tls_context_unref(ep, ep->context);
    allow_free(host, ep->allow);
    ep->context = context;
    ep->allow   = allow;
    return PATIO_OK;
}

void secure_fini(endpoint *ep)
{
    tls_context_unref(ep, ep->context);
    allow_free(ep->t->host, ep->allow);
    ep->context = NULL;
    ep->allow   = NULL;
}

static void describe(conn *c)
{
    bool key = c->endpoint->keys[0][0] != '\0';
    char how[112];
    if (c->tls != NULL) {
        tls_describe(c, how, sizeof(how));
    }
    pthread_mutex_lock(&c->t->lock);
    (void)snprintf(c->security, sizeof(c->security), "%s%s",
                   c->tls != NULL ? how
                   : key          ? "key"
                                  : "plain",
                   c->tls != NULL && key ? " key" : "");
    pthread_mutex_unlock(&c->t->lock);
}

static void greet(conn *c)
{
    describe(c);
    pthread_mutex_lock(&c->t->lock);
    if (c->connects) {
        hello_begin(c);
    } else {
        c->state = CONN_GREETING;
    }
    pthread_mutex_unlock(&c->t->lock);
    conn_poll(c);
    if (c->stream->more(c)) {
        conn_read(c);
    }
}

/* Who was let in by a file that has changed goes, and is told. False: it was closed. */
static bool check_trusted(conn *c)
{
    char        text[200];
    const char *why = tls_check_again(c);
    if (why == NULL) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "its certificate is not good any more: %s", why);
    hello_goodbye(c, GOODBYE_TRUST);
    conn_close(c, PATIO_AUTH, text);
    return false;
}

/* What the list says of the peer's certificate, in memory of its own. NULL: nothing, AUTH; or there
 * is no memory. */
static grant *find_grant(conn *c, patio_status *status)
{
    const patio_host *host = c->t->host;
    grant            *copy = host->alloc(host->self, sizeof(*copy));
    char(*names)[256]      = host->alloc(host->self, ALLOW_NAMES_MAX * sizeof(*names));
    const grant *may       = NULL;
    *status                = PATIO_NO_MEMORY;
    if (copy != NULL && names != NULL) {
        may     = allow_find(c->endpoint->allow, names, tls_peer_names(c, names, ALLOW_NAMES_MAX));
        *status = PATIO_AUTH;
    }
    host->free(host->self, names);
    if (may == NULL) {
        host->free(host->self, copy);
        return NULL;
    }
    *copy = *may;
    return copy;
}

/* A peer that is not in the list goes, and is told. False: it was closed. */
static bool check_allowed(conn *c)
{
    const patio_host *host = c->t->host;
    const endpoint   *ep   = c->endpoint;
    if (ep->allow == NULL || c->connects) {
        return true;
    }
    patio_status status = PATIO_OK;
    grant       *copy   = find_grant(c, &status);
    if (copy != NULL) {
        pthread_mutex_lock(&c->t->lock);
        grant *before = c->allow;
        c->allow      = copy;
        peer_limit(c);
        pthread_mutex_unlock(&c->t->lock);
        host->free(host->self, before);
        return true;
    }
    if (status == PATIO_NO_MEMORY) { /* which is no refusal: it comes again */
        conn_close(c, status, "no memory to look it up in tls_allow_file");
        return false;
    }
    hello_goodbye(c, GOODBYE_ALLOW);
    conn_close(c, status, "tls_allow_file does not have its certificate");
    return false;
}

/* What is read anew counts for who is here, too. Handshakes that are under way see to it at their
 * end. */
static void check_all(const endpoint *ep)
{
    for (conn *c = ep->t->conns; c != NULL;) {
        conn *next = c->next;
        if (c->endpoint == ep && c->state > CONN_SECURING && c->state < CONN_CLOSED &&
            check_trusted(c)) {
            (void)check_allowed(c);
        }
        c = next;
    }
}

void secure_reload(endpoint *ep, uint64_t now)
{
    patio_error err = PATIO_ERROR_INIT;
    if (!ep->is_tls || ep->tls.reload_ms == 0 ||
        now < ep->looked_ns + ep->tls.reload_ms * 1000000u) {
        return;
    }
    ep->looked_ns = now;
    if (look(ep) == ep->stamp) {
        return;
    }
    if (secure_load(ep, &err) == PATIO_OK) {
        patio_host_log(ep->t->host, PATIO_LOG_INFO, "%s: certificates read again", ep->shown);
        check_all(ep);
    } else {
        patio_host_log(ep->t->host, PATIO_LOG_ERROR, "%s; what was read before stays in use",
                       err.message);
    }
}

/* Who does not begin as TLS does is told so in the words it knows. False: it was closed. */
static bool check_speaks_tls(conn *c)
{
    uint8_t      data[4096];
    uint8_t      goodbye[FRAME_HEADER_BYTES];
    frame_header h = {.type = FRAME_GOODBYE, .id = GOODBYE_TLS};
    if (c->connects || recv(c->fd, data, 1, MSG_PEEK | MSG_DONTWAIT) != 1 || data[0] == 0x16) {
        return true;
    }
    frame_put_header(goodbye, &h);
    (void)send(c->fd, goodbye, sizeof(goodbye), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)recv(c->fd, data, sizeof(data), MSG_DONTWAIT); /* unread, it would undo what was sent */
    conn_close(c, PATIO_CONFIG, "it does not speak TLS, and this port does");
    return false;
}

void secure_step(conn *c)
{
    patio_status status = PATIO_AUTH;
    if (c->step == STREAM_WANT_READ && !c->spoke) {
        c->spoke = true;
        if (!check_speaks_tls(c)) {
            return;
        }
    }
    c->step = (uint8_t)tls_handshake(c);
    if (c->step == STREAM_FAILED) {
        const char *why = c->stream->why(c, 0, &status);
        conn_close(c, status, why);
    } else if (c->step != STREAM_READY && stream_turn_over(c)) {
        conn_close(c, PATIO_PROTOCOL, stream_too_much);
    } else if (c->step != STREAM_READY) {
        conn_poll(c);
    } else if ((!tls_is_old(c) || check_trusted(c)) && check_allowed(c)) {
        greet(c);
    }
}

void secure_begin(conn *c)
{
    if (!c->endpoint->is_tls) {
        greet(c);
        return;
    }
    pthread_mutex_lock(&c->t->lock);
    c->state = CONN_SECURING;
    pthread_mutex_unlock(&c->t->lock);
    if (!tls_begin(c, c->endpoint->context)) {
        conn_close(c, PATIO_NO_MEMORY, "out of memory for TLS");
        return;
    }
    c->step = STREAM_WANT_READ;
    if (c->connects) {
        secure_step(c);
    } else {
        conn_poll(c);
    }
}
