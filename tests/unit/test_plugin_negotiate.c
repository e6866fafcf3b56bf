/* Negotiation without files: faults of identities and tables that no compiler makes, and a memory
 * that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../plugins/fake.h"
#include "../plugins/where.h"
#include "plugin/negotiate.h"
#include "plugin/option_table.h"

/* What the entry points below give out; each test sets it up. */
static patio_plugin        identity;
static patio_transport_ops table;

static const void *query(const char *interface_id)
{
    return strcmp(interface_id, PATIO_TRANSPORT_ID) == 0 ? &table : NULL;
}

static const patio_plugin *entry(uint32_t major)
{
    return major == PATIO_ABI_MAJOR ? &identity : NULL;
}

static int setup(void **state)
{
    (void)state;
    identity = (patio_plugin){.magic       = PATIO_PLUGIN_MAGIC,
                              .struct_size = sizeof(identity),
                              .abi_major   = PATIO_ABI_MAJOR,
                              .name        = "acme",
                              .version     = "1",
                              .license     = "MIT",
                              .summary     = "",
                              .query       = query};
    table    = (patio_transport_ops){PATIO_SIZED(patio_transport_ops), FAKE_REQUIRED};
    return 0;
}

static void assert_identity_refused(patio_plugin_entry_fn *fn, patio_status status,
                                    const char *fact)
{
    const patio_plugin *out = NULL;
    patio_error         why = PATIO_ERROR_INIT;
    assert_int_equal(status, pt_negotiate_identity(fn, "acme", &out, &why));
    assert_null(out);
    assert_non_null(strstr(why.message, fact));
}

static const patio_plugin *speak_nothing(uint32_t major)
{
    (void)major;
    return NULL;
}

static const patio_plugin *speak_all_others(uint32_t major)
{
    return major != PATIO_ABI_MAJOR ? &identity : NULL;
}

static void refused_major_says_what_is_spoken(void **state)
{
    (void)state;
    assert_identity_refused(speak_nothing, PATIO_ABI, "plugin speaks none of 0 to 16");
    assert_identity_refused(speak_all_others, PATIO_ABI,
                            "plugin speaks 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16");
}

static void short_identity_is_refused(void **state)
{
    (void)state;
    identity.struct_size = 48;
    assert_identity_refused(entry, PATIO_ABI, "struct_size 48, ABI 1.0 needs at least 56");
}

static void incomplete_identity_is_refused(void **state)
{
    (void)state;
    identity.license = NULL;
    assert_identity_refused(entry, PATIO_PROTOCOL, "lacks its name, version, license");
    identity.license = "MIT";
    identity.query   = NULL;
    assert_identity_refused(entry, PATIO_PROTOCOL, "or query");
}

static void table_without_a_size_is_refused(void **state)
{
    (void)state;
    patio_transport_ops ours;
    patio_error         why = PATIO_ERROR_INIT;
    table.struct_size       = 0;
    assert_int_equal(PATIO_PROTOCOL, pt_negotiate_ops(&pt_kind_transport, &identity, &ours, &why));
    assert_string_equal("transport table says struct_size 0, at least 24 are needed", why.message);
}

static void half_a_slot_counts_as_none(void **state)
{
    (void)state;
    patio_transport_ops ours;
    patio_error         why = PATIO_ERROR_INIT;
    table.query             = fake_query;
    table.struct_size       = sizeof(table) - 4;
    assert_int_equal(PATIO_OK, pt_negotiate_ops(&pt_kind_transport, &identity, &ours, &why));
    assert_null(ours.query(NULL, "anything"));
    table.struct_size = offsetof(patio_transport_ops, counts) + 4;
    assert_int_equal(PATIO_PROTOCOL, pt_negotiate_ops(&pt_kind_transport, &identity, &ours, &why));
    assert_string_equal("transport table lacks required slots: counts", why.message);
}

static void every_required_slot_is_required(void **state)
{
    (void)state;
    for (size_t i = 0; i < pt_kind_transport.required_count; i++) {
        const pt_slot      *slot = &pt_kind_transport.required[i];
        patio_transport_ops ours;
        patio_error         why = PATIO_ERROR_INIT;
        (void)setup(NULL);
        memset((char *)&table + slot->offset, 0, sizeof(patio_fn));
        assert_int_equal(PATIO_PROTOCOL,
                         pt_negotiate_ops(&pt_kind_transport, &identity, &ours, &why));
        char expected[80];
        (void)snprintf(expected, sizeof(expected), "transport table lacks required slots: %s",
                       slot->name);
        assert_string_equal(expected, why.message);
    }
}

