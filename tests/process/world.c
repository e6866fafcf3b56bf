#include "world.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned descriptors_before;

static unsigned count_descriptors(void)
{
    DIR     *dir = opendir("/proc/self/fd");
    unsigned n   = 0;
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        n += isdigit((unsigned char)e->d_name[0]) != 0 ? 1 : 0;
    }
    closedir(dir);
    return n - 1; /* the folder's own */
}

/* State and parent of a process; false: there is none. */
static bool look_at(pid_t pid, char *state, pid_t *parent)
{
    char  path[64];
    char  text[512];
    FILE *f;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    size_t size = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[size]       = '\0';
    const char *name = strrchr(text, ')');
    int         up   = 0;
    bool        good = name != NULL && sscanf(name + 1, " %c %d", state, &up) == 2;
    *parent          = (pid_t)up;
    return good;
}

bool lives(pid_t pid)
{
    char  state  = 0;
    pid_t parent = 0;
    return look_at(pid, &state, &parent) && state != 'Z' && state != 'X';
}

/* Children in a state (0: in any); a signal to each of them (0: none). */
static unsigned each_child(char in_state, int number)
{
    DIR     *dir = opendir("/proc");
    unsigned n   = 0;
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char  state  = 0;
        pid_t parent = 0;
        if (isdigit((unsigned char)e->d_name[0]) == 0) {
            continue;
        }
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (look_at(pid, &state, &parent) && parent == getpid() &&
            (in_state == 0 || state == in_state)) {
            n++;
            (void)kill(pid, number);
        }
    }
    closedir(dir);
    return n;
}

unsigned count_children(void)
{
    return each_child(0, 0);
}

unsigned count_stopped_children(void)
{
    return each_child('T', 0);
}

void continue_children(void)
{
    (void)each_child(0, SIGCONT);
}

void world_open(fixture *f, const char *const *settings)
{
    fixture_init(f);
    patio_registry_destroy(f->registry);
    f->registry        = NULL;
    descriptors_before = count_descriptors();
    assert_ok(make_registry(&f->registry, &f->err), f->err);
    f->broker = start_broker(f, f->registry, settings);
}

void world_close(fixture *f, uint64_t grace_ms)
{
    if (f->broker != NULL) {
        assert_ok(patio_broker_stop(f->broker, grace_ms, &f->err), f->err);
        patio_broker_destroy(f->broker);
        f->broker = NULL;
    }
    assert_int_equal(count_children(), 0);
    assert_int_equal(count_descriptors(), descriptors_before);
    fixture_close(f);
}

patio_future *call_it(fixture *f, const char *task, const patio_payload *payload,
                      uint64_t timeout_ms)
{
    patio_future      *future  = NULL;
    patio_call_options options = {PATIO_SIZED(patio_call_options), .timeout_ms = timeout_ms};
    options.max_crashes        = 1;
    assert_ok(patio_start(f->broker, task, payload, &options, &future, &f->err), f->err);
    assert_status(patio_future_wait(future, 60000), PATIO_OK);
    return future;
}

int64_t number_of(patio_future *future)
{
    patio_error err    = PATIO_ERROR_INIT;
    int64_t     number = 0;
    assert_ok(patio_future_status(future, &err), err);
    assert_ok(patio_value_get_int64(patio_future_value(future), &number), err);
    patio_future_destroy(future);
    return number;
}

void expect_crash(fixture *f, const char *task, const char *type, const char *part)
{
    patio_future           *future = call_it(f, task, PATIO_NO_ARGS, 30000);
    patio_status            st     = patio_future_status(future, &f->err);
    const patio_task_error *error  = patio_future_error(future);
    if (st != PATIO_TASK_CRASHED) {
        fail_msg("%s: %s: %s", task, patio_status_name(st), f->err.message);
    }
    assert_non_null(error);
    assert_string_equal(error->type, type);
    assert_contains(error->message, part);
    assert_contains(error->message, "peak memory");
    patio_future_destroy(future);
}

void expect_good(fixture *f)
{
    assert_int_equal(number_of(call_it(f, "add", PATIO_ARGS(40, 2), 30000)), 42);
}
