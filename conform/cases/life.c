/* Cases 10 to 29: create, start, stop, destroy, and what must not be left. */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "kit.h"

static uint32_t count_in(const char *folder)
{
    DIR     *d     = opendir(folder);
    uint32_t count = 0;
    while (d != NULL && readdir(d) != NULL) {
        count++;
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return count;
}

static uint32_t threads(void)
{
    return count_in("/proc/self/task");
}

static uint32_t descriptors(void)
{
    return count_in("/proc/self/fd");
}

/* Threads and descriptors as they were; the host's timer thread is not the plugin's. */
static void start_timers(kit *k)
{
    uint64_t t = k->host.table.after(&k->host, UINT64_C(3600) * 1000000000, (patio_fn)abort, NULL);
    (void)k->host.table.cancel(&k->host, t);
}

static void create_does_no_work_yet(kit *k)
{
    start_timers(k);
    uint32_t      before_threads = threads();
    uint32_t      before_fds     = descriptors();
    kit_instance *i              = kit_instance_open(k, &(kit_open){.unstarted = true});
    kit_sleep_ms(50);
    KIT_EQUAL(k, threads(), before_threads, "number of threads after create");
    KIT_EQUAL(k, descriptors(), before_fds, "number of descriptors after create");
    KIT_EQUAL(k, KIT_GET(i, link), 0, "link state told before start");
    i->k->ops->destroy(i->t); /* never started: destroy alone must do */
    atomic_store(&i->stopped, true);
    i->t = NULL;
    kit_instance_close(i);
    KIT_EQUAL(k, descriptors(), before_fds, "number of descriptors after destroy");
}

static void destroy_takes_null(kit *k)
{
    k->ops->destroy(NULL);
}

static void start_and_stop_leave_no_thread_and_no_descriptor(kit *k)
{
    start_timers(k);
    kit_instance_close(kit_instance_open(k, NULL)); /* what the process loads once */
    uint32_t before_threads = threads();
    uint32_t before_fds     = descriptors();
    for (int round = 0; round < 5; round++) {
        k->instance_count = 0;
        kit_instance_close(kit_instance_open(k, NULL));
    }
    KIT_AWAIT(k, KIT_SOON_MS, threads() == before_threads, "%u threads instead of %u", threads(),
              before_threads);
    KIT_EQUAL(k, descriptors(), before_fds, "number of descriptors");
}

static void the_link_is_told_in_order(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    KIT_EQUAL(k, KIT_GET(i, ups), 1, "number of times the link came up");
}

static void everything_is_closed_after_stop(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_subscribe(i, 1);
    kit_send(i, 1);
    kit_delivery d = kit_delivered(i, 0);
    kit_instance_stop(i);
    patio_error      err = PATIO_ERROR_INIT;
    patio_settlement s   = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK};
    patio_message    m   = kit_message(k, 2, 0);
    patio_id         id  = kit_id(k, 1);
    KIT_STATUS(k, kit_publish_message(i, &m, 5, &err), PATIO_CLOSED, "publish after stop");
    kit_check_error(k, &err, PATIO_CLOSED, "publish after stop");
    KIT_STATUS(k, k->ops->settle(i->t, d.tag, &s, &err), PATIO_CLOSED, "settle after stop");
    kit_check_error(k, &err, PATIO_CLOSED, "settle after stop");
    if ((k->ops->caps & PATIO_CAP_CANCEL) != 0) {
        KIT_STATUS(k, k->ops->cancel(i->t, "q", &id, &err), PATIO_CLOSED, "cancel after stop");
    }
    KIT_CHECK(k, kit_publish_message(i, &m, 5, NULL) == PATIO_CLOSED, "publish with err NULL");
    KIT_CHECK(k, k->ops->settle(i->t, d.tag, &s, NULL) == PATIO_CLOSED, "settle with err NULL");
}

static void what_fails_says_why_and_takes_null_for_it(kit *k)
{
    kit_instance    *i   = kit_instance_open(k, NULL);
    patio_error      err = PATIO_ERROR_INIT;
    patio_settlement s   = {PATIO_SIZED(patio_settlement), .verdict = PATIO_ACK};
    KIT_STATUS(k, k->ops->unsubscribe(i->t, "nowhere", &err), PATIO_NOT_FOUND, "unsubscribe");
    kit_check_error(k, &err, PATIO_NOT_FOUND, "unsubscribe");
    KIT_STATUS(k, k->ops->unsubscribe(i->t, "nowhere", NULL), PATIO_NOT_FOUND, "unsubscribe");
    err = (patio_error)PATIO_ERROR_INIT;
    KIT_STATUS(k, k->ops->settle(i->t, 77, &s, &err), PATIO_STALE, "settle");
    kit_check_error(k, &err, PATIO_STALE, "settle");
    KIT_STATUS(k, k->ops->settle(i->t, 77, &s, NULL), PATIO_STALE, "settle");
    patio_message m = kit_message(k, 1, 0);
    err             = (patio_error)PATIO_ERROR_INIT;
    KIT_STATUS(k, kit_publish_message(i, &m, 1048577, &err), PATIO_TOO_LARGE, "publish");
    kit_check_error(k, &err, PATIO_TOO_LARGE, "publish");
    KIT_STATUS(k, kit_publish_message(i, &m, 1048577, NULL), PATIO_TOO_LARGE, "publish");
    KIT_EQUAL(k, KIT_GET(i, receipt_count), 0, "outcomes of publishes that failed at once");
}

