/* Limits against abuse, from outside: who is within them keeps its service, who is not is told, and
 * afterwards all is as before. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "raw_peer.h"
#include "tcp_world.h"

enum { CROWD = 200, LOG_MOST = 40, TRIES = 600 };

static patio_broker *server;
static patio_broker *honest;
static uint16_t      port;
static pid_t         worker;
static uint8_t       body[FRAME_BODY_MAX];

static patio_status add(patio_context *ctx)
{
    int64_t      a  = 0;
    int64_t      b  = 0;
    patio_status st = patio_arg_int64(ctx, 0, &a);
    st              = st == PATIO_OK ? patio_arg_int64(ctx, 1, &b) : st;
    return st == PATIO_OK ? PATIO_RETURN(ctx, a + b) : st;
}

static patio_broker *open_broker(patio_registry *registry, const char *url)
{
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    if (patio_broker_open(registry, url, &broker, &err) != PATIO_OK ||
        patio_broker_start(broker, &err) != PATIO_OK) {
        fail_msg("%s: %s", url, err.message);
    }
    return broker;
}

/* A broker with task "add" on a TCP port of the kernel's choice, and one that is connected to it.
 */
static void serve(patio_registry **registry, const char *options)
{
    char        url[160];
    char        own[80];
    char        at[80];
    patio_error err = PATIO_ERROR_INIT;
    assert_int_equal(patio_registry_create(NULL, registry, &err), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(*registry, "add", add, &err), PATIO_OK);
    (void)snprintf(url, sizeof(url), "tcp+listen://127.0.0.1:0?%s", options);
    server = open_broker(*registry, url);
    assert_int_equal(patio_broker_address(server, 0, at, sizeof(at), &err), PATIO_OK);
    port = (uint16_t)strtoul(strrchr(at, ':') + 1, NULL, 10);
    (void)snprintf(own, sizeof(own), "tcp://127.0.0.1:%u", port);
    honest = open_broker(NULL, own);
}

static void expect_service(const char *task)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_future      *f       = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000,
                                  .flags = PATIO_CALL_WAIT_ROUTE};
    if (patio_call(honest, task, PATIO_ARGS(6, 7), &options, &f, &err) != PATIO_OK) {
        fail_msg("the honest peer is not served: %s", err.message);
    }
    patio_future_destroy(f);
}

static int end_all(void **state)
{
    (void)state;
    patio_broker_destroy(honest);
    patio_broker_destroy(server);
    honest = NULL;
    server = NULL;
    if (worker > 0) {
        worker_end(worker);
    }
    worker = 0;
    return 0;
}

/* What a side that connects hears first: the other's HELLO (-1), or why it has to go. */
static int answer_to(int fd)
{
    uint8_t      hello[FRAME_HELLO_BYTES];
    frame_header h = {0};
    raw_hello(hello, "", 1);
    (void)raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello));
    if (!raw_read(fd, &h, body)) {
        return GOODBYE_STOPPED;
    }
    return h.type == FRAME_HELLO ? -1 : (int)h.id;
}

static int knock(const char *from)
{
    int fd  = raw_connect_from(from, port);
    int how = fd >= 0 ? answer_to(fd) : GOODBYE_STOPPED;
    (void)close(fd);
    return how;
}

/* It is let in sooner or later. */
static void expect_let_in(const char *from)
{
    int how = knock(from);
    for (int i = 0; i < TRIES && how != -1; i++) {
        usleep(50 * 1000);
        how = knock(from);
    }
    assert_int_equal(how, -1);
}

static void an_address_that_begins_too_often_is_slowed_down(void **state)
{
    (void)state;
    patio_registry *registry = NULL;
    int             in       = 0;
    int             busy     = 0;
    serve(&registry, "handshakes_per_second=1");
    /* however slow this machine is: until somebody is turned away */
    for (int i = 0; i < TRIES && busy == 0; i++) {
        int how = knock("127.0.0.7");
        in += how == -1 ? 1 : 0;
        busy += how == GOODBYE_BUSY ? 1 : 0;
    }
    assert_true(in >= 2); /* the burst */
    assert_int_equal(busy, 1);
    expect_service("add");
    assert_int_equal(knock("127.0.0.8"), -1); /* others are not to blame */
    expect_let_in("127.0.0.7");               /* and time heals it */
    expect_service("add");
    (void)end_all(NULL);
    patio_registry_destroy(registry);
}

static void an_address_has_so_many_connections_and_no_more(void **state)
{
    (void)state;
    patio_registry *registry = NULL;
    int             fd[3];
    serve(&registry, "max_connections_per_address=3");
    for (int i = 0; i < 3; i++) {
        fd[i] = raw_connect_from("127.0.0.7", port);
        assert_int_equal(answer_to(fd[i]), -1);
    }
    assert_int_equal(knock("127.0.0.7"), GOODBYE_FULL);
    assert_int_equal(knock("127.0.0.8"), -1);
    expect_service("add");
    (void)close(fd[0]);
    expect_let_in("127.0.0.7");
    (void)close(fd[1]);
    (void)close(fd[2]);
    (void)end_all(NULL);
    patio_registry_destroy(registry);
}

