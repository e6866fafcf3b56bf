/* Who listens is not who it should be, or not in its right mind: who connects shows it nothing
 * before it has proved the key, stays small, and works with the honest one as soon as that is back.
 */
#include "impostor_world.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void a_replayed_opening_is_refused(void **state)
{
    (void)state;
    raw_opening first;
    raw_opening again;
    (void)close(raw_let_in(listening, IMPOSTOR_KEY, &first));
    int fd = raw_accept(listening);
    raw_greeted(fd, &again, IMPOSTOR_KEY);
    assert_memory_not_equal(again.theirs, first.theirs, sizeof(first.theirs)); /* a fresh nonce */
    assert_true(raw_frame(fd, FRAME_HELLO, 0, first.own, sizeof(first.own)));
    assert_true(raw_frame(fd, FRAME_AUTH, 0, first.proof, sizeof(first.proof)));
    (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
    expect_kept_out(fd);
    expect_unharmed();
}

static void without_a_proof_there_is_no_welcome(void **state)
{
    (void)state;
    static const uint8_t nothing[FRAME_MAC_BYTES];
    raw_opening          o;
    uint8_t              keyless[FRAME_HELLO_BYTES];
    raw_hello_listens(keyless, "");
    for (int way = 0; way < 4; way++) {
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, IMPOSTOR_KEY);
        if (way == 0) { /* WELCOME and nothing else */
            (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        } else if (way == 1) { /* instead of the proof */
            (void)raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own));
            (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        } else if (way == 2) { /* it says that it needs none */
            (void)raw_frame(fd, FRAME_HELLO, 0, keyless, sizeof(keyless));
            (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        } else { /* a proof of nothing */
            (void)raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own));
            (void)raw_frame(fd, FRAME_AUTH, 0, nothing, sizeof(nothing));
            (void)raw_frame(fd, FRAME_WELCOME, 0, NULL, 0);
        }
        expect_kept_out(fd);
    }
    expect_unharmed();
}

/* It has the worker itself prove, at the socket where the worker listens. */
static void what_the_worker_proves_elsewhere_is_no_proof(void **state)
{
    (void)state;
    raw_opening  o;
    frame_header h;
    int          fd = raw_accept(listening);
    raw_greeted(fd, &o, IMPOSTOR_KEY);
    int other = raw_connect(own.path);
    frame_put64(o.theirs + 16, 4711); /* its own incarnation it would not talk to */
    assert_true(raw_frame(other, FRAME_HELLO, 0, o.theirs, sizeof(o.theirs)));
    assert_true(raw_read(other, &h, body) && h.type == FRAME_HELLO);
    memcpy(o.own, body, sizeof(o.own));
    assert_true(raw_read(other, &h, body) && h.type == FRAME_AUTH);
    frame_put64(o.own + 16, 4712);
    assert_true(raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own)));
    assert_true(raw_frame(fd, FRAME_AUTH, 0, body, h.size));
    expect_kept_out(fd);
    (void)close(other);
    expect_unharmed();
}

/* Its own HELLO comes back: as it is, and as that of a listener. A stranger may not make it believe
 * for ever that the address is its own. */
static void what_it_says_itself_is_not_taken(void **state)
{
    (void)state;
    raw_opening o;
    for (int listens = 0; listens < 2; listens++) {
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, IMPOSTOR_KEY);
        o.theirs[8] = listens != 0 ? 0 : o.theirs[8];
        (void)raw_frame(fd, FRAME_HELLO, 0, o.theirs, sizeof(o.theirs));
        expect_kept_out(fd);
    }
    for (uint64_t reason = 0; reason <= GOODBYE_TRUST + 1; reason++) {
        int fd = raw_accept(listening);
        raw_greeted(fd, &o, IMPOSTOR_KEY);
        (void)raw_frame(fd, FRAME_GOODBYE, reason, NULL, 0);
        expect_kept_out(fd);
    }
    expect_unharmed();
}

