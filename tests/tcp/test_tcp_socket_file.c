/* The file of a UNIX socket whose process was killed stays behind: the next one takes its place,
 * and of several that start at once exactly one. */
#include "tcp_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 100, AT_ONCE = 8 };

/* A socket that is bound to the file, or connected to who is. */
static int use_file(const char *path, int (*use)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_un a  = {.sun_family = AF_UNIX};
    int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, path, strlen(path) + 1);
    assert_int_equal(use(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* A process that starts once `go` ends, says whether it listens, and stays until `stay` ends. */
static void run_starter(const char *url, int go, int told, int stay)
{
    char          one;
    patio_broker *broker = NULL;
    patio_error   err    = PATIO_ERROR_INIT;
    (void)!read(go, &one, 1);
    patio_status st = start_quiet_broker(NULL, url, "1", &broker, &err);
    (void)!write(told, st == PATIO_OK ? "y" : "n", 1);
    (void)!read(stay, &one, 1);
    patio_broker_destroy(broker);
    _exit(0);
}

static int begin_starters(const char *url, int *told, int *stay)
{
    int go[2];
    int says[2];
    int stays[2];
    assert_int_equal(pipe(go) + pipe(says) + pipe(stays), 0);
    for (int i = 0; i < AT_ONCE; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)close(go[1]);
            (void)close(stays[1]);
            run_starter(url, go[0], says[1], stays[0]);
        }
    }
    (void)close(go[0]);
    (void)close(says[1]);
    (void)close(stays[0]);
    *told = says[0];
    *stay = stays[1];
    return go[1];
}

static void of_those_that_start_at_once_one_listens(void **state)
{
    (void)state;
    char path[64];
    char url[100];
    (void)snprintf(path, sizeof(path), "%s/dead", folder);
    (void)snprintf(url, sizeof(url), "unix+listen://%s", path);
    for (int round = 0; round < ROUNDS; round++) {
        int  told   = -1;
        int  stay   = -1;
        int  in     = 0;
        char answer = 0;
        (void)close(use_file(path, bind)); /* a dead one */
        (void)close(begin_starters(url, &told, &stay));
        for (int i = 0; i < AT_ONCE; i++) {
            assert_int_equal(read(told, &answer, 1), 1);
            in += answer == 'y' ? 1 : 0;
        }
        assert_int_equal(in, 1);
        (void)close(use_file(path, connect)); /* and it is the one that is found */
        (void)close(stay);
        (void)close(told);
        while (waitpid(-1, NULL, 0) > 0) {
        }
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_those_that_start_at_once_one_listens),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
