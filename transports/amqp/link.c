/* One connection: its states, its clock, its end. All on the I/O thread. */
#include "transport.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_AT_ONCE = 16 };

static const char *const roles[LINKS] = {"consuming", "publishing"};

void link_close(connection *c)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    while (c->flushing) {
        pthread_cond_wait(&t->calm, &t->lock);
    }
    int fd     = c->fd;
    c->fd      = -1;
    c->state   = LINK_CLOSED;
    c->blocked = false;
    obuf_clear(t, &c->out);
    obuf_clear(t, &c->wire);
    c->want_write = false;
    memset(c->channel_open, 0, sizeof(c->channel_open));
    c->generation++;
    pthread_mutex_unlock(&t->lock);
    tls_end(c);
    if (fd >= 0) {
        close(fd);
    }
    if (c->codec != NULL) {
        (void)amqp_destroy_connection(c->codec);
        c->codec = NULL;
    }
    content_reset(c);
}

/* What hung on it. */
static void lose(connection *c, const char *why)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    t->proven  = false;
    t->probing = false;
    if (c->role == CONSUMING) {
        t->inbox_ready = false;
        t->inbox_ack = t->inbox_acked = 0;
        rpc_link_lost(t);
        browse_link_lost(t);
        place_forget(t);
        subscribe_forget(t);
    } else {
        post_link_lost(t);
    }
    pthread_mutex_unlock(&t->lock);
    if (c->role == CONSUMING) {
        deliver_lost(t, why);
    }
}

static void plan_retry(connection *c)
{
    patio_transport *t      = c->t;
    uint64_t         random = 0;
    (void)t->host->random(t->host->self, &random, sizeof(random));
    c->failures++;
    c->host_at++;
    uint64_t pause =
        patio_backoff_ms(c->failures, t->set.reconnect_min_ms, t->set.reconnect_max_ms, random);
    if (t->fatal != PATIO_OK) {
        /* a person has to act first; look seldom whether that has happened */
        pause = t->set.reconnect_max_ms;
    } else if (c->failures < t->host_count) {
        pause = 0; /* the other hosts first */
    }
    c->retry_ns = t->host->now_ns(t->host->self) + pause * 1000000u;
}

void link_fail(connection *c, patio_status status, const char *format, ...)
{
    patio_transport *t = c->t;
    char             why[WHY_BYTES];
    va_list          args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    bool was_ready = c->state == LINK_READY;
    bool stopping  = c->state == LINK_CLOSING;
    link_close(c);
    lose(c, why);
    pthread_mutex_lock(&t->lock);
    if (status == PATIO_AUTH || status == PATIO_CONFIG) {
        state_fatal(t, status, "%s", why);
    } else if (t->fatal == PATIO_OK) {
        (void)snprintf(t->why, sizeof(t->why), "%s", why);
    }
    pthread_mutex_unlock(&t->lock);
    if (was_ready) {
        c->failures = 0;
    }
    plan_retry(c);
    if (!stopping) {
        patio_host_log(t->host, was_ready ? PATIO_LOG_WARN : PATIO_LOG_INFO,
                       "%s connection to %s: %s", roles[c->role], c->shown, why);
    }
}

static void connect_on(connection *c)
{
    patio_transport *t   = c->t;
    patio_error      err = PATIO_ERROR_INIT;
    int              fd  = -1;
    if (!socket_connect(c, &fd, &err)) {
        return;
    }
    if (fd < 0) {
        link_fail(c, err.status, "%s", err.message);
        return;
    }
    pthread_mutex_lock(&t->lock);
    c->fd        = fd;
    c->state     = LINK_CONNECTING;
    c->frame_max = FRAME_MAX_BYTES;
    pthread_mutex_unlock(&t->lock);
    c->codec = amqp_new_connection();
    if (c->codec == NULL) {
        link_fail(c, PATIO_NO_MEMORY, "out of memory");
    }
}

void link_connect(connection *c)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    c->state       = LINK_LOOKUP;
    c->deadline_ns = t->host->now_ns(t->host->self) + t->set.handshake_ms * 1000000u;
    pthread_mutex_unlock(&t->lock);
    connect_on(c);
}

static void secured(connection *c)
{
    int done = tls_handshake(c);
    if (done < 0) {
        patio_status status = tls_explain(c, c->tls_why, sizeof(c->tls_why));
        link_fail(c, status, "TLS with %s: %s", c->shown, c->tls_why);
    } else if (done > 0) {
        login_begin(c);
    }
}

/* The socket can be written: it is connected, or wants the rest. */
void link_writable(connection *c)
{
    patio_transport *t = c->t;
    if (c->state == LINK_CONNECTING) {
        int       error = 0;
        socklen_t size  = sizeof(error);
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
            link_fail(c, PATIO_UNREACHABLE, "connect to %s: %s", c->shown,
                      strerrordesc_np(error != 0 ? error : errno));
        } else if (!t->set.tls) {
            login_begin(c);
        } else if (tls_begin(c) != 0) {
            link_fail(c, PATIO_UNREACHABLE, "TLS with %s: cannot begin", c->shown);
        } else {
            c->state = LINK_SECURING;
            secured(c);
        }
        return;
    }
    if (c->state == LINK_SECURING) {
        secured(c);
        return;
    }
    c->tls_wants_write = false;
    pthread_mutex_lock(&t->lock);
    socket_flush(c);
    pthread_mutex_unlock(&t->lock);
}

