/* peer_fuzz.h: what the tcp transport needs around it for fuzz_tcp_peer.c: a host whose memory,
 * clock and timers are in its hands, and who keeps a ledger of what was promised: each call ends
 * once, each delivery is of a task that we have and is lost once at most, each cancel has one
 * outcome. */
#ifndef PEER_FUZZ_H
#define PEER_FUZZ_H

#include <stdlib.h>

#include "base/buf.h"
#include "counted_alloc.h"
#include "tcp.h"

static inline void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

enum { LEDGER_TASKS = 48, LEDGER_TIMERS = 64, LEDGER_DELIVERIES = 256 };

typedef struct ledger_timer {
    uint64_t due_ns;
    patio_fn fn; /* NULL: free */
    void    *arg;
} ledger_timer;

typedef struct ledger {
    counted_alloc memory;
    uint64_t      now_ns;
    ledger_timer  timers[LEDGER_TIMERS];
    bool          call[LEDGER_TASKS];
    uint8_t       accepted[LEDGER_TASKS];
    uint8_t       ended[LEDGER_TASKS];
    uint32_t      tasks; /* published so far */
    patio_tag     open[LEDGER_DELIVERIES];
    uint32_t      open_count;
    patio_tag     last_tag;
    uint32_t      cancels;
    uint32_t      outcomes;
} ledger;

static ledger           book;
static volatile uint8_t book_sink;

/* So that a sanitizer sees what is not there. */
static inline void read_all(patio_bytes of)
{
    for (size_t i = 0; i < of.size; i++) {
        book_sink ^= of.data[i];
    }
}

/* ---- a host ---- */

static inline void *book_alloc(void *self, size_t size)
{
    (void)self;
    return pt_alloc(&book.memory.mem, size);
}

static inline void *book_resize(void *self, void *block, size_t size)
{
    (void)self;
    return book.memory.mem.resize(book.memory.mem.self, block, size);
}

static inline void book_free(void *self, void *block)
{
    (void)self;
    pt_free(&book.memory.mem, block);
}

static inline patio_buf *book_buf_new(void *self, size_t size, uint8_t **data)
{
    (void)self;
    return pt_buf_new(&book.memory.mem, size, data);
}

static inline patio_buf *book_body(size_t size)
{
    uint8_t   *data = NULL;
    patio_buf *buf  = pt_buf_new(&book.memory.mem, size, &data);
    require(buf != NULL);
    memset(data, 'b', size);
    return buf;
}

static inline patio_buf *book_buf_ref(void *self, patio_buf *buf)
{
    (void)self;
    return pt_buf_ref(buf);
}

static inline void book_buf_drop(void *self, patio_buf *buf)
{
    (void)self;
    pt_buf_drop(buf);
}

static inline patio_bytes book_buf_view(void *self, const patio_buf *buf)
{
    (void)self;
    return pt_buf_view(buf);
}

static inline int32_t book_log_on(void *self, int32_t level)
{
    (void)self;
    (void)level;
    return 1;
}

static inline void book_log(void *self, int32_t level, const char *text)
{
    (void)self;
    require(level >= PATIO_LOG_TRACE && level <= PATIO_LOG_ERROR);
    read_all((patio_bytes){(const uint8_t *)text, strlen(text)});
}

static inline uint64_t book_now(void *self)
{
    (void)self;
    return book.now_ns += 1000;
}

static inline patio_status book_random(void *self, void *to, size_t size)
{
    (void)self;
    memset(to, 7, size); /* the same in each run */
    return PATIO_OK;
}

static inline uint64_t book_after(void *self, uint64_t delay_ns, patio_fn fn, void *arg)
{
    (void)self;
    for (uint64_t i = 0; i < LEDGER_TIMERS; i++) {
        if (book.timers[i].fn == NULL) {
            bool far       = delay_ns > UINT64_MAX - book.now_ns;
            book.timers[i] = (ledger_timer){far ? UINT64_MAX : book.now_ns + delay_ns, fn, arg};
            return i + 1;
        }
    }
    return 0;
}

static inline int32_t book_cancel(void *self, uint64_t timer)
{
    (void)self;
    bool runs = timer != 0 && book.timers[timer - 1].fn != NULL;
    if (runs) {
        book.timers[timer - 1].fn = NULL;
    }
    return runs;
}

