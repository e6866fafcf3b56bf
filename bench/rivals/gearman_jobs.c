/* gearman_jobs: foreground jobs over gearmand. The client library runs what was added and returns
 * when all of it is done, so the requests go in rounds of WINDOW. */
#include <libgearman/gearman.h>

#include "rival.h"

static uint16_t port;

static void be_server(void *arg)
{
    char text[8];
    (void)arg;
    (void)snprintf(text, sizeof(text), "%u", port);
    execlp("gearmand", "gearmand", "--listen=127.0.0.1", "-p", text, "--log-file=none",
           (char *)NULL);
    execl("/usr/sbin/gearmand", "gearmand", "--listen=127.0.0.1", "-p", text, "--log-file=none",
          (char *)NULL);
}

static void *echo(gearman_job_st *job, void *arg, size_t *size, gearman_return_t *result)
{
    (void)arg;
    *size      = gearman_job_workload_size(job);
    void *copy = malloc(*size > 0 ? *size : 1);
    *result    = copy != NULL ? GEARMAN_SUCCESS : GEARMAN_ERROR;
    if (copy != NULL) {
        memcpy(copy, gearman_job_workload(job), *size);
    }
    return copy;
}

static void be_worker(void *arg)
{
    gearman_worker_st *w = gearman_worker_create(NULL);
    (void)arg;
    rival_require(gearman_worker_add_server(w, "127.0.0.1", port) == GEARMAN_SUCCESS,
                  "gearman worker", "no server");
    while (gearman_worker_add_function(w, "echo", 0, echo, NULL) != GEARMAN_SUCCESS) {
        usleep(20 * 1000);
    }
    for (;;) {
        if (gearman_worker_work(w) != GEARMAN_SUCCESS) {
            usleep(1000);
        }
    }
}

static void one_round(gearman_client_st *c, long count, const char *data, size_t size)
{
    gearman_return_t rc = GEARMAN_SUCCESS;
    for (long i = 0; i < count; i++) {
        (void)gearman_client_add_task(c, NULL, NULL, "echo", NULL, data, size, &rc);
        rival_require(rc == GEARMAN_SUCCESS, "gearman add", gearman_client_error(c));
    }
    rc = gearman_client_run_tasks(c);
    rival_require(rc == GEARMAN_SUCCESS, "gearman run", gearman_client_error(c));
    gearman_client_task_free_all(c);
}

int main(int argc, char **argv)
{
    static char data[RIVAL_SIZE_MAX];
    rival_job   job           = rival_arguments(argc, argv);
    port                      = rival_port();
    pid_t              server = rival_child(be_server, NULL);
    gearman_client_st *c      = gearman_client_create(NULL);
    rival_require(gearman_client_add_server(c, "127.0.0.1", port) == GEARMAN_SUCCESS, "gearman",
                  "no server");
    gearman_return_t rc = GEARMAN_ERROR;
    for (int i = 0; i < RIVAL_TRIES && rc != GEARMAN_SUCCESS; i++) {
        usleep(20 * 1000);
        rc = gearman_client_echo(c, "x", 1);
    }
    rival_require(rc == GEARMAN_SUCCESS, "gearmand", gearman_client_error(c));
    pid_t worker = rival_child(be_worker, NULL);
    one_round(c, 1, data, 1); /* waits for the worker */
    double from = rival_seconds();
    for (long left = job.count; left > 0; left -= job.window) {
        one_round(c, left < job.window ? left : job.window, data, (size_t)job.size);
    }
    rival_report(&job, from);
    rival_end(worker);
    rival_end(server);
    _exit(0);
}
