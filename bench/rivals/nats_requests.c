/* nats_requests: request and reply over nats-server. The caller keeps WINDOW requests in flight
 * with one inbox, which is what a client of NATS does that wants many; the library's own
 * synchronous request has one at a time. */
#include <nats/nats.h>
#include <semaphore.h>

#include "rival.h"

static char url[64];
static char port_text[8];

static void be_server(void *arg)
{
    (void)arg;
    execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", port_text, "-l", "/dev/null",
           (char *)NULL);
}

static natsConnection *join(void)
{
    natsConnection *c    = NULL;
    natsStatus      st   = NATS_NO_SERVER;
    natsOptions    *opts = NULL;
    rival_require(natsOptions_Create(&opts) == NATS_OK && natsOptions_SetURL(opts, url) == NATS_OK,
                  "nats", "options");
    for (int i = 0; i < RIVAL_TRIES && st != NATS_OK; i++) {
        st = natsConnection_Connect(&c, opts);
        if (st != NATS_OK) {
            usleep(20 * 1000);
        }
    }
    rival_require(st == NATS_OK, "nats connect", natsStatus_GetText(st));
    natsOptions_Destroy(opts);
    return c;
}

static void echo(natsConnection *c, natsSubscription *sub, natsMsg *msg, void *arg)
{
    (void)sub;
    (void)arg;
    (void)natsConnection_Publish(c, natsMsg_GetReply(msg), natsMsg_GetData(msg),
                                 natsMsg_GetDataLength(msg));
    natsMsg_Destroy(msg);
}

static void be_worker(void *arg)
{
    natsSubscription *sub = NULL;
    natsConnection   *c   = join();
    char              ok  = 'k';
    rival_require(natsConnection_Subscribe(&sub, c, "echo", echo, NULL) == NATS_OK &&
                      natsConnection_Flush(c) == NATS_OK && write(*(int *)arg, &ok, 1) == 1,
                  "nats worker", "no subscription");
    for (;;) {
        pause();
    }
}

static sem_t room;

static void answered(natsConnection *c, natsSubscription *sub, natsMsg *msg, void *arg)
{
    (void)c;
    (void)sub;
    (void)arg;
    natsMsg_Destroy(msg);
    (void)sem_post(&room);
}

int main(int argc, char **argv)
{
    static char       data[RIVAL_SIZE_MAX];
    rival_job         job   = rival_arguments(argc, argv);
    natsInbox        *inbox = NULL;
    natsSubscription *sub   = NULL;
    int               ready[2];
    char              c    = 0;
    uint16_t          port = rival_port();
    (void)snprintf(port_text, sizeof(port_text), "%u", port);
    (void)snprintf(url, sizeof(url), "nats://127.0.0.1:%u", port);
    rival_require(pipe(ready) == 0, "pipe", "none");
    pid_t server = rival_child(be_server, NULL);
    pid_t worker = rival_child(be_worker, &ready[1]);
    rival_require(read(ready[0], &c, 1) == 1, "nats worker", "did not begin");
    natsConnection *own = join();
    (void)sem_init(&room, 0, (unsigned)job.window);
    rival_require(natsInbox_Create(&inbox) == NATS_OK &&
                      natsConnection_Subscribe(&sub, own, inbox, answered, NULL) == NATS_OK,
                  "nats", "no inbox");
    double from = rival_seconds();
    for (long i = 0; i < job.count; i++) {
        (void)sem_wait(&room);
        rival_require(natsConnection_PublishRequest(own, "echo", inbox, data, (int)job.size) ==
                          NATS_OK,
                      "nats", "publish");
    }
    for (long i = 0; i < job.window; i++) {
        (void)sem_wait(&room);
    }
    rival_report(&job, from);
    rival_end(worker);
    rival_end(server);
    _exit(0);
}
