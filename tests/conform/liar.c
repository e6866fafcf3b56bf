/* A transport that breaks one rule of the contract, of one's choice: so that the kit and
 * PATIO_CHECK are seen to notice. All the rest is the memory transport's, whose table it borrows.
 */
#include <patio/plugin_util.h>
#include <patio/transport.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>

#define LIES                                                                                       \
    "none|double_receipt|after_stop|stale_ok|credit|leak|silent_error|same_fence|no_receipt"
enum lie {
    NONE,
    DOUBLE_RECEIPT,
    AFTER_STOP,
    STALE_OK,
    CREDIT,
    LEAK,
    SILENT_ERROR,
    SAME_FENCE,
    NO_RECEIPT
};
enum { OPTIONS_MAX = 32 };

struct patio_transport {
    const patio_host             *host;
    patio_transport              *real;
    const patio_transport_events *up;
    patio_transport_events        down;
    int64_t                       lie;
};

static const patio_transport_ops *memory;
static const patio_option         option_lie = {
            PATIO_SIZED(patio_option), .type = PATIO_OPTION_CHOICE, .name = "lie", .fallback = "none",
            .choices = LIES,           .help = "the rule to break"};
static const patio_option *options[OPTIONS_MAX];
static size_t              option_lie_at;

#define UP(slot, ...)                                                                              \
    patio_transport *t = self;                                                                     \
    t->up->slot(t->up->self, __VA_ARGS__)

static void delivered(void *self, const patio_delivery *d)
{
    patio_transport *t    = self;
    patio_delivery   mine = *d;
    mine.fence            = t->lie == SAME_FENCE ? 1 : d->fence;
    t->up->delivered(t->up->self, &mine);
}

static void replied(void *self, const patio_reply *r)
{
    UP(replied, r);
}

static void published(void *self, const patio_receipt *r)
{
    patio_transport *t = self;
    if (t->lie != NO_RECEIPT) {
        t->up->published(t->up->self, r);
    }
    if (t->lie == DOUBLE_RECEIPT) {
        t->up->published(t->up->self, r);
    }
}

static void lease_lost(void *self, patio_tag tag, const patio_error *why)
{
    UP(lease_lost, tag, why);
}

static void settle_failed(void *self, patio_tag tag, const patio_error *why)
{
    UP(settle_failed, tag, why);
}

static void cancel_wanted(void *self, patio_tag tag)
{
    UP(cancel_wanted, tag);
}

static void cancelled(void *self, const patio_id *id, uint32_t outcome)
{
    UP(cancelled, id, outcome);
}

static void link_changed(void *self, uint32_t state, const patio_error *why)
{
    UP(link, state, why);
}

static patio_status create(const patio_host *host, const patio_transport_params *params,
                           patio_transport **out, patio_error *err)
{
    patio_transport *t = host->alloc(host->self, sizeof(*t));
    if (t == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(t, 0, sizeof(*t));
    t->host = host;
    t->up   = params->events;
    t->lie  = params->endpoints[0].values[option_lie_at].number;
    t->down = (patio_transport_events){
        PATIO_SIZED(patio_transport_events),
        .self          = t,
        .delivered     = delivered,
        .replied       = replied,
        .published     = published,
        .lease_lost    = lease_lost,
        .settle_failed = settle_failed,
        .cancel_wanted = cancel_wanted,
        .cancelled     = cancelled,
        .link          = link_changed,
    };
    patio_transport_params mine = *params;
    mine.events                 = &t->down;
    patio_status st             = memory->create(host, &mine, &t->real, err);
    if (st != PATIO_OK) {
        host->free(host->self, t);
        return st;
    }
    if (t->lie == LEAK) {
        (void)host->alloc(host->self, 100);
    }
    *out = t;
    return PATIO_OK;
}

static patio_status start(patio_transport *t, patio_error *err)
{
    return memory->start(t->real, err);
}

static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    return memory->stop(t->real, grace_ms, err);
}

static void destroy(patio_transport *t)
{
    if (t != NULL) {
        if (t->lie == AFTER_STOP) {
            t->up->link(t->up->self, PATIO_LINK_UP, NULL);
        }
        memory->destroy(t->real);
        t->host->free(t->host->self, t);
    }
}

static patio_status quiet(const patio_transport *t, patio_status st, patio_error *err)
{
    if (t->lie == SILENT_ERROR && err != NULL) {
        err->message[0] = '\0';
    }
    return st;
}

static patio_status publish(patio_transport *t, const patio_message *m, patio_error *err)
{
    return quiet(t, memory->publish(t->real, m, err), err);
}

static patio_status subscribe(patio_transport *t, const patio_subscription *s, patio_error *err)
{
    patio_subscription mine = *s;
    mine.credit += t->lie == CREDIT ? 1 : 0;
    return memory->subscribe(t->real, &mine, err);
}

static patio_status unsubscribe(patio_transport *t, const char *queue, patio_error *err)
{
    return quiet(t, memory->unsubscribe(t->real, queue, err), err);
}

static patio_status settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                           patio_error *err)
{
    patio_status st = memory->settle(t->real, tag, s, err);
    return t->lie == STALE_OK && st == PATIO_STALE ? PATIO_OK : quiet(t, st, err);
}

static patio_status notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err)
{
    return memory->notify(t->real, tag, body, err);
}

static patio_status cancel(patio_transport *t, const char *queue, const patio_id *id,
                           patio_error *err)
{
    return memory->cancel(t->real, queue, id, err);
}

static patio_status counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                           patio_counts *out, patio_error *err)
{
    return memory->counts(t->real, queue, timeout_ms, out, err);
}

static patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .create      = create,
    .start       = start,
    .stop        = stop,
    .destroy     = destroy,
    .publish     = publish,
    .subscribe   = subscribe,
    .unsubscribe = unsubscribe,
    .settle      = settle,
    .notify      = notify,
    .cancel      = cancel,
    .counts      = counts,
};

/* The memory transport lies beside every patio: PATIO_TEST_LIBDIR says where. */
static bool borrow(void)
{
    char        path[1024];
    const char *folder = getenv("PATIO_TEST_LIBDIR");
    (void)snprintf(path, sizeof(path), "%s/transports/memory.so", folder != NULL ? folder : ".");
    void                  *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void                  *symbol  = library != NULL ? dlsym(library, PATIO_PLUGIN_SYMBOL) : NULL;
    patio_plugin_entry_fn *entry   = NULL;
    if (symbol == NULL) {
        return false;
    }
    memcpy(&entry, &symbol, sizeof(entry));
    memory   = entry(PATIO_ABI_MAJOR)->query(PATIO_TRANSPORT_ID);
    ops.caps = memory->caps & ~(uint32_t)(PATIO_CAP_DEAD_LETTERS | PATIO_CAP_RESULTS);
    while (memory->options[option_lie_at] != NULL && option_lie_at < OPTIONS_MAX - 2) {
        options[option_lie_at] = memory->options[option_lie_at];
        option_lie_at++;
    }
    options[option_lie_at] = &option_lie;
    ops.options            = options;
    return true;
}

static const void *query(const char *interface_id)
{
    if (strcmp(interface_id, PATIO_TRANSPORT_ID) != 0 || (memory == NULL && !borrow())) {
        return NULL;
    }
    return &ops;
}

PATIO_PLUGIN_DEFINE(liar, "0.1.0", "MIT", "breaks one rule", query)
