/* Loading plugins: every fault that a file can have, and what is done with a good one. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../plugins/where.h"
#include "plugin/plugins.h"

static pt_plugins *create(const patio_allocator *mem)
{
    pt_plugins *plugins = NULL;
    assert_int_equal(0, setenv("PATIO_PLUGIN_PATH", test_plugin_dir(), 1));
    assert_int_equal(PATIO_OK, pt_plugins_create(mem, &plugins, NULL));
    return plugins;
}

static int setup(void **state)
{
    *state = create(&pt_malloc_allocator);
    return 0;
}

static int teardown(void **state)
{
    pt_plugins_destroy(*state);
    return 0;
}

static void assert_says(const patio_error *err, const char *fact)
{
    if (strstr(err->message, fact) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", fact, err->message);
    }
}

static void good_plugin_is_loaded_and_cached(void **state)
{
    const pt_transport_plugin *plugin = NULL;
    const pt_transport_plugin *again  = NULL;
    patio_error                err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_OK, pt_plugins_transport(*state, "good", &plugin, &err));
    assert_string_equal("good", plugin->identity->name);
    assert_non_null(strstr(plugin->path, "/transports/good.so"));
    assert_int_equal(sizeof(patio_transport_ops), plugin->ops.struct_size);
    assert_int_equal(PATIO_CAP_DELAY, plugin->ops.caps);
    assert_string_equal("depth", plugin->ops.options[0]->name);
    assert_int_equal(PATIO_FULL, plugin->ops.publish(NULL, NULL, NULL));
    assert_int_equal(PATIO_OK, pt_plugins_transport(*state, "good", &again, &err));
    assert_ptr_equal(plugin, again);
}

static void explicit_path_reaches_the_same_plugin(void **state)
{
    const pt_transport_plugin *by_name = NULL;
    const pt_transport_plugin *by_path = NULL;
    char                       path[PATH_MAX];
    test_plugin_path(path, "transports/../transports", "good.so");
    assert_int_equal(PATIO_OK, pt_plugins_transport(*state, path, &by_path, NULL));
    assert_int_equal(PATIO_OK, pt_plugins_transport(*state, "good", &by_name, NULL));
    assert_ptr_equal(by_name, by_path);
}

static void missing_optional_slots_become_stubs(void **state)
{
    const pt_transport_plugin *plugin = NULL;
    patio_error                err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_OK, pt_plugins_transport(*state, "good", &plugin, &err));
    assert_int_equal(PATIO_UNSUPPORTED, plugin->ops.started(NULL, 1, &err));
    assert_says(&err, "\"started\"");
    assert_int_equal(PATIO_UNSUPPORTED, plugin->ops.notify(NULL, 1, NULL, &err));
    assert_says(&err, "\"notify\"");
    assert_int_equal(PATIO_UNSUPPORTED, plugin->ops.cancel(NULL, "q", NULL, &err));
    assert_says(&err, "\"cancel\"");
    assert_string_equal("", err.origin); /* the caller, who knows the plugin, signs */
    assert_null(plugin->ops.query(NULL, "patio.dead/1"));
}

static void slots_beyond_an_old_table_are_not_read(void **state)
{
    const pt_transport_plugin *plugin = NULL;
    assert_int_equal(PATIO_OK, pt_plugins_transport(*state, "old_table", &plugin, NULL));
    assert_int_equal(PATIO_FULL, plugin->ops.publish(NULL, NULL, NULL));
    assert_null(plugin->ops.query(NULL, "anything"));
}

static void slots_beyond_our_table_are_left_out(void **state)
{
    const pt_transport_plugin *plugin = NULL;
    assert_int_equal(PATIO_OK, pt_plugins_transport(*state, "new_table", &plugin, NULL));
    assert_int_equal(7, plugin->identity->abi_minor);
    assert_int_equal(sizeof(patio_transport_ops), plugin->ops.struct_size);
    assert_string_equal("anything", plugin->ops.query(NULL, "anything"));
}

typedef struct fault {
    const char  *name;
    patio_status status;
    const char  *facts[4];
} fault;

static const fault faults[] = {
    {"major_refused", PATIO_ABI, {"(ABI)", "expected ABI 1.x, plugin speaks 3"}},
    {"major_wrong", PATIO_ABI, {"(ABI)", "expected ABI 1.x, plugin speaks 3.4"}},
    {"bad_magic", PATIO_PROTOCOL, {"(PROTOCOL)", "0xdeadbeef", "expected 0x50544f31"}},
    {"other_name", PATIO_PROTOCOL, {"calls itself \"somebody\", not \"other_name\""}},
    {"missing_slots", PATIO_PROTOCOL, {"transport table lacks required slots: publish, settle"}},
    {"bad_option", PATIO_PROTOCOL, {"option \"colour\": its type is unknown"}},
    {"no_entry", PATIO_PROTOCOL, {"no entry symbol patio_plugin_entry"}},
    {"text", PATIO_IO, {"(IO)", "is not a shared library: no ELF header"}},
    {"empty", PATIO_IO, {"file is empty"}},
    {"dir", PATIO_IO, {"is a folder, not a shared library"}},
    {"undefined", PATIO_IO, {"undefined symbol: patio_test_nobody_has_this"}},
    {"nowhere", PATIO_NOT_FOUND, {"(NOT_FOUND)", "no such file", "built-in folder"}},
};

