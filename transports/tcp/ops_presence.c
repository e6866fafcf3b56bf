/* patio.presence/1 and patio.doctor/1. */
#include <patio/presence.h>

#include "tcp.h"

static patio_status announce(patio_transport *t, patio_bytes info, patio_error *err)
{
    const patio_host *host = t->host;
    patio_buf        *buf  = NULL;
    uint8_t          *data = NULL;
    if (info.size > PATIO_PRESENCE_MAX_BYTES) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "announce: %zu bytes, at most %d are allowed",
                          info.size, PATIO_PRESENCE_MAX_BYTES);
    }
    if (info.size > 0) {
        buf = host->buf_new(host->self, info.size, &data);
        if (buf == NULL) {
            return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        }
        memcpy(data, info.data, info.size);
    }
    pthread_mutex_lock(&t->lock);
    patio_buf *old = t->ask.info;
    t->ask.info    = buf;
    pthread_mutex_unlock(&t->lock);
    host->buf_drop(host->self, old);
    return PATIO_OK;
}

static patio_status list_present(patio_transport *t, uint64_t timeout_ms,
                                 patio_presence_visit_fn visit, void *arg, patio_error *err)
{
    const patio_host *host = t->host;
    ask               a    = {.question = {.what = ASK_PRESENCE}};
    patio_status      st   = ask_all(t, &a, timeout_ms, err);
    if (st == PATIO_TIMEOUT) {
        st = PATIO_OK; /* a missing answer is no error here */
    }
    pthread_mutex_lock(&t->lock);
    patio_buf *own = t->ask.info != NULL ? host->buf_ref(host->self, t->ask.info) : NULL;
    pthread_mutex_unlock(&t->lock);
    int32_t stop = 0; /* what was said is true, also when not all could be asked */
    if (own != NULL) {
        patio_presence p = {PATIO_SIZED(patio_presence), .incarnation = t->incarnation, .rtt_ns = 1,
                            .info = host->buf_view(host->self, own)};
        stop             = visit(arg, &p);
    }
    for (const part *p = a.first; p != NULL && stop == 0; p = p->next) {
        if (p->tail != NULL) {
            patio_presence one = {
                PATIO_SIZED(patio_presence),
                .incarnation = p->answer.incarnation,
                .rtt_ns      = p->at_ns > a.begun_ns ? p->at_ns - a.begun_ns : 1,
                .info        = host->buf_view(host->self, p->tail),
            };
            stop = visit(arg, &one);
        }
    }
    host->buf_drop(host->self, own);
    ask_forget(t, &a);
    return st;
}

const patio_presence_ops tcp_presence_ops = {
    PATIO_SIZED(patio_presence_ops),
    .announce = announce,
    .list     = list_present,
};

/* ---- doctor ---- */

typedef struct findings {
    patio_finding_visit_fn visit;
    void                  *arg;
    bool                   stopped;
} findings;

static void say(findings *f, uint32_t severity, const char *subject, const char *finding,
                const char *advice)
{
    patio_finding one = {PATIO_SIZED(patio_finding), .severity = severity, .subject = subject,
                         .finding = finding, .advice = advice};
    f->stopped        = f->stopped || f->visit(f->arg, &one) != 0;
}

/* Each URL: whether somebody is there, and how the link is secured. */
static void say_endpoint(patio_transport *t, const endpoint *ep, findings *f)
{
    char text[420];
    pthread_mutex_lock(&t->lock);
    bool reached = ep->reached;
    (void)snprintf(text, sizeof(text), "%s%s", ep->told[0] != '\0' ? ep->told : ep->shown,
                   ep->told[0] != '\0' ? "" : " is not connected");
    pthread_mutex_unlock(&t->lock);
    if (!ep->listens && reached) {
        (void)snprintf(text, sizeof(text), "%s answers", ep->shown);
        say(f, PATIO_FINDING_OK, "peer", text, "");
    } else if (!ep->listens) {
        say(f, PATIO_FINDING_ERROR, "peer", text,
            "see that the process there runs and listens, and that both have the same key");
    }
    for (uint32_t i = 0; i < ep->listener_count; i++) {
        (void)snprintf(text, sizeof(text), "listening on %s", ep->listeners[i].bound_to);
        say(f, PATIO_FINDING_OK, "listen", text, "");
    }
    if (ep->insecure && ep->keys[0][0] == '\0' && !ep->is_tls) {
        (void)snprintf(text, sizeof(text), "%s needs no key and is not encrypted", ep->shown);
        say(f, PATIO_FINDING_WARN, "security", text, "set key=, or use tls://");
    } else if (!ep->is_tls && !ep->is_unix && ep->keys[0][0] != '\0') {
        (void)snprintf(text, sizeof(text), "%s proves a key, but is not encrypted", ep->shown);
        say(f, PATIO_FINDING_NOTE, "security", text, "use tls:// on networks that others can read");
    }
}

