/* Limits against abuse, from outside: who is within them keeps its service, who is not is told, and
 * afterwards all is as before. */
#include "limits_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CROWD = 200, LOG_MOST = 40 };

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
    static uint8_t body[FRAME_BODY_MAX];
    uint8_t        hello[FRAME_HELLO_BYTES];
    frame_header   h;
    char           path[64];
    char           url[128];
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
    /* who says who it is gets in all the same, after those that came before it */
    patio_broker *known = honest;
    honest              = open_broker(NULL, own);
    expect_service("mul");
    patio_broker_destroy(honest);
    honest = known;
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
        LIMITS(a_flood_from_one_address_takes_its_connections_only),
        LIMITS(a_flood_from_one_address_takes_its_handshakes_only),
        LIMITS(who_does_not_prove_its_key_is_put_out),
        LIMITS(running_out_of_descriptors_is_survived),
        LIMITS(a_crowd_does_not_fill_the_log),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