static void every_fault_is_named(void **state)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const fault               *f      = &faults[i];
        const pt_transport_plugin *plugin = NULL;
        patio_error                err    = PATIO_ERROR_INIT;
        char                       tail[64];
        (void)snprintf(tail, sizeof(tail), "/tests/plugins/transports/%s.so", f->name);
        assert_int_equal(f->status, pt_plugins_transport(*state, f->name, &plugin, &err));
        assert_int_equal(f->status, err.status);
        assert_null(plugin);
        assert_says(&err, "cannot load transport");
        assert_says(&err, f->name);
        assert_says(&err, tail);
        assert_says(&err, "PATIO_PLUGIN_PATH");
        for (size_t k = 0; k < 4 && f->facts[k] != NULL; k++) {
            assert_says(&err, f->facts[k]);
        }
        /* errors are optional for the caller */
        assert_int_equal(f->status, pt_plugins_transport(*state, f->name, &plugin, NULL));
    }
}

static void every_fault_is_named_for_a_path_too(void **state)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const fault               *f      = &faults[i];
        const pt_transport_plugin *plugin = NULL;
        patio_error                err    = PATIO_ERROR_INIT;
        char                       path[PATH_MAX];
        char                       file[64];
        (void)snprintf(file, sizeof(file), "%s.so", f->name);
        test_plugin_path(path, "transports", file);
        assert_int_equal(f->status, pt_plugins_transport(*state, path, &plugin, &err));
        assert_says(&err, path);
        for (size_t k = 0; k < 2 && f->facts[k] != NULL; k++) {
            assert_says(&err, f->facts[k]);
        }
    }
}

static void executor_without_submit_is_refused(void **state)
{
    const pt_executor_plugin *plugin = NULL;
    patio_error               err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_PROTOCOL, pt_plugins_executor(*state, "lazy", &plugin, &err));
    assert_says(&err, "executor table lacks required slots: create, start, stop, destroy, submit");
}

static void transport_is_no_executor(void **state)
{
    const pt_executor_plugin *plugin = NULL;
    patio_error               err    = PATIO_ERROR_INIT;
    char                      path[PATH_MAX];
    test_plugin_path(path, "transports", "good.so");
    assert_int_equal(PATIO_PROTOCOL, pt_plugins_executor(*state, path, &plugin, &err));
    assert_says(&err, "no interface \"patio.executor/1\": not an executor");
}

static void *host_alloc(void *self, size_t size_bytes)
{
    (void)self;
    return malloc(size_bytes);
}

static void host_free(void *self, void *pointer)
{
    (void)self;
    free(pointer);
}

static void null_executor_refuses_every_task(void **state)
{
    const patio_host host = {PATIO_SIZED(patio_host), .alloc = host_alloc, .free = host_free};
    const pt_executor_plugin *plugin = NULL;
    patio_executor           *x      = NULL;
    patio_job                 job    = {PATIO_SIZED(patio_job), .task = "mail.send"};
    patio_error               err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_OK, pt_plugins_executor(*state, "null", &plugin, &err));
    assert_int_equal(0, plugin->ops.caps);
    assert_int_equal(PATIO_OK, plugin->ops.create(&host, NULL, &x, &err));
    assert_int_equal(PATIO_OK, plugin->ops.start(x, &err));
    assert_int_equal(0, plugin->ops.slots(x));
    assert_int_equal(PATIO_UNSUPPORTED, plugin->ops.submit(x, &job, &err));
    assert_string_equal("the null executor runs no tasks; task mail.send was refused; "
                        "choose another executor for this broker",
                        err.message);
    assert_int_equal(PATIO_UNSUPPORTED, plugin->ops.cancel(x, &job, &err));
    assert_says(&err, "this executor has no \"cancel\"");
    assert_null(plugin->ops.query(x, "patio.stats/1"));
    assert_int_equal(PATIO_OK, plugin->ops.stop(x, 0, &err));
    plugin->ops.destroy(x);
    plugin->ops.destroy(NULL);
}

static void *load_good(void *plugins)
{
    const pt_transport_plugin *plugin = NULL;
    patio_status               status = pt_plugins_transport(plugins, "good", &plugin, NULL);
    return status == PATIO_OK ? (void *)(uintptr_t)plugin : NULL;
}

static void threads_get_the_same_plugin(void **state)
{
    pthread_t threads[4];
    void     *results[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(0, pthread_create(&threads[i], NULL, load_good, *state));
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(0, pthread_join(threads[i], &results[i]));
        assert_non_null(results[i]);
        assert_ptr_equal(results[0], results[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_plugin_is_loaded_and_cached, setup, teardown),
        cmocka_unit_test_setup_teardown(explicit_path_reaches_the_same_plugin, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_optional_slots_become_stubs, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_beyond_an_old_table_are_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_beyond_our_table_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(every_fault_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(every_fault_is_named_for_a_path_too, setup, teardown),
        cmocka_unit_test_setup_teardown(executor_without_submit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(transport_is_no_executor, setup, teardown),
        cmocka_unit_test_setup_teardown(null_executor_refuses_every_task, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_get_the_same_plugin, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
