/* Where plugins are looked for, what the listing shows, and what an error says about the search. */
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../plugins/where.h"
#include "plugin/plugins.h"

/* A tree of its own for each test: <root>/{one,two}/transports. */
typedef struct tree {
    char        root[64];
    char        one[80];
    char        two[80];
    pt_plugins *plugins;
} tree;

#define RUN(...)                                                                                   \
    do {                                                                                           \
        char command[2 * PATH_MAX + 64];                                                           \
        int  size = snprintf(command, sizeof(command), __VA_ARGS__);                               \
        assert_in_range(size, 1, sizeof(command) - 1);                                             \
        assert_int_equal(0, system(command));                                                      \
    } while (0)

/* A copy is another file, where a link would be the same plugin. */
static void put(const char *plugin, const char *folder, const char *name)
{
    RUN("cp '%s/transports/%s.so' '%s/transports/%s.so'", test_plugin_dir(), plugin, folder, name);
}

static int setup(void **state)
{
    tree *t = calloc(1, sizeof(*t));
    (void)snprintf(t->root, sizeof(t->root), "/tmp/patio_plugins.XXXXXX");
    assert_non_null(mkdtemp(t->root));
    (void)snprintf(t->one, sizeof(t->one), "%s/one", t->root);
    (void)snprintf(t->two, sizeof(t->two), "%s/two", t->root);
    RUN("mkdir -p '%s/transports' '%s/transports'", t->one, t->two);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    tree *t = *state;
    pt_plugins_destroy(t->plugins);
    RUN("rm -rf '%s'", t->root);
    free(t);
    return 0;
}

static void open_path(tree *t, const char *path)
{
    assert_int_equal(0, setenv("PATIO_PLUGIN_PATH", path, 1));
    assert_int_equal(PATIO_OK, pt_plugins_create(&pt_malloc_allocator, &t->plugins, NULL));
}

static void assert_says(const char *text, const char *fact)
{
    if (strstr(text, fact) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", fact, text);
    }
}

static void environment_comes_before_added_folders(void **state)
{
    tree *t = *state;
    put("good", t->one, "good");
    put("good", t->two, "good");
    open_path(t, t->two);
    assert_int_equal(PATIO_OK, pt_plugins_add_dir(t->plugins, t->one, NULL));
    const pt_transport_plugin *plugin = NULL;
    assert_int_equal(PATIO_OK, pt_plugins_transport(t->plugins, "good", &plugin, NULL));
    assert_says(plugin->path, t->two);
}

static void folders_of_the_environment_keep_their_order(void **state)
{
    tree *t = *state;
    char  path[256];
    put("good", t->one, "good");
    put("good", t->two, "good");
    (void)snprintf(path, sizeof(path), "::%s/nothing:%s/:%s:", t->root, t->one, t->two);
    open_path(t, path);
    const pt_transport_plugin *plugin = NULL;
    assert_int_equal(PATIO_OK, pt_plugins_transport(t->plugins, "good", &plugin, NULL));
    assert_says(plugin->path, t->one);
}

static void broken_plugin_hides_a_later_good_one(void **state)
{
    tree *t = *state;
    put("bad_magic", t->one, "good");
    put("good", t->two, "good");
    open_path(t, t->one);
    assert_int_equal(PATIO_OK, pt_plugins_add_dir(t->plugins, t->two, NULL));
    const pt_transport_plugin *plugin = NULL;
    patio_error                err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_PROTOCOL, pt_plugins_transport(t->plugins, "good", &plugin, &err));
    assert_says(err.message, "magic number");
}

static void link_under_another_name_is_refused(void **state)
{
    tree *t = *state;
    put("good", t->one, "good");
    RUN("ln -s good.so '%s/transports/alias.so'", t->one);
    open_path(t, t->one);
    const pt_transport_plugin *plugin = NULL;
    patio_error                err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_PROTOCOL, pt_plugins_transport(t->plugins, "alias", &plugin, &err));
    assert_int_equal(PATIO_OK, pt_plugins_transport(t->plugins, "good", &plugin, &err));
    /* now it is known, and still called good */
    assert_int_equal(PATIO_PROTOCOL, pt_plugins_transport(t->plugins, "alias", &plugin, &err));
    assert_says(err.message, "calls itself \"good\", not \"alias\"");
}