static void huge_lengths_are_refused(void **state)
{
    (void)state;
    static const uint32_t sizes[]  = {FRAME_OPENING_MAX + 1, FRAME_BODY_MAX, FRAME_BODY_MAX + 1,
                                      UINT32_MAX};
    static const uint32_t totals[] = {UINT32_MAX, 17 * 1024 * 1024};
    raw_opening           o;
    for (size_t i = 0; i < 4 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        frame_header h  = {.size = sizes[i / 4], .type = (uint8_t)(FRAME_HELLO + i % 4)};
        int          fd = raw_accept(listening);
        raw_greeted(fd, &o, IMPOSTOR_KEY);
        if (h.type != FRAME_HELLO) {
            assert_true(raw_frame(fd, FRAME_HELLO, 0, o.own, sizeof(o.own)));
        }
        frame_put_header(body, &h);
        assert_true(raw_send(fd, body, FRAME_HEADER_BYTES)); /* refused before more has come */
        expect_kept_out(fd);
    }
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) { /* from one with the key */
        frame_header h  = {.size = 4, .type = FRAME_PUBLISH, .flags = 3, .channel = 1};
        int          fd = raw_let_in(listening, IMPOSTOR_KEY, &o);
        frame_put_header(body, &h);
        frame_put32(body + FRAME_HEADER_BYTES, totals[i]);
        assert_true(raw_send(fd, body, FRAME_HEADER_BYTES + 4));
        assert_true(raw_closed(fd));
        (void)close(fd);
    }
    expect_unharmed();
}

static void noise_does_no_harm(void **state)
{
    (void)state;
    raw_opening o;
    uint32_t    seed = 1;
    for (int i = 0; i < 200; i++) {
        bool   inside = i % 4 == 3;
        int    fd     = inside ? raw_let_in(listening, IMPOSTOR_KEY, &o) : raw_accept(listening);
        size_t size   = raw_random(&seed) % 5000 + FRAME_HEADER_BYTES;
        raw_noise(&seed, body, size);
        if (i % 2 == 0) { /* a header that could be one */
            frame_header h = {.size = 64, .type = (uint8_t)(raw_random(&seed) % 16)};
            frame_put_header(body, &h);
        }
        (void)raw_send(fd, body, size);
        (void)shutdown(fd, SHUT_WR);
        assert_true(inside ? raw_closed(fd) : raw_kept_out(fd));
        (void)close(fd);
    }
    expect_unharmed();
}

/* Says nothing, or a byte now and then. */
static void a_slow_one_is_given_up_in_time(void **state)
{
    (void)state;
    raw_opening o;
    for (int drip = 0; drip < 2; drip++) {
        int      fd    = raw_accept(listening);
        uint64_t begun = now_ms();
        raw_greeted(fd, &o, IMPOSTOR_KEY);
        frame_header h = {.size = FRAME_HELLO_BYTES, .type = FRAME_HELLO};
        frame_put_header(body, &h);
        memcpy(body + FRAME_HEADER_BYTES, o.own, sizeof(o.own));
        for (size_t k = 0; drip != 0 && k < FRAME_HEADER_BYTES + sizeof(o.own); k++) {
            if (!raw_send(fd, body + k, 1)) {
                break;
            }
            usleep(20 * 1000); /* the drip itself is what is tested */
        }
        expect_kept_out(fd);
        assert_in_range(now_ms() - begun, 0, HANDSHAKE_MS + 4000);
    }
    expect_unharmed();
}

int main(void)
{
#define IMPOSTOR(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        IMPOSTOR(a_replayed_opening_is_refused),
        IMPOSTOR(without_a_proof_there_is_no_welcome),
        IMPOSTOR(what_the_worker_proves_elsewhere_is_no_proof),
        IMPOSTOR(what_it_says_itself_is_not_taken),
        IMPOSTOR(every_truncation_of_the_opening_is_survived),
        IMPOSTOR(every_truncation_of_the_welcome_leaves_it_shut),
        cmocka_unit_test_setup_teardown(every_truncation_without_a_key_leaves_it_shut,
                                        begin_keyless, finish),
        IMPOSTOR(every_truncation_of_every_frame_is_refused),
        IMPOSTOR(huge_lengths_are_refused),
        IMPOSTOR(noise_does_no_harm),
        cmocka_unit_test_setup_teardown(a_slow_one_is_given_up_in_time, begin_hasty, finish),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
