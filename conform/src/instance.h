/* instance.h: one instance of a transport, and all that it has said. */
#ifndef CONFORM_INSTANCE_H
#define CONFORM_INSTANCE_H

#include <pthread.h>
#include <stdatomic.h>

#include <patio/transport.h>

#include "map.h"
#include "plugin.h"

enum { KIT_QUEUE_MAX = 4 };

typedef struct kit_instance kit_instance;

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

#endif