/* Make columns two blanks apart, whatever the lengths of the paths. */
static void squeeze(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (to - text < 2 || *from != ' ' || to[-1] != ' ' || to[-2] != ' ') {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static void error_lists_every_place_and_a_near_name(void **state)
{
    tree *t = *state;
    put("good", t->two, "good");
    char missing[128];
    (void)snprintf(missing, sizeof(missing), "%s/missing", t->root);
    open_path(t, t->one);
    assert_int_equal(PATIO_OK, pt_plugins_add_dir(t->plugins, t->two, NULL));
    assert_int_equal(PATIO_OK, pt_plugins_add_dir(t->plugins, missing, NULL));
    const pt_transport_plugin *plugin = NULL;
    patio_error                err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_NOT_FOUND, pt_plugins_transport(t->plugins, "godo", &plugin, &err));
    assert_string_equal("plugins", err.origin);
    char expected[8 * PATH_MAX];
    (void)snprintf(expected, sizeof(expected),
                   "cannot load transport \"godo\" (NOT_FOUND)\n"
                   "  %s/transports/godo.so  PATIO_PLUGIN_PATH  no such file\n"
                   "  %s/transports/godo.so  added folder  no such file\n"
                   "  %s/transports/godo.so  added folder  no such folder\n"
                   "  %s/transports/godo.so  built-in folder  no such file\n"
                   "  did you mean \"good\"?  (found at %s/transports/good.so, 1.2.3, ABI 1.1)",
                   t->one, t->two, missing, pt_plugins_builtin_dir(), t->two);
    squeeze(err.message);
    assert_string_equal(expected, err.message);
}

static void near_name_that_is_broken_is_marked(void **state)
{
    tree *t = *state;
    put("bad_magic", t->one, "good");
    open_path(t, t->one);
    const pt_transport_plugin *plugin = NULL;
    patio_error                err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_NOT_FOUND, pt_plugins_transport(t->plugins, "goood", &plugin, &err));
    assert_says(err.message, "did you mean \"good\"?");
    assert_says(err.message, "but not usable)");
}

static void long_lists_are_cut_but_keep_the_hint(void **state)
{
    tree *t = *state;
    put("good", t->two, "good");
    open_path(t, t->two);
    char dir[512];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(dir, sizeof(dir), "/nowhere/%0*d", 100 + i * 8, i);
        assert_int_equal(PATIO_OK, pt_plugins_add_dir(t->plugins, dir, NULL));
    }
    const pt_transport_plugin *plugin = NULL;
    patio_error                err    = PATIO_ERROR_INIT;
    assert_int_equal(PATIO_NOT_FOUND, pt_plugins_transport(t->plugins, "godo", &plugin, &err));
    assert_says(err.message, t->two);
    assert_says(err.message, " more folders without it\n  did you mean \"good\"?");
    assert_int_equal(')', err.message[strlen(err.message) - 1]);
}

static void long_paths_lose_their_beginning(void **state)
{
    tree                      *t      = *state;
    const pt_transport_plugin *plugin = NULL;
    patio_error                err    = PATIO_ERROR_INIT;
    char                       path[2048];
    (void)snprintf(path, sizeof(path), "/nowhere/%01900d/acme.so", 7);
    open_path(t, "");
    assert_int_equal(PATIO_NOT_FOUND, pt_plugins_transport(t->plugins, path, &plugin, &err));
    assert_says(err.message, "\"...000");
    assert_says(err.message, "07/acme.so\" (NOT_FOUND)\n  no such file");
}

static void names_outside_the_rule_are_refused(void **state)
{
    static const char *const names[] = {"",
                                        "Good",
                                        "9p",
                                        "a-b",
                                        "good.so",
                                        "_x",
                                        "abcdefghijklmnopqrstuvwxyz0123456",
                                        "./Good.so",
                                        "./abcdefghijklmnopqrstuvwxyz0123456.so",
                                        "./",
                                        "./.so"};
    tree                    *t       = *state;
    open_path(t, test_plugin_dir());
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const pt_transport_plugin *plugin = NULL;
        patio_error                err    = PATIO_ERROR_INIT;
        assert_int_equal(PATIO_INVALID, pt_plugins_transport(t->plugins, names[i], &plugin, &err));
        assert_says(err.message, "[a-z][a-z0-9_]{0,31}");
    }
    const pt_executor_plugin *executor = NULL;
    assert_int_equal(PATIO_INVALID, pt_plugins_executor(t->plugins, NULL, &executor, NULL));
    /* the longest name is only not there */
    const char *longest = "abcdefghijklmnopqrstuvwxyz012345";
    assert_int_equal(PATIO_NOT_FOUND, pt_plugins_executor(t->plugins, longest, &executor, NULL));
}

static void folders_need_a_name_of_bounded_length(void **state)
{
    tree *t = *state;
    char  dir[PATH_MAX + 16];
    open_path(t, "");
    memset(dir, 'x', sizeof(dir));
    dir[sizeof(dir) - 1] = '\0';
    assert_int_equal(PATIO_INVALID, pt_plugins_add_dir(t->plugins, dir, NULL));
    assert_int_equal(PATIO_INVALID, pt_plugins_add_dir(t->plugins, "", NULL));
    assert_int_equal(PATIO_INVALID, pt_plugins_add_dir(t->plugins, NULL, NULL));
    pt_plugins *none = NULL;
    assert_int_equal(0, setenv("PATIO_PLUGIN_PATH", dir, 1));
    assert_int_equal(PATIO_INVALID, pt_plugins_create(&pt_malloc_allocator, &none, NULL));
    assert_null(none);
}

typedef struct listing {
    char   lines[64][512];
    size_t count;
} listing;

