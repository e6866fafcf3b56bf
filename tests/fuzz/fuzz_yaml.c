/* Any bytes as a configuration file. What was loaded must be keys that may also be set, and all of
 * the readers of values must take them, with whatever status. */
#include <stdlib.h>
#include <string.h>

#include <patio/registry.h>

#include "base/text.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void read_task(void *arg, const char *name, const char *origin)
{
    patio_error        err     = PATIO_ERROR_INIT;
    patio_task_options options = {PATIO_SIZED(patio_task_options)};
    require(pt_is_task_name(name) && origin != NULL);
    (void)pt_config_task(&pt_malloc_allocator, arg, name, &options, &err);
}

static void read_values(patio_config *config)
{
    patio_error         err    = PATIO_ERROR_INIT;
    patio_option_value *values = NULL;
    if (pt_config_core(&pt_malloc_allocator, config, &values, &err) == PATIO_OK) {
        pt_options_free(&pt_malloc_allocator, pt_core_options, values);
    }
    if (pt_config_log(&pt_malloc_allocator, config, &values, &err) == PATIO_OK) {
        pt_options_free(&pt_malloc_allocator, pt_log_options, values);
    }
    pt_config_each_task(config, read_task, config);
}

static void set_again(const patio_config *config)
{
    pt_setting   *settings = NULL;
    size_t        count    = 0;
    patio_config *copy     = NULL;
    require(pt_config_under(&pt_malloc_allocator, config, "", &settings, &count, NULL) == PATIO_OK);
    require(patio_config_create(&copy, NULL) == PATIO_OK);
    for (size_t i = 0; i < count; i++) {
        const pt_setting *s = &settings[i];
        require(patio_config_set(copy, s->key, s->value, s->origin, NULL) == PATIO_OK);
        require(strcmp(patio_config_get(copy, s->key), s->value) == 0);
    }
    patio_config_destroy(copy);
    pt_free(&pt_malloc_allocator, settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_config *config = NULL;
    patio_bytes   yaml   = {data, size};
    require(patio_config_create(&config, NULL) == PATIO_OK);
    patio_status status = patio_config_load_text(config, yaml, "fuzz", &err);
    if (status == PATIO_OK) {
        set_again(config);
        read_values(config);
        require(patio_config_load_text(config, yaml, "fuzz", &err) == PATIO_OK);
    } else {
        require(status == PATIO_CONFIG && strncmp(err.message, "fuzz:", 5) == 0);
        require(pt_is_utf8(err.message, strlen(err.message)));
    }
    patio_config_destroy(config);
    return 0;
}
