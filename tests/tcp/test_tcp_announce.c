/* ANNOUNCEs come whole in another order than they were made: the last one made counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "raw_peer.h"
#include "tcp_world.h"

static uint8_t body[FRAME_BODY_MAX];

static int connect_to(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return raw_open(path, "", NULL);
}

static patio_broker *listen_on(patio_registry *registry, const char *name)
{
    char url[128];
    (void)snprintf(url, sizeof(url), "unix+listen://%s/%s", folder, name);
    patio_broker *broker = open_quiet_broker(registry, url, "1");
    assert_non_null(broker);
    return broker;
}

static void send_piece(int fd, uint8_t flags, uint64_t id, const void *data, size_t size)
{
    uint8_t      header[FRAME_HEADER_BYTES];
    frame_header h = {
        .size = (uint32_t)size, .type = FRAME_ANNOUNCE, .flags = flags, .channel = 1, .id = id};
    frame_put_header(header, &h);
    assert_true(raw_send(fd, header, sizeof(header)) && raw_send(fd, data, size));
}

/* What was said before has been looked at. */
static void settle(int fd)
{
    frame_header h = {.type = 0};
    assert_true(raw_frame(fd, FRAME_PING, 77, NULL, 0));
    while (h.type != FRAME_PONG || h.id != 77) {
        assert_true(raw_read(fd, &h, body));
    }
}

static void expect_call(patio_broker *caller, int fd, const char *task)
{
    patio_future *f = NULL;
    frame_header  h = {.type = 0};
    frame_publish p;
    assert_int_equal(patio_start(caller, task, PATIO_NO_ARGS, NULL, &f, NULL), PATIO_OK);
    while (h.type != FRAME_PUBLISH) {
        assert_true(raw_read(fd, &h, body));
    }
    assert_true(frame_get_publish((patio_bytes){body, h.size}, &p));
    assert_string_equal(p.task, task);
    patio_future_destroy(f);
}

static void a_long_one_does_not_undo_a_later_short_one(void **state)
{
    (void)state;
    patio_broker *caller = listen_on(NULL, "caller");
    int           fd     = connect_to("caller");
    uint8_t       first[256];
    uint8_t       second[256];
    uint8_t       total[4];
    size_t        size = raw_announce(first, "old", 9);
    frame_put32(total, (uint32_t)size);
    send_piece(fd, FRAME_FIRST | FRAME_MORE, 1, total, sizeof(total));
    send_piece(fd, FRAME_MORE, 1, first, size / 2);
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 2, second, raw_announce(second, "new", 9)));
    settle(fd);
    expect_call(caller, fd, "new");
    send_piece(fd, 0, 1, first + size / 2, size - size / 2);
    settle(fd);
    assert_int_equal(patio_call(caller, "old", PATIO_NO_ARGS, NULL, NULL, NULL), PATIO_NO_ROUTE);
    expect_call(caller, fd, "new");
    assert_true(raw_frame(fd, FRAME_ANNOUNCE, 3, first, size));
    settle(fd);
    expect_call(caller, fd, "old");
    (void)close(fd);
    patio_broker_destroy(caller);
}

static patio_status one(patio_context *ctx)
{
    return PATIO_RETURN(ctx, 1);
}

static void each_has_its_number(void **state)
{
    (void)state;
    patio_registry *registry = NULL;
    assert_int_equal(patio_registry_create(NULL, &registry, NULL), PATIO_OK);
    assert_int_equal(PATIO_ADD_AS(registry, "one", one, NULL), PATIO_OK);
    patio_broker *worker = listen_on(registry, "worker");
    int           fd     = connect_to("worker");
    settle(fd); /* it has announced what it can, */
    patio_broker_destroy(worker);
    frame_header h    = {.type = 0};
    uint64_t     last = 1;
    uint32_t     left = 0;
    while (raw_read(fd, &h, body)) {
        if (h.type == FRAME_ANNOUNCE) { /* and that it can no more */
            assert_int_equal(h.id, ++last);
            left = frame_get32(body + 1 + body[0]);
        }
    }
    assert_true(last > 1);
    assert_int_equal(left, 0);
    (void)close(fd);
    patio_registry_destroy(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_one_does_not_undo_a_later_short_one),
        cmocka_unit_test(each_has_its_number),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
