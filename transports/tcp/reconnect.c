/* Connecting: look the name up, try its addresses, wait, begin again; for ever. The next address is
 * tried as soon as one fails, or beside it when it has no link after a moment (as in RFC 8305). */
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <unistd.h>

/* Of a URL whose reasons change all the time the log hears no more often. */
#define TELL_NS UINT64_C(10000000000)
/* A link that was open for so long was a success. */
#define STEADY_NS UINT64_C(3000000000)

enum { NEXT_ADDRESS_MS = 250 };

static void on_timer(uv_timer_t *timer)
{
    reconnect_now(timer->data);
}

/* All addresses were tried: the next round after a pause. */
static void pause_then_retry(endpoint *ep)
{
    patio_transport *t      = ep->t;
    uint64_t         max_ms = t->set.reconnect_max_ms;
    uint64_t         random = 0;
    (void)t->host->random(t->host->self, &random, sizeof(random));
    uint64_t wait_ms = patio_backoff_ms(++ep->attempts, t->set.reconnect_min_ms, max_ms, random);
    if (ep->given_up || ep->itself) {
        wait_ms = max_ms - random % (max_ms / 4 + 1); /* it takes a person, who may come */
    }
    (void)uv_timer_start(&ep->timer, on_timer, wait_ms, 0);
}

/* A round is over: what of it counts. One address that refuses does not spoil the others, but is
 * told rather than that the others did not answer. */
static const patio_error *judge_round(endpoint *ep, const patio_error *why)
{
    ep->given_up = ep->refusal.status != PATIO_OK;
    return ep->given_up ? &ep->refusal : why;
}

static bool is_told(const endpoint *ep, const patio_error *why)
{
    return why != NULL && strncmp(why->message, ep->told, sizeof(ep->told) - 1) == 0;
}

/* While another link is up no event tells of this one: the log does, once for each reason. */
static void tell(endpoint *ep, const patio_error *why, bool told)
{
    uint64_t now = ep->t->host->now_ns(ep->t->host->self);
    if (why == NULL || is_told(ep, why) ||
        (!told && ep->told_ns != 0 && now < ep->told_ns + TELL_NS)) {
        return;
    }
    pthread_mutex_lock(&ep->t->lock); /* for who shows it: only this thread changes it */
    (void)snprintf(ep->told, sizeof(ep->told), "%.199s", why->message);
    pthread_mutex_unlock(&ep->t->lock);
    if (!told) {
        ep->told_ns = now;
        patio_host_log(ep->t->host, PATIO_LOG_WARN, "%s%s; it is tried again",
                       why->status == PATIO_AUTH     ? "AUTH: "
                       : why->status == PATIO_CONFIG ? "CONFIG: "
                                                     : "",
                       why->message);
    }
}

/* After a link the pauses begin anew; but each of those who open and close at once is one more
 * failure. */
static void judge_link(endpoint *ep)
{
    uint64_t now = ep->t->host->now_ns(ep->t->host->self);
    if (ep->opened_ns != 0) {
        ep->brief     = now < ep->opened_ns + STEADY_NS ? ep->brief + 1 : 1;
        ep->attempts  = ep->brief - 1;
        ep->opened_ns = 0;
    }
}

/* From `c` on, the first connection to one of its addresses. */
static conn *next_of(const endpoint *ep, conn *c)
{
    while (c != NULL && !(c->connects && c->endpoint == ep)) {
        c = c->next;
    }
    return c;
}

/* Calls wait for it no longer. */
static void end_arrival(endpoint *ep)
{
    effects fx;
    if (!ep->tried) {
        ep->tried = true;
        effects_begin(&fx, ep->t);
        peer_arrived(ep->t, 1, &fx);
        effects_end(&fx);
    }
}

void reconnect_later(endpoint *ep, const patio_error *why)
{
    patio_transport *t    = ep->t;
    bool             more = ep->address_next < ep->address_count;
    bool             over = !more && next_of(ep, t->conns) == NULL;
    if (why != NULL && !ep->was_open &&
        (why->status == PATIO_AUTH || why->status == PATIO_CONFIG)) {
        ep->refusal = *why;
    }
    judge_link(ep);
    why       = over ? judge_round(ep, why) : why;
    bool told = loop_link(t, why, !is_told(ep, why));
    if (t->quit) {
        return;
    }
    if (more) {
        /* not from here: the connection that failed is still being closed */
        (void)uv_timer_start(&ep->timer, on_timer, 0, 0);
        return;
    }
    if (over) {
        end_arrival(ep);
        tell(ep, why, told);
        pause_then_retry(ep);
    }
}

void reconnect_opened(conn *c)
{
    endpoint *ep = c->endpoint;
    conn     *o  = next_of(ep, ep->t->conns);
    while (o != NULL) {
        conn *next = next_of(ep, o->next);
        if (o != c) {
            conn_close(o, PATIO_OK, RECONNECT_LATE);
        }
        o = next;
    }
    ep->opened_ns      = ep->t->host->now_ns(ep->t->host->self);
    ep->was_open       = true;
    ep->given_up       = false;
    ep->refusal.status = PATIO_OK;
    pthread_mutex_lock(&ep->t->lock);
    ep->told[0] = '\0';
    pthread_mutex_unlock(&ep->t->lock);
    ep->address_count = 0; /* the next time its name is looked up anew */
    ep->address_next  = 0;
    end_arrival(ep);
    (void)loop_link(ep->t, NULL, false);
}

