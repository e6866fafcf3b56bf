/* patio.doctor/1: what can be seen of the broker through AMQP. */
#include "transport.h"

#include <patio/doctor.h>

static int32_t say(patio_finding_visit_fn visit, void *arg, uint32_t severity, const char *subject,
                   const char *finding, const char *advice)
{
    patio_finding f = {PATIO_SIZED(patio_finding), .severity = severity, .subject = subject,
                       .finding = finding, .advice = advice};
    return visit(arg, &f);
}

/* The only thing that matters for tasks of hours, and that AMQP does not tell. */
static int32_t say_timeout(const patio_transport *t, uint64_t ms, patio_finding_visit_fn visit,
                           void *arg)
{
    char text[160];
    if (ms == 0) {
        return say(visit, arg, PATIO_FINDING_OK, "consumer_timeout",
                   "the broker is said to have none", "");
    }
    bool held = t->set.topology == TOPOLOGY_DECLARE;
    (void)snprintf(text, sizeof(text),
                   held ? "taken to be %llu s; tasks that run for a third of it are renewed"
                        : "taken to be %llu s; a task that runs longer is taken back and run again",
                   (unsigned long long)ms / 1000);
    return say(visit, arg, held ? PATIO_FINDING_OK : PATIO_FINDING_WARN, "consumer_timeout", text,
               held ? "AMQP does not tell it: set consumer_timeout_ms to what rabbitmq.conf says"
                    : "topology=declare, or raise consumer_timeout in rabbitmq.conf, or let such "
                      "tasks have ack = on_start");
}

static int32_t say_types(patio_transport *t, patio_finding_visit_fn visit, void *arg)
{
    char    text[WHY_BYTES];
    char    subject[NAME_MAX_BYTES + 16];
    int32_t stop = 0;
    pthread_mutex_lock(&t->lock);
    queue *q = t->queues; /* none is ever freed */
    pthread_mutex_unlock(&t->lock);
    for (; q != NULL && stop == 0; q = q->next) {
        pthread_mutex_lock(&t->lock);
        bool made = q->work.state == PLACE_READY;
        bool sure = t->set.topology == TOPOLOGY_DECLARE || t->set.queue_type != QUEUE_AUTO;
        kinds_say(t, q, text, sizeof(text));
        pthread_mutex_unlock(&t->lock);
        (void)snprintf(subject, sizeof(subject), "queue %s", q->name);
        char finding[WHY_BYTES + 16];
        (void)snprintf(finding, sizeof(finding), "%s%s",
                       made || !sure ? "" : "not made yet: ", text);
        stop = say(visit, arg, sure ? PATIO_FINDING_OK : PATIO_FINDING_NOTE, subject, finding, "");
    }
    return stop;
}

/* What cannot be seen is said, with who can see it. */
static int32_t say_rights(const patio_transport *t, patio_finding_visit_fn visit, void *arg)
{
    bool own = t->set.reply == REPLY_QUEUE; /* it has to answer before the link is up */
    return say(visit, arg, own ? PATIO_FINDING_OK : PATIO_FINDING_NOTE, "rights",
               own ? "may declare, write and read: its own reply queue was made and has answered"
                   : "not tried: replies come directly, nothing of ours is declared",
               own ? "" : "it needs write and read on ^(patio:.*|amq\\.default)$ of this vhost");
}

static int32_t say_leftovers(patio_finding_visit_fn visit, void *arg)
{
    return say(visit, arg, PATIO_FINDING_NOTE, "leftovers",
               "not seen from here: AMQP lists no queues",
               "rabbitmqctl list_queues name messages consumers: one named patio:… that has "
               "neither may be deleted");
}

static patio_status check(patio_transport *t, uint64_t timeout_ms, patio_finding_visit_fn visit,
                          void *arg, patio_error *err)
{
    char product[200];
    char why[WHY_BYTES];
    pthread_mutex_lock(&t->lock);
    bool ready =
        t->links[CONSUMING].state == LINK_READY && t->links[PUBLISHING].state == LINK_READY;
    bool     blocked = t->links[PUBLISHING].blocked;
    uint64_t lost    = t->replies_undeliverable;
    uint64_t timeout = t->set.consumer_timeout_ms;
    (void)snprintf(product, sizeof(product), "%s", t->product);
    (void)snprintf(why, sizeof(why), "%s", t->why);
    pthread_mutex_unlock(&t->lock);
    if (!ready) {
        return patio_fail(err, PATIO_UNREACHABLE, 0, "%s: %s", t->shown, why);
    }
    int32_t stop = say(visit, arg, PATIO_FINDING_OK, "broker", product, "");
    if (stop == 0) {
        stop = blocked ? say(visit, arg, PATIO_FINDING_ERROR, "alarm", why,
                             "give the broker memory or disk, or take from its queues")
                       : say(visit, arg, PATIO_FINDING_OK, "alarm", "none", "");
    }
    if (stop == 0) {
        stop = t->set.tls
                   ? say(visit, arg, PATIO_FINDING_OK, "tls", "verified", "")
                   : say(visit, arg, PATIO_FINDING_NOTE, "tls", "the connection is not encrypted",
                         "use amqps:// beyond this machine");
    }
    if (stop == 0 && !t->set.tls_verify) {
        stop = say(visit, arg, PATIO_FINDING_ERROR, "tls_verify", "any certificate is accepted",
                   "set tls_verify=true and tls_ca_file");
    }
    if (stop == 0) {
        stop = say_rights(t, visit, arg);
    }
    if (stop == 0) {
        stop = say_leftovers(visit, arg);
    }
    if (stop == 0 && !t->set.persistent) {
        stop = say(visit, arg, PATIO_FINDING_WARN, "persistent",
                   "tasks do not survive the broker's restart", "set persistent=true");
    }
    if (stop == 0 && lost > 0) {
        char text[80];
        (void)snprintf(text, sizeof(text), "%llu replies found no caller any more",
                       (unsigned long long)lost);
        stop = say(visit, arg, PATIO_FINDING_NOTE, "replies", text, "");
    }
    if (stop == 0) {
        kinds_look(t, "default", timeout_ms);
        stop = say_types(t, visit, arg);
    }
    if (stop == 0) {
        (void)say_timeout(t, timeout, visit, arg);
    }
    return PATIO_OK;
}

const patio_doctor_ops doctor_ops = {PATIO_SIZED(patio_doctor_ops), .check = check};
