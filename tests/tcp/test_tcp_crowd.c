/* Ten thousand that connect and say nothing: those who are served are served, and newcomers get in
 * as soon as the silent ones are out. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "hostile_world.h"
#include "tcp_world.h"

/* In a process of its own, for the descriptors; it ends when the pipe does. */
static pid_t crowd(int count, int ready, int go)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit many;
        (void)getrlimit(RLIMIT_NOFILE, &many);
        many.rlim_cur = many.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &many);
        for (int i = 0; i < count; i++) {
            char own[20]; /* no address begins more handshakes than it may */
            (void)snprintf(own, sizeof(own), "127.1.%d.%d", i / 2500, 1 + i / 10 % 250);
            (void)(site.path[0] != '\0' ? raw_connect(site.path)
                                        : raw_connect_from(own, site.port));
        }
        char c = 'r';
        (void)!write(ready, &c, 1);
        (void)!read(go, &c, 1);
        _exit(0);
    }
    return pid;
}

static void crowd_out(const char *scheme, const char *options)
{
    int  ready[2];
    int  go[2];
    char c = 0;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    serve(scheme, options);
    uint64_t before = worker_resident_bytes(worker);
    pid_t    pid    = crowd(10000, ready[1], go[0]);
    for (int i = 0; i < 20; i++) {
        expect_service();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    expect_alive(before);
    /* a newcomer gets in as soon as the silent ones are out, though they are all still there */
    int fd = -1;
    for (int i = 0; i < 100 && fd < 0; i++) {
        frame_header h = {0};
        uint8_t      hello[FRAME_HELLO_BYTES];
        fd = stranger();
        raw_hello(hello, key, 1);
        if (!raw_frame(fd, FRAME_HELLO, 0, hello, sizeof(hello)) || !raw_read(fd, &h, body) ||
            h.type != FRAME_HELLO) {
            (void)close(fd);
            fd = -1;
            usleep(100 * 1000);
        }
    }
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(go[1]);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    expect_alive(before);
    for (int i = 0; i < 2; i++) {
        (void)close(ready[i]);
    }
    (void)close(go[0]);
}

static void ten_thousand_that_say_nothing_are_put_out(void **state)
{
    crowd_out(*state, "handshake_ms=2s&max_connections=3000");
}

static void ten_thousand_are_nothing_with_the_limits_that_are_given(void **state)
{
    crowd_out(*state, "");
}

int main(void)
{
#define OVER(scheme, name)                                                                         \
    {                                                                                              \
#name ", " #scheme, name, NULL, end_service, scheme##_scheme                               \
    }
    static char unix_scheme[] = "unix";
    static char tcp_scheme[]  = "tcp";

    const struct CMUnitTest tests[] = {
        OVER(unix, ten_thousand_that_say_nothing_are_put_out),
        OVER(tcp, ten_thousand_that_say_nothing_are_put_out),
        OVER(tcp, ten_thousand_are_nothing_with_the_limits_that_are_given),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
