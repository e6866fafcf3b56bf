#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned descriptors_before;

static unsigned count_descriptors(void)
{
    unsigned       count  = 0;
    DIR           *folder = opendir("/proc/self/fd");
    struct dirent *entry  = NULL;
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return count;
}

unsigned processes_with(const char *argument)
{
    unsigned       count  = 0;
    DIR           *folder = opendir("/proc");
    struct dirent *entry  = NULL;
    size_t         size   = strlen(argument);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        char path[300];
        char words[4096];
        (void)snprintf(path, sizeof(path), "/proc/%.200s/cmdline", entry->d_name);
        int fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
        if (fd < 0) {
            continue;
        }
        ssize_t n = read(fd, words, sizeof(words));
        (void)close(fd);
        count += n > 0 && memmem(words, (size_t)n, argument, size) != NULL;
    }
    (void)closedir(folder);
    return count;
}

void world_open(fixture *f, const char *const *settings)
{
    patio_config *config = NULL;
    fixture_init(f);
    descriptors_before = count_descriptors();
    assert_ok(patio_config_create(&config, &f->err), f->err);
    for (size_t i = 0; settings[i] != NULL; i++) {
        char *key       = strdup(settings[i]);
        char *equals    = strchr(key, '=');
        *equals         = '\0';
        patio_status st = patio_config_set(config, key, equals + 1, "test", &f->err);
        free(key);
        assert_ok(st, f->err);
    }
    assert_ok(patio_registry_add_configured(f->registry, config, &f->err), f->err);
    patio_config_destroy(config);
    f->broker = start_broker(f, f->registry, settings);
}

void world_close(fixture *f)
{
    if (f->broker != NULL) {
        assert_ok(patio_broker_stop(f->broker, 10000, &f->err), f->err);
        patio_broker_destroy(f->broker);
        f->broker = NULL;
    }
    /* the runtime's timer thread has none */
    assert_int_equal(count_descriptors(), descriptors_before);
    fixture_close(f);
}

void expect_output(fixture *f, const char *task, const patio_payload *payload, const char *output)
{
    patio_future *future = NULL;
    patio_bytes   bytes;
    assert_ok(patio_call(f->broker, task, payload, NULL, &future, &f->err), f->err);
    assert_status(patio_future_raw(future, &bytes, NULL), PATIO_OK);
    assert_int_equal(bytes.size, strlen(output));
    assert_memory_equal(bytes.size > 0 ? (const char *)bytes.data : "", output, bytes.size);
    patio_future_destroy(future);
}

void expect_error(fixture *f, const char *task, const patio_payload *payload, const char *type,
                  int code, const char *part)
{
    patio_future *future = NULL;
    assert_ok(patio_start(f->broker, task, payload, NULL, &future, &f->err), f->err);
    assert_status(patio_future_wait(future, 20000), PATIO_OK);
    patio_status            st    = patio_future_status(future, &f->err);
    const patio_task_error *error = patio_future_error(future);
    assert_status(st, strcmp(type, "Signal") == 0 ? PATIO_TASK_CRASHED : PATIO_TASK_FAILED);
    assert_non_null(error);
    assert_string_equal(error->type, type);
    assert_int_equal(error->code, code);
    assert_contains(f->err.message, part);
    patio_future_destroy(future);
}
