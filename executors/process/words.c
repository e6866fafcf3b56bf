/* What is said to a child while it works: cancels, and answers to the calls of its tasks.
 *
 * None is dropped: what the socket has no room for is kept, in order, and sent when there is some.
 * A child that lets more lie than it may does not listen, and is ended.
 */
#include "pool.h"

#include <errno.h>
#include <sys/epoll.h>

#include <patio/child_socket.h>

/* Kept for one child at most. Shared memory that is sent along counts with it. */
enum { WORDS_MAX_BYTES = 64 << 20 };

typedef enum sent { SENT, NO_ROOM, NOBODY } sent;

static sent send_word(const child *c, const words_entry *w)
{
    if (patio_child_send(c->words_fd, w->packet, w->size, w->fd, MSG_DONTWAIT)) {
        return SENT;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ETOOMANYREFS
               ? NO_ROOM
               : NOBODY;
}

static void free_word(const patio_host *host, words_entry *w)
{
    if (w != NULL && w->fd >= 0) {
        (void)close(w->fd);
    }
    host->free(host->self, w);
}

/* NULL: no memory. */
static words_entry *make_word(patio_executor *x, uint32_t type, uint64_t number,
                              const patio_child_answer *answer, const char *text, patio_bytes bytes)
{
    const patio_host *host   = x->host;
    size_t            length = answer != NULL ? answer->text_bytes : 0;
    bool              shared = bytes.size > x->shared_bytes;
    size_t            room =
        sizeof(patio_child_frame) + sizeof(*answer) + length + (shared ? 0 : bytes.size) + 16;
    patio_child_frame f = {.type = (uint16_t)type, .number = number, .bytes = bytes.size};
    f.flags =
        bytes.data != NULL ? (uint16_t)(PATIO_CHILD_BYTES | (shared ? PATIO_CHILD_SHARED : 0)) : 0;
    words_entry *w = host->alloc(host->self, sizeof(*w) + room);
    if (w == NULL) {
        return NULL;
    }
    w->next = NULL;
    w->fd   = shared ? patio_child_share(bytes.data, bytes.size) : -1;
    if (shared && w->fd < 0) {
        free_word(host, w);
        return NULL;
    }
    w->size = patio_child_put(w->packet, &f, answer, text, length, shared ? NULL : bytes.data);
    return w;
}

/* Under words_lock. */
static void watch(patio_executor *x, child *c, bool on)
{
    if (on != c->words_watched) {
        struct epoll_event event = {.events = on ? EPOLLOUT : 0};
        event.data.u64           = (uint64_t)(uintptr_t)c | WATCH_WORDS;
        (void)epoll_ctl(x->epoll_fd, EPOLL_CTL_MOD, c->words_fd, &event);
        c->words_watched = on;
    }
}

/* Takes the word. false: it lets too many lie. */
static bool say_or_keep(patio_executor *x, child *c, words_entry *w, size_t bytes)
{
    bool listens = true;
    pthread_mutex_lock(&c->words_lock);
    sent how = c->words == NULL ? send_word(c, w) : NO_ROOM;
    if (how == NO_ROOM && c->words_bytes + bytes > WORDS_MAX_BYTES) {
        listens = false;
    } else if (how == NO_ROOM) {
        *c->words_end = w;
        c->words_end  = &w->next;
        c->words_bytes += bytes;
        watch(x, c, true);
        w = NULL;
    }
    pthread_mutex_unlock(&c->words_lock);
    free_word(x->host, w); /* NOBODY: it is ending, and its calls with it */
    return listens;
}

static size_t weight(const words_entry *w, uint64_t bytes)
{
    return sizeof(*w) + w->size + (w->fd >= 0 ? (size_t)bytes : 0);
}

void words_say(patio_executor *x, child *c, uint32_t type, uint64_t number,
               const patio_child_answer *answer, const char *text, patio_bytes bytes)
{
    words_entry *w = make_word(x, type, number, answer, text, bytes);
    if (w == NULL) {
        patio_host_log(x->host, PATIO_LOG_ERROR,
                       "child process %d could not be told a word of kind %u for want of memory, "
                       "and is ended: what waits for the word would wait for ever",
                       (int)c->pid, type);
    } else if (say_or_keep(x, c, w, weight(w, bytes.size))) {
        return;
    } else {
        patio_host_log(x->host, PATIO_LOG_ERROR,
                       "child process %d does not listen: more than %d bytes wait for it; it is "
                       "ended",
                       (int)c->pid, WORDS_MAX_BYTES);
    }
    atomic_store(&c->broken, true);
    pool_wake(x);
}

static uint64_t bytes_of(const words_entry *w)
{
    patio_child_frame f;
    memcpy(&f, w->packet, sizeof(f));
    return f.bytes;
}

void words_go_on(patio_executor *x, child *c)
{
    pthread_mutex_lock(&c->words_lock);
    sent how = SENT;
    while (c->words != NULL && (how = send_word(c, c->words)) == SENT) {
        words_entry *w = c->words;
        c->words       = w->next;
        c->words_bytes -= weight(w, bytes_of(w));
        free_word(x->host, w);
    }
    if (c->words == NULL) {
        c->words_end = &c->words;
    }
    if (c->words == NULL || how == NOBODY) {
        watch(x, c, false);
    }
    pthread_mutex_unlock(&c->words_lock);
}

void words_fini(patio_executor *x, child *c)
{
    while (c->words != NULL) {
        words_entry *w = c->words;
        c->words       = w->next;
        free_word(x->host, w);
    }
    (void)pthread_mutex_destroy(&c->words_lock);
}
