/* One connection: its beginning, its clocks, its end. */
#include "read.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
    conn            *c = poll->data;
    patio_transport *t = c->t;
    if (c->state == CONN_CONNECTING) {
        reconnect_connected(c);
        return;
    }
    if (c->state == CONN_SECURING) {
        secure_step(c);
        if (status < 0 && c->state == CONN_SECURING) {
            conn_close(c, PATIO_PEER_LOST, "the connection failed");
        }
        return;
    }
    if (status < 0) {
        /* libuv says EBADF for whatever is wrong with a socket; reading says what */
        conn_read(c);
        conn_close(c, PATIO_PEER_LOST, "the connection failed");
        return;
    }
    bool goes_on = false; /* with what its stream may hold */
    if ((events & UV_WRITABLE) != 0) {
        pthread_mutex_lock(&t->lock);
        c->want_write = false;
        goes_on       = c->deaf && !echo_is_behind(c);
        c->deaf       = c->deaf && !goes_on;
        write_mark_dirty(c);
        pthread_mutex_unlock(&t->lock);
    }
    if ((events & UV_READABLE) != 0 || tls_reads_wait_for_room(c) || goes_on) {
        conn_read(c);
    }
    conn_poll(c);
}

static int wanted(conn *c)
{
    if (c->state == CONN_CONNECTING) {
        return UV_WRITABLE;
    }
    if (c->state == CONN_SECURING) {
        return c->step == STREAM_WANT_WRITE ? UV_WRITABLE : UV_READABLE;
    }
    if (tls_reads_wait_for_room(c)) {
        return UV_WRITABLE;
    }
    /* who makes it want to write from here on has this called again */
    bool write = c->want_write && !tls_writes_wait_for_data(c);
    if (!c->deaf) {
        return UV_READABLE | (write ? UV_WRITABLE : 0);
    }
    pthread_mutex_lock(&c->t->lock);
    bool read = !echo_is_behind(c);
    pthread_mutex_unlock(&c->t->lock);
    return (read ? UV_READABLE : 0) | (write || read ? UV_WRITABLE : 0);
}

void conn_poll(conn *c)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    int events = wanted(c);
    if (events != c->poll_for) {
        c->poll_for = events;
        (void)uv_poll_start(&c->poll, events, on_poll);
    }
}

static void tune(const conn *c)
{
    const int       on      = 1;
    const settings *set     = &c->t->set;
    int             idle_s  = (int)(set->dead_ms / 1000u) + 1;
    unsigned        dead_ms = (unsigned)set->dead_ms;
    if (c->endpoint->is_unix) {
        return;
    }
    /* none of them is vital: the ping finds what they do not */
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms));
}

