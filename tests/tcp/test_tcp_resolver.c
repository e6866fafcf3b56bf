/* Name servers that do not answer hold up neither the other URLs nor the end, and an address that
 * does not answer no other one of its name. */
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include <patio/patio.h>
#include <patio/peers.h>

#include "place.h"
#include "tcp_world.h"

enum { HANG_S = 40, NAMES = 6, QUEUE_FULL = 4 };

static pthread_mutex_t lock    = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static bool            answers;
static uint32_t        hanging; /* look-ups */

typedef int (*lookup_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* Before the C library's, for the transport as well: names that hang until they are answered, and
 * one that has two addresses. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo      **out)
{
    union {
        void     *symbol;
        lookup_fn call;
    } real = {.symbol = dlsym(RTLD_NEXT, "getaddrinfo")};
    if (name != NULL && strcmp(name, "two") == 0 && (hints->ai_flags & AI_NUMERICHOST) == 0) {
        int error = real.call("127.0.0.2", service, hints, out);
        return error != 0 ? error : real.call("127.0.0.1", service, hints, &(*out)->ai_next);
    }
    if (name == NULL || strncmp(name, "hangs", 5) != 0 || (hints->ai_flags & AI_NUMERICHOST) != 0) {
        return real.call(name, service, hints, out);
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HANG_S;
    pthread_mutex_lock(&lock);
    hanging++;
    pthread_cond_broadcast(&changed);
    while (!answers && pthread_cond_timedwait(&changed, &lock, &until) == 0) {
    }
    hanging--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return real.call("127.0.0.1", service, hints, out);
}

static void wait_hanging(uint32_t wanted)
{
    pthread_mutex_lock(&lock);
    while (hanging != wanted) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static uint32_t hanging_now(void)
{
    pthread_mutex_lock(&lock);
    uint32_t now = hanging;
    pthread_mutex_unlock(&lock);
    return now;
}

static void answer(bool on)
{
    pthread_mutex_lock(&lock);
    answers = on;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Nothing here is asked of a name server, so nothing waits for one. */
static void an_address_is_connected_beside_names_that_hang(void **state)
{
    place at;
    char  url[URL_ROOM] = "tcp://";
    (void)state;
    place_make(&at, "tcp", "", "");
    for (int i = 0; i < NAMES; i++) {
        size_t used = strlen(url);
        (void)snprintf(url + used, sizeof(url) - used, "hangs%d:1,", i);
    }
    size_t used = strlen(url);
    (void)snprintf(url + used, sizeof(url) - used, "127.0.0.1:%u", at.port);
    patio_broker *worker = open_quiet_broker(NULL, at.listen_url, "1");
    assert_non_null(worker);
    patio_broker *caller = open_quiet_broker(NULL, url, "1");
    assert_non_null(caller);
    wait_hanging(NAMES);
    patio_broker_destroy(caller);
    assert_int_equal(hanging_now(), NAMES); /* it has not waited for them */
    patio_broker_destroy(worker);
    answer(true);
    wait_hanging(0); /* what they have found nobody takes */
    answer(false);
}

static int32_t count(void *arg, const patio_peer *peer)
{
    (void)peer;
    *(size_t *)arg += 1;
    return 0;
}

/* A name that is answered at last is connected. */
static void a_name_may_take_its_time(void **state)
{
    place at;
    char  url[URL_ROOM];
    (void)state;
    place_make(&at, "tcp", "", "");
    (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u,hangs:%u", at.port, at.port);
    patio_broker *worker = open_quiet_broker(NULL, at.listen_url, "1");
    assert_non_null(worker);
    patio_broker *caller = open_quiet_broker(NULL, url, "1");
    assert_non_null(caller);
    wait_hanging(1);
    answer(true);
    for (size_t peers = 0; peers != 2;) {
        peers = 0;
        assert_int_equal(patio_broker_peers(caller, count, &peers, NULL), PATIO_OK);
        usleep(peers != 2 ? 1000 : 0);
    }
    answer(false);
    patio_broker_destroy(caller);
    patio_broker_destroy(worker);
}

/* A listener whose queue is full, so that it drops who comes; fds[0] is the listener's. */
static void listen_and_drop(const char *address, uint16_t port, int fds[QUEUE_FULL])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, address, &a.sin_addr), 1);
    for (int i = 0; i < QUEUE_FULL; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
        if (i == 0) {
            assert_int_equal(bind(fds[0], (const struct sockaddr *)&a, sizeof(a)), 0);
            assert_int_equal(listen(fds[0], 0), 0);
        } else {
            (void)connect(fds[i], (const struct sockaddr *)&a, sizeof(a));
        }
    }
    struct pollfd last = {.fd = fds[QUEUE_FULL - 1], .events = POLLOUT};
    assert_int_equal(poll(&last, 1, 100), 0); /* it is not connected */
}

static void an_address_that_drops_all_holds_up_no_other(void **state)
{
    place at;
    int   fds[QUEUE_FULL];
    char  url[URL_ROOM];
    (void)state;
    place_make(&at, "tcp", "", "");
    (void)snprintf(url, sizeof(url), "tcp://two:%u?handshake_ms=60s&dead_ms=60s", at.port);
    listen_and_drop("127.0.0.2", at.port, fds);
    patio_broker *worker = open_quiet_broker(NULL, at.listen_url, "1");
    assert_non_null(worker);
    patio_broker *caller = open_quiet_broker(NULL, url, "1");
    assert_non_null(caller);
    patio_broker_destroy(caller);
    patio_broker_destroy(worker);
    for (int i = 0; i < QUEUE_FULL; i++) {
        (void)close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_connected_beside_names_that_hang),
        cmocka_unit_test(a_name_may_take_its_time),
        cmocka_unit_test(an_address_that_drops_all_holds_up_no_other),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
