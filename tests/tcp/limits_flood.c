/* Thousands that connect from one address and say nothing: they take what their address may have,
 * and whoever comes from another meanwhile is let in at once. */
#include "limits_world.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FLOOD = 3000, NEWCOMERS = 60, MOST = 50, PER_SECOND = 20 };

static int flood[FLOOD];

/* Another one comes from elsewhere: one by hand, which is let in when it knocks first, and a
 * broker. */
static void expect_newcomers(int number)
{
    char own[32];
    char url[80];
    (void)snprintf(own, sizeof(own), "127.0.1.%d", number + 1); /* as often as it likes */
    assert_int_equal(knock(own), -1);
    if (number % 10 == 0) {
        patio_broker *known = honest;
        (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u?reconnect_min_ms=1h", port);
        honest = open_broker(NULL, url);
        expect_service("add");
        patio_broker_destroy(honest);
        honest = known;
    }
    expect_service("add");
}

static void begin_flood(void)
{
    struct rlimit many;
    (void)getrlimit(RLIMIT_NOFILE, &many);
    many.rlim_cur = many.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &many);
    for (int i = 0; i < FLOOD; i++) {
        flood[i] = raw_connect_from("127.0.0.7", port);
        assert_true(flood[i] >= 0);
        if (i % (FLOOD / NEWCOMERS) == 0) {
            expect_newcomers(i / (FLOOD / NEWCOMERS));
        }
    }
}

/* How many of them were let in: the others were told why not, and closed. */
static int end_flood(uint64_t reason)
{
    static uint8_t body[FRAME_BODY_MAX];
    int            in = 0;
    for (int i = 0; i < FLOOD; i++) {
        frame_header h = {0};
        uint8_t      one;
        bool         silent = recv(flood[i], &one, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
        if (!silent) {
            assert_true(raw_read(flood[i], &h, body));
            assert_int_equal(h.type, FRAME_GOODBYE);
            assert_int_equal(h.id, reason);
            assert_true(raw_closed(flood[i]));
        }
        in += silent ? 1 : 0;
        (void)close(flood[i]);
    }
    return in;
}

void a_flood_from_one_address_takes_its_connections_only(void **state)
{
    (void)state;
    patio_registry *registry = NULL;
    char            options[120];
    (void)snprintf(options, sizeof(options),
                   "max_connections_per_address=%d&max_connections=%d&handshakes_per_second=0"
                   "&handshake_ms=10min",
                   MOST, 2 * MOST);
    serve(&registry, options);
    begin_flood();
    assert_int_equal(knock("127.0.0.7"), GOODBYE_FULL); /* all before it have been answered */
    assert_int_equal(end_flood(GOODBYE_FULL), MOST);
    expect_service("add");
    expect_let_in("127.0.0.7");
    (void)end_all(NULL);
    patio_registry_destroy(registry);
}

void a_flood_from_one_address_takes_its_handshakes_only(void **state)
{
    (void)state;
    patio_registry *registry = NULL;
    char            options[80];
    (void)snprintf(options, sizeof(options), "handshakes_per_second=%d&handshake_ms=10min",
                   PER_SECOND);
    serve(&registry, options);
    uint64_t begun = now_ms();
    begin_flood();
    uint64_t took = now_ms() - begun;
    (void)knock("127.0.0.7");
    int in = end_flood(GOODBYE_BUSY);
    /* the burst, and so many in each second */
    assert_in_range(in, 2 * PER_SECOND, 2 * PER_SECOND + (took + 1000) * PER_SECOND / 1000);
    expect_service("add");
    expect_let_in("127.0.0.7");
    (void)end_all(NULL);
    patio_registry_destroy(registry);
}
