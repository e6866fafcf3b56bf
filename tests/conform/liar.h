/* liar.h: a plugin that breaks one rule of the contract, of one's choice (PATIO_TEST_LIE), so that
 * the kit and PATIO_CHECK are seen to notice. All the rest is done by a real one, whose table it
 * borrows: PATIO_TEST_LIAR_OF, or memory and thread.
 *
 *   liar.c           who it is; create, start, stop
 *   liar_work.c      publish, subscribe, settle and the rest of the table
 *   liar_events.c    what it tells the host
 *   liar_tables.c    its interfaces: dead letters, results, queues, presence
 *   liar_executor.c  the executor
 *   test_liar.sh     which case finds which lie
 */
#ifndef LIAR_H
#define LIAR_H

#include <patio/dead.h>
#include <patio/doctor.h>
#include <patio/executor.h>
#include <patio/peers.h>
#include <patio/plugin_util.h>
#include <patio/poll.h>
#include <patio/presence.h>
#include <patio/queues.h>
#include <patio/results.h>
#include <patio/transport.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* clang-format off */
#define LIES(X)                                                                                   \
    X(none)                                                                                       \
    /* its identity */                                                                            \
    X(any_interface) X(option_of_no_unit) X(scheme_in_capitals)                                   \
    /* what it declares */                                                                        \
    X(hides_priority) X(hides_delay) X(hides_dedup) X(hides_cancel) X(hides_results)              \
    X(hides_dead_letters) X(hides_limits) X(takes_result_flag) X(hides_routes) X(hides_queue)     \
    X(claims_persist) X(claims_started)                                                           \
    /* life */                                                                                    \
    X(event_in_create) X(thread_in_create) X(option_refused) X(option_ignored)                    \
    X(project_ignored) X(no_memory_hidden) X(leaks_memory) X(leaks_thread) X(leaks_descriptor)    \
    X(leaks_timer) X(global_state) X(stop_lasts) X(open_after_stop) X(event_after_stop)           \
    X(destroy_wants_one) X(tells_secret) X(link_flaps) X(link_down_silently)                      \
    X(garbled_error)                                                                              \
    /* publish */                                                                                 \
    X(double_receipt) X(no_receipt) X(receipt_unasked) X(receipt_after_failure) X(level_lies)     \
    X(level_ignored) X(accepts_and_forgets) X(silent_error) X(holds_lock) X(body_kept)            \
    X(body_dropped) X(body_changed) X(one_byte_more) X(name_changed) X(flags_lost)                \
    X(route_ignored) X(delay_ignored) X(priority_ignored) X(order_broken) X(ttl_lost)             \
    X(ttl_ignored) X(queue_ignored) X(dedup_ignored) X(dedup_for_ever) X(dedup_original_lost)     \
    X(attach_ignored) X(replace_ignored) X(rejected_silently)                                     \
    /* deliveries */                                                                              \
    X(credit) X(pause_ignored) X(unsubscribe_ignored) X(knows_every_task) X(same_fence)           \
    X(same_tag) X(lost_before) X(lost_of_nobody) X(attempt_lost) X(attempt_zero) X(crashes_lost) X(redelivered_always)             \
    X(redelivered_never) X(expired_unmarked)                                                      \
    /* settlements */                                                                             \
    X(stale_ok) X(verdict_ok) X(ack_ignored) X(retry_acks) X(return_charged) X(retry_at_once)     \
    X(reject_acks) X(claim_ignored) X(leaving_acks)                                               \
    /* replies */                                                                                 \
    X(reply_lost) X(reply_twice) X(reply_of_other) X(reply_empty) X(reply_to_send)                \
    X(part_is_last) X(part_lost) X(part_stale_ok)                                                 \
    /* cancelling */                                                                              \
    X(cancel_ignored) X(cancel_silent) X(cancel_told_twice) X(cancel_lies) X(cancel_untold)       \
    X(cancel_wanted_twice) X(cancelled_caller_untold)                                             \
    /* numbers */                                                                                 \
    X(counts_ready) X(counts_leased) X(counts_delayed) X(counts_dead) X(counts_consumers)         \
    X(counts_age) X(counts_overrun) X(counts_of_nothing) X(event_in_counts)                       \
    /* dead letters, results, queues, presence */                                                 \
    X(dead_page_ignored) X(dead_visit_goes_on) X(dead_body_lost) X(dead_retry_ignored)            \
    X(dead_drop_ignored) X(gone_forgotten) X(result_lost) X(result_for_ever)                      \
    X(state_unknown) X(no_queue_listed)                                                           \
    X(purge_ignored) X(pause_of_queue_ignored) X(drain_ignored) X(limit_ignored)                  \
    X(limit_mistold) X(present_never) X(present_too_large) X(finding_without_advice)              \
    /* the executor */                                                                            \
    X(done_twice) X(done_never) X(done_after_stop) X(job_runs_twice) X(reply_leaked)              \
    X(slots_change) X(slots_none) X(never_full_room) X(executor_open_after_stop)                  \
    X(executor_cancel_ignored) X(stop_takes_its_time) X(executor_silent)                          \
    /* over a link */                                                                             \
    X(subscription_lost) X(late_settle_ok) X(poll_lasts) X(poll_says_ok) X(peers_lost)
/* clang-format on */

enum lie {
#define X(name) LIE_##name,
    LIES(X)
#undef X
};

extern enum lie liar_lie;

/* Is it this one? */
static inline bool lies(enum lie which)
{
    return liar_lie == which;
}

/* PATIO_TEST_LIE and the table of the real plugin of this kind ("transports", "executors"); NULL:
 * it is not there. */
const void *liar_borrow(const char *kind, const char *fallback, const char *interface_id);

struct patio_transport {
    const patio_host             *host;
    const patio_transport_ops    *ops; /* the real one's */
    patio_transport              *real;
    const patio_transport_events *up;
    patio_transport_events        down;
    pthread_mutex_t               lock; /* what a plugin must not hold in an event */
    _Atomic patio_tag             last; /* delivered */
    patio_id                      last_id;
    _Atomic uint64_t              first_ns; /* delivery */
    _Atomic uint32_t              published;
    bool                          stopped;
};

/* One instance of this process has been closed. */
extern _Atomic bool liar_one_is_closed;

patio_status liar_publish(patio_transport *t, const patio_message *m, patio_error *err);
patio_status liar_subscribe(patio_transport *t, const patio_subscription *s, patio_error *err);
patio_status liar_unsubscribe(patio_transport *t, const char *queue, patio_error *err);
patio_status liar_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                         patio_error *err);
patio_status liar_started(patio_transport *t, patio_tag tag, patio_error *err);
patio_status liar_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);
patio_status liar_cancel(patio_transport *t, const char *queue, const patio_id *id,
                         patio_error *err);
patio_status liar_counts(patio_transport *t, const char *queue, uint64_t timeout_ms,
                         patio_counts *out, patio_error *err);

void        liar_listen(patio_transport *t);
const void *liar_query(patio_transport *t, const char *interface_id);
const void *liar_executor(void);

#endif
