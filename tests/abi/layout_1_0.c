/* The layout of ABI 1.0, frozen. What stands here is compiled into plugins that nobody can rebuild:
 * a line may be added for an appended member, none may ever be changed. It breaks when the headers
 * do. */
#include <patio/dead.h>
#include <patio/doctor.h>
#include <patio/executor.h>
#include <patio/peers.h>
#include <patio/poll.h>
#include <patio/presence.h>
#include <patio/queues.h>
#include <patio/results.h>
#include <patio/topology.h>
#include <patio/transport.h>

#ifndef __LP64__
#error "the frozen layout is that of LP64; add one for this data model"
#endif

/* A struct that begins with struct_size may get longer with a later minor version … */
#define GROWS(type, bytes)                                                                         \
    _Static_assert(sizeof(type) == (bytes) || (PATIO_ABI_MINOR > 0 && sizeof(type) > (bytes)),     \
                   "the size of " #type " is frozen")
/* … the others are passed by value or stand in arrays, and may not. */
#define FIXED(type, bytes)                                                                         \
    _Static_assert(sizeof(type) == (bytes), "the size of " #type " is frozen")
/* The type goes last, because it may hold commas. */
#define MEMBER(type, member, offset, ...)                                                          \
    _Static_assert(offsetof(type, member) == (offset), #type "." #member " was moved");            \
    _Static_assert(__builtin_types_compatible_p(__typeof__(((type *)0)->member), __VA_ARGS__),     \
                   #type "." #member " has another type")

/* patio/base.h */
FIXED(patio_bytes, 16);
MEMBER(patio_bytes, data, 0, const uint8_t *);
MEMBER(patio_bytes, size, 8, size_t);

FIXED(patio_id, 16);
MEMBER(patio_id, bytes, 0, uint8_t[16]);

GROWS(patio_error, 1024);
MEMBER(patio_error, struct_size, 0, uint32_t);
MEMBER(patio_error, status, 4, patio_status);
MEMBER(patio_error, os_errno, 8, int32_t);
MEMBER(patio_error, flags, 12, uint32_t);
MEMBER(patio_error, origin, 16, char[32]);
MEMBER(patio_error, message, 48, char[976]);

/* patio/message.h */
GROWS(patio_message, 104);
MEMBER(patio_message, struct_size, 0, uint32_t);
MEMBER(patio_message, flags, 4, uint32_t);
MEMBER(patio_message, id, 8, patio_id);
MEMBER(patio_message, queue, 24, const char *);
MEMBER(patio_message, task, 32, const char *);
MEMBER(patio_message, dedup_key, 40, patio_bytes);
MEMBER(patio_message, dedup_window_ms, 56, uint64_t);
MEMBER(patio_message, ttl_ms, 64, uint64_t);
MEMBER(patio_message, delay_ms, 72, uint64_t);
MEMBER(patio_message, dedup_conflict, 80, uint32_t);
MEMBER(patio_message, priority, 84, uint16_t);
MEMBER(patio_message, attempt, 86, uint16_t);
MEMBER(patio_message, crashes, 88, uint16_t);
MEMBER(patio_message, level, 90, uint16_t);
MEMBER(patio_message, reserved, 92, uint32_t);
MEMBER(patio_message, body, 96, patio_buf *);

GROWS(patio_delivery, 40);
MEMBER(patio_delivery, struct_size, 0, uint32_t);
MEMBER(patio_delivery, reserved, 4, uint32_t);
MEMBER(patio_delivery, tag, 8, patio_tag);
MEMBER(patio_delivery, fence, 16, uint64_t);
MEMBER(patio_delivery, age_ms, 24, uint64_t);
MEMBER(patio_delivery, message, 32, const patio_message *);

GROWS(patio_receipt, 56);
MEMBER(patio_receipt, struct_size, 0, uint32_t);
MEMBER(patio_receipt, outcome, 4, uint32_t);
MEMBER(patio_receipt, id, 8, patio_id);
MEMBER(patio_receipt, original, 24, patio_id);
MEMBER(patio_receipt, level, 40, uint32_t);
MEMBER(patio_receipt, reserved, 44, uint32_t);
MEMBER(patio_receipt, error, 48, const patio_error *);

GROWS(patio_settlement, 56);
MEMBER(patio_settlement, struct_size, 0, uint32_t);
MEMBER(patio_settlement, verdict, 4, uint32_t);
MEMBER(patio_settlement, delay_ms, 8, uint64_t);
MEMBER(patio_settlement, result_ttl_ms, 16, uint64_t);
MEMBER(patio_settlement, cause, 24, patio_bytes);
MEMBER(patio_settlement, reply, 40, patio_buf *);
MEMBER(patio_settlement, flags, 48, uint32_t);
MEMBER(patio_settlement, reserved, 52, uint32_t);

GROWS(patio_reply, 32);
MEMBER(patio_reply, struct_size, 0, uint32_t);
MEMBER(patio_reply, flags, 4, uint32_t);
MEMBER(patio_reply, id, 8, patio_id);
MEMBER(patio_reply, body, 24, patio_buf *);

FIXED(patio_header, 16);
MEMBER(patio_header, name, 0, const char *);
MEMBER(patio_header, value, 8, const char *);

GROWS(patio_progress, 256);
MEMBER(patio_progress, struct_size, 0, uint32_t);
MEMBER(patio_progress, reserved, 4, uint32_t);
MEMBER(patio_progress, numerator, 8, uint64_t);
MEMBER(patio_progress, denominator, 16, uint64_t);
MEMBER(patio_progress, note, 24, char[PATIO_PROGRESS_NOTE_BYTES]);

GROWS(patio_counts, 56);
MEMBER(patio_counts, struct_size, 0, uint32_t);
MEMBER(patio_counts, reserved, 4, uint32_t);
MEMBER(patio_counts, ready, 8, uint64_t);
MEMBER(patio_counts, leased, 16, uint64_t);
MEMBER(patio_counts, delayed, 24, uint64_t);
MEMBER(patio_counts, dead, 32, uint64_t);
MEMBER(patio_counts, consumers, 40, uint64_t);
MEMBER(patio_counts, oldest_age_ms, 48, uint64_t);

/* patio/host.h */
GROWS(patio_host, 160);
MEMBER(patio_host, struct_size, 0, uint32_t);
MEMBER(patio_host, abi_minor, 4, uint32_t);
MEMBER(patio_host, version, 8, const char *);
MEMBER(patio_host, self, 16, void *);
MEMBER(patio_host, alloc, 24, void *(*)(void *, size_t));
MEMBER(patio_host, resize, 32, void *(*)(void *, void *, size_t));
MEMBER(patio_host, free, 40, void (*)(void *, void *));
MEMBER(patio_host, buf_new, 48, patio_buf *(*)(void *, size_t, uint8_t **));
MEMBER(patio_host, buf_wrap, 56, patio_buf *(*)(void *, patio_bytes, patio_fn, void *));
MEMBER(patio_host, buf_ref, 64, patio_buf *(*)(void *, patio_buf *));
MEMBER(patio_host, buf_drop, 72, void (*)(void *, patio_buf *));
MEMBER(patio_host, buf_view, 80, patio_bytes (*)(void *, const patio_buf *));
MEMBER(patio_host, log_on, 88, int32_t (*)(void *, int32_t));
MEMBER(patio_host, log, 96, void (*)(void *, int32_t, const char *));
MEMBER(patio_host, now_ns, 104, uint64_t (*)(void *));
MEMBER(patio_host, after, 112, uint64_t (*)(void *, uint64_t, patio_fn, void *));
MEMBER(patio_host, cancel, 120, int32_t (*)(void *, uint64_t));
MEMBER(patio_host, random, 128, patio_status (*)(void *, void *, size_t));
MEMBER(patio_host, share, 136, void *(*)(void *, const char *, void *(*)(void *), void *));
MEMBER(patio_host, unshare, 144, void (*)(void *, void *, void (*)(void *)));
MEMBER(patio_host, query, 152, const void *(*)(void *, const char *));

/* patio/plugin.h */
GROWS(patio_option, 56);
MEMBER(patio_option, struct_size, 0, uint32_t);
MEMBER(patio_option, type, 4, uint32_t);
MEMBER(patio_option, name, 8, const char *);
MEMBER(patio_option, fallback, 16, const char *);
MEMBER(patio_option, help, 24, const char *);
MEMBER(patio_option, choices, 32, const char *);
MEMBER(patio_option, min, 40, int64_t);
MEMBER(patio_option, max, 48, int64_t);

FIXED(patio_option_value, 24);
MEMBER(patio_option_value, text, 0, const char *);
MEMBER(patio_option_value, number, 8, int64_t);
MEMBER(patio_option_value, given, 16, uint32_t);
MEMBER(patio_option_value, reserved, 20, uint32_t);

FIXED(patio_host_port, 16);
MEMBER(patio_host_port, host, 0, const char *);
MEMBER(patio_host_port, port, 8, uint32_t);
MEMBER(patio_host_port, reserved, 12, uint32_t);

GROWS(patio_endpoint, 64);
MEMBER(patio_endpoint, struct_size, 0, uint32_t);
MEMBER(patio_endpoint, host_count, 4, uint32_t);
MEMBER(patio_endpoint, scheme, 8, const char *);
MEMBER(patio_endpoint, user, 16, const char *);
MEMBER(patio_endpoint, password, 24, const char *);
MEMBER(patio_endpoint, hosts, 32, const patio_host_port *);
MEMBER(patio_endpoint, path, 40, const char *);
MEMBER(patio_endpoint, shown, 48, const char *);
MEMBER(patio_endpoint, values, 56, const patio_option_value *);

GROWS(patio_plugin, 56);
MEMBER(patio_plugin, magic, 0, uint32_t);
MEMBER(patio_plugin, struct_size, 4, uint32_t);
MEMBER(patio_plugin, abi_major, 8, uint16_t);
MEMBER(patio_plugin, abi_minor, 10, uint16_t);
MEMBER(patio_plugin, flags, 12, uint32_t);
MEMBER(patio_plugin, name, 16, const char *);
MEMBER(patio_plugin, version, 24, const char *);
MEMBER(patio_plugin, license, 32, const char *);
MEMBER(patio_plugin, summary, 40, const char *);
MEMBER(patio_plugin, query, 48, const void *(*)(const char *));

/* patio/transport.h */
GROWS(patio_transport_events, 80);
MEMBER(patio_transport_events, struct_size, 0, uint32_t);
MEMBER(patio_transport_events, reserved, 4, uint32_t);
MEMBER(patio_transport_events, self, 8, void *);
MEMBER(patio_transport_events, delivered, 16, void (*)(void *, const patio_delivery *));
MEMBER(patio_transport_events, replied, 24, void (*)(void *, const patio_reply *));
MEMBER(patio_transport_events, published, 32, void (*)(void *, const patio_receipt *));
MEMBER(patio_transport_events, lease_lost, 40, void (*)(void *, patio_tag, const patio_error *));
MEMBER(patio_transport_events, settle_failed, 48, void (*)(void *, patio_tag, const patio_error *));
MEMBER(patio_transport_events, cancel_wanted, 56, void (*)(void *, patio_tag));
MEMBER(patio_transport_events, cancelled, 64, void (*)(void *, const patio_id *, uint32_t));
MEMBER(patio_transport_events, link, 72, void (*)(void *, uint32_t, const patio_error *));

GROWS(patio_transport_params, 56);
MEMBER(patio_transport_params, struct_size, 0, uint32_t);
MEMBER(patio_transport_params, endpoint_count, 4, uint32_t);
MEMBER(patio_transport_params, project, 8, const char *);
MEMBER(patio_transport_params, incarnation, 16, uint64_t);
MEMBER(patio_transport_params, max_body_bytes, 24, uint64_t);
MEMBER(patio_transport_params, endpoints, 32, const patio_endpoint *);
MEMBER(patio_transport_params, endpoint_bytes, 40, size_t);
MEMBER(patio_transport_params, events, 48, const patio_transport_events *);

GROWS(patio_subscription, 32);
MEMBER(patio_subscription, struct_size, 0, uint32_t);
MEMBER(patio_subscription, credit, 4, uint32_t);
MEMBER(patio_subscription, queue, 8, const char *);
MEMBER(patio_subscription, tasks, 16, const char *const *);
MEMBER(patio_subscription, task_count, 24, size_t);

GROWS(patio_transport_ops, 128);
MEMBER(patio_transport_ops, struct_size, 0, uint32_t);
MEMBER(patio_transport_ops, caps, 4, uint32_t);
MEMBER(patio_transport_ops, options, 8, const patio_option *const *);
MEMBER(patio_transport_ops, schemes, 16, const char *const *);
MEMBER(patio_transport_ops, create, 24,
       patio_status (*)(const patio_host *, const patio_transport_params *, patio_transport **,
                        patio_error *));
MEMBER(patio_transport_ops, start, 32, patio_status (*)(patio_transport *, patio_error *));
MEMBER(patio_transport_ops, stop, 40, patio_status (*)(patio_transport *, uint64_t, patio_error *));
MEMBER(patio_transport_ops, destroy, 48, void (*)(patio_transport *));
MEMBER(patio_transport_ops, publish, 56,
       patio_status (*)(patio_transport *, const patio_message *, patio_error *));
MEMBER(patio_transport_ops, subscribe, 64,
       patio_status (*)(patio_transport *, const patio_subscription *, patio_error *));
MEMBER(patio_transport_ops, unsubscribe, 72,
       patio_status (*)(patio_transport *, const char *, patio_error *));
MEMBER(patio_transport_ops, settle, 80,
       patio_status (*)(patio_transport *, patio_tag, const patio_settlement *, patio_error *));
MEMBER(patio_transport_ops, started, 88,
       patio_status (*)(patio_transport *, patio_tag, patio_error *));
MEMBER(patio_transport_ops, notify, 96,
       patio_status (*)(patio_transport *, patio_tag, patio_buf *, patio_error *));
MEMBER(patio_transport_ops, cancel, 104,
       patio_status (*)(patio_transport *, const char *, const patio_id *, patio_error *));
MEMBER(patio_transport_ops, counts, 112,
       patio_status (*)(patio_transport *, const char *, uint64_t, patio_counts *, patio_error *));
MEMBER(patio_transport_ops, query, 120, const void *(*)(patio_transport *, const char *));

/* patio/executor.h */
GROWS(patio_outcome, 32);
MEMBER(patio_outcome, struct_size, 0, uint32_t);
MEMBER(patio_outcome, verdict, 4, uint32_t);
MEMBER(patio_outcome, status, 8, patio_status);
MEMBER(patio_outcome, reserved, 12, uint32_t);
MEMBER(patio_outcome, delay_ms, 16, uint64_t);
MEMBER(patio_outcome, reply, 24, patio_buf *);

GROWS(patio_job, 128);
MEMBER(patio_job, struct_size, 0, uint32_t);
MEMBER(patio_job, traits, 4, uint32_t);
MEMBER(patio_job, task, 8, const char *);
MEMBER(patio_job, id, 16, patio_id);
MEMBER(patio_job, deadline_ns, 32, uint64_t);
MEMBER(patio_job, request, 40, patio_buf *);
MEMBER(patio_job, link, 48, void *[4]);
MEMBER(patio_job, run, 80, void (*)(patio_job *, patio_outcome *));
MEMBER(patio_job, ops, 88, const patio_job_ops *);
MEMBER(patio_job, options, 96, const patio_option_value *);
MEMBER(patio_job, project, 104, const char *);
MEMBER(patio_job, fence, 112, uint64_t);
MEMBER(patio_job, attempt, 120, uint32_t);
MEMBER(patio_job, flags, 124, uint32_t);

GROWS(patio_job_view, 96);
MEMBER(patio_job_view, struct_size, 0, uint32_t);
MEMBER(patio_job_view, kind, 4, uint32_t);
MEMBER(patio_job_view, content_type, 8, const char *);
MEMBER(patio_job_view, payload, 16, patio_bytes);
MEMBER(patio_job_view, values, 32, const patio_value *);
MEMBER(patio_job_view, value_count, 40, size_t);
MEMBER(patio_job_view, keywords, 48, const patio_value *);
MEMBER(patio_job_view, keyword_count, 56, size_t);
MEMBER(patio_job_view, traceparent, 64, const char *);
MEMBER(patio_job_view, tracestate, 72, const char *);
MEMBER(patio_job_view, headers, 80, const patio_header *);
MEMBER(patio_job_view, header_count, 88, size_t);

GROWS(patio_job_ops, 64);
MEMBER(patio_job_ops, struct_size, 0, uint32_t);
MEMBER(patio_job_ops, reserved, 4, uint32_t);
MEMBER(patio_job_ops, begin, 8, bool (*)(patio_job *, patio_outcome *));
MEMBER(patio_job_ops, view, 16, bool (*)(patio_job *, patio_job_view *, patio_outcome *));
MEMBER(patio_job_ops, succeed, 24, void (*)(patio_job *, const patio_payload *, patio_outcome *));
MEMBER(patio_job_ops, fail, 32,
       void (*)(patio_job *, patio_status, uint64_t, int32_t, const char *, const char *,
                patio_outcome *));
MEMBER(patio_job_ops, cancelled, 40, bool (*)(const patio_job *));
MEMBER(patio_job_ops, progress, 48, void (*)(patio_job *, const patio_progress *));
MEMBER(patio_job_ops, log, 56, void (*)(const patio_job *, int32_t, const char *));

GROWS(patio_suspend_ops, 48);
MEMBER(patio_suspend_ops, struct_size, 0, uint32_t);
MEMBER(patio_suspend_ops, reserved, 4, uint32_t);
MEMBER(patio_suspend_ops, park, 8, void (*)(patio_executor *, patio_job *, uint64_t));
MEMBER(patio_suspend_ops, wake, 16, void (*)(patio_executor *, patio_job *));
MEMBER(patio_suspend_ops, yield, 24, void (*)(patio_executor *, patio_job *));
MEMBER(patio_suspend_ops, wait_fd, 32,
       patio_status (*)(patio_executor *, patio_job *, int32_t, uint32_t, uint64_t, uint32_t *));
MEMBER(patio_suspend_ops, loop, 40, void *(*)(patio_executor *, patio_job *));

GROWS(patio_executor_events, 48);
MEMBER(patio_executor_events, struct_size, 0, uint32_t);
MEMBER(patio_executor_events, reserved, 4, uint32_t);
MEMBER(patio_executor_events, self, 8, void *);
MEMBER(patio_executor_events, done, 16, void (*)(void *, patio_job *, const patio_outcome *));
MEMBER(patio_executor_events, room, 24, void (*)(void *));
MEMBER(patio_executor_events, stuck, 32, void (*)(void *, patio_job *));
MEMBER(patio_executor_events, worn_out, 40, void (*)(void *, const patio_error *));

GROWS(patio_lend_ops, 32);
MEMBER(patio_lend_ops, struct_size, 0, uint32_t);
MEMBER(patio_lend_ops, reserved, 4, uint32_t);
MEMBER(patio_lend_ops, most, 8, uint32_t (*)(patio_executor *));
MEMBER(patio_lend_ops, lend, 16, bool (*)(patio_executor *));
MEMBER(patio_lend_ops, back, 24, void (*)(patio_executor *));

GROWS(patio_lent_ops, 16);
MEMBER(patio_lent_ops, struct_size, 0, uint32_t);
MEMBER(patio_lent_ops, reserved, 4, uint32_t);
MEMBER(patio_lent_ops, listen, 8, void (*)(patio_executor *, void (*)(void *, uint32_t), void *));
GROWS(patio_poller_ops, 16);
MEMBER(patio_poller_ops, struct_size, 0, uint32_t);
MEMBER(patio_poller_ops, reserved, 4, uint32_t);
MEMBER(patio_poller_ops, offer, 8,
       void (*)(patio_executor *, const patio_poll_ops *, patio_transport *));

GROWS(patio_reload_ops, 24);
MEMBER(patio_reload_ops, struct_size, 0, uint32_t);
MEMBER(patio_reload_ops, reserved, 4, uint32_t);
MEMBER(patio_reload_ops, reload, 8, patio_status (*)(patio_executor *, patio_error *));
MEMBER(patio_reload_ops, state, 16, uint32_t (*)(patio_executor *));

GROWS(patio_executor_params, 40);
MEMBER(patio_executor_params, struct_size, 0, uint32_t);
MEMBER(patio_executor_params, reserved, 4, uint32_t);
MEMBER(patio_executor_params, values, 8, const patio_option_value *);
MEMBER(patio_executor_params, stack_bytes, 16, size_t);
MEMBER(patio_executor_params, events, 24, const patio_executor_events *);
MEMBER(patio_executor_params, child, 32, const patio_child_setup *);

GROWS(patio_child_setup, 88);
MEMBER(patio_child_setup, struct_size, 0, uint32_t);
MEMBER(patio_child_setup, task_count, 4, uint32_t);
MEMBER(patio_child_setup, fingerprint, 8, uint64_t);
MEMBER(patio_child_setup, project, 16, const char *);
MEMBER(patio_child_setup, program, 24, const char *);
MEMBER(patio_child_setup, modules, 32, const char *const *);
MEMBER(patio_child_setup, module_count, 40, uint32_t);
MEMBER(patio_child_setup, embedded, 44, uint32_t);
MEMBER(patio_child_setup, max_body_bytes, 48, uint64_t);
MEMBER(patio_child_setup, max_decode_bytes, 56, uint64_t);
MEMBER(patio_child_setup, self, 64, void *);
MEMBER(patio_child_setup, publish, 72,
       patio_status (*)(void *, const patio_message *, patio_error *));
MEMBER(patio_child_setup, cancel, 80,
       patio_status (*)(void *, const char *, const patio_id *, patio_error *));

GROWS(patio_relay_ops, 24);
MEMBER(patio_relay_ops, struct_size, 0, uint32_t);
MEMBER(patio_relay_ops, reserved, 4, uint32_t);
MEMBER(patio_relay_ops, replied, 8, int32_t (*)(patio_executor *, const patio_reply *));
MEMBER(patio_relay_ops, published, 16, int32_t (*)(patio_executor *, const patio_receipt *));

GROWS(patio_executor_ops, 96);
MEMBER(patio_executor_ops, struct_size, 0, uint32_t);
MEMBER(patio_executor_ops, caps, 4, uint32_t);
MEMBER(patio_executor_ops, options, 8, const patio_option *const *);
MEMBER(patio_executor_ops, create, 16,
       patio_status (*)(const patio_host *, const patio_executor_params *, patio_executor **,
                        patio_error *));
MEMBER(patio_executor_ops, start, 24, patio_status (*)(patio_executor *, patio_error *));
MEMBER(patio_executor_ops, stop, 32, patio_status (*)(patio_executor *, uint64_t, patio_error *));
MEMBER(patio_executor_ops, destroy, 40, void (*)(patio_executor *));
MEMBER(patio_executor_ops, submit, 48,
       patio_status (*)(patio_executor *, patio_job *, patio_error *));
MEMBER(patio_executor_ops, cancel, 56,
       patio_status (*)(patio_executor *, patio_job *, patio_error *));
MEMBER(patio_executor_ops, slots, 64, uint32_t (*)(patio_executor *));
MEMBER(patio_executor_ops, query, 72, const void *(*)(patio_executor *, const char *));
MEMBER(patio_executor_ops, task_options, 80, const patio_option *const *);
MEMBER(patio_executor_ops, add_task, 88,
       patio_status (*)(patio_executor *, const char *, const patio_option_value *, patio_error *));

/* patio/dead.h */
GROWS(patio_dead_letter, 72);
MEMBER(patio_dead_letter, struct_size, 0, uint32_t);
MEMBER(patio_dead_letter, attempts, 4, uint16_t);
MEMBER(patio_dead_letter, crashes, 6, uint16_t);
MEMBER(patio_dead_letter, id, 8, patio_id);
MEMBER(patio_dead_letter, queue, 24, const char *);
MEMBER(patio_dead_letter, task, 32, const char *);
MEMBER(patio_dead_letter, dead_ms, 40, uint64_t);
MEMBER(patio_dead_letter, cause, 48, patio_bytes);
MEMBER(patio_dead_letter, body, 64, patio_buf *);

GROWS(patio_dead_ops, 40);
MEMBER(patio_dead_ops, struct_size, 0, uint32_t);
MEMBER(patio_dead_ops, reserved, 4, uint32_t);
MEMBER(patio_dead_ops, list, 8,
       patio_status (*)(patio_transport *t, const char *queue, const patio_id *after,
                        uint32_t limit, uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                        patio_error *err));
MEMBER(patio_dead_ops, get, 16,
       patio_status (*)(patio_transport *t, const char *queue, const patio_id *id,
                        uint64_t timeout_ms, patio_dead_visit_fn visit, void *arg,
                        patio_error *err));
MEMBER(patio_dead_ops, retry, 24,
       patio_status (*)(patio_transport *t, const char *queue, const patio_id *id,
                        uint64_t timeout_ms, uint64_t *count, patio_error *err));
MEMBER(patio_dead_ops, drop, 32,
       patio_status (*)(patio_transport *t, const char *queue, const patio_id *id,
                        uint64_t timeout_ms, uint64_t *count, patio_error *err));

/* patio/results.h */
GROWS(patio_result, 24);
MEMBER(patio_result, struct_size, 0, uint32_t);
MEMBER(patio_result, state, 4, uint32_t);
MEMBER(patio_result, ttl_ms, 8, uint64_t);
MEMBER(patio_result, reply, 16, patio_buf *);

GROWS(patio_results_ops, 16);
MEMBER(patio_results_ops, struct_size, 0, uint32_t);
MEMBER(patio_results_ops, reserved, 4, uint32_t);
MEMBER(patio_results_ops, get, 8,
       patio_status (*)(patio_transport *t, const char *queue, const patio_id *id,
                        uint64_t timeout_ms, patio_result *out, patio_error *err));

/* patio/queues.h */
GROWS(patio_queues_ops, 48);
MEMBER(patio_queues_ops, struct_size, 0, uint32_t);
MEMBER(patio_queues_ops, reserved, 4, uint32_t);
MEMBER(patio_queues_ops, list, 8,
       patio_status (*)(patio_transport *t, uint64_t timeout_ms, patio_queue_visit_fn visit,
                        void *arg, patio_error *err));
MEMBER(patio_queues_ops, purge, 16,
       patio_status (*)(patio_transport *t, const char *queue, uint64_t timeout_ms, uint64_t *count,
                        patio_error *err));
MEMBER(patio_queues_ops, set_state, 24,
       patio_status (*)(patio_transport *t, const char *queue, uint32_t state, uint64_t timeout_ms,
                        patio_error *err));
MEMBER(patio_queues_ops, get_state, 32,
       patio_status (*)(patio_transport *t, const char *queue, uint64_t timeout_ms, uint32_t *state,
                        patio_error *err));
MEMBER(patio_queues_ops, set_limit, 40,
       patio_status (*)(patio_transport *t, const char *queue, uint64_t max_in_flight,
                        uint64_t timeout_ms, patio_error *err));
/* 1.1 */
MEMBER(patio_queues_ops, get_limit, 48,
       patio_status (*)(patio_transport *t, const char *queue, uint64_t timeout_ms,
                        uint64_t *max_in_flight, patio_error *err));

/* patio/presence.h */
GROWS(patio_presence, 48);
MEMBER(patio_presence, struct_size, 0, uint32_t);
MEMBER(patio_presence, reserved, 4, uint32_t);
MEMBER(patio_presence, incarnation, 8, uint64_t);
MEMBER(patio_presence, seen_ms, 16, uint64_t);
MEMBER(patio_presence, rtt_ns, 24, uint64_t);
MEMBER(patio_presence, info, 32, patio_bytes);

GROWS(patio_presence_ops, 24);
MEMBER(patio_presence_ops, struct_size, 0, uint32_t);
MEMBER(patio_presence_ops, reserved, 4, uint32_t);
MEMBER(patio_presence_ops, announce, 8,
       patio_status (*)(patio_transport *t, patio_bytes info, patio_error *err));
MEMBER(patio_presence_ops, list, 16,
       patio_status (*)(patio_transport *t, uint64_t timeout_ms, patio_presence_visit_fn visit,
                        void *arg, patio_error *err));

/* patio/doctor.h */
GROWS(patio_finding, 32);
MEMBER(patio_finding, struct_size, 0, uint32_t);
MEMBER(patio_finding, severity, 4, uint32_t);
MEMBER(patio_finding, subject, 8, const char *);
MEMBER(patio_finding, finding, 16, const char *);
MEMBER(patio_finding, advice, 24, const char *);

GROWS(patio_doctor_ops, 16);
MEMBER(patio_doctor_ops, struct_size, 0, uint32_t);
MEMBER(patio_doctor_ops, reserved, 4, uint32_t);
MEMBER(patio_doctor_ops, check, 8,
       patio_status (*)(patio_transport *t, uint64_t timeout_ms, patio_finding_visit_fn visit,
                        void *arg, patio_error *err));

/* patio/topology.h */
GROWS(patio_topology_ops, 16);
MEMBER(patio_topology_ops, struct_size, 0, uint32_t);
MEMBER(patio_topology_ops, reserved, 4, uint32_t);
MEMBER(patio_topology_ops, print, 8,
       patio_status (*)(patio_transport *t, const char *const *queues, size_t queue_count,
                        patio_buf **out, patio_error *err));

/* patio/peers.h */
GROWS(patio_peer, 96);
MEMBER(patio_peer, struct_size, 0, uint32_t);
MEMBER(patio_peer, link, 4, uint32_t);
MEMBER(patio_peer, address, 8, const char *);
MEMBER(patio_peer, security, 16, const char *);
MEMBER(patio_peer, project, 24, const char *);
MEMBER(patio_peer, tasks, 32, const char *const *);
MEMBER(patio_peer, task_count, 40, size_t);
MEMBER(patio_peer, incarnation, 48, uint64_t);
MEMBER(patio_peer, listening, 56, uint32_t);
MEMBER(patio_peer, credit, 60, uint32_t);
MEMBER(patio_peer, in_flight, 64, uint64_t);
MEMBER(patio_peer, rtt_ns, 72, uint64_t);
MEMBER(patio_peer, bytes_in, 80, uint64_t);
MEMBER(patio_peer, bytes_out, 88, uint64_t);

GROWS(patio_peers_ops, 24);
MEMBER(patio_peers_ops, struct_size, 0, uint32_t);
MEMBER(patio_peers_ops, reserved, 4, uint32_t);
MEMBER(patio_peers_ops, list, 8,
       patio_status (*)(patio_transport *t, patio_peer_visit_fn visit, void *arg,
                        patio_error *err));
MEMBER(patio_peers_ops, address, 16,
       patio_status (*)(patio_transport *t, size_t index, char *text, size_t room,
                        patio_error *err));

/* patio/poll.h */
GROWS(patio_poll_ops, 24);
MEMBER(patio_poll_ops, struct_size, 0, uint32_t);
MEMBER(patio_poll_ops, reserved, 4, uint32_t);
MEMBER(patio_poll_ops, poll, 8,
       patio_status (*)(patio_transport *t, patio_poll_done_fn done, const void *arg,
                        uint64_t until_ns));
MEMBER(patio_poll_ops, interrupt, 16, void (*)(patio_transport *t));

int main(void)
{
    return 0; /* all of it was checked by the compiler */
}