/* A short life with one task, with the n-th allocation failing, for every n. */
static bool live_once(kit *k)
{
    patio_error   err = PATIO_ERROR_INIT;
    kit_instance *i   = NULL;
    patio_status  st  = kit_instance_create(k, NULL, &i, &err);
    if (st != PATIO_OK) {
        KIT_STATUS(k, st, PATIO_NO_MEMORY, "create without memory");
        kit_check_error(k, &err, st, "create without memory");
        return false;
    }
    static const char *const tasks[] = {"t"};
    patio_subscription       s       = {PATIO_SIZED(patio_subscription), .credit = 2, .queue = "q",
                                        .tasks = tasks, .task_count = 1};
    st                               = k->ops->start(i->t, &err);
    bool ok                          = st == PATIO_OK;
    if (ok) {
        pthread_mutex_lock(&k->lock);
        i->subs[0] = (kit_sub){.queue = "q", .credit = 2};
        pthread_mutex_unlock(&k->lock);
        ok = k->ops->subscribe(i->t, &s, &err) == PATIO_OK;
        ok = kit_publish(i, 1, PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE) == PATIO_OK && ok;
        uint64_t until = kit_now_ms() + 60;
        while (ok && kit_delivered_count(i) == 0 && kit_now_ms() < until) {
            kit_wait_change(k);
        }
        if (kit_delivered_count(i) > 0) {
            kit_delivery d     = kit_delivered(i, 0);
            patio_buf   *reply = kit_buf(k, d.number, KIT_REPLY, 10);
            (void)kit_settle(i, d.tag, PATIO_ACK, 0, reply, NULL);
            kit_buf_drop(k, reply);
        } else {
            ok = false;
        }
    } else {
        atomic_store(&i->stopped, true);
    }
    kit_instance_close(i);
    return ok;
}

static void every_allocation_may_fail(kit *k)
{
    uint64_t tried = 0;
    for (int whole = 0; whole < 3 && tried < 150; tried++) {
        k->instance_count = 0;
        kit_map_free(k->fences);
        k->fences = kit_map_new();
        char project[64];
        (void)snprintf(project, sizeof(project), "conform-%u-%.12s-%u", k->self->number,
                       k->run_name, (unsigned)tried);
        memcpy(k->project, project, sizeof(project));
        uint64_t from = atomic_load(&k->host.allocs);
        atomic_store(&k->host.fail_at, from + tried + 1);
        bool ok      = live_once(k);
        bool reached = atomic_load(&k->host.allocs) > from + tried;
        atomic_store(&k->host.fail_at, 0);
        whole += ok && !reached;
        kit_host_check_empty(&k->host);
    }
    kit_note(k, "%llu allocations failed in turn", (unsigned long long)tried);
}

static void stop_keeps_its_grace(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_subscribe(i, 4);
    for (uint32_t n = 0; n < 8; n++) {
        kit_send(i, n);
    }
    (void)kit_delivered(i, 3);
    uint64_t    from = kit_now_ms();
    patio_error err  = PATIO_ERROR_INIT;
    (void)k->ops->stop(i->t, 300, &err);
    atomic_store(&i->stopped, true);
    uint64_t took = kit_now_ms() - from;
    KIT_CHECK(k, took < 300 + KIT_SOON_MS / 2, "stop with a grace of 300 ms took %llu ms",
              (unsigned long long)took);
}

typedef struct publisher {
    kit_instance *i;
    uint32_t      first;
    pthread_t     thread;
    _Atomic bool  closed;
} publisher;

/* In bursts: the race with stop is what is wanted, not a queue of a million that holds up all
 * others who use the server. */
static void *publish_until_closed(void *arg)
{
    enum { BURST = 8 };
    publisher *p     = arg;
    uint64_t   until = kit_now_ms() + KIT_SOON_MS;
    for (uint32_t n = 0; kit_now_ms() < until; n++) {
        if (kit_publish(p->i, p->first + n, PATIO_MESSAGE_NO_RECEIPT) == PATIO_CLOSED) {
            atomic_store(&p->closed, true);
            break;
        }
        if (n % BURST == BURST - 1) {
            kit_sleep_ms(1);
        }
    }
    return NULL;
}