static void faults_of_options_are_named(void **state)
{
    (void)state;
    const patio_option good = {PATIO_SIZED(patio_option), .name = "good_ms", .help = "is good",
                               .type = PATIO_OPTION_MS};
    struct {
        patio_option option;
        const char  *fact;
    } cases[] = {
        {good, "option \"good_ms\": an earlier option has the same name"},
        {good, "option number 2 says struct_size 8, at least 56 are needed"},
        {good, "option number 2 is named \"\", expected"},
        {good, "option number 2 is named \"Bad-Name\", expected"},
        {good, "option \"x\": its type is unknown"},
        {good, "option \"x\": it has no help"},
        {good, "option \"x\": it is a choice without choices"},
        {good, "option \"x\": its min is above its max"},
    };
    for (size_t i = 4; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cases[i].option.name = "x";
    }
    cases[1].option.struct_size = 8;
    cases[2].option.name        = NULL;
    cases[3].option.name        = "Bad-Name";
    cases[4].option.type        = PATIO_OPTION_CHOICE + 1;
    cases[5].option.help        = NULL;
    cases[6].option.type        = PATIO_OPTION_CHOICE;
    cases[7].option.min         = 1;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const patio_option *const options[] = {&good, &cases[i].option, NULL};
        patio_error               why       = PATIO_ERROR_INIT;
        assert_int_equal(PATIO_PROTOCOL, pt_option_table_check(options, &why));
        if (strstr(why.message, cases[i].fact) != why.message) {
            fail_msg("expected \"%s\", got \"%s\"", cases[i].fact, why.message);
        }
    }
    assert_int_equal(PATIO_OK, pt_option_table_check(NULL, NULL));
}

/* Memory whose request number `fail_at` is refused. */
typedef struct scarce {
    size_t count;
    size_t fail_at;
    size_t live;
} scarce;

static void *scarce_alloc(void *self, size_t size_bytes)
{
    scarce *s = self;
    if (s->count++ == s->fail_at) {
        return NULL;
    }
    s->live++;
    return malloc(size_bytes);
}

static void *scarce_resize(void *self, void *pointer, size_t size_bytes)
{
    scarce *s = self;
    if (s->count++ == s->fail_at) {
        return NULL;
    }
    s->live += pointer == NULL;
    return realloc(pointer, size_bytes);
}

static void scarce_free(void *self, void *pointer)
{
    ((scarce *)self)->live--;
    free(pointer);
}

static void ignore(void *arg, const patio_plugin_info *info)
{
    (void)arg;
    assert_int_not_equal(PATIO_NO_MEMORY, info->status);
}

/* Everything once; the first thing that fails ends it. */
static patio_status use_everything(const patio_allocator *mem, patio_error *err)
{
    pt_plugins                *plugins  = NULL;
    const pt_transport_plugin *good     = NULL;
    const pt_transport_plugin *none     = NULL;
    const pt_executor_plugin  *executor = NULL;
    patio_status               status   = pt_plugins_create(mem, &plugins, err);
    if (status != PATIO_OK) {
        return status;
    }
    status = pt_plugins_add_dir(plugins, test_plugin_dir(), err);
    if (status == PATIO_OK) {
        status = pt_plugins_transport(plugins, "good", &good, err);
    }
    if (status == PATIO_OK) {
        status = pt_plugins_executor(plugins, "null", &executor, err);
    }
    if (status == PATIO_OK) {
        /* here only the hint is lost */
        assert_int_equal(PATIO_NOT_FOUND, pt_plugins_transport(plugins, "godo", &none, NULL));
        status = pt_plugins_visit(plugins, ignore, NULL, err);
    }
    pt_plugins_destroy(plugins);
    return status;
}

static void out_of_memory_is_a_status_everywhere(void **state)
{
    (void)state;
    assert_int_equal(0, unsetenv("PATIO_PLUGIN_PATH"));
    patio_status status = PATIO_NO_MEMORY;
    bool         hit    = true;
    for (size_t n = 0; hit; n++) {
        scarce          s   = {.fail_at = n};
        patio_allocator mem = {PATIO_SIZED(patio_allocator), .self = &s, .alloc = scarce_alloc,
                               .resize = scarce_resize, .free = scarce_free};
        patio_error     err = PATIO_ERROR_INIT;
        status              = use_everything(&mem, &err);
        hit                 = s.count > n;
        assert_int_equal(0, s.live);
        assert_int_equal(status, err.status);
        assert_true(status == PATIO_OK || status == PATIO_NO_MEMORY);
        assert_true(n < 1000);
    }
    assert_int_equal(PATIO_OK, status);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refused_major_says_what_is_spoken), TEST(short_identity_is_refused),
        TEST(incomplete_identity_is_refused),    TEST(table_without_a_size_is_refused),
        TEST(half_a_slot_counts_as_none),        TEST(every_required_slot_is_required),
        TEST(faults_of_options_are_named),       TEST(out_of_memory_is_a_status_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
