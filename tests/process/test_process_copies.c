/* A large argument is copied once on its way to a child, and once back: counted, in both processes,
 * and seen in what each of them holds in RAM. What the encoder writes is the same for every
 * executor, and is all that there is for the executor `thread`. */
#include "copies.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

enum { LARGE = 64 << 20, SLACK = 4 << 20 };

typedef struct measure {
    int64_t copied;
    int64_t written;
    int64_t private_bytes; /* in RAM, its own */
    int64_t shared_bytes;  /* in RAM, of memory files */
} measure;

static int64_t status_bytes(const char *key)
{
    char      line[256];
    long long kib = 0;
    FILE     *f   = fopen("/proc/self/status", "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        size_t size = strlen(key);
        if (strncmp(line, key, size) == 0 && sscanf(line + size, ": %lld kB", &kib) == 1) {
            break;
        }
    }
    (void)fclose(f);
    return kib * 1024;
}

static measure measure_now(void)
{
    return (measure){.copied        = (int64_t)copies_copied,
                     .written       = (int64_t)copies_written,
                     .private_bytes = status_bytes("RssAnon"),
                     .shared_bytes  = status_bytes("RssShmem")};
}

static measure with_argument; /* of this process, while its task has a large argument */

static patio_status task_weigh(patio_context *ctx)
{
    measure m = patio_arg_count(ctx) == 0 ? measure_now() : with_argument;
    return patio_return(ctx, PATIO_LIST(m.copied, m.written, m.private_bytes, m.shared_bytes));
}

/* Reads all of it, as a task does. */
static patio_status task_large(patio_context *ctx)
{
    patio_bytes  bytes;
    uint64_t     sum = 0;
    patio_status st  = patio_arg_bytes(ctx, 0, &bytes);
    for (size_t i = 0; st == PATIO_OK && i < bytes.size; i += 512) {
        sum += bytes.data[i];
    }
    with_argument = measure_now();
    return st != PATIO_OK || sum == 0 ? PATIO_INTERNAL : patio_return(ctx, *patio_arg(ctx, 0));
}

static patio_status make(patio_registry **out, patio_error *err)
{
    patio_status st = patio_registry_create(NULL, out, err);
    st              = st == PATIO_OK ? PATIO_ADD_AS(*out, "weigh", task_weigh, err) : st;
    return st == PATIO_OK ? PATIO_ADD_AS(*out, "large", task_large, err) : st;
}

static measure ask(fixture *f, const patio_payload *args)
{
    patio_future      *future = call_it(f, "weigh", args, 0);
    const patio_value *list   = patio_future_value(future);
    int64_t            v[4]   = {0};
    assert_ok(patio_future_status(future, &f->err), f->err);
    for (size_t i = 0; i < 4; i++) {
        assert_ok(patio_value_get_int64(patio_value_at(list, i), &v[i]), f->err);
    }
    patio_future_destroy(future);
    return (measure){v[0], v[1], v[2], v[3]};
}

static uint8_t *large_bytes(void)
{
    uint8_t *data = malloc(LARGE);
    assert_non_null(data);
    memset(data, 'x', LARGE);
    return data;
}

/* As many as that, and no frame, page table or log line more than the slack. */
static void assert_near(int64_t bytes, int64_t expected)
{
    if (bytes < expected - SLACK || bytes > expected + SLACK) {
        fail_msg("%lld bytes, expected %lld", (long long)bytes, (long long)expected);
    }
}

/* Calls "large" and compares what comes back; *with is of this process while it has the result. */
static void go_there_and_back(fixture *f, const uint8_t *data, measure *with)
{
    patio_bytes   back;
    patio_future *future = call_it(f, "large", PATIO_ARGS(patio_blob(data, LARGE)), 60000);
    assert_ok(patio_future_status(future, &f->err), f->err);
    assert_ok(patio_value_get_bytes(patio_future_value(future), &back), f->err);
    assert_int_equal(back.size, LARGE);
    assert_memory_equal(back.data, data, LARGE);
    *with = measure_now();
    patio_future_destroy(future);
}

static void open_with(fixture *f, const char *executor)
{
    fixture_init(f);
    patio_registry_destroy(f->registry);
    f->registry = NULL;
    assert_ok(make(&f->registry, &f->err), f->err);
    f->broker = start_broker(
        f, f->registry,
        SETTINGS(executor, "executor.workers=1", "log.level=off", "max_body_bytes=80MiB"));
}

static void a_child_has_one_copy_each_way(void **state)
{
    (void)state;
    fixture  f;
    measure  with;
    uint8_t *data = large_bytes();
    open_with(&f, "executor=process");
    measure child_before = ask(&f, PATIO_NO_ARGS);
    measure before       = measure_now();
    go_there_and_back(&f, data, &with);
    measure child_with  = ask(&f, PATIO_ARGS(1));
    measure child_after = ask(&f, PATIO_NO_ARGS);
    /* there: encoded here, written into shared memory once, read in the child where it lies */
    assert_near(with.written - before.written, LARGE);
    assert_near(child_with.copied - child_before.copied, 0);
    assert_near(child_with.written - child_before.written, 0);
    assert_near(child_with.private_bytes - child_before.private_bytes, 0);
    assert_near(child_with.shared_bytes - child_before.shared_bytes, LARGE);
    /* back: encoded there, written once, read here where it lies */
    assert_near(child_after.copied - child_before.copied, LARGE);
    assert_near(child_after.written - child_before.written, LARGE);
    assert_near(with.copied - before.copied, LARGE);
    assert_near(with.shared_bytes - before.shared_bytes, LARGE);
    /* and nothing of it stays */
    assert_near(child_after.private_bytes - child_before.private_bytes, 0);
    assert_near(child_after.shared_bytes - child_before.shared_bytes, 0);
    assert_near(measure_now().shared_bytes - before.shared_bytes, 0);
    fixture_close(&f);
    free(data);
}

/* What the encoder writes is counted in full; so the zeros above mean something. */
static void a_thread_has_what_the_encoder_writes(void **state)
{
    (void)state;
    fixture  f;
    measure  with;
    uint8_t *data = large_bytes();
    open_with(&f, "executor=thread");
    measure before = measure_now();
    go_there_and_back(&f, data, &with);
    assert_near(with.copied - before.copied, 2 * (int64_t)LARGE);
    assert_near(with.written - before.written, 0);
    fixture_close(&f);
    free(data);
}

int main(int argc, char **argv)
{
    PATIO_CHILD_MAIN(argc, argv, make);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_one_copy_each_way),
        cmocka_unit_test(a_thread_has_what_the_encoder_writes),
    };
    return RUN_TESTS("process: copies", tests);
}