typedef struct room {
    uint64_t processes;
    uint64_t tight;
    uint64_t dead;
} room;

static void add_room(room *r, uint64_t held, uint64_t max, uint64_t size, uint64_t max_size,
                     uint64_t dead)
{
    r->processes++;
    r->dead += dead;
    r->tight += held > max / 10 * 8 || size > max_size / 10 * 8 ? 1 : 0;
}

/* What came and did not, in all processes together. */
static void say_links(const link_counts *of, const char *family, findings *f)
{
    char text[300];
    if (of->opened + of->failed + of->limited == 0 || f->stopped) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "%s: %llu open, %llu opened since the start, %llu failed, %llu turned away by a "
                   "limit, %llu bytes in, %llu out",
                   family, (unsigned long long)of->open, (unsigned long long)of->opened,
                   (unsigned long long)of->failed, (unsigned long long)of->limited,
                   (unsigned long long)of->bytes_in, (unsigned long long)of->bytes_out);
    say(f, of->limited > 0 ? PATIO_FINDING_WARN : PATIO_FINDING_OK, "connections", text,
        of->limited > 0 ? "if they belong here, raise max_connections, max_connections_per_address "
                          "or handshakes_per_second; the log has their addresses"
                        : "");
}

static patio_status check(patio_transport *t, uint64_t timeout_ms, patio_finding_visit_fn visit,
                          void *arg, patio_error *err)
{
    char        text[300];
    ask         a                    = {.question = {.what = ASK_ROOM}};
    findings    f                    = {.visit = visit, .arg = arg};
    room        r                    = {0};
    link_counts links[LINK_FAMILIES] = {0};
    patio_error why                  = PATIO_ERROR_INIT;
    (void)err;
    patio_status st = ask_all(t, &a, timeout_ms, &why);
    say(&f, PATIO_FINDING_NOTE, "durability",
        "tasks live in the process that sent them and end with it",
        "use another transport for tasks that must survive their sender");
    for (uint32_t i = 0; i < t->endpoint_count && !f.stopped; i++) {
        say_endpoint(t, &t->endpoints[i], &f);
    }
    if (st != PATIO_OK && !f.stopped) {
        say(&f, PATIO_FINDING_ERROR, "operations", why.message,
            st == PATIO_AUTH
                ? "add the word \"operate\" to this side's line in the allow-list there"
            : st == PATIO_UNSUPPORTED ? "run the same version of patio everywhere"
                                      : "see that all peers run and are connected");
    }
    pthread_mutex_lock(&t->lock);
    add_room(&r, t->room.held - t->room.dead, t->set.bounds.max_queued,
             t->room.held_bytes - t->room.dead_bytes, t->set.bounds.max_queued_bytes, t->room.dead);
    links_add(t, links);
    pthread_mutex_unlock(&t->lock);
    for (const part *p = a.first; p != NULL; p = p->next) {
        const uint8_t *at = p->answer.rows.data;
        if (p->answer.rows.size >= FRAME_ROOM_BYTES) {
            add_room(&r, frame_get64(at), frame_get64(at + 8), frame_get64(at + 16),
                     frame_get64(at + 24), frame_get64(at + 32));
        }
        if (p->answer.rows.size >= FRAME_ROOM_BYTES + FRAME_LINKS_BYTES) {
            links_add_row(at + FRAME_ROOM_BYTES, links);
        }
    }
    ask_forget(t, &a);
    for (unsigned i = 0; i < LINK_FAMILIES; i++) {
        say_links(&links[i], link_family_names[i], &f);
    }
    (void)snprintf(text, sizeof(text), "%llu of %llu processes hold more than 4/5 of what they may",
                   (unsigned long long)r.tight, (unsigned long long)r.processes);
    if (!f.stopped) {
        say(&f, r.tight > 0 ? PATIO_FINDING_WARN : PATIO_FINDING_OK, "room", text,
            r.tight > 0 ? "add workers, or raise max_queued and max_queued_bytes there" : "");
    }
    (void)snprintf(text, sizeof(text), "%llu are kept", (unsigned long long)r.dead);
    if (!f.stopped) {
        say(&f, r.dead > 0 ? PATIO_FINDING_NOTE : PATIO_FINDING_OK, "dead letters", text,
            r.dead > 0 ? "look at them: patio dlq ls" : "");
    }
    return PATIO_OK;
}

const patio_doctor_ops tcp_doctor_ops = {PATIO_SIZED(patio_doctor_ops), .check = check};
