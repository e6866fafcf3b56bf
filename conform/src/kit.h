/* kit.h: what a case is made of. The kit plays the host: it owns the host table, loads the plugin,
 * and sees every event, so that what is checked is the ABI and nothing in between.
 *
 * A case runs in a process of its own: a crash or a hang is that case's failure and nobody else's.
 * It fails by KIT_CHECK and its kin, which leave the case at once; what happens on other threads is
 * noted as a breach and fails the case when it ends.
 */
#ifndef CONFORM_KIT_H
#define CONFORM_KIT_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include <patio/executor.h>
#include <patio/plugin_util.h>
#include <patio/transport.h>

typedef struct kit          kit;
typedef struct kit_host     kit_host;
typedef struct kit_instance kit_instance;
typedef struct kit_proxy    kit_proxy;
typedef struct kit_map      kit_map;

enum { KIT_INSTANCES = 16, KIT_PROCESSES = 16, KIT_TEXT = 1200, KIT_QUEUE_MAX = 4 };

/* ---- cases ---- */

enum {
    KIT_EXECUTOR = 1u << 0, /* a case for executors; without it, for transports */
    KIT_LINK     = 1u << 1, /* needs a link with host and port, to put the proxy into */
    KIT_FORKS    = 1u << 2, /* needs workers in other processes */
    KIT_RUNS     = 1u << 3, /* needs an executor that runs jobs of the kit */
    KIT_BARE     = 1u << 4, /* makes no use of the URL */
    KIT_QUERY    = 1u << 5, /* `interface` must be there, else it is refused */
};

typedef struct kit_case {
    uint32_t    number;
    uint32_t    limit_s; /* on top of twice the redelivery time; 0: 30 */
    const char *name;    /* lower_snake_case, a sentence */
    const char *rule;    /* where the rule is written: "delivery 3", "abi", "transport.h settle" */
    uint32_t    needs;   /* PATIO_CAP_… or PATIO_EXECUTOR_… */
    uint32_t    flags;   /* KIT_… */
    const char *interface;
    void (*run)(kit *k);
} kit_case;

enum kit_result {
    KIT_PASSED  = 0,
    KIT_FAILED  = 1,
    KIT_REFUSED = 2, /* the plugin does not declare it, and does refuse it */
    KIT_SKIPPED = 3, /* the rule says nothing about such a plugin */
};

extern const kit_case *const kit_groups[]; /* tables, each ending with number 0; NULL-terminated */

/* ---- what the command line says ---- */

typedef struct kit_options {
    const char *plugin; /* path */
    const char *url;    /* may hold %p (a free port per instance), %c (case), %r (run) */
    const char *listen; /* URL of the listening side, for plugins that mesh; NULL: from url */
    const char *kind;   /* "transport" or "executor" */
    const char *const *settings; /* executor options: KEY=VALUE */
    size_t             setting_count;
    const char *const *task; /* options of a program that ends at once: KEY=VALUE */
    size_t             task_count;
    const char *const *lasting; /* of one that lasts until it is ended */
    size_t             lasting_count;
    uint64_t           seed;
    uint64_t           redelivery_ms; /* 0: from the plugin's options */
    bool               in_process;    /* do not fork: for a debugger */
    bool               verbose;
    uint32_t           jobs;
} kit_options;

/* ---- one case at work ---- */

struct kit_host {
    patio_host         table;
    kit               *k;
    _Atomic int64_t    live;       /* blocks not freed */
    _Atomic int64_t    live_bytes; /* of these */
    _Atomic int64_t    bufs;       /* buffers not dropped */
    _Atomic uint64_t   allocs;     /* so far */
    _Atomic uint64_t   fail_at;    /* the allocation of this number fails; 0: none */
    _Atomic int64_t    timers_set;
    struct pt_timers  *timers;
    pthread_mutex_t    lock;
    struct host_timer *pending;
    struct host_share *shares;
    struct patio_buf  *quarantine; /* headers of freed buffers, to notice a drop too many */
};

typedef struct kit_process {
    pid_t  pid; /* 0: unused, or collected */
    int    go;  /* write end: commands */
    int    say; /* read end: lines */
    char   line[256];
    char   said[256]; /* the line that was expected last */
    size_t used;
    bool   eof;
    int    status;
} kit_process;