static void no_event_comes_after_stop(kit *k)
{
    for (uint32_t round = 0; round < 4; round++) {
        publisher p[3];
        k->instance_count = 0;
        kit_instance *a   = kit_instance_open(k, NULL);
        kit_instance *b   = kit_instance_open(k, NULL);
        kit_subscribe(a, 1000);
        kit_work(a);
        for (uint32_t n = 0; n < 3; n++) {
            p[n] = (publisher){.i = n == 0 ? b : a, .first = round * 1000000 + n * 200000};
            KIT_CHECK(k, pthread_create(&p[n].thread, NULL, publish_until_closed, &p[n]) == 0,
                      "no thread to be had");
        }
        KIT_AWAIT(k, KIT_SOON_MS, kit_delivered_count(a) > 100, "nothing flows");
        kit_work_stop(a);
        patio_error err = PATIO_ERROR_INIT;
        (void)k->ops->stop(a->t, 200, &err);
        atomic_store(&a->stopped, true);
        (void)k->ops->stop(b->t, 200, &err);
        atomic_store(&b->stopped, true);
        for (uint32_t n = 0; n < 3; n++) {
            (void)pthread_join(p[n].thread, NULL);
            KIT_CHECK(k, atomic_load(&p[n].closed), "publish never says CLOSED");
        }
        kit_sleep_ms(50);
        kit_instance_close(a);
        kit_instance_close(b);
    }
}

static void an_unreachable_server_is_said_and_waited_for(kit *k)
{
    kit_proxy_install(k);
    kit_proxy_set(k->proxy, KIT_PROXY_REFUSE);
    if (kit_meshes(k)) {
        (void)kit_instance_open(k, NULL); /* the one that is out of reach */
    }
    kit_instance *i = kit_instance_open(k, &(kit_open){.unawaited = true});
    KIT_AWAIT(k, KIT_SOON_MS, kit_meshes(k) || KIT_GET(i, link) == PATIO_LINK_CONNECTING,
              "the link does not say that it is still connecting (state %u)", KIT_GET(i, link));
    uint64_t      from = kit_now_ms();
    patio_error   err  = PATIO_ERROR_INIT;
    patio_message m    = kit_message(k, 1, PATIO_MESSAGE_CALL);
    patio_status  st   = kit_publish_message(i, &m, 10, &err);
    KIT_CHECK(k, kit_now_ms() - from < 4000, "publish blocked for %llu ms",
              (unsigned long long)(kit_now_ms() - from));
    if (st != PATIO_OK) {
        kit_check_error(k, &err, st, "publish");
    }
    kit_proxy_set(k->proxy, 0);
    kit_instance_await_up(i);
    KIT_AWAIT(k, KIT_SOON_MS, kit_proxy_connections(k->proxy) > 0, "it does not connect");
}

static void two_lives_of_one_plugin_do_not_disturb_each_other(kit *k)
{
    kit_instance *a = kit_instance_open(k, NULL);
    kit_instance *b = kit_instance_open(k, &(kit_open){.project = "conform-other"});
    kit_subscribe(a, 1);
    kit_instance_close(b);
    kit_send(a, 1);
    kit_ack(a, kit_delivered(a, 0).tag);
    kit_await_counts(a, 0, 0, 0, 0);
}

const kit_case kit_life_cases[] = {
    {10, 0, "create_does_no_work_yet", "transport.h create", 0, 0, NULL, create_does_no_work_yet},
    {11, 0, "destroy_takes_null", "transport.h destroy", 0, 0, NULL, destroy_takes_null},
    {12, 0, "start_and_stop_leave_no_thread_and_no_descriptor", "abi: memory", 0, 0, NULL,
     start_and_stop_leave_no_thread_and_no_descriptor},
    {13, 0, "the_link_is_told_in_order", "transport.h link", 0, 0, NULL, the_link_is_told_in_order},
    {14, 0, "everything_is_closed_after_stop", "transport.h CLOSED", 0, 0, NULL,
     everything_is_closed_after_stop},
    {15, 0, "what_fails_says_why_and_takes_null_for_it", "abi: failure has no effect", 0, 0, NULL,
     what_fails_says_why_and_takes_null_for_it},
    {16, 120, "every_allocation_may_fail", "abi: memory", 0, 0, NULL, every_allocation_may_fail},
    {17, 0, "stop_keeps_its_grace", "transport.h stop", 0, 0, NULL, stop_keeps_its_grace},
    {18, 120, "no_event_comes_after_stop", "abi: no event after stop", 0, 0, NULL,
     no_event_comes_after_stop},
    {19, 0, "an_unreachable_server_is_said_and_waited_for", "delivery 14", 0, KIT_LINK, NULL,
     an_unreachable_server_is_said_and_waited_for},
    {20, 0, "two_lives_of_one_plugin_do_not_disturb_each_other", "abi: no process-wide state", 0, 0,
     NULL, two_lives_of_one_plugin_do_not_disturb_each_other},
    {0},
};
