/* layer/fault_inside.h: what the files of a transport that misbehaves share.
 *
 *   fault.c          what the broker calls, and what is put together from the others
 *   fault_held.c     what comes later
 *   fault_deliver.c  deliveries: lost, late, overtaken; the link that is cut
 *   fault_options.c  what the URL says
 */
#ifndef PT_FAULT_INSIDE_H
#define PT_FAULT_INSIDE_H

#include <pthread.h>

#include "layer/fault.h"
#include "layer/idset.h"

/* HELD: not shown yet; RAISING: being shown; LOST, WANTED: to be told once it is shown. */
enum {
    TAG_LIVE    = 1,
    TAG_CLAIMED = 2,
    TAG_HELD    = 4,
    TAG_RAISING = 8,
    TAG_LOST    = 16,
    TAG_WANTED  = 32
};

enum pt_held_kind { HELD_DELIVERY, HELD_REPLY, HELD_RECEIPT, HELD_RETURN, HELD_FAILED };

/* Something that comes later. */
typedef struct pt_held {
    struct pt_held   *next;
    struct pt_fault  *f;
    uint64_t          timer;
    enum pt_held_kind kind;
    patio_delivery    delivery;
    patio_message     message; /* with names below */
    patio_reply       reply;
    patio_receipt     receipt;
    patio_tag         tag;
    char              names[];
} pt_held;

typedef struct pt_fault {
    pt_layer          layer;
    pthread_mutex_t   lock;
    pthread_cond_t    idle;   /* firing is 0 */
    uint32_t          firing; /* held things that come now */
    pt_idmap          tags;   /* TAG_… of what is unsettled */
    pt_held          *first;
    pt_fault_settings set;
    uint64_t          operations;
    uint64_t          stall_until_ns;
    bool              stopping;
} pt_fault;

static inline const patio_transport_events *pt_fault_up(const pt_fault *f)
{
    return f->layer.up;
}

/* Under the lock: does it happen this time? */
bool pt_fault_happens(pt_fault *f, double part);
/* Under the lock: how much later something comes. */
uint64_t pt_fault_lateness_ns(pt_fault *f, bool overtaken);
void     pt_fault_say(patio_error *why, const char *text);

/* NULL: no memory. `names`: bytes of room behind it. */
pt_held *pt_held_new(pt_fault *f, enum pt_held_kind kind, size_t names);
void     pt_held_free(pt_held *h);
/* Let it come later; false: it does not, and is the caller's. */
bool pt_held_later(pt_fault *f, pt_held *h, uint64_t late_ns);
/* It ends: receipts and replies are told, the rest is the transport's again. */
void pt_held_flush(pt_fault *f);

/* Show a delivery; what became of it before and meanwhile is told right after. */
void pt_fault_raise(pt_fault *f, const patio_delivery *d);
void pt_fault_give_back(pt_fault *f, patio_tag tag);
/* The link goes down and up again; whatever was held under a lease is somebody else's now. */
void pt_fault_cut(pt_fault *f);
/* Put the events of deliveries into the layer's table. */
void pt_fault_deliver(pt_fault *f);

#endif
