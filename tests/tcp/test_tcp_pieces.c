/* A small message behind a long one does not wait for its end: a raw peer sees it between the
 * pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>
#include <patio/peers.h>

#include "place.h"
#include "raw_peer.h"
#include "tcp_world.h"

enum { LONG_BYTES = 8 * 1024 * 1024, SOON_BYTES = 3 * 1024 * 1024 };

typedef struct seen {
    uint32_t tasks;     /* of the peer that announced any */
    uint32_t in_flight; /* with it */
} seen;

static int32_t look(void *arg, const patio_peer *peer)
{
    seen *s = arg;
    s->tasks += (uint32_t)peer->task_count;
    s->in_flight += (uint32_t)peer->in_flight;
    return 0;
}

static patio_future *start(patio_broker *broker, const patio_payload *payload)
{
    patio_future      *f       = NULL;
    patio_error        err     = PATIO_ERROR_INIT;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = 20000};
    if (patio_start(broker, "mul", payload, &options, &f, &err) != PATIO_OK) {
        fail_msg("%s", err.message);
    }
    return f;
}

static void expect_between(int fd)
{
    static uint8_t body[FRAME_BODY_MAX];
    frame_header   h;
    uint64_t       long_id = 0;
    size_t         pieces  = 0; /* bytes of the long one before the small one */
    for (;;) {
        assert_true(raw_read(fd, &h, body));
        if (h.type == FRAME_PUBLISH && h.channel != 0) {
            long_id = h.id;
            pieces += h.size;
            if ((h.flags & FRAME_MORE) == 0) {
                fail_msg("the small message has waited for all of the long one");
            }
        } else if (h.type == FRAME_PUBLISH) {
            break;
        }
    }
    assert_int_not_equal(long_id, 0);
    assert_in_range(pieces, 1, SOON_BYTES); /* what sockets hold, and a few pieces */
    do {                                    /* and the long one goes on behind it, to its end */
        assert_true(raw_read(fd, &h, body));
        pieces += h.type == FRAME_PUBLISH && h.id == long_id ? h.size : 0;
    } while (h.id != long_id || (h.flags & FRAME_MORE) != 0);
    assert_true(pieces > LONG_BYTES);
}

static void a_small_message_comes_between_the_pieces_of_a_long_one(void **state)
{
    static uint8_t blob[LONG_BYTES];
    uint8_t        announce[64];
    place          at;
    seen           s = {0};
    place_make(&at, "unix", "", ""); /* whose socket holds little */
    (void)state;
    patio_broker *broker = open_quiet_broker(NULL, at.listen_url, "1");
    assert_non_null(broker);
    int fd = raw_open(at.path, "", NULL);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 0, announce, raw_announce(announce, "mul", 2)));
    for (int i = 0; i < 1000 && s.tasks == 0; i++) {
        usleep(5000);
        assert_int_equal(patio_broker_peers(broker, look, &s, NULL), PATIO_OK);
    }
    assert_int_equal(s.tasks, 1);
    patio_future *large = start(broker, PATIO_ARGS(patio_blob(blob, sizeof(blob))));
    patio_future *small = start(broker, PATIO_ARGS(6, 7));
    s                   = (seen){0};
    assert_int_equal(patio_broker_peers(broker, look, &s, NULL), PATIO_OK);
    assert_int_equal(s.in_flight, 2);
    expect_between(fd);
    (void)close(fd);
    assert_int_equal(patio_future_wait(large, 20000), PATIO_OK);
    assert_int_equal(patio_future_wait(small, 20000), PATIO_OK);
    patio_future_destroy(large);
    patio_future_destroy(small);
    patio_broker_destroy(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_message_comes_between_the_pieces_of_a_long_one),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