/* Hand the bytes to the library, frame by frame. false: the connection is gone.
 */
static bool take(connection *c, uint8_t *data, size_t size)
{
    uint64_t generation = c->generation;
    while (size > 0) {
        amqp_frame_t frame;
        amqp_bytes_t bytes = {.len = size, .bytes = data};
        int          used  = amqp_handle_input(c->codec, bytes, &frame);
        if (used < 0) {
            link_fail(c, PATIO_PROTOCOL, "%s sent what is no AMQP: %s", c->shown,
                      amqp_error_string2(used));
            return false;
        }
        data += used;
        size -= (size_t)used;
        if (frame.frame_type != 0) {
            input_frame(c, &frame);
            if (c->generation != generation) {
                return false;
            }
            /* what was decoded is copied where it is kept */
            amqp_maybe_release_buffers(c->codec);
        } else if (used == 0) {
            link_fail(c, PATIO_PROTOCOL, "%s sent what is no AMQP", c->shown);
            return false;
        }
    }
    return true;
}

static void ended(connection *c, int error)
{
    if (c->tls_why[0] != '\0') {
        link_fail(c, c->state < LINK_READY ? c->tls_status : PATIO_PEER_LOST, "TLS with %s: %s",
                  c->shown, c->tls_why);
        return;
    }
    if (c->state == LINK_START || c->state == LINK_TUNE) {
        /* brokers of old say no by hanging up; others only when they go down */
        bool refused = error == 0 && c->state == LINK_TUNE && !c->says_no;
        link_fail(
            c, refused ? PATIO_AUTH : PATIO_UNREACHABLE, "%s closed the connection %s", c->shown,
            c->state == LINK_START ? "before it said a word: is it AMQP, and TLS on both sides?"
            : refused              ? "during the login: wrong user or password?"
                                   : "during the login");
        return;
    }
    link_fail(c, PATIO_PEER_LOST, "connection to %s lost: %s", c->shown,
              error != 0 ? strerrordesc_np(error) : "closed by the broker");
}

void link_read(connection *c)
{
    patio_transport *t = c->t;
    if (c->state == LINK_CONNECTING) {
        link_writable(c);
        return;
    }
    if (c->state == LINK_SECURING) {
        secured(c);
        return;
    }
    for (int i = 0; i < READS_AT_ONCE && c->fd >= 0; i++) {
        ssize_t got = socket_read(c, t->input, sizeof(t->input));
        if (got < 0) {
            ended(c, errno);
            return;
        }
        if (got == 0) {
            return;
        }
        c->heard_ns = t->host->now_ns(t->host->self);
        bool on     = take(c, t->input, (size_t)got);
        deliver_step(t);
        if (!on || ((size_t)got < sizeof(t->input) && c->ssl == NULL)) {
            return;
        }
    }
}

void link_step(connection *c, uint64_t now)
{
    patio_transport *t = c->t;
    if (c->state == LINK_CLOSED) {
        if (now >= c->retry_ns && !t->quit) {
            link_connect(c);
        }
        return;
    }
    if (c->state == LINK_LOOKUP && now < c->deadline_ns) {
        connect_on(c);
        return;
    }
    if (c->state < LINK_READY) {
        if (now >= c->deadline_ns) {
            bool looked_up = c->state != LINK_LOOKUP;
            link_fail(c, PATIO_UNREACHABLE,
                      looked_up ? "%s did not answer within %llu ms"
                                : "look up %s: no answer within %llu ms",
                      looked_up ? c->shown : c->host, (unsigned long long)t->set.handshake_ms);
        }
        return;
    }
    if (c->heartbeat_ns == 0) {
        return;
    }
    /* who was away himself, as a machine is that was halted, cannot say that nobody spoke */
    if (now > c->looked_ns + c->heartbeat_ns) {
        c->heard_ns = now;
    }
    c->looked_ns = now;
    if (now > c->heard_ns && now - c->heard_ns > 2 * c->heartbeat_ns) {
        link_fail(c, PATIO_PEER_LOST, "%s has been silent for two heartbeats (%llu ms)", c->shown,
                  (unsigned long long)(2 * c->heartbeat_ns / 1000000u));
        return;
    }
    pthread_mutex_lock(&t->lock);
    if (now > c->sent_ns && now - c->sent_ns >= c->heartbeat_ns / 2 && !c->want_write) {
        (void)wire_heartbeat(c);
        socket_flush(c);
        c->sent_ns = now;
    }
    pthread_mutex_unlock(&t->lock);
}
