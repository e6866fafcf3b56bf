/* A host as it was written for ABI 1.0, compiled from the headers of that day for ever. It loads
 * the memory transport of today and plays one call through it: publish, deliver, settle, reply,
 * counts. */
#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct patio_buf {
    int         refs;
    patio_bytes bytes;
    uint8_t     data[64];
};

static int       failures;
static void     *shared;
static patio_tag tag;
static uint64_t  fence;
static int       replies;
static int       receipts;
static int       ups;

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static void *host_alloc(void *self, size_t size)
{
    (void)self;
    return malloc(size);
}

static void *host_resize(void *self, void *p, size_t size)
{
    (void)self;
    return realloc(p, size);
}

static void host_free(void *self, void *p)
{
    (void)self;
    free(p);
}

static patio_buf *buf_new(void *self, size_t size, uint8_t **data)
{
    (void)self;
    patio_buf *b = size <= sizeof(b->data) ? calloc(1, sizeof(*b)) : NULL;
    if (b != NULL) {
        b->refs  = 1;
        b->bytes = (patio_bytes){b->data, size};
        *data    = b->data;
    }
    return b;
}

static patio_buf *buf_wrap(void *self, patio_bytes bytes, patio_fn drop, void *arg)
{
    (void)self;
    (void)bytes;
    (void)drop;
    (void)arg;
    return NULL;
}

static patio_buf *buf_ref(void *self, patio_buf *b)
{
    (void)self;
    b->refs++;
    return b;
}

static void buf_drop(void *self, patio_buf *b)
{
    (void)self;
    if (b != NULL && --b->refs == 0) {
        free(b);
    }
}

static patio_bytes buf_view(void *self, const patio_buf *b)
{
    (void)self;
    return b->bytes;
}

static int32_t log_on(void *self, int32_t level)
{
    (void)self;
    return level >= PATIO_LOG_WARN;
}

static void host_log(void *self, int32_t level, const char *text)
{
    (void)self;
    fprintf(stderr, "[%d] %s\n", level, text);
}

static uint64_t now_ns(void *self)
{
    (void)self;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t host_after(void *self, uint64_t delay_ns, patio_fn fn, void *arg)
{
    (void)self;
    (void)delay_ns;
    (void)fn;
    (void)arg;
    return 0; /* nothing is delayed here */
}

static int32_t host_cancel(void *self, uint64_t timer)
{
    (void)self;
    (void)timer;
    return 0;
}

static patio_status host_random(void *self, void *data, size_t size)
{
    (void)self;
    memset(data, 5, size);
    return PATIO_OK;
}

static void *host_share(void *self, const char *key, void *(*make)(void *arg), void *arg)
{
    (void)self;
    (void)key;
    shared = shared != NULL ? shared : make(arg);
    return shared;
}

static void host_unshare(void *self, void *object, void (*destroy)(void *object))
{
    (void)self;
    destroy(object);
    shared = NULL;
}

static const void *host_query(void *self, const char *id)
{
    (void)self;
    (void)id;
    return NULL;
}

static void delivered(void *self, const patio_delivery *d)
{
    (void)self;
    tag   = d->tag;
    fence = d->fence;
    MUST(PATIO_HAS(patio_delivery, d, message));
    MUST(strcmp(d->message->task, "t") == 0 && strcmp(d->message->queue, "q") == 0);
    MUST(d->message->attempt == 1);
    MUST(buf_view(NULL, d->message->body).size == 4);
}

static void replied(void *self, const patio_reply *r)
{
    (void)self;
    replies++;
    MUST(buf_view(NULL, r->body).size == 5);
}

static void published(void *self, const patio_receipt *r)
{
    (void)self;
    receipts++;
    MUST(r->outcome == PATIO_ACCEPTED && r->level == PATIO_LEVEL_PROCESS);
}

static void lease_event(void *self, patio_tag t, const patio_error *why)
{
    (void)self;
    (void)t;
    (void)why;
    failures++;
}

static void cancel_wanted(void *self, patio_tag t)
{
    (void)self;
    (void)t;
    failures++;
}

static void cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    (void)self;
    (void)id;
    (void)outcome;
    failures++;
}

static void link_state(void *self, uint32_t state, const patio_error *why)
{
    (void)self;
    (void)why;
    ups += state == PATIO_LINK_UP;
}

static const patio_host host = {
    PATIO_SIZED(patio_host),  .abi_minor = PATIO_ABI_MINOR,
    .version = PATIO_VERSION, .alloc = host_alloc,
    .resize = host_resize,    .free = host_free,
    .buf_new = buf_new,       .buf_wrap = buf_wrap,
    .buf_ref = buf_ref,       .buf_drop = buf_drop,
    .buf_view = buf_view,     .log_on = log_on,
    .log = host_log,          .now_ns = now_ns,
    .after = host_after,      .cancel = host_cancel,
    .random = host_random,    .share = host_share,
    .unshare = host_unshare,  .query = host_query,
};

