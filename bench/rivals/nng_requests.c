/* nng_requests: REQ and REP of nng over loopback TCP, WINDOW contexts on each side, driven by its
 * own callbacks. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "rival.h"

typedef struct lane {
    nng_ctx  ctx;
    nng_aio *aio;
    int      receiving;
} lane;

static lane         lanes[RIVAL_WINDOW_MAX];
static char         url[64];
static rival_job    job;
static _Atomic long started;
static _Atomic long done;
static sem_t        over;

static void check(int rc, const char *what)
{
    rival_require(rc == 0, what, rc != 0 ? nng_strerror(rc) : "");
}

/* ---- who answers ---- */

static void answer(void *arg)
{
    lane *l = arg;
    check(nng_aio_result(l->aio), "answer");
    l->receiving = !l->receiving;
    if (l->receiving) {
        nng_ctx_recv(l->ctx, l->aio);
    } else {
        nng_ctx_send(l->ctx, l->aio); /* the message that came is in it */
    }
}

static void be_worker(void *arg)
{
    nng_socket s;
    char       ok = 'k';
    check(nng_rep0_open(&s), "open");
    check(nng_listen(s, url, NULL, 0), "listen");
    for (long i = 0; i < job.window; i++) {
        check(nng_ctx_open(&lanes[i].ctx, s), "context");
        check(nng_aio_alloc(&lanes[i].aio, answer, &lanes[i]), "aio");
        lanes[i].receiving = 1;
        nng_ctx_recv(lanes[i].ctx, lanes[i].aio);
    }
    rival_require(write(*(int *)arg, &ok, 1) == 1, "tell", "no");
    for (;;) {
        pause();
    }
}

/* ---- who asks ---- */

static void ask(lane *l)
{
    nng_msg *m = NULL;
    if (atomic_fetch_add(&started, 1) >= job.count) {
        return;
    }
    check(nng_msg_alloc(&m, (size_t)job.size), "message");
    nng_aio_set_msg(l->aio, m);
    l->receiving = 0;
    nng_ctx_send(l->ctx, l->aio);
}

static void asked(void *arg)
{
    lane *l = arg;
    check(nng_aio_result(l->aio), "ask");
    if (!l->receiving) {
        l->receiving = 1;
        nng_ctx_recv(l->ctx, l->aio);
        return;
    }
    nng_msg_free(nng_aio_get_msg(l->aio));
    if (atomic_fetch_add(&done, 1) + 1 == job.count) {
        (void)sem_post(&over);
    }
    ask(l);
}

int main(int argc, char **argv)
{
    nng_socket s;
    int        ready[2];
    char       c = 0;
    job          = rival_arguments(argc, argv);
    (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", rival_port());
    rival_require(pipe(ready) == 0, "pipe", "none");
    pid_t worker = rival_child(be_worker, &ready[1]);
    rival_require(read(ready[0], &c, 1) == 1, "worker", "did not begin");
    (void)sem_init(&over, 0, 0);
    check(nng_req0_open(&s), "open");
    check(nng_dial(s, url, NULL, 0), "dial");
    for (long i = 0; i < job.window; i++) {
        check(nng_ctx_open(&lanes[i].ctx, s), "context");
        check(nng_aio_alloc(&lanes[i].aio, asked, &lanes[i]), "aio");
    }
    double from = rival_seconds();
    for (long i = 0; i < job.window; i++) {
        ask(&lanes[i]);
    }
    (void)sem_wait(&over);
    rival_report(&job, from);
    rival_end(worker);
    _exit(0);
}