struct kit {
    const kit_options         *options;
    const kit_case            *self;
    const patio_plugin        *plugin;
    const patio_transport_ops *ops; /* the plugin's own, stubs filled in */
    const patio_transport_ops *raw; /* as the plugin gave it */
    const patio_executor_ops  *xops;
    kit_host                   host;
    jmp_buf                    out;
    pthread_t                  thread; /* the case's own; only here a check may leave it */
    kit_instance              *instances[KIT_INSTANCES];
    uint32_t                   instance_count;
    uint32_t                   ports[KIT_INSTANCES];
    kit_process                processes[KIT_PROCESSES];
    kit_proxy                 *proxy;
    pthread_mutex_t            lock; /* of all that events write */
    pthread_cond_t             changed;
    kit_map                   *fences; /* by number of the task */
    char                       project[64];
    char                       run_name[32];
    char                       secrets[8][256];
    uint32_t                   secret_count;
    char                       failure[KIT_TEXT];
    char                       note[KIT_TEXT]; /* printed beside the result */
    _Atomic uint32_t           breaches;
    char                       breach[KIT_TEXT];
    uint32_t                   result;
    uint64_t                   redelivery_ms;
    bool                       child;         /* in a process that a case made */
    bool                       uncertain;     /* links are being cut: outcomes may be UNKNOWN */
    bool                       twice_allowed; /* a task may be delivered to two at once */
};

/* Leave the case as failed. From another thread: note a breach and go on. */
void kit_fail(kit *k, const char *file, int line, const char *format, ...) PATIO_PRINTF(4, 5);
void kit_breach(kit *k, const char *format, ...) PATIO_PRINTF(2, 3);
void kit_note(kit *k, const char *format, ...) PATIO_PRINTF(2, 3);
/* Leave the case: the rule says nothing here. */
void kit_skip(kit *k, const char *why);

#define KIT_CHECK(k, condition, ...)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            kit_fail(k, __FILE__, __LINE__, __VA_ARGS__);                                          \
        }                                                                                          \
    } while (0)
#define KIT_EQUAL(k, found, expected, what)                                                        \
    do {                                                                                           \
        uint64_t found_    = (uint64_t)(found);                                                    \
        uint64_t expected_ = (uint64_t)(expected);                                                 \
        KIT_CHECK(k, found_ == expected_, "%s is %llu, expected %llu", what,                       \
                  (unsigned long long)found_, (unsigned long long)expected_);                      \
    } while (0)
#define KIT_STATUS(k, found, expected, what)                                                       \
    do {                                                                                           \
        patio_status found_ = (found);                                                             \
        KIT_CHECK(k, found_ == (expected), "%s returned %s, expected %s", what,                    \
                  kit_status_name(found_), kit_status_name(expected));                             \
    } while (0)
/* Wait for a condition, evaluated on this thread, again after each event. */
#define KIT_AWAIT(k, within_ms, condition, ...)                                                    \
    do {                                                                                           \
        uint64_t until_ = kit_now_ms() + (within_ms);                                              \
        while (!(condition)) {                                                                     \
            KIT_CHECK(k, kit_now_ms() < until_, __VA_ARGS__);                                      \
            kit_wait_change(k);                                                                    \
        }                                                                                          \
    } while (0)
enum { KIT_SOON_MS = 20000 }; /* for what should take milliseconds, on a machine that is busy */

uint64_t    kit_now_ms(void);
void        kit_wait_change(kit *k);
void        kit_changed(kit *k); /* with the lock held or not */
void        kit_sleep_ms(uint64_t ms);
const char *kit_status_name(patio_status status);
/* The text is there, says something, and holds no secret. */
void kit_check_error(kit *k, const patio_error *err, patio_status status, const char *what);
bool kit_holds_secret(kit *k, const char *text);

/* ---- host.c ---- */
void kit_host_init(kit_host *h, kit *k);
/* Nothing is left: memory, buffers, timers, shared objects. */
void       kit_host_check_empty(kit_host *h);
void       kit_host_fini(kit_host *h);
patio_buf *kit_buf(kit *k, uint32_t number, uint32_t kind, size_t size);
patio_buf *kit_buf_bytes(kit *k, const void *bytes, size_t size);
void       kit_buf_drop(kit *k, patio_buf *buf);
bool       kit_buf_matches(const patio_buf *buf, uint32_t number, uint32_t kind);
size_t     kit_buf_size(const patio_buf *buf);
enum { KIT_REQUEST = 0, KIT_REPLY = 1, KIT_PARTIAL = 2 };