static void note(void *arg, const patio_plugin_info *info)
{
    listing *l = arg;
    assert_true(l->count < 64);
    (void)snprintf(l->lines[l->count++], sizeof(l->lines[0]), "%s %s %s %s %u.%u %u %s|%s",
                   info->kind, info->name, patio_status_name(info->status), info->version,
                   info->abi_major, info->abi_minor, info->caps,
                   info->options != NULL ? info->options[0]->name : "-", info->problem);
}

static void listing_is_sorted_and_shows_the_shadowed(void **state)
{
    tree   *t    = *state;
    listing seen = {.count = 0};
    put("new_table", t->one, "new_table");
    put("good", t->one, "good");
    put("good", t->two, "good");
    put("bad_magic", t->two, "bad_magic");
    put("good", t->two, "Not-a-name");
    RUN("touch '%s/transports/.hidden.so' '%s/transports/README'", t->one, t->two);
    /* a link to a file that is there already is no second plugin */
    RUN("ln -s '%s/transports/new_table.so' '%s/transports/new_table.so'", t->one, t->two);
    open_path(t, t->one);
    assert_int_equal(PATIO_OK, pt_plugins_add_dir(t->plugins, t->two, NULL));
    assert_int_equal(PATIO_OK, pt_plugins_visit(t->plugins, note, &seen, NULL));

    static const char *const expected[] = {
        "transport Not-a-name INVALID  0.0 0 -|not a plugin's name",
        "transport bad_magic PROTOCOL  0.0 0 -|magic number is 0xdeadbeef",
        "transport good OK 1.2.3 1.1 4 depth|",
        "transport good EXISTS  0.0 0 -|shadowed by /tmp/patio_plugins.",
        "transport new_table OK 7.0.0 1.7 0 -|",
    };
    size_t line = 0;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++, line++) {
        while (line < seen.count && strstr(seen.lines[line], expected[i]) != seen.lines[line]) {
            line++; /* the built-in folder holds what this build has of its own */
        }
        if (line == seen.count) {
            fail_msg("%s: not there, or not in order", expected[i]);
        }
    }
    size_t of_new_table = 0;
    for (size_t i = 0; i < seen.count; i++) {
        of_new_table += strstr(seen.lines[i], "new_table") != NULL;
    }
    assert_int_equal(1, of_new_table);
    assert_null(strstr(seen.lines[0], "hidden"));
    assert_non_null(strstr(seen.lines[seen.count - 1], "executor "));
}

static void describe_shows_one_plugin(void **state)
{
    tree       *t    = *state;
    listing     seen = {.count = 0};
    patio_error err  = PATIO_ERROR_INIT;
    put("good", t->one, "good");
    open_path(t, t->one);
    assert_int_equal(PATIO_OK,
                     pt_plugins_describe(t->plugins, "transport", "good", note, &seen, &err));
    assert_int_equal(1, seen.count);
    assert_string_equal("transport good OK 1.2.3 1.1 4 depth|", seen.lines[0]);
    assert_int_equal(PATIO_NOT_FOUND,
                     pt_plugins_describe(t->plugins, "executor", "good", note, &seen, &err));
    assert_int_equal(PATIO_INVALID,
                     pt_plugins_describe(t->plugins, "pigeon", "good", note, &seen, &err));
    assert_says(err.message, "expected transport or executor");
    assert_int_equal(1, seen.count);
}

static void builtin_folder_of_a_program_is_in_its_prefix(void **state)
{
    (void)state;
    char        expected[PATH_MAX + 32];
    const char *dir  = test_plugin_dir();
    int         size = (int)(strstr(dir, "/tests/plugins") - dir);
    (void)snprintf(expected, sizeof(expected), "%.*s/lib/patio", size, dir);
    assert_string_equal(expected, pt_plugins_builtin_dir());
}

static void builtin_folder_of_a_library_is_beside_it(void **state)
{
    (void)state;
    char path[PATH_MAX];
    test_plugin_path(path, "library", "builtin_probe.so");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    const char *(*probe)(void) = NULL;
    void *symbol               = dlsym(library, "builtin_probe");
    assert_non_null(symbol);
    memcpy(&probe, &symbol, sizeof(probe));
    test_plugin_path(path, "library", "patio");
    assert_string_equal(path, probe());
    assert_int_equal(0, dlclose(library));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(environment_comes_before_added_folders),
        TEST(folders_of_the_environment_keep_their_order),
        TEST(broken_plugin_hides_a_later_good_one),
        TEST(link_under_another_name_is_refused),
        TEST(error_lists_every_place_and_a_near_name),
        TEST(near_name_that_is_broken_is_marked),
        TEST(long_lists_are_cut_but_keep_the_hint),
        TEST(long_paths_lose_their_beginning),
        TEST(names_outside_the_rule_are_refused),
        TEST(folders_need_a_name_of_bounded_length),
        TEST(listing_is_sorted_and_shows_the_shadowed),
        TEST(describe_shows_one_plugin),
        cmocka_unit_test(builtin_folder_of_a_program_is_in_its_prefix),
        cmocka_unit_test(builtin_folder_of_a_library_is_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