static void there_are_so_many_connections_in_all_and_no_more(void **state)
{
    (void)state;
    patio_registry *registry = NULL;
    int             fd[3];
    serve(&registry, "max_connections=4"); /* one of them is the honest peer's */
    for (int i = 0; i < 3; i++) {
        char from[32];
        (void)snprintf(from, sizeof(from), "127.0.0.%d", 20 + i);
        fd[i] = raw_connect_from(from, port);
        assert_int_equal(answer_to(fd[i]), -1);
    }
    assert_int_equal(knock("127.0.0.7"), GOODBYE_FULL);
    expect_service("add");
    (void)close(fd[1]);
    expect_let_in("127.0.0.7");
    (void)close(fd[0]);
    (void)close(fd[2]);
    (void)end_all(NULL);
    patio_registry_destroy(registry);
}

static void who_does_not_prove_its_key_is_put_out(void **state)
{
    (void)state;
    uint8_t      hello[FRAME_HELLO_BYTES];
    frame_header h;
    char         path[64];
    char         url[128];
    (void)snprintf(path, sizeof(path), "%s/k", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s?key=open-sesame&handshake_ms=3s", path);
    worker     = worker_begin((const char *const[]){url, NULL});
    int silent = raw_connect(path);
    int half   = raw_connect(path);
    raw_hello(hello, "open-sesame", 1);
    assert_true(raw_frame(half, FRAME_HELLO, 0, hello, sizeof(hello)));
    assert_true(raw_read(half, &h, body) && h.type == FRAME_HELLO);
    assert_true(raw_closed(silent));
    assert_true(raw_closed(half));
    (void)close(silent);
    (void)close(half);
    int good = raw_open(path, "open-sesame", NULL); /* who proves it in time is in */
    (void)close(good);
}

/* A worker process with a log and few descriptors. */
static void begin_worker(const char *url, const char *log, const char *descriptors)
{
    const char *patio = getenv("PATIO");
    assert_non_null(patio);
    worker = fork();
    assert_true(worker >= 0);
    if (worker == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (void)dup2(fd, STDERR_FILENO);
        execl("/bin/sh", "sh", "-c", "ulimit -n $0 && exec \"$@\"", descriptors, patio, "worker",
              "-b", url, "-m", "demo", "-j", "2", (char *)NULL);
        _exit(127);
    }
}

/* Lines of a file with these words. */
static int lines_with(const char *file, const char *words)
{
    char  line[1024];
    int   count = 0;
    FILE *in    = fopen(file, "re");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
        count += strstr(line, words) != NULL ? 1 : 0;
    }
    if (in != NULL) {
        (void)fclose(in);
    }
    return count;
}

static void running_out_of_descriptors_is_survived(void **state)
{
    (void)state;
    char path[64];
    char url[160];
    char own[80];
    char log[64];
    int  fd[CROWD];
    (void)snprintf(path, sizeof(path), "%s/d", folder);
    (void)snprintf(log, sizeof(log), "%s/d.log", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s?handshake_ms=10min", path);
    (void)snprintf(own, sizeof(own), "unix://%s", path);
    begin_worker(url, log, "64");
    (void)close(raw_connect(path));
    honest = open_broker(NULL, own);
    expect_service("mul");
    for (int i = 0; i < CROWD; i++) {
        fd[i] = raw_connect(path); /* the kernel takes them, the worker cannot */
    }
    for (int i = 0; i < TRIES && lines_with(log, "Too many open files") == 0; i++) {
        usleep(50 * 1000);
    }
    assert_true(lines_with(log, "Too many open files") > 0);
    expect_service("mul");
    assert_int_equal(waitpid(worker, NULL, WNOHANG), 0);
    for (int i = 0; i < CROWD; i++) {
        (void)close(fd[i]);
    }
    /* as soon as there are descriptors again, whoever comes is let in */
    patio_broker *late = open_broker(NULL, own);
    patio_broker_destroy(honest);
    honest = late;
    expect_service("mul");
    assert_true(lines_with(log, "") <= LOG_MOST);
}

static void a_crowd_does_not_fill_the_log(void **state)
{
    (void)state;
    char path[64];
    char url[160];
    char own[80];
    char log[64];
    int  turned_away = 0;
    (void)snprintf(path, sizeof(path), "%s/l", folder);
    (void)snprintf(log, sizeof(log), "%s/l.log", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s?max_connections=1&handshake_ms=10min", path);
    (void)snprintf(own, sizeof(own), "unix://%s", path);
    begin_worker(url, log, "1024");
    for (int i = 0; i < TRIES && lines_with(log, "ready:") == 0; i++) {
        usleep(50 * 1000);
    }
    honest = open_broker(NULL, own);
    expect_service("mul");
    for (int i = 0; i < CROWD; i++) {
        int fd = raw_connect(path);
        turned_away += answer_to(fd) == GOODBYE_FULL ? 1 : 0;
        (void)close(fd);
    }
    assert_int_equal(turned_away, CROWD);
    expect_service("mul");
    assert_true(lines_with(log, "turned away by max_connections") > 0);
    if (lines_with(log, "") > LOG_MOST) {
        fail_msg("%d lines for %d peers", lines_with(log, ""), CROWD);
    }
}

int main(void)
{
#define LIMITS(name) cmocka_unit_test_teardown(name, end_all)
    const struct CMUnitTest tests[] = {
        LIMITS(an_address_that_begins_too_often_is_slowed_down),
        LIMITS(an_address_has_so_many_connections_and_no_more),
        LIMITS(there_are_so_many_connections_in_all_and_no_more),
        LIMITS(who_does_not_prove_its_key_is_put_out),
        LIMITS(running_out_of_descriptors_is_survived),
        LIMITS(a_crowd_does_not_fill_the_log),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