/* ---- map.c: u64 to u64 ---- */
kit_map  *kit_map_new(void);
void      kit_map_free(kit_map *m);
uint64_t *kit_map_at(kit_map *m, uint64_t key); /* 0 when new; valid until the next call */
uint64_t  kit_map_get(const kit_map *m, uint64_t key);

/* ---- plugin.c ---- */
typedef struct kit_endpoints kit_endpoints;
/* Load and check; false, with the reason in k->failure. */
bool kit_plugin_load(kit *k);
void kit_plugin_find_secrets(kit *k);
bool kit_has_link(kit *k);
bool kit_meshes(kit *k);
/* The position of an option, or -1. */
int kit_option(const patio_option *const *table, const char *name);
/* Parse URLs, with settings on top ("max_queued=3"), into endpoints. */
kit_endpoints        *kit_endpoints_make(kit *k, const char *const *urls, size_t count,
                                         const char *const *settings, patio_error *err);
const patio_endpoint *kit_endpoints_array(const kit_endpoints *e, uint32_t *count);
patio_option_value   *kit_endpoints_values(kit_endpoints *e, uint32_t i);
void                  kit_endpoints_free(kit_endpoints *e);
/* The URL of instance `index`, placeholders filled in, through the proxy if there is one. */
void     kit_url(kit *k, const char *form, uint32_t index, char *out, size_t size);
uint64_t kit_redelivery_ms(kit *k);
/* Values of executor options. */
patio_option_value *kit_values(kit *k, const patio_option *const *table,
                               const char *const *settings, size_t count, patio_error *err);
void                kit_values_free(const patio_option *const *table, patio_option_value *values);

/* ---- instance.c ---- */
typedef struct kit_delivery {
    patio_tag tag;
    uint64_t  fence;
    uint64_t  age_ms;
    uint64_t  ttl_ms;
    uint64_t  at_ms;
    patio_id  id;
    uint32_t  number;
    uint32_t  flags;
    uint32_t  size;
    uint16_t  attempt;
    uint16_t  crashes;
    uint16_t  priority;
    bool      settled;
    bool      lost;   /* lease_lost */
    bool      failed; /* settle_failed */
    bool      wanted; /* cancel_wanted */
    char      task[40];
    char      queue[40];
} kit_delivery;

typedef struct kit_receipt {
    patio_id     id;
    patio_id     original;
    uint32_t     number;
    uint32_t     outcome;
    uint32_t     level;
    patio_status status;
    char         text[200];
} kit_receipt;

typedef struct kit_reply {
    uint32_t number;
    uint32_t flags;
    uint32_t size;
    uint32_t kind; /* of the pattern that matched */
} kit_reply;

typedef struct kit_sub {
    char     queue[40];
    uint32_t credit;
    uint32_t unsettled;
} kit_sub;

struct kit_instance {
    kit                   *k;
    patio_transport       *t;
    patio_transport_events events;
    kit_endpoints         *endpoints;
    uint32_t               index;
    _Atomic bool           stopped;
    kit_delivery          *deliveries;
    uint32_t               delivered;
    uint32_t               delivery_room;
    kit_receipt           *receipts;
    uint32_t               receipt_count;
    uint32_t               receipt_room;
    kit_reply             *replies;
    uint32_t               reply_count;
    uint32_t               reply_room;
    uint32_t               cancel_count;
    uint32_t               cancel_outcome;
    patio_id               cancel_id;
    uint32_t               wanted;
    uint32_t               leases_lost;
    uint32_t               settles_failed;
    uint32_t               link;
    uint32_t               ups;
    uint32_t               downs;
    patio_status           link_status;
    char                   link_text[300];
    kit_map               *tags;
    kit_map               *early; /* tag -> EARLY_… of what overtook its delivery */
    uint32_t               early_count;
    kit_map               *receipts_by; /* number -> receipts */
    kit_map               *replies_by;  /* number -> final replies */
    kit_sub                subs[KIT_QUEUE_MAX];
    uint32_t               most_unsettled;
    bool                   foreign_bodies; /* do not check the pattern */
    bool                   loose_credit;
    _Atomic bool           working;
    pthread_t              worker;
    uint32_t               worked;
    void (*_Atomic on_published)(kit_instance *i, const patio_receipt *receipt);
    void (*_Atomic on_replied)(kit_instance *i, const patio_reply *reply);
    void            *arg;
    _Atomic uint64_t counter;
};

