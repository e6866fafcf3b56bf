/* Cases 110 to 119: replies and who gets them. */
#include "kit.h"

static void a_reply_reaches_the_instance_that_called_and_no_other(kit *k)
{
    kit_instance *a      = kit_instance_open(k, NULL);
    kit_instance *b      = kit_instance_open(k, NULL);
    kit_instance *worker = kit_instance_open(k, NULL);
    kit_subscribe(worker, 10);
    kit_work(worker);
    for (uint32_t n = 0; n < 50; n++) {
        kit_call(n % 2 != 0 ? a : b, n);
    }
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(a, reply_count) + KIT_GET(b, reply_count) >= 50,
              "%u of 50 replies", KIT_GET(a, reply_count) + KIT_GET(b, reply_count));
    for (uint32_t n = 0; n < 50; n++) {
        KIT_EQUAL(k, kit_replies_of(a, n), n % 2, "replies to one caller");
        KIT_EQUAL(k, kit_replies_of(b, n), (n + 1) % 2, "replies to the other caller");
    }
    KIT_EQUAL(k, KIT_GET(worker, reply_count), 0, "replies to the worker");
}

static void a_send_has_no_reply(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_send(p.caller, 1);
    kit_settle_ok(p.worker, kit_delivered(p.worker, 0).tag, PATIO_ACK, 0, 20);
    kit_await_counts(p.caller, 0, 0, 0, 0);
    kit_sleep_ms(200);
    KIT_EQUAL(k, KIT_GET(p.caller, reply_count), 0, "replies");
    KIT_EQUAL(k, KIT_GET(p.worker, reply_count), 0, "replies to the worker");
}

static void a_call_that_calls_itself_works(kit *k)
{
    kit_instance *i = kit_instance_open(k, NULL);
    kit_subscribe(i, 1);
    kit_call(i, 1);
    kit_settle_ok(i, kit_delivered(i, 0).tag, PATIO_ACK, 0, 20);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(i, 1) == 1, "no reply");
}

static void parts_come_in_order_before_the_last(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_call(p.caller, 1);
    patio_tag    tag = kit_delivered(p.worker, 0).tag;
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = PATIO_OK;
    for (uint32_t n = 0; n < 10 && st == PATIO_OK; n++) {
        patio_buf *part = kit_buf(k, 1, KIT_PARTIAL, 100 + n);
        st              = k->ops->notify(p.worker->t, tag, part, &err);
        kit_buf_drop(k, part);
    }
    if (st == PATIO_UNSUPPORTED) {
        kit_check_error(k, &err, st, "notify");
        kit_skip(k, "it carries no partial replies");
    }
    KIT_STATUS(k, st, PATIO_OK, "notify");
    kit_settle_ok(p.worker, tag, PATIO_ACK, 0, 20);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(p.caller, 1) == 1, "no last reply");
    KIT_EQUAL(k, KIT_GET(p.caller, reply_count), 11, "replies");
    for (uint32_t n = 0; n < 10; n++) {
        KIT_EQUAL(k, p.caller->replies[n].size, 100 + n, "size of a part");
        KIT_EQUAL(k, p.caller->replies[n].flags & PATIO_REPLY_PARTIAL, PATIO_REPLY_PARTIAL,
                  "PARTIAL");
    }
    patio_buf *late = kit_buf(k, 1, KIT_PARTIAL, 5);
    KIT_STATUS(k, k->ops->notify(p.worker->t, tag, late, &err), PATIO_STALE, "a late notify");
    kit_buf_drop(k, late);
}

static void a_caller_that_has_gone_costs_nothing(kit *k)
{
    kit_pair p = kit_pair_open(k, NULL);
    kit_subscribe(p.worker, 1);
    kit_call(p.caller, 1);
    patio_tag tag = kit_delivered(p.worker, 0).tag;
    kit_instance_stop(p.caller);
    patio_buf   *reply = kit_buf(k, 1, KIT_REPLY, 20);
    patio_error  err   = PATIO_ERROR_INIT;
    patio_status st    = kit_settle(p.worker, tag, PATIO_ACK, 0, reply, &err);
    kit_buf_drop(k, reply);
    /* a task that lived with its caller is gone with it */
    KIT_CHECK(k, st == PATIO_OK || st == PATIO_STALE, "settle returned %s: %s", kit_status_name(st),
              err.message);
    kit_instance *next = kit_instance_open(k, NULL);
    kit_call(next, 2);
    kit_delivery d = kit_delivered(p.worker, 1);
    kit_settle_ok(p.worker, d.tag, PATIO_ACK, 0, 20);
    KIT_AWAIT(k, KIT_SOON_MS, kit_replies_of(next, 2) == 1, "no reply to who came after");
}

static void calling_from_inside(kit_instance *i, const patio_reply *r)
{
    (void)r;
    uint32_t n = (uint32_t)(atomic_fetch_add(&i->counter, 1) + 1);
    if (n < 50 && kit_publish(i, n,
                              PATIO_MESSAGE_CALL | PATIO_MESSAGE_WAIT_ROUTE |
                                  PATIO_MESSAGE_NO_RECEIPT) != PATIO_OK) {
        kit_breach(i->k, "a call from inside replied failed");
    }
}

static void a_reply_may_be_answered_with_the_next_call(kit *k)
{
    kit_pair p           = kit_pair_open(k, NULL);
    p.caller->on_replied = calling_from_inside;
    kit_subscribe(p.worker, 2);
    kit_work(p.worker);
    kit_call(p.caller, 0);
    KIT_AWAIT(k, KIT_SOON_MS, KIT_GET(p.caller, reply_count) >= 50, "%u of 50 replies",
              KIT_GET(p.caller, reply_count));
}

const kit_case kit_reply_cases[] = {
    {110, 0, "a_reply_reaches_the_instance_that_called_and_no_other", "delivery 12", 0, 0, NULL,
     a_reply_reaches_the_instance_that_called_and_no_other},
    {111, 0, "a_send_has_no_reply", "transport.h replied", 0, 0, NULL, a_send_has_no_reply},
    {112, 0, "a_call_that_calls_itself_works", "transport.h", 0, 0, NULL,
     a_call_that_calls_itself_works},
    {113, 0, "parts_come_in_order_before_the_last", "transport.h notify", 0, 0, NULL,
     parts_come_in_order_before_the_last},
    {114, 0, "a_caller_that_has_gone_costs_nothing", "delivery 12", 0, 0, NULL,
     a_caller_that_has_gone_costs_nothing},
    {115, 0, "a_reply_may_be_answered_with_the_next_call", "abi: threads", 0, 0, NULL,
     a_reply_may_be_answered_with_the_next_call},
    {0},
};
