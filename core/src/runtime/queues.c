/* The queues a worker takes from. How much each may bring is decided once, here, by handing out
 * credit; a transport only ever hears of single queues. */
#include "runtime/queues.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "config/config.h"
#include "runtime/broker.h"
#include "runtime/credit.h"

/* Between two looks: longer than a task that is worth lending a slot for, shorter than a person
 * notices. */
enum { LOOK_MS = 100, QUEUES_MAX = 256 };

/* From a settlement to the delivery that it makes room for, over a slow network. */
#define DUE_NS (5 * PT_NS_PER_MS)
/* One that has not had all of its credit for so long has no more than comes anyway. */
#define BACKLOG_NS (100 * PT_NS_PER_MS)

/* ---- which queues ---- */

static pt_queue *find_queue(patio_broker *b, const char *name)
{
    for (size_t i = 0; i < b->queue_count; i++) {
        if (strcmp(b->queues[i].name, name) == 0) {
            return &b->queues[i];
        }
    }
    return NULL;
}

static patio_status add_queue(patio_broker *b, const char *name, pt_queue **out, patio_error *err)
{
    pt_queue *q = find_queue(b, name);
    if (q == NULL) {
        q         = &b->queues[b->queue_count];
        q->tasks  = pt_calloc(b->mem, b->route_count, sizeof(*q->tasks));
        q->name   = pt_strdup(b->mem, name);
        q->weight = 1;
        b->queue_count++;
        if (q->tasks == NULL || q->name == NULL) {
            return pt_no_memory(err, "broker");
        }
    }
    *out = q;
    return PATIO_OK;
}

/* "queues.NAME.OPTION": NAME may have dots. */
static patio_status add_configured(patio_broker *b, const patio_config *config,
                                   const pt_setting *setting, patio_error *err)
{
    char                name[PT_QUEUE_NAME_BYTES];
    patio_option_value *values = NULL;
    pt_queue           *q      = NULL;
    size_t              size   = (size_t)(strrchr(setting->key, '.') - setting->key);
    memcpy(name, setting->key, size); /* a key is checked when it is set */
    name[size]      = '\0';
    patio_status st = pt_config_queue(b->mem, config, name, &values, err);
    if (st == PATIO_OK) {
        st = add_queue(b, name, &q, err);
    }
    if (st == PATIO_OK) {
        q->weight = (uint32_t)values[PT_QUEUE_WEIGHT].number;
    }
    pt_options_free(b->mem, pt_queue_options, values);
    return st;
}

patio_status pt_queues_configure(patio_broker *b, const patio_config *config, patio_error *err)
{
    pt_setting  *settings = NULL;
    size_t       count    = 0;
    patio_status st       = pt_config_under(b->mem, config, "queues.", &settings, &count, err);
    if (st != PATIO_OK || b->route_count == 0) {
        pt_free(b->mem, settings);
        return st;
    }
    if (count > QUEUES_MAX) {
        st = pt_fail(err, PATIO_CONFIG, "broker", "more than %d settings of queues", QUEUES_MAX);
    }
    /* either what is configured, or the queues of the tasks */
    b->queues = pt_calloc(b->mem, count > 0 ? count : b->route_count, sizeof(*b->queues));
    if (st == PATIO_OK && b->queues == NULL) {
        st = pt_no_memory(err, "broker");
    }
    for (size_t i = 0; i < count && st == PATIO_OK; i++) {
        st = add_configured(b, config, &settings[i], err);
    }
    b->queues_named  = count > 0;
    b->queues_strict = b->core[PT_CORE_QUEUE_ORDER].number != 0;
    pt_free(b->mem, settings);
    return st;
}

static uint32_t lookahead(const patio_broker *b)
{
    return pt_ahead_rests(b) ? 0 : (uint32_t)b->core[PT_CORE_LOOKAHEAD].number;
}

static void add_task(patio_broker *b, pt_queue *q, const pt_route *route)
{
    if (route->executor != NULL && route->executor->slots > 0) {
        uint32_t most             = route->executor->slots + lookahead(b);
        q->tasks[q->task_count++] = route->task->name;
        q->most                   = most > q->most ? most : q->most;
    }
}

static uint32_t lent(const patio_broker *b)
{
    uint32_t slots = 0;
    for (size_t i = 0; i < b->executor_count; i++) {
        slots += atomic_load(&b->executors[i].lent);
    }
    return slots;
}

static uint32_t lent_most(const patio_broker *b)
{
    uint32_t slots = 0;
    for (size_t i = 0; i < b->executor_count; i++) {
        const pt_executor *x = &b->executors[i];
        slots += x->lend != NULL ? x->lend->most(x->instance) : 0;
    }
    return slots;
}