conn *conn_new(patio_transport *t, endpoint *ep, int fd, const struct sockaddr *a, bool connects)
{
    conn *c = t->host->alloc(t->host->self, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->t           = t;
    c->endpoint    = ep;
    c->fd          = fd;
    c->refs        = 1; /* the poll handle's */
    c->connects    = connects;
    c->family      = (uint8_t)links_family(a);
    c->state       = connects ? CONN_CONNECTING : CONN_GREETING;
    c->stream      = &stream_plain;
    c->larges_end  = &c->larges;
    c->since_ns    = t->host->now_ns(t->host->self);
    c->heard_ns    = c->since_ns;
    c->progress_ns = c->since_ns;
    c->max_bytes   = UINT32_MAX;
    stream_turn(c, connects || ep->tls.client != TLS_CLIENT_NONE ? OPENING_SHOWN_BYTES
                                                                 : OPENING_BYTES);
    endpoint_address_text(a, c->name, sizeof(c->name));
    if (uv_poll_init(&t->loop, &c->poll, fd) != 0) {
        t->host->free(t->host->self, c);
        return NULL;
    }
    c->poll.data = c;
    tune(c);
    pthread_mutex_lock(&t->lock);
    c->next = t->conns;
    if (t->conns != NULL) {
        t->conns->prev = c;
    }
    t->conns = c;
    t->conn_count++;
    pthread_mutex_unlock(&t->lock);
    conn_poll(c);
    return c;
}

void conn_free(conn *c)
{
    const patio_host *host = c->t->host;
    if (c->stream != NULL) {
        c->stream->free(c);
    }
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    host->free(host->self, c->allow);
    while (c->larges != NULL) {
        large *next = c->larges->next;
        host->buf_drop(host->self, c->larges->body);
        host->free(host->self, c->larges);
        c->larges = next;
    }
    for (unsigned i = 0; i < FRAME_CHANNELS; i++) {
        host->buf_drop(host->self, c->pieces[i].body);
        host->free(host->self, c->pieces[i].head);
    }
    while (c->subs != NULL) {
        peersub *next = c->subs->next;
        host->free(host->self, c->subs->lanes);
        host->free(host->self, c->subs);
        c->subs = next;
    }
    write_fini(c);
    host->free(host->self, c->in.data);
    host->free(host->self, c);
}

void conn_unref(conn *c)
{
    if (--c->refs == 0) {
        conn_free(c);
    }
}

static void on_closed(uv_handle_t *handle)
{
    conn            *c = handle->data;
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    conn_unref(c);
    pthread_mutex_unlock(&t->lock);
}

static void leave(conn *c, bool failed)
{
    patio_transport *t = c->t;
    effects          fx;
    effects_begin(&fx, t);
    c->state = CONN_CLOSED;
    peer_leave(c, &fx);
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        t->conns = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    t->conn_count--;
    links_left(c, failed);
    for (unsigned i = 0; i < FRAME_CHANNELS; i++) {
        t->piece_bytes -= c->pieces[i].room;
    }
    t->echoes -= c->echoes;
    if (t->waiting_calm) {
        pthread_cond_broadcast(&t->calm);
    }
    effects_end(&fx);
}

/* Behind all that is still to be written, as far as the socket takes it now. */
static void say_last_word(conn *c)
{
    patio_transport *t = c->t;
    frame_header     h = {.type = FRAME_GOODBYE, .id = c->last_word - 1u};
    pthread_mutex_lock(&t->lock);
    bool say     = c->last_word != 0 && write_frame(c, &h, (patio_bytes){NULL, 0}, NULL, 0);
    bool flush   = say && !c->flushing; /* else whoever writes takes it along */
    c->last_word = 0;
    c->flushing  = c->flushing || flush;
    c->refs += flush ? 1 : 0;
    if (flush) {
        write_flush(c, t->host->now_ns(t->host->self));
    } else {
        pthread_mutex_unlock(&t->lock);
    }
}

void conn_close(conn *c, patio_status status, const char *why)
{
    patio_transport *t   = c->t;
    endpoint        *ep  = c->endpoint;
    patio_error      err = PATIO_ERROR_INIT;
    if (c->state == CONN_CLOSED) {
        return;
    }
    bool was_open = c->state == CONN_OPEN;
    (void)patio_fail(&err, status, 0, "%s %s: %s", c->connects ? "connection to" : "peer",
                     c->connects ? ep->shown : c->name, why);
    /* of a connect that fails again and again the link's events tell; OK is nothing bad */
    bool broke_rules = was_open && !c->connects && status == PATIO_PROTOCOL;
    if (!broke_rules && (was_open || c->connects || status == PATIO_OK)) {
        patio_host_log(t->host, was_open ? PATIO_LOG_INFO : PATIO_LOG_DEBUG, "%s", err.message);
    } else if (limits_may_warn(t, t->host->now_ns(t->host->self))) {
        patio_host_log(t->host, PATIO_LOG_WARN, "%s", err.message);
    }
    say_last_word(c);
    leave(c, !was_open && status != PATIO_OK);
    c->stream->finish(c);
    (void)shutdown(c->fd, SHUT_RDWR); /* its number stays taken while another thread writes */
    uv_close((uv_handle_t *)&c->poll, on_closed);
    if (c->connects && (ep->link == c || ep->link == NULL)) {
        ep->link = NULL;
        reconnect_later(ep, status != PATIO_OK ? &err : NULL);
    }
}

static void ping(conn *c, uint64_t now)
{
    frame_header h = {.type = FRAME_PING, .id = now};
    effects      fx;
    effects_begin(&fx, c->t);
    c->pinged_ns = now;
    if (write_frame(c, &h, (patio_bytes){NULL, 0}, NULL, 0)) {
        write_kick(c, &fx);
    }
    effects_end(&fx);
}

void conn_tick(conn *c, uint64_t now)
{
    const settings *set = &c->t->set;
    if (c->state == CONN_CLOSED || c->self) {
        return;
    }
    if (c->state != CONN_OPEN) {
        if (now > c->since_ns + set->handshake_ms * 1000000u) {
            conn_close(c, PATIO_UNREACHABLE,
                       c->state == CONN_CONNECTING ? "no answer"
                                                   : "it did not say who it is in time");
        }
        return;
    }
    if (c->deaf) {
        c->heard_ns = now; /* who is not listened to is not silent */
    }
    if (now > c->heard_ns + set->dead_ms * 1000000u) {
        conn_close(c, PATIO_PEER_LOST, "it has fallen silent");
        return;
    }
    if (c->longs_in > 0) {
        pieces_look(c, now);
    }
    pthread_mutex_lock(&c->t->lock);
    bool stuck = c->want_write && now > c->progress_ns + set->dead_ms * 1000000u;
    bool mute  = now > c->progress_ns + set->ping_ms * 1000000u;
    pthread_mutex_unlock(&c->t->lock);
    if (stuck) {
        conn_close(c, PATIO_PEER_LOST, "it takes nothing any more");
        return;
    }
    /* Who only listens says so: the other side, whose ping waits behind what it sends on a slow
     * link, hears nothing else. */
    if ((mute || now > c->heard_ns + set->ping_ms * 1000000u) &&
        now > c->pinged_ns + set->ping_ms * 1000000u) {
        ping(c, now);
    }
}
