#include "liar.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ENDPOINTS_MAX = 20, OPTIONS_MAX = 64 };

enum lie liar_lie;

static const patio_transport_ops *real;
static const patio_option        *options[OPTIONS_MAX];
static const patio_option option_of_no_unit = {PATIO_SIZED(patio_option), .type = PATIO_OPTION_MS,
                                               .name = "pause", .fallback = "1s",
                                               .help = "a time without its unit"};
static const patio_option option_secret  = {PATIO_SIZED(patio_option), .type = PATIO_OPTION_SECRET,
                                            .name = "password", .fallback = "",
                                            .help = "what is not to be told"};
static const char *const  loud_schemes[] = {"LIAR", "liar", NULL};
_Atomic bool              liar_one_is_closed; /* of all instances of the process */

static bool read_lie(void)
{
    static const char *const names[] = {
#define X(name) #name,
        LIES(X)
#undef X
    };
    const char *wanted = getenv("PATIO_TEST_LIE");
    for (size_t i = 0; wanted != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], wanted) == 0) {
            liar_lie = (enum lie)i;
            return true;
        }
    }
    return false;
}

const void *liar_borrow(const char *kind, const char *fallback, const char *interface_id)
{
    char        path[1024];
    const char *folder = getenv("PATIO_TEST_LIBDIR");
    const char *name   = getenv("PATIO_TEST_LIAR_OF");
    (void)snprintf(path, sizeof(path), "%s/%s/%s.so", folder != NULL ? folder : ".", kind,
                   name != NULL ? name : fallback);
    void                  *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void                  *symbol  = library != NULL ? dlsym(library, PATIO_PLUGIN_SYMBOL) : NULL;
    patio_plugin_entry_fn *entry   = NULL;
    if (symbol == NULL || !read_lie()) {
        return NULL;
    }
    memcpy(&entry, &symbol, sizeof(entry));
    return entry(PATIO_ABI_MAJOR)->query(interface_id);
}

/* ---- life ---- */

static void never(void *arg)
{
    (void)arg;
}

static void *lasting(void *arg)
{
    (void)pause();
    return arg;
}

static void start_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, lasting, NULL) == 0) {
        (void)pthread_detach(thread);
    }
}

/* The options of the first endpoint, with bounds that nobody set. */
static void forget_options(patio_transport *t, patio_endpoint *first, patio_option_value *mine)
{
    for (size_t i = 0; t->ops->options[i] != NULL && i < OPTIONS_MAX; i++) {
        mine[i] = first->values[i];
        if (strncmp(t->ops->options[i]->name, "max_", 4) == 0) {
            mine[i].number = 1000000;
        }
    }
    first->values = mine;
}

static patio_status create_real(patio_transport *t, const patio_transport_params *params,
                                patio_error *err)
{
    patio_option_value     values[OPTIONS_MAX];
    patio_endpoint         endpoints[ENDPOINTS_MAX];
    patio_transport_params mine = *params;
    for (uint32_t i = 0; i < params->endpoint_count && i < ENDPOINTS_MAX; i++) {
        memcpy(&endpoints[i], (const char *)params->endpoints + i * params->endpoint_bytes,
               sizeof(endpoints[i]));
    }
    if (lies(LIE_option_ignored)) {
        forget_options(t, &endpoints[0], values);
    }
    mine.endpoints      = endpoints;
    mine.endpoint_bytes = sizeof(endpoints[0]);
    mine.events         = &t->down;
    mine.project        = lies(LIE_project_ignored) ? "all" : params->project;
    mine.max_body_bytes += lies(LIE_one_byte_more) ? 1 : 0;
    return t->ops->create(t->host, &mine, &t->real, err);
}

static void misbehave_in_create(patio_transport *t, const patio_transport_params *params)
{
    if (lies(LIE_event_in_create)) {
        t->up->link(t->up->self, PATIO_LINK_UP, NULL);
    }
    if (lies(LIE_thread_in_create)) {
        start_thread();
    }
    if (lies(LIE_leaks_memory)) {
        (void)t->host->alloc(t->host->self, 100);
    }
    if (lies(LIE_leaks_descriptor)) {
        int more = dup(STDIN_FILENO);
        (void)more;
    }
    if (lies(LIE_leaks_timer)) {
        (void)t->host->after(t->host->self, UINT64_C(3600000000000), never, NULL);
    }
    for (size_t i = 0; lies(LIE_tells_secret) && options[i] != NULL; i++) {
        if (options[i]->type == PATIO_OPTION_SECRET) {
            t->host->log(t->host->self, PATIO_LOG_INFO, params->endpoints[0].values[i].text);
        }
    }
}