static uint32_t capacity(const patio_broker *b)
{
    uint32_t slots = lookahead(b);
    for (size_t i = 0; i < b->executor_count; i++) {
        slots += b->executors[i].slots;
    }
    return slots;
}

patio_status pt_queues_fill(patio_broker *b, uint32_t *most, patio_error *err)
{
    for (size_t i = 0; i < b->route_count; i++) {
        pt_queue    *q  = NULL;
        patio_status st = PATIO_OK;
        if (!b->queues_named) {
            st = add_queue(b, b->routes[i].options.queue, &q, err);
            if (st != PATIO_OK) {
                return st;
            }
            add_task(b, q, &b->routes[i]);
        }
        for (size_t k = 0; b->queues_named && k < b->queue_count; k++) {
            add_task(b, &b->queues[k], &b->routes[i]);
        }
    }
    /* each queue may be one ahead of what there is: see pt_credit_share */
    *most = b->route_count > 0 ? capacity(b) + lent_most(b) + (uint32_t)b->queue_count : 0;
    return PATIO_OK;
}

void pt_queues_fini(patio_broker *b)
{
    for (size_t i = 0; i < b->queue_count; i++) {
        pt_free(b->mem, (void *)(uintptr_t)b->queues[i].tasks);
        pt_free(b->mem, b->queues[i].name);
    }
    pt_free(b->mem, b->queues);
}

/* ---- credit ---- */

static patio_status subscribe(patio_broker *b, pt_queue *q, uint32_t credit, patio_error *err)
{
    if (q->most == 0 || credit == q->credit) {
        return PATIO_OK; /* an executor that runs nothing: others may */
    }
    patio_subscription s = {
        PATIO_SIZED(patio_subscription), .credit = credit, .queue = q->name, .tasks = q->tasks,
        .task_count = q->task_count,
    };
    patio_status st = b->transport_plugin->ops.subscribe(b->transport, &s, err);
    if (st == PATIO_OK) {
        q->credit = credit;
    } else {
        pt_error_origin(err, "transport.%s", b->transport_plugin->identity->name);
    }
    return st;
}

static bool look(patio_broker *b, pt_claim *shares)
{
    uint32_t more = lent(b);
    bool     any  = more > 0 || atomic_load(&b->lent) > 0;
    atomic_store(&b->lent, more);
    for (size_t i = 0; i < b->queue_count; i++) {
        pt_queue *q    = &b->queues[i];
        uint32_t  held = atomic_load(&q->held);
        /* one queue alone always has all there is */
        bool full = atomic_exchange(&q->full, 0) != 0 || b->queue_count == 1;
        shares[i] = (pt_claim){.weight = q->weight,
                               .most   = q->most + more,
                               .held   = held,
                               .wants  = q->most > 0 && (full || held >= q->credit)};
        any       = any || held > 0;
    }
    pt_credit_share(shares, b->queue_count, capacity(b) + more, b->queues_strict);
    return any;
}

static void share_again(void *self);

/* Under the broker's lock. */
static void look_later(patio_broker *b, uint64_t delay_ms)
{
    if (b->sharing && b->share_timer == 0) {
        b->share_timer =
            pt_timers_after(b->runtime->timers, delay_ms * UINT64_C(1000000), share_again, b);
    }
}

/* Less first, so that the sum is never above what there is for longer than it takes. On the timer
 * thread, which is the only one to subscribe once the broker has started. */
static void share_again(void *self)
{
    patio_broker *b = self;
    pt_claim      shares[QUEUES_MAX];
    pthread_mutex_lock(&b->lock);
    b->share_timer = 0;
    bool on        = b->sharing;
    pthread_mutex_unlock(&b->lock);
    if (!on) {
        return;
    }
    bool any = look(b, shares);
    for (int more = 0; more < 2; more++) {
        for (size_t i = 0; i < b->queue_count; i++) {
            if ((shares[i].credit > b->queues[i].credit) == (more != 0)) {
                (void)subscribe(b, &b->queues[i], shares[i].credit, NULL);
            }
        }
    }
    pthread_mutex_lock(&b->lock);
    if (any) {
        look_later(b, LOOK_MS);
    }
    pthread_mutex_unlock(&b->lock);
}

/* It had all of its credit, or has just been given some back: another task of it is on its way, if
 * it has been so until lately. */
