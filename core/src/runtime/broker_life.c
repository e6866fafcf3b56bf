/* Start, stop, join. */
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/operate.h"
#include "runtime/watchdog.h"
#include "runtime/worker.h"

/* Its thread may read the next task itself. Of several executors one would keep the others' tasks
 * waiting while it runs its own. */
static void offer_poll(patio_broker *b, const pt_executor *x)
{
    const patio_poller_ops *poller = x->plugin->ops.query(x->instance, PATIO_POLLER_ID);
    if (poller != NULL && b->futures.poll != NULL && b->executor_count == 1) {
        poller->offer(x->instance, b->futures.poll, b->transport);
    }
}

static patio_status start_executors(patio_broker *b, patio_error *err)
{
    for (size_t i = 0; i < b->executor_count; i++) {
        pt_executor          *x    = &b->executors[i];
        const patio_lent_ops *lent = x->plugin->ops.query(x->instance, PATIO_LENT_ID);
        if (lent != NULL) {
            lent->listen(x->instance, pt_lent_elsewhere, x);
        }
        offer_poll(b, x);
        patio_status st = x->plugin->ops.start(x->instance, err);
        if (st != PATIO_OK) {
            pt_error_origin(err, "executor.%s", x->plugin->identity->name);
            return st;
        }
        x->slots   = x->plugin->ops.slots(x->instance);
        x->suspend = x->plugin->ops.query(x->instance, PATIO_SUSPEND_ID);
        x->relay   = x->plugin->ops.query(x->instance, PATIO_RELAY_ID);
        x->lend    = x->plugin->ops.query(x->instance, PATIO_LEND_ID);
    }
    return PATIO_OK;
}

/* There is no link in time, though there may be one yet. */
static bool goes_on_without(const patio_broker *b, uint32_t link)
{
    return link == PATIO_LINK_CONNECTING && b->core[PT_CORE_CONNECT_REQUIRED].number == 0;
}

/* Wait until the link is up, or given up, or the broker is to stop, or the time is over. */
static patio_status wait_for_link(patio_broker *b, patio_error *err)
{
    uint64_t        timeout_ms = (uint64_t)b->core[PT_CORE_CONNECT_TIMEOUT_MS].number;
    uint64_t        until      = pt_after_ms(pt_now_ns(), timeout_ms);
    struct timespec when       = {
              .tv_sec  = (time_t)(until / 1000000000u),
              .tv_nsec = (long)(until % 1000000000u),
    };
    pthread_mutex_lock(&b->lock);
    while (atomic_load(&b->link) == PATIO_LINK_CONNECTING && !b->draining && pt_now_ns() < until) {
        pthread_cond_timedwait(&b->changed, &b->lock, &when);
    }
    bool        told = b->draining;
    uint32_t    link = atomic_load(&b->link);
    patio_error why  = b->link_error;
    pthread_mutex_unlock(&b->lock);
    const char *text = why.status != PATIO_OK ? why.message : "no answer";
    if (told) {
        return pt_fail(err, PATIO_CANCELLED, "broker", "start: the broker was stopped meanwhile");
    }
    if (goes_on_without(b, link)) {
        pt_log_printf(&b->runtime->log, PATIO_LOG_WARN, "broker",
                      "no link to %s within %llu ms: %s; going on without, and trying again",
                      b->endpoints[0].shown, (unsigned long long)timeout_ms, text);
        return PATIO_OK;
    }
    return link != PATIO_LINK_CONNECTING && link != PATIO_LINK_DOWN
               ? PATIO_OK
               : pt_fail(err, why.status != PATIO_OK ? why.status : PATIO_UNREACHABLE, "broker",
                         "connect to %s within %llu ms: %s", b->endpoints[0].shown,
                         (unsigned long long)timeout_ms, text);
}

static patio_status stop(patio_broker *b, uint64_t grace_ms, patio_error *err);