typedef struct kit_open {
    const char        *project; /* NULL: the case's own */
    const char *const *settings;
    uint64_t           max_body_bytes; /* 0: 1 MiB */
    bool               direct;         /* past the proxy */
    bool               unstarted;
    bool               unawaited; /* do not wait for the link */
    const char        *url;       /* instead of the command line's */
} kit_open;

/* Create, start, wait for the link; fails the case otherwise. `o` may be NULL. */
kit_instance *kit_instance_open(kit *k, const kit_open *o);
patio_status  kit_instance_create(kit *k, const kit_open *o, kit_instance **out, patio_error *err);
/* events.c */
/* The slot that this thread is in, if it is one that must not raise an event; NULL: none. */
extern _Thread_local const char *kit_silent_slot;
/* Fill i->events. */
void         kit_instance_events(kit_instance *i);
patio_status kit_instance_counts(kit_instance *i, const char *queue, patio_counts *c,
                                 patio_error *err);
void         kit_instance_await_up(kit_instance *i);
void         kit_instance_stop(kit_instance *i);
void         kit_instance_close(kit_instance *i); /* stop if need be, destroy, free */
void         kit_close_all(kit *k);

/* ---- act.c ---- */
patio_id      kit_id(kit *k, uint32_t number);
uint32_t      kit_number(const patio_id *id);
patio_message kit_message(kit *k, uint32_t number, uint32_t flags);
/* Publish, filling in queue, task, body where they are NULL. `body_bytes` of pattern. */
patio_status kit_publish_message(kit_instance *i, patio_message *m, size_t body_bytes,
                                 patio_error *err);
patio_status kit_publish(kit_instance *i, uint32_t number, uint32_t flags);
/* Must be accepted: by return and by receipt. */
void kit_send(kit_instance *i, uint32_t number);
void kit_send_message(kit_instance *i, patio_message *m);
/* A dedup conflict may be refused by name: the capability says that one of them is there. Else it
 * is published. */
bool kit_conflict_is_refused(kit_instance *i, patio_message *m, const char *word);
void kit_call(kit_instance *i, uint32_t number);
/* As the core calls: it hears of nothing but a failure and the reply. */
patio_message kit_quiet_call(kit *k, uint32_t number);
/* Wait for the receipt that says to such a caller: UNKNOWN, for it was CANCELLED. */
void kit_await_cancelled(kit_instance *i, uint32_t number);
/* Wait for the receipt of a number; its outcome. */
uint32_t     kit_outcome(kit_instance *i, uint32_t number);
patio_status kit_try_subscribe(kit_instance *i, const char *queue, uint32_t credit,
                               const char *const *tasks, size_t count);
void         kit_subscribe(kit_instance *i, uint32_t credit); /* queue "q", task "t" */
void         kit_unsubscribe(kit_instance *i);
/* The n-th delivery of this instance, from 0; waits for it. */
kit_delivery kit_delivered(kit_instance *i, uint32_t n);
kit_delivery kit_delivered_within(kit_instance *i, uint32_t n, uint64_t within_ms);
uint32_t     kit_delivered_count(kit_instance *i);
/* Settle, and keep account of the credit. */
patio_status kit_settle_as(kit_instance *i, patio_tag tag, const patio_settlement *s,
                           patio_error *err);
patio_status kit_settle(kit_instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms,
                        patio_buf *reply, patio_error *err);
/* Must be OK; with a reply of the pattern when reply_bytes >= 0. */
void kit_settle_ok(kit_instance *i, patio_tag tag, uint32_t verdict, uint64_t delay_ms,
                   int64_t reply_bytes);