static const patio_transport_events events = {
    PATIO_SIZED(patio_transport_events),
    .delivered     = delivered,
    .replied       = replied,
    .published     = published,
    .lease_lost    = lease_event,
    .settle_failed = lease_event,
    .cancel_wanted = cancel_wanted,
    .cancelled     = cancelled,
    .link          = link_state,
};

static const patio_transport_ops *load(const char *path)
{
    void                  *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void                  *symbol  = library != NULL ? dlsym(library, PATIO_PLUGIN_SYMBOL) : NULL;
    patio_plugin_entry_fn *entry   = NULL;
    if (symbol == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    memcpy(&entry, &symbol, sizeof(entry));
    const patio_plugin *p = entry(PATIO_ABI_MAJOR);
    MUST(p != NULL && p->magic == PATIO_PLUGIN_MAGIC && p->abi_major == PATIO_ABI_MAJOR);
    return p->query(PATIO_TRANSPORT_ID);
}

/* Defaults only: numbers as the table of today says them, in decimal or not at all. */
static void fill_values(const patio_transport_ops *ops, patio_option_value *values, size_t room)
{
    for (size_t i = 0; ops->options != NULL && ops->options[i] != NULL && i < room; i++) {
        const char *text = ops->options[i]->fallback != NULL ? ops->options[i]->fallback : "";
        values[i]        = (patio_option_value){.text = text, .number = strtoll(text, NULL, 10)};
        if (values[i].number == 0) {
            values[i].number = ops->options[i]->max > 0 && ops->options[i]->max < 100000
                                   ? ops->options[i]->max
                                   : 100000;
        }
        if (ops->options[i]->type == PATIO_OPTION_BOOL ||
            ops->options[i]->type == PATIO_OPTION_CHOICE) {
            values[i].number = 0;
        }
        if (ops->options[i]->type == PATIO_OPTION_SIZE) {
            values[i].number = 1 << 20;
        }
    }
}

static void play(const patio_transport_ops *ops, patio_transport *t)
{
    static const char *const tasks[] = {"t"};
    uint8_t                 *data    = NULL;
    patio_subscription       sub     = {PATIO_SIZED(patio_subscription), .credit = 1, .queue = "q",
                                        .tasks = tasks, .task_count = 1};
    patio_message            m       = {PATIO_SIZED(patio_message),
                                        .flags    = PATIO_MESSAGE_CALL,
                                        .id       = {{1, 2, 3}},
                                        .queue    = "q",
                                        .task     = "t",
                                        .priority = PATIO_PRIORITY_DEFAULT,
                                        .attempt  = 1,
                                        .body     = buf_new(NULL, 4, &data)};
    patio_settlement         s       = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK,
                                        .reply = buf_new(NULL, 5, &data)};
    patio_counts             c       = {PATIO_SIZED(patio_counts)};
    patio_error              err     = PATIO_ERROR_INIT;
    MUST(ops->start(t, &err) == PATIO_OK && ups == 1);
    MUST(ops->subscribe(t, &sub, &err) == PATIO_OK);
    MUST(ops->publish(t, &m, &err) == PATIO_OK && receipts == 1);
    MUST(tag != 0 && fence == 1);
    MUST(ops->counts(t, "q", 0, &c, &err) == PATIO_OK && c.leased == 1 && c.consumers == 1);
    MUST(ops->settle(t, tag, &s, &err) == PATIO_OK && replies == 1);
    MUST(ops->settle(t, tag, &s, &err) == PATIO_STALE && err.status == PATIO_STALE);
    MUST(ops->stop(t, 100, &err) == PATIO_OK);
    buf_drop(NULL, m.body);
    buf_drop(NULL, s.reply);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    static patio_option_value  values[64];
    const patio_transport_ops *ops      = load(argv[1]);
    patio_host_port            at       = {.host = "hub"};
    patio_endpoint             endpoint = {PATIO_SIZED(patio_endpoint),
                                           .host_count = 1,
                                           .scheme     = "memory",
                                           .user       = "",
                                           .password   = "",
                                           .hosts      = &at,
                                           .path       = "",
                                           .shown      = "memory://hub",
                                           .values     = values};
    patio_transport_params     params   = {
              PATIO_SIZED(patio_transport_params),
              .endpoint_count = 1,
              .project        = "p",
              .incarnation    = 7,
              .max_body_bytes = 64,
              .endpoints      = &endpoint,
              .endpoint_bytes = sizeof(endpoint),
              .events         = &events,
    };
    patio_transport *t   = NULL;
    patio_error      err = PATIO_ERROR_INIT;
    fill_values(ops, values, 64);
    if (ops->create(&host, &params, &t, &err) != PATIO_OK) {
        fprintf(stderr, "create: %s\n", err.message);
        return 1;
    }
    play(ops, t);
    ops->destroy(t);
    return failures == 0 ? 0 : 1;
}