static void fail(endpoint *ep, patio_status status, int os_errno, const char *why)
{
    patio_error err = PATIO_ERROR_INIT;
    (void)patio_fail(&err, status, os_errno, "connection to %s: %s", ep->shown, why);
    reconnect_later(ep, &err);
}

static void try_next(endpoint *ep)
{
    patio_transport *t   = ep->t;
    const address   *to  = &ep->addresses[ep->address_next++];
    const void      *in  = &to->in;
    patio_error      err = PATIO_ERROR_INIT;
    if (tcp_check_trust(ep, in, &err) != PATIO_OK) {
        reconnect_later(ep, &err);
        return;
    }
    int fd = socket(to->in.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc = fd >= 0 ? connect(fd, in, to->size) : -1;
    if (fd < 0 || (rc != 0 && errno != EINPROGRESS)) {
        int os_errno = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        pthread_mutex_lock(&t->lock);
        t->links[links_family(in)].failed++;
        pthread_mutex_unlock(&t->lock);
        fail(ep, PATIO_UNREACHABLE, os_errno, strerrordesc_np(os_errno));
        return;
    }
    if (conn_new(t, ep, fd, in, true) == NULL) {
        (void)close(fd);
        fail(ep, PATIO_NO_MEMORY, 0, "out of memory");
        return;
    }
    if (ep->address_next < ep->address_count) {
        (void)uv_timer_start(&ep->timer, on_timer, NEXT_ADDRESS_MS, 0);
    }
}

void reconnect_connected(conn *c)
{
    int       os_errno = 0;
    socklen_t size     = sizeof(os_errno);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &os_errno, &size) != 0 || os_errno != 0) {
        conn_close(c, PATIO_UNREACHABLE, strerrordesc_np(os_errno != 0 ? os_errno : errno));
        return;
    }
    secure_begin(c);
}

static void use(endpoint *ep, struct addrinfo *found)
{
    ep->address_count = 0;
    ep->address_next  = 0;
    for (const struct addrinfo *a = found; a != NULL && ep->address_count < ADDRESSES_MAX;
         a                        = a->ai_next) {
        address *to = &ep->addresses[ep->address_count++];
        memcpy(&to->in, a->ai_addr, a->ai_addrlen);
        to->size = a->ai_addrlen;
    }
    freeaddrinfo(found);
    try_next(ep);
}

static void on_found(uv_async_t *done)
{
    endpoint        *ep    = done->data;
    struct addrinfo *found = NULL;
    int              error = lookup_end(ep->lookup, &found);
    ep->lookup             = NULL;
    if (error != 0) {
        fail(ep, PATIO_UNREACHABLE, 0, gai_strerror(error));
        return;
    }
    use(ep, found);
}

static void wake(void *arg)
{
    (void)uv_async_send(arg);
}

static void begin_round(endpoint *ep)
{
    ep->refusal.status = PATIO_OK;
    pthread_mutex_lock(&ep->t->lock);
    ep->itself = false;
    pthread_mutex_unlock(&ep->t->lock);
}

void reconnect_now(endpoint *ep)
{
    if (ep->link != NULL || ep->lookup != NULL) {
        return;
    }
    if (ep->address_next < ep->address_count) {
        try_next(ep);
        return;
    }
    begin_round(ep);
    if (ep->is_unix) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        memcpy(a.sun_path, ep->path, strlen(ep->path) + 1);
        memcpy(&ep->addresses[0].in, &a, sizeof(a));
        ep->addresses[0].size = sizeof(a);
        ep->address_count     = 1;
        ep->address_next      = 0;
        try_next(ep);
        return;
    }
    struct addrinfo *found = lookup_at_once(ep->host, ep->port);
    if (found != NULL) {
        use(ep, found);
        return;
    }
    ep->lookup = lookup_begin(ep->host, ep->port, wake, &ep->found); /* each time: names move */
    if (ep->lookup == NULL) {
        fail(ep, PATIO_UNREACHABLE, 0, "no thread is free to look its name up");
    }
}

void reconnect_begin(endpoint *ep)
{
    (void)uv_timer_init(&ep->t->loop, &ep->timer);
    (void)uv_async_init(&ep->t->loop, &ep->found, on_found);
    ep->timer.data = ep;
    ep->found.data = ep;
    reconnect_now(ep);
}

void reconnect_end(endpoint *ep)
{
    if (ep->lookup != NULL) {
        lookup_leave(ep->lookup);
        ep->lookup = NULL;
    }
    uv_close((uv_handle_t *)&ep->timer, NULL);
    uv_close((uv_handle_t *)&ep->found, NULL);
}