void kit_ack(kit_instance *i, patio_tag tag);
/* A member of the instance that events write, read under the lock: KIT_GET(i, ups). */
uint32_t kit_get(kit_instance *i, const uint32_t *member);
#define KIT_GET(i, member) kit_get(i, &(i)->member)
uint64_t kit_receipts_of(kit_instance *i, uint32_t number);
uint64_t kit_replies_of(kit_instance *i, uint32_t number);
/* A thread that settles whatever comes with ACK and a reply. */
void kit_work(kit_instance *i);
void kit_work_stop(kit_instance *i);
/* Counts of queue "q". */
patio_counts kit_counts(kit_instance *i);
/* A count, 0 for one that cannot be known. */
uint64_t    kit_known(uint64_t count);
void        kit_await_counts(kit_instance *i, uint64_t ready, uint64_t leased, uint64_t delayed,
                             uint64_t dead);
const void *kit_query(kit_instance *i, const char *interface_id);
/* Nothing comes for a moment: for what must not happen. */
void kit_quiet(kit_instance *i, uint32_t delivered, uint64_t for_ms);
/* Two instances: who publishes and who works. */
typedef struct kit_pair {
    kit_instance *caller;
    kit_instance *worker;
} kit_pair;
kit_pair kit_pair_open(kit *k, const kit_open *o);

/* ---- process.c ---- */
/* Fork a process that waits for kit_process_go and then runs fn; only before the first instance. */
kit_process *kit_process_fork(kit *k, void (*fn)(kit *k, kit_process *self), uint32_t index);
void         kit_process_go(kit *k, kit_process *p);
void         kit_process_kill(kit *k, kit_process *p, int signal);
void         kit_process_collect(kit *k, kit_process *p);
/* In the child: say a line; in the parent: wait for one that begins so. */
void kit_process_say(kit_process *self, const char *format, ...) PATIO_PRINTF(2, 3);
void kit_process_expect(kit *k, kit_process *p, const char *begin, uint64_t within_ms);
/* A worker that holds what it gets: says "d NUMBER ATTEMPT CRASHES" for each delivery. */
void kit_hold_process(kit *k, kit_process *self);
/* The same, but it settles each with ACK and a reply. */
void kit_work_process(kit *k, kit_process *self);
void kit_processes_end(kit *k);

/* ---- proxy.c ---- */
enum {
    KIT_PROXY_HOLD_UP   = 1u << 0, /* bytes to the server vanish into a buffer that is not read */
    KIT_PROXY_HOLD_DOWN = 1u << 1, /* bytes from it */
    KIT_PROXY_REFUSE    = 1u << 2, /* new connections are closed at once */
};
kit_proxy *kit_proxy_start(const char *host, uint32_t port, uint32_t *listen_port);
void       kit_proxy_stop(kit_proxy *p);
void       kit_proxy_set(kit_proxy *p, uint32_t flags);
/* slice: most bytes per write, 0: any; delay and rate: 0: none. */
void kit_proxy_shape(kit_proxy *p, uint32_t slice_bytes, uint64_t delay_ms, uint64_t bytes_per_s);
void kit_proxy_cut(kit_proxy *p, bool reset);
/* Close after so many more bytes from the client have passed: in the middle of a frame. */
void     kit_proxy_cut_after(kit_proxy *p, uint64_t bytes, bool half);
uint32_t kit_proxy_connections(kit_proxy *p); /* open now */
uint64_t kit_proxy_accepted(kit_proxy *p);    /* so far */
/* Start one before the case's URL and send every instance opened after it through it. */
void kit_proxy_install(kit *k);

/* ---- refuse.c ---- */
void        kit_check_refused(kit *k, uint32_t cap);
const char *kit_cap_word(uint32_t cap);

/* ---- runner.c, report.c ---- */
typedef struct kit_outcome_row {
    const kit_case *self;
    uint32_t        result;
    uint64_t        took_ms;
    char            text[KIT_TEXT];
    char            note[KIT_TEXT];
} kit_outcome_row;
void kit_run_here(const kit_options *o, const kit_case *c, kit_outcome_row *row);
void kit_run_all(const kit_options *o, const kit_case *const *cases, size_t count,
                 kit_outcome_row *rows, void (*done)(const kit_outcome_row *row));
/* What a plugin has said, as text for all three. */
void kit_report_clean(kit_outcome_row *row);
void kit_report_row(const kit_outcome_row *row);
void kit_report_end(const kit_outcome_row *rows, size_t count);
bool kit_report_json(const char *path, const kit_options *o, const kit_outcome_row *rows,
                     size_t count);
bool kit_report_junit(const char *path, const kit_options *o, const kit_outcome_row *rows,
                      size_t count);

#endif