static patio_status create(const patio_host *host, const patio_transport_params *params,
                           patio_transport **out, patio_error *err)
{
    for (size_t i = 0; lies(LIE_option_refused) && real->options[i] != NULL; i++) {
        const patio_option *o = real->options[i];
        if (o->max > 0 && params->endpoints[0].values[i].number == o->max) {
            return patio_fail(err, PATIO_INTERNAL, 0, "option %s: too much", o->name);
        }
    }
    if (lies(LIE_garbled_error)) {
        patio_status none = patio_fail(err, PATIO_INTERNAL, 0, "<\"&'>");
        memcpy(err->message + 5, "\x01\x7f\xff\xc3(", 6); /* as no plugin should */
        return none;
    }
    patio_transport *t  = host->alloc(host->self, sizeof(*t));
    patio_status     st = PATIO_NO_MEMORY;
    if (t != NULL) {
        memset(t, 0, sizeof(*t));
        t->host = host;
        t->ops  = real;
        t->up   = params->events;
        (void)pthread_mutex_init(&t->lock, NULL);
        liar_listen(t);
        st = create_real(t, params, err);
    }
    if (st != PATIO_OK) {
        host->free(host->self, t);
        st = lies(LIE_no_memory_hidden) ? PATIO_INTERNAL : st;
        return patio_fail(err, st, 0, "create: it did not work");
    }
    misbehave_in_create(t, params);
    *out = t;
    return PATIO_OK;
}

static patio_status start(patio_transport *t, patio_error *err)
{
    if (lies(LIE_leaks_thread)) {
        start_thread();
    }
    return t->ops->start(t->real, err);
}

static patio_status stop(patio_transport *t, uint64_t grace_ms, patio_error *err)
{
    if (lies(LIE_leaving_acks)) {
        patio_settlement s = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK};
        (void)t->ops->settle(t->real, atomic_load(&t->last), &s, NULL);
    }
    if (lies(LIE_stop_lasts)) {
        (void)sleep(12);
    }
    t->stopped = true;
    return t->ops->stop(t->real, grace_ms, err);
}

static void destroy(patio_transport *t)
{
    if (t == NULL && lies(LIE_destroy_wants_one)) {
        abort(); /* a crash in every build: sanitizers end what reads NULL in ways of their own */
    }
    if (t == NULL) {
        return;
    }
    if (lies(LIE_event_after_stop)) {
        t->up->link(t->up->self, PATIO_LINK_UP, NULL);
    }
    atomic_store(&liar_one_is_closed, true);
    t->ops->destroy(t->real);
    (void)pthread_mutex_destroy(&t->lock);
    t->host->free(t->host->self, t);
}

static patio_transport_ops ops = {
    PATIO_SIZED(patio_transport_ops),
    .options     = options,
    .create      = create,
    .start       = start,
    .stop        = stop,
    .destroy     = destroy,
    .publish     = liar_publish,
    .subscribe   = liar_subscribe,
    .unsubscribe = liar_unsubscribe,
    .settle      = liar_settle,
    .started     = liar_started,
    .notify      = liar_notify,
    .cancel      = liar_cancel,
    .counts      = liar_counts,
    .query       = liar_query,
};

static uint32_t hidden(void)
{
    return lies(LIE_hides_priority)       ? PATIO_CAP_PRIORITY
           : lies(LIE_hides_delay)        ? PATIO_CAP_DELAY
           : lies(LIE_hides_dedup)        ? PATIO_CAP_DEDUP
           : lies(LIE_hides_cancel)       ? PATIO_CAP_CANCEL
           : lies(LIE_hides_results)      ? PATIO_CAP_RESULTS
           : lies(LIE_takes_result_flag)  ? PATIO_CAP_RESULTS
           : lies(LIE_hides_dead_letters) ? PATIO_CAP_DEAD_LETTERS
           : lies(LIE_hides_limits)       ? PATIO_CAP_LIMITS
           : lies(LIE_hides_routes)       ? PATIO_CAP_ROUTES
           : lies(LIE_hides_queue)        ? PATIO_CAP_QUEUE
                                          : 0;
}

static const patio_transport_ops *transport(void)
{
    size_t rows = 0;
    if (real == NULL) {
        real = liar_borrow("transports", "memory", PATIO_TRANSPORT_ID);
    }
    if (real == NULL) {
        return NULL;
    }
    for (; real->options[rows] != NULL && rows < OPTIONS_MAX - 2; rows++) {
        options[rows] = real->options[rows];
    }
    options[rows] = lies(LIE_option_of_no_unit) ? &option_of_no_unit
                    : lies(LIE_tells_secret)    ? &option_secret
                                                : NULL;
    ops.schemes   = lies(LIE_scheme_in_capitals) ? loud_schemes : real->schemes;
    ops.started   = real->started != NULL || lies(LIE_claims_started) ? liar_started : NULL;
    ops.caps      = (real->caps & ~hidden()) | (lies(LIE_claims_persist) ? PATIO_CAP_PERSIST : 0u) |
               (lies(LIE_claims_started) ? PATIO_CAP_STARTED : 0u);
    return &ops;
}

static const void *query(const char *interface_id)
{
    if (strcmp(interface_id, PATIO_EXECUTOR_ID) == 0) {
        return liar_executor();
    }
    const patio_transport_ops *table = transport();
    bool                       mine  = strcmp(interface_id, PATIO_TRANSPORT_ID) == 0;
    return mine || lies(LIE_any_interface) ? table : NULL;
}

PATIO_PLUGIN_DEFINE(liar, "0.1.0", "MIT", "breaks one rule", query)