/* What failed is stopped here, unless somebody waits to do so. */
static void end_start(patio_broker *b, bool failed)
{
    pthread_mutex_lock(&b->lock);
    bool told = b->draining;
    pthread_mutex_unlock(&b->lock);
    if (failed && !told) {
        (void)stop(b, 0, NULL);
    }
    pthread_mutex_lock(&b->lock);
    b->starting = false;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

patio_status patio_broker_start(patio_broker *b, patio_error *err)
{
    if (b == NULL) {
        return pt_fail(err, PATIO_INVALID, "broker", "start: broker is NULL");
    }
    if (atomic_load(&b->state) != PT_BROKER_NEW) {
        return pt_fail(err, PATIO_STATE, "broker", "start: the broker was started before");
    }
    if (b->registry != NULL) {
        patio_registry_lock(b->registry);
        if (patio_registry_count(b->registry) != b->route_count) {
            return pt_fail(err, PATIO_STATE, "broker",
                           "start: the registry changed after this broker was made from it");
        }
    }
    pthread_mutex_lock(&b->lock);
    b->starting = true;
    atomic_store(&b->state, PT_BROKER_RUNNING);
    pt_health_changed(b);
    pthread_mutex_unlock(&b->lock);
    patio_status st = start_executors(b, err);
    if (st == PATIO_OK) {
        st = pt_worker_start(b, err);
    }
    if (st == PATIO_OK) {
        st = b->transport_plugin->ops.start(b->transport, err);
        if (st != PATIO_OK) {
            pt_error_origin(err, "transport.%s", b->transport_plugin->identity->name);
        }
    }
    if (st == PATIO_OK) {
        st = wait_for_link(b, err);
    }
    if (st == PATIO_OK) {
        st = pt_queues_subscribe(b, err);
    }
    if (st == PATIO_OK) {
        pt_presence_start(b);
        st = pt_watchdog_start(b, err);
    }
    end_start(b, st != PATIO_OK);
    return st;
}

static uint64_t left_ms(uint64_t until_ns)
{
    return until_ns == UINT64_MAX ? PATIO_FOREVER : pt_until_ms(pt_now_ns(), until_ns);
}

/* Each executor until the common end. TIMEOUT if one still has running tasks. */
static patio_status stop_executors(patio_broker *b, uint64_t until_ns, patio_error *err)
{
    patio_status result = PATIO_OK;
    for (size_t i = 0; i < b->executor_count; i++) {
        pt_executor *x = &b->executors[i];
        if (x->stopped) {
            continue;
        }
        patio_status st = x->plugin->ops.stop(x->instance, left_ms(until_ns), err);
        x->stopped      = st == PATIO_OK;
        if (st != PATIO_OK) {
            pt_error_origin(err, "executor.%s", x->plugin->identity->name);
            result = st;
        }
    }
    return result;
}

/* After this nothing of the broker runs on the timer thread. One that runs now may set no other:
 * the broker and the transport have stopped. */
static void stop_timers(patio_broker *b)
{
    pt_timers *timers = b->runtime->timers;
    pt_timers_quiesce(timers);
    pthread_mutex_lock(&b->lock);
    pt_timers_drop(timers, b->sweep_timer);
    pt_timers_drop(timers, b->defer_timer);
    pt_timers_drop(timers, b->owed_timer);
    pt_timers_drop(timers, b->early.timer);
    b->early.count = 0;
    b->early.timer = 0;
    b->sweep_timer = 0;
    b->defer_timer = 0;
    b->owed_timer  = 0;
    pthread_mutex_unlock(&b->lock);
    pt_timers_quiesce(timers);
}

/* The first stop drains; a later one only waits for what still ran. */
static patio_status drain(patio_broker *b, uint64_t until_ns, patio_error *err)
{
    pthread_mutex_lock(&b->lock);
    b->draining = true;
    pt_health_changed(b);
    pthread_mutex_unlock(&b->lock);
    pt_watchdog_end(b);
    pt_queues_unsubscribe(b);
    pt_presence_stop(b);
    pt_held_return(b);
    patio_status st = stop_executors(b, until_ns, err);
    if (st != PATIO_OK) {
        pt_jobs_tell_all(b, PT_TOLD_STOP);
    }
    pt_held_return(b);
    /* what the timer thread is settling right now belongs to the drain as well */
    pt_timers_quiesce(b->runtime->timers);
    pt_settle_now(b);
    pthread_mutex_lock(&b->lock);
    atomic_store(&b->state, PT_BROKER_STOPPED);
    pt_health_changed(b);
    pthread_mutex_unlock(&b->lock);
    patio_status flushed =
        b->transport_plugin->ops.stop(b->transport, left_ms(until_ns), st == PATIO_OK ? err : NULL);
    if (st == PATIO_OK && flushed != PATIO_OK) {
        pt_error_origin(err, "transport.%s", b->transport_plugin->identity->name);
    }
    pt_watchdog_join(b);
    pt_futures_fail_all(&b->futures, PATIO_CANCELLED, "the broker was stopped");
    stop_timers(b);
    pt_callbacks_pay(b); /* what the timer thread no longer can */
    return st != PATIO_OK ? st : flushed;
}

static patio_status stop(patio_broker *b, uint64_t grace_ms, patio_error *err)
{
    uint64_t until = grace_ms == PATIO_FOREVER ? UINT64_MAX : pt_after_ms(pt_now_ns(), grace_ms);
    switch (atomic_load(&b->state)) {
    case PT_BROKER_NEW:
        return PATIO_OK;
    case PT_BROKER_STOPPED:
        return stop_executors(b, until, err);
    default:
        break;
    }
    patio_status st = drain(b, until, err);
    pthread_mutex_lock(&b->lock);
    b->transport_stopped = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return st;
}

patio_status patio_broker_stop(patio_broker *b, uint64_t grace_ms, patio_error *err)
{
    pthread_mutex_lock(&b->lock);
    if (b->starting) {
        b->draining = true;
        pt_health_changed(b);
        pthread_cond_broadcast(&b->changed);
    }
    while (b->starting) {
        pthread_cond_wait(&b->changed, &b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return stop(b, grace_ms, err);
}

void patio_broker_join(patio_broker *b)
{
    pthread_mutex_lock(&b->lock);
    while (atomic_load(&b->state) != PT_BROKER_NEW && !b->transport_stopped) {
        pthread_cond_wait(&b->changed, &b->lock);
    }
    pthread_mutex_unlock(&b->lock);
}