static void expect_more(const patio_broker *b, pt_queue *q, bool full)
{
    uint64_t now = pt_clock_now(&b->runtime->clock);
    if (full) {
        atomic_store(&q->full_ns, now);
    }
    if (full || atomic_load(&q->due_ns) > now) {
        uint64_t end = atomic_load(&q->full_ns) + BACKLOG_NS;
        atomic_store(&q->due_ns, now + DUE_NS < end ? now + DUE_NS : end);
    }
}

patio_status pt_queues_subscribe(patio_broker *b, patio_error *err)
{
    pt_claim     shares[QUEUES_MAX];
    patio_status st = PATIO_OK;
    if (b->queue_count > QUEUES_MAX) {
        return pt_fail(err, PATIO_CONFIG, "broker",
                       "the tasks of one broker stand in %zu queues; at most %d can be served",
                       b->queue_count, QUEUES_MAX);
    }
    for (size_t i = 0; i < b->queue_count; i++) {
        b->queues[i].credit = UINT32_MAX; /* not yet subscribed: whatever comes out is a change */
        atomic_store(&b->queues[i].full, 1);
        expect_more(b, &b->queues[i], true);
    }
    (void)look(b, shares);
    for (size_t i = 0; i < b->queue_count && st == PATIO_OK; i++) {
        st = subscribe(b, &b->queues[i], shares[i].credit, err);
    }
    pthread_mutex_lock(&b->lock);
    b->sharing = st == PATIO_OK && b->queue_count > 0;
    if (b->sharing && b->queue_count > 1) {
        look_later(b, LOOK_MS);
    }
    pthread_mutex_unlock(&b->lock);
    pt_ahead_start(b);
    pt_held_look(b);
    return st;
}

void pt_queues_again(patio_broker *b, size_t queue)
{
    pt_queue *q = &b->queues[queue];
    pthread_mutex_lock(&b->lock);
    bool on = b->sharing;
    pthread_mutex_unlock(&b->lock);
    if (on) {
        uint32_t credit = atomic_exchange(&q->credit, UINT32_MAX);
        (void)b->transport_plugin->ops.unsubscribe(b->transport, q->name, NULL);
        (void)subscribe(b, q, credit, NULL);
    }
}

void pt_queues_unsubscribe(patio_broker *b)
{
    pthread_mutex_lock(&b->lock);
    b->sharing = false;
    pt_timers_drop(b->runtime->timers, b->share_timer);
    pt_timers_drop(b->runtime->timers, b->ahead.timer);
    pt_timers_drop(b->runtime->timers, b->turn_timer);
    b->share_timer = 0;
    b->ahead.timer = 0;
    b->turn_timer  = 0;
    pthread_mutex_unlock(&b->lock);
    pt_timers_quiesce(b->runtime->timers);
    for (size_t i = 0; i < b->queue_count; i++) {
        (void)b->transport_plugin->ops.unsubscribe(b->transport, b->queues[i].name, NULL);
    }
}

void pt_queues_look_now(patio_broker *b)
{
    share_again(b);
}

void pt_queues_lent(patio_broker *b)
{
    if (lent(b) > atomic_load(&b->lent)) {
        pt_queues_look(b); /* credit that was handed out before is not taken back at once */
    }
}

void pt_queues_look(patio_broker *b)
{
    pthread_mutex_lock(&b->lock);
    if (b->sharing) {
        /* a look that is planned for later comes too late; it may come all the same */
        pt_timers_drop(b->runtime->timers, b->share_timer);
        b->share_timer = 0;
        look_later(b, 0);
    }
    pthread_mutex_unlock(&b->lock);
}

/* ---- deliveries ---- */

pt_queue *pt_queues_took(patio_broker *b, const char *name)
{
    if (b->queue_count < 2) {
        return NULL;
    }
    pt_queue *q = find_queue(b, name);
    if (q != NULL) {
        (void)atomic_fetch_add_explicit(&q->took, 1, memory_order_relaxed);
    }
    if (q == NULL || atomic_fetch_add(&q->held, 1) + 1 < q->credit) {
        return q;
    }
    expect_more(b, q, true);
    if (atomic_exchange(&q->full, 1) == 0) {
        pthread_mutex_lock(&b->lock);
        look_later(b, LOOK_MS);
        pthread_mutex_unlock(&b->lock);
    }
    return q;
}

void pt_queues_gave(patio_broker *b, pt_queue *q)
{
    if (q == NULL) {
        return;
    }
    bool full = atomic_fetch_sub(&q->held, 1) >= q->credit;
    if (b->queue_count > 1) { /* nothing is expected of one alone, and a clock is not for nothing */
        expect_more(b, q, full);
    }
}