static inline void book_run_timers(uint64_t until_ns)
{
    for (uint64_t i = 0; i < LEDGER_TIMERS; i++) {
        ledger_timer timer = book.timers[i];
        if (timer.fn != NULL && timer.due_ns <= until_ns) {
            book.timers[i].fn = NULL;
            timer.fn(timer.arg);
        }
    }
}

static const patio_host book_host = {
    PATIO_SIZED(patio_host),   .alloc = book_alloc,       .resize = book_resize,
    .free = book_free,         .buf_new = book_buf_new,   .buf_ref = book_buf_ref,
    .buf_drop = book_buf_drop, .buf_view = book_buf_view, .log_on = book_log_on,
    .log = book_log,           .now_ns = book_now,        .after = book_after,
    .cancel = book_cancel,     .random = book_random,
};

/* ---- its events ---- */

/* A task's number is in its id. */
static inline uint32_t book_task(const patio_id *id)
{
    uint32_t number = frame_get32(id->bytes);
    require(number < book.tasks);
    return number;
}

/* The host knows this delivery, and forgets it. */
static inline bool book_close(patio_tag tag)
{
    for (uint32_t i = 0; i < book.open_count; i++) {
        if (book.open[i] == tag) {
            book.open[i] = book.open[--book.open_count];
            return true;
        }
    }
    return false;
}

static inline void book_delivered(void *self, const patio_delivery *d)
{
    const patio_message *m = d->message;
    (void)self;
    require(strcmp(m->queue, "default") == 0 && strcmp(m->task, "mul") == 0);
    require(m->priority <= PATIO_PRIORITY_MAX && d->tag != 0);
    require(book.open_count < LEDGER_DELIVERIES);
    for (uint32_t i = 0; i < book.open_count; i++) {
        require(book.open[i] != d->tag);
    }
    book.open[book.open_count++] = d->tag;
    book.last_tag                = d->tag;
    read_all(pt_buf_view(m->body));
}

static inline void book_replied(void *self, const patio_reply *reply)
{
    uint32_t number = book_task(&reply->id);
    (void)self;
    require(book.call[number] && book.ended[number] == 0);
    read_all(pt_buf_view(reply->body));
    book.ended[number] = (reply->flags & PATIO_REPLY_PARTIAL) == 0;
}

static inline void book_published(void *self, const patio_receipt *receipt)
{
    uint32_t number = book_task(&receipt->id);
    (void)self;
    if (receipt->outcome == PATIO_ACCEPTED) {
        require(book.accepted[number]++ == 0);
        return;
    }
    require(receipt->outcome == PATIO_REJECTED || receipt->outcome == PATIO_UNKNOWN);
    require(receipt->error != NULL && receipt->error->message[0] != '\0');
    require(book.ended[number]++ == 0);
}

static inline void book_lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    (void)self;
    require(why->message[0] != '\0' && book_close(tag));
}

static inline void book_settle_failed(void *self, patio_tag tag, const patio_error *why)
{
    (void)self;
    (void)tag;
    (void)why;
    abort(); /* tcp has no such thing */
}

static inline void book_cancel_wanted(void *self, patio_tag tag)
{
    (void)self;
    for (uint32_t i = 0; i < book.open_count; i++) {
        if (book.open[i] == tag) {
            return;
        }
    }
    abort();
}

static inline void book_cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    (void)self;
    require(outcome >= PATIO_CANCEL_REMOVED && outcome <= PATIO_CANCEL_TOO_LATE);
    require(++book.outcomes <= book.cancels);
    uint32_t number = frame_get32(id->bytes);
    if (outcome == PATIO_CANCEL_REMOVED && number < book.tasks) {
        book.ended[number] = 1; /* nothing more is to be heard of it */
    }
}

static inline void book_link(void *self, uint32_t state, const patio_error *why)
{
    (void)self;
    (void)state;
    (void)why;
}

static const patio_transport_events book_events = {
    PATIO_SIZED(patio_transport_events),
    .delivered     = book_delivered,
    .replied       = book_replied,
    .published     = book_published,
    .lease_lost    = book_lease_lost,
    .settle_failed = book_settle_failed,
    .cancel_wanted = book_cancel_wanted,
    .cancelled     = book_cancelled,
    .link          = book_link,
};

static inline void book_begin(void)
{
    memset(&book, 0, sizeof(book));
    counted_alloc_init(&book.memory);
    book.now_ns = UINT64_C(1000000000);
}

#endif
