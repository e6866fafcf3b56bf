/* The I/O thread: reads both connections, keeps them alive, and does what
 * others asked for. Its role may be lent: guest.c. */
#include "transport.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    SWEEP_MS    = 200,
    LAZY_MS     = 1000,
    ASK_MS      = 10,
    ACK_MS      = 2,
    PAUSE_NS    = 500 * 1000,
    CROWD       = 128, /* messages that are not confirmed: the broker is milliseconds behind */
    CLOSE_MS    = 500,
    INBOX_BATCH = 128
};

static const uint64_t ms_ns = 1000000;

void loop_wake(patio_transport *t)
{
    atomic_store(&t->again, true);
    if (!turn_is_taken(&t->turn)) {
        return; /* nobody would look; the I/O thread was told */
    }
    /* Awake, it looks once more before it sleeps: nothing is to be written. */
    if (atomic_exchange(&t->asleep, false)) {
        uint64_t one = 1;
        while (write(t->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
    }
}

/* Not at once: what comes again after a cut is known (inbox.c), so one frame serves many. */
static void acknowledge_inbox(patio_transport *t, uint64_t now)
{
    uint64_t since = t->inbox_ack - t->inbox_acked;
    if (since == 0 || (since < INBOX_BATCH && now < t->inbox_acked_ns + SWEEP_MS * ms_ns)) {
        return;
    }
    amqp_basic_ack_t ack = {.delivery_tag = t->inbox_ack, .multiple = 1};
    if (wire_method(&t->links[CONSUMING], CH_INBOX, AMQP_BASIC_ACK_METHOD, &ack)) {
        t->inbox_acked    = t->inbox_ack;
        t->inbox_acked_ns = now;
    }
}

/* Under the lock: everything that could not be done where it came up. */
static void work(patio_transport *t, uint64_t now)
{
    t->work = false;
    atomic_store(&t->again, false);
    if (t->links[CONSUMING].state == LINK_READY) {
        subscribe_step(t, now);
        renew_step(t, now);
        place_step(t);
        rpc_step(t);
        browse_step(t);
        if (settle_is_due(t) || now > t->acked_ns + ACK_MS * ms_ns) {
            settle_flush(t);
        }
        acknowledge_inbox(t, now);
    }
    refused_step(t, now);
    post_step(t);
    state_probe(t);
    for (int i = 0; i < LINKS; i++) {
        socket_flush(&t->links[i]);
    }
}

static bool is_busy(const patio_transport *t)
{
    return t->raised != PATIO_LINK_UP || t->posts > 0 || t->resend.first != NULL ||
           t->refused.first != NULL || t->rpc_first != NULL || t->asks != NULL ||
           t->inbox_ack != t->inbox_acked;
}

/* Under the lock: acknowledgements may be held back until the next look, if that comes soon
 * whatever happens. An idle process does not look. */
static void plan_look(patio_transport *t)
{
    t->looks_soon = t->ackable > 0 || t->settled || t->stuck;
    t->settled    = false;
}

static int wait_ms(const patio_transport *t, uint64_t now)
{
    uint64_t ms = t->asks != NULL ? ASK_MS : is_busy(t) ? SWEEP_MS : LAZY_MS;
    for (int i = 0; i < LINKS; i++) {
        const connection *c = &t->links[i];
        if (c->state == LINK_CLOSED) {
            uint64_t left = c->retry_ns > now ? (c->retry_ns - now) / ms_ns + 1 : 0;
            ms            = left < ms ? left : ms;
        } else if (c->state == LINK_LOOKUP) {
            ms = ASK_MS < ms ? ASK_MS : ms;
        } else if (c->state == LINK_READY && c->heartbeat_ns / ms_ns / 4 < ms) {
            ms = c->heartbeat_ns / ms_ns / 4;
        }
    }
    ms               = t->looks_soon && ACK_MS < ms ? ACK_MS : ms;
    uint64_t timeout = t->set.consumer_timeout_ms;
    if (timeout != 0 && timeout / 12 < ms && t->leases.next != &t->leases) {
        ms = timeout / 12 + 1; /* renew.c looks so often */
    }
    return atomic_load(&t->again) || t->work ? 0 : (int)ms;
}

static void drain(const patio_transport *t)
{
    uint64_t count;
    while (read(t->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

static void look_at(connection *c, short events)
{
    uint64_t generation = c->generation;
    bool     writable   = (events & (POLLOUT | POLLERR | POLLHUP)) != 0;
    if (writable && (c->state == LINK_CONNECTING || c->state == LINK_SECURING || c->want_write ||
                     c->tls_wants_write)) {
        link_writable(c);
    }
    if ((events & (POLLIN | POLLERR | POLLHUP)) != 0 && c->generation == generation && c->fd >= 0 &&
        c->state != LINK_CONNECTING) {
        link_read(c);
    }
    if (c->ssl != NULL && c->generation == generation && SSL_pending(c->ssl) > 0) {
        atomic_store(&c->t->again, true);
        link_read(c);
    }
}

static void poll_links(patio_transport *t, int timeout_ms)
{
    struct pollfd fds[LINKS + 1];
    fds[LINKS] = (struct pollfd){.fd = t->wake_fd, .events = POLLIN};
    for (int i = 0; i < LINKS; i++) {
        const connection *c   = &t->links[i];
        bool              out = c->state == LINK_CONNECTING || c->want_write || c->tls_wants_write;
        fds[i] = (struct pollfd){.fd = c->fd, .events = (short)(POLLIN | (out ? POLLOUT : 0))};
    }
    int ready = poll(fds, LINKS + 1, timeout_ms);
    atomic_store(&t->asleep, false);
    if (ready <= 0) {
        return;
    }
    if (fds[LINKS].revents != 0) {
        drain(t);
    }
    for (int i = 0; i < LINKS; i++) {
        if (fds[i].revents != 0 && t->links[i].fd == fds[i].fd) {
            look_at(&t->links[i], fds[i].revents);
        }
    }
}

static void check_probe(patio_transport *t, uint64_t now)
{
    pthread_mutex_lock(&t->lock);
    bool late =
        t->probing && !t->links[PUBLISHING].blocked && now - t->probe_ns > t->set.probe_ms * ms_ns;
    pthread_mutex_unlock(&t->lock);
    if (late) {
        link_fail(&t->links[PUBLISHING], PATIO_UNREACHABLE,
                  "a message to our own queue %s has not come back within %llu ms", t->inbox,
                  (unsigned long long)t->set.probe_ms);
    }
}

/* Say goodbye, and wait a moment for the answer. */
static void close_links(patio_transport *t)
{
    amqp_connection_close_t goodbye = {.reply_code = AMQP_REPLY_SUCCESS,
                                       .reply_text = wire_text("bye")};
    uint64_t                until   = t->host->now_ns(t->host->self) + CLOSE_MS * ms_ns;
    for (int i = 0; i < LINKS; i++) {
        connection *c = &t->links[i];
        if (c->state != LINK_READY || c->blocked) {
            link_close(c);
            continue;
        }
        pthread_mutex_lock(&t->lock);
        (void)wire_method(c, 0, AMQP_CONNECTION_CLOSE_METHOD, &goodbye);
        c->state = LINK_CLOSING;
        socket_flush(c);
        pthread_mutex_unlock(&t->lock);
    }
    while (t->host->now_ns(t->host->self) < until &&
           (t->links[0].state == LINK_CLOSING || t->links[1].state == LINK_CLOSING)) {
        poll_links(t, 20);
    }
    for (int i = 0; i < LINKS; i++) {
        link_close(&t->links[i]);
    }
}

/* All but the sockets; how long there is nothing else to do. */
static int do_work(patio_transport *t)
{
    uint64_t now = t->host->now_ns(t->host->self);
    for (int i = 0; i < LINKS; i++) {
        link_step(&t->links[i], now);
    }
    check_probe(t, now);
    pthread_mutex_lock(&t->lock);
    work(t, now);
    plan_look(t);
    t->crowded = t->ring_next - t->ring_first >= CROWD;
    int  ms    = t->quit || turn_is_wanted(&t->turn) ? 0 : wait_ms(t, now);
    bool sweep = now >= t->sweep_ns;
    if (sweep) {
        t->sweep_ns = now + SWEEP_MS * ms_ns;
    }
    atomic_store(&t->asleep, ms != 0); /* from here on it has to be woken */
    pthread_mutex_unlock(&t->lock);
    deliver_step(t);
    renew_tell(t);
    control_step(t, now);
    rpc_decide(t);
    if (sweep) {
        sweep_late(t, now);
        refused_tell(t, now);
        kinds_tell(t);
    }
    state_raise(t);
    return ms;
}

/* A broker with much to do sends a few messages at a time, and to wake threads for these few is
 * most of what they cost. Where nobody waits for them, or where everybody waits for milliseconds
 * anyhow, more of them may come first, and more may be written at once. */
static void let_come(patio_transport *t)
{
    bool may     = t->crowded || (t->unhurried > 1 && !t->hurried);
    t->unhurried = 0;
    t->hurried   = false;
    if (may) {
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
}

void loop_round(patio_transport *t, patio_poll_done_fn done, const void *arg, int most_ms)
{
    int ms = do_work(t);
    if (done != NULL && done(arg) != 0) {
        atomic_store(&t->asleep, false);
        return;
    }
    poll_links(t, ms < most_ms ? ms : most_ms);
    let_come(t);
}

static bool must_quit(patio_transport *t)
{
    pthread_mutex_lock(&t->lock);
    bool quit = t->quit;
    pthread_mutex_unlock(&t->lock);
    return quit;
}

static void *run(void *arg)
{
    patio_transport *t = arg;
    turn_begin(&t->turn);
    do {
        loop_round(t, NULL, NULL, INT_MAX);
        turn_lend(&t->turn);
    } while (!must_quit(t));
    (void)do_work(t); /* the last words */
    close_links(t);
    control_end(t);
    rpc_decide(t);
    sweep_all(t);
    turn_end(&t->turn);
    return NULL;
}

patio_status loop_start(patio_transport *t, patio_error *err)
{
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->wake_fd < 0) {
        return patio_fail(err, PATIO_IO, errno, "eventfd: %s", strerrordesc_np(errno));
    }
    pthread_mutex_lock(&t->lock);
    int failed = pthread_create(&t->thread, NULL, run, t);
    t->started = failed == 0;
    pthread_mutex_unlock(&t->lock);
    if (failed != 0) {
        close(t->wake_fd);
        t->wake_fd = -1;
        return patio_fail(err, PATIO_IO, failed, "start a thread: %s", strerrordesc_np(failed));
    }
    (void)pthread_setname_np(t->thread, "patio-amqp");
    return PATIO_OK;
}

void loop_stop(patio_transport *t)
{
    if (!t->started) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->quit = true;
    turn_recall(&t->turn);
    loop_wake(t);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    pthread_mutex_lock(&t->lock);
    t->started = false;
    pthread_mutex_unlock(&t->lock);
}
