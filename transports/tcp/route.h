/* route.h: the way of a task: to a peer and back, or from one and back. Under the lock, unless it
 * says otherwise. */
#ifndef TCP_ROUTE_H
#define TCP_ROUTE_H

#include <patio/transport.h>

#include "conn.h"
#include "effects.h"
#include "frame_ask.h"
#include "hub.h"

/* Of a message: the second one alone makes a call wait until somebody can run it. */
enum { CALL_WAITS = PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE };

/* peer.c; under the lock */
/* NULL, or what is wrong with it. */
const char *peer_announced(conn *c, patio_bytes body, effects *fx);
/* Under the lock: it may call nothing if its certificate may not call in its project. */
void peer_limit(conn *c);
bool peer_announce(conn *c);
void peer_announce_all(patio_transport *t, effects *fx);
void peer_leave(conn *c, effects *fx);
/* So many URLs less that may have somebody for calls that wait. */
void peer_arrived(patio_transport *t, uint32_t less, effects *fx);
/* Calls that wait and that nobody can run any more end, and what nobody takes for its size; the
 * others wait for somebody. Not the I/O thread: of a queue that is subscribed, or was, for that one
 * stays while the lock is open. */
void peer_fail_orphans(queue *q, effects *fx);
bool peer_set_self(queue *q, const patio_subscription *in);

/* takers.c; under the lock */
/* Found or made; NULL: out of memory. */
peersub *taker_find(conn *c, queue *q);
/* Its set has room for all lanes of the queue. False: out of memory, here and below. */
bool taker_reserve(peersub *ps);
/* One more may take the lane. */
bool taker_room(lane *l);
bool taker_add(peersub *ps, lane *l);
void taker_forget(peersub *ps);
/* Those that have no task any more, and nothing outstanding. */
void takers_drop(conn *c);
/* Away with lanes that nobody can run and that hold nothing, and with queues of peers that have
 * gone. The I/O thread only: it holds on to lanes and queues while it lets the lock go. */
void takers_tidy(patio_transport *t);

/* route.c; under the lock */
bool route_give(entry *e, peersub *to, effects *fx);
void route_fill(peersub *ps, effects *fx);
void route_fill_all(patio_transport *t, effects *fx);
/* fit.c: does somebody have the task, and nobody of them take so many bytes? */
bool route_too_large(const lane *l, size_t size);
/* As store_next, without what is too large for this peer. */
entry *route_next_within(const peersub *ps);
/* Into its lane, or to whoever can run it now; a call that nobody can run any more fails. */
void route_put(entry *e, effects *fx);
void route_delay(entry *e, uint64_t delay_ms, effects *fx);
/* Too late to be started: a call ends, what was sent is a dead letter. */
void route_expire(entry *e, effects *fx);
/* It is not with its peer any more: credit back. */
void route_take_back(entry *e);
/* The connection died; as many as the effects have room for. True: there are more. */
bool route_lost(conn *c, effects *fx);

/* inbox.c; under the lock */
bool inbox_put(conn *from, uint64_t remote, const frame_publish *p, lane *l, patio_buf *body,
               effects *fx);
void inbox_pump(subscription *s, effects *fx);
/* The peer has read replies: its tasks go on. */
void inbox_resume(conn *c, effects *fx);
/* Give back what was not started. */
void inbox_return(entry *e, effects *fx);
/* At the end: a delivered one, unless it is a call that must not run twice. */
void inbox_return_unsettled(entry *e, effects *fx);
void inbox_return_all(subscription *s, effects *fx);
void inbox_return_old(subscription *s, uint64_t now, effects *fx);
/* After that: what comes before the publishers have read of it goes back, too. */
void inbox_fence(patio_transport *t, effects *fx);
bool inbox_lost(conn *c, effects *fx);
void inbox_forget(entry *e, effects *fx);

/* settle.c */
patio_status tcp_settle(patio_transport *t, patio_tag tag, const patio_settlement *s,
                        patio_error *err);
patio_status tcp_notify(patio_transport *t, patio_tag tag, patio_buf *body, patio_error *err);
/* A peer settled a task of ours; under the lock. */
void settle_came(conn *c, uint64_t tag, const frame_settle *s, patio_buf *reply, effects *fx);

/* publish.c, cancel.c, subscribe.c */
patio_status tcp_publish(patio_transport *t, const patio_message *m, patio_error *err);
patio_status tcp_cancel(patio_transport *t, const char *name, const patio_id *id, patio_error *err);
/* Another peer's wish, whose outcome is its answer. */
void cancel_for_peer(conn *c, uint64_t id, const frame_ask *question, effects *fx);
/* Tell all who wait for it; true: somebody else than our own host is among them. */
bool         cancel_outcome(patio_transport *t, const patio_id *id, uint32_t what, effects *fx);
void         cancel_asked(conn *c, uint64_t tag, patio_bytes id, effects *fx);
void         cancel_came(conn *c, uint64_t tag, patio_bytes body, effects *fx);
patio_status tcp_subscribe(patio_transport *t, const patio_subscription *in, patio_error *err);
patio_status tcp_unsubscribe(patio_transport *t, const char *name, patio_error *err);
/* Take no more from it. Under the lock. */
void subscribe_close(queue *q);

#endif
