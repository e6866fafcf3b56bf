/* Cases 1 to 9: the shared library, its identity and its tables. */
#include <ctype.h>
#include <dlfcn.h>
#include <link.h>

#include <patio/dead.h>
#include <patio/results.h>

#include "kit.h"

static patio_plugin_entry_fn *entry_of(kit *k)
{
    void *library = dlopen(k->options->plugin, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    KIT_CHECK(k, library != NULL, "the loader refuses it");
    void                  *symbol = dlsym(library, PATIO_PLUGIN_SYMBOL);
    patio_plugin_entry_fn *entry  = NULL;
    memcpy(&entry, &symbol, sizeof(entry));
    return entry;
}

static void the_entry_says_who_it_is(kit *k)
{
    patio_plugin_entry_fn *entry = entry_of(k);
    const patio_plugin    *p     = entry(PATIO_ABI_MAJOR);
    KIT_CHECK(k, p == entry(PATIO_ABI_MAJOR), "a second call gives another identity");
    KIT_EQUAL(k, p->magic, PATIO_PLUGIN_MAGIC, "magic");
    KIT_EQUAL(k, p->flags, 0, "flags");
    KIT_CHECK(k, p->version[0] != '\0' && p->license[0] != '\0' && p->summary[0] != '\0',
              "version, license or summary is empty");
    KIT_CHECK(k, strchr(p->summary, '\n') == NULL, "the summary is more than a line");
    KIT_CHECK(k, entry(PATIO_ABI_MAJOR + 1) == NULL, "it claims to know a future ABI");
    KIT_CHECK(k, entry(0) == NULL, "it claims to know ABI 0");
}

static void unknown_interfaces_are_null(kit *k)
{
    static const char *const ids[] = {"", "patio.nothing/1", "patio.transport/2",
                                      "patio.executor/2", "patio.transport/1 "};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        KIT_CHECK(k, k->plugin->query(ids[i]) == NULL, "\"%s\" has a table", ids[i]);
    }
}

static void it_links_to_nothing_of_the_host(kit *k)
{
    void            *library = dlopen(k->options->plugin, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    struct link_map *map     = NULL;
    KIT_CHECK(k, library != NULL && dlinfo(library, RTLD_DI_LINKMAP, &map) == 0, "no link map");
    const char *names = NULL;
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        names = d->d_tag == DT_STRTAB ? (const char *)d->d_un.d_ptr : names;
    }
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_NEEDED) {
            KIT_CHECK(k, strncmp(names + d->d_un.d_val, "libpatio", 8) != 0,
                      "it links to libpatio: plugins take all from the host table");
        }
    }
}

static void check_option(kit *k, const patio_option *o)
{
    KIT_CHECK(k, islower((unsigned char)o->name[0]), "option \"%s\": lower_snake_case", o->name);
    KIT_CHECK(k, o->help != NULL && o->help[0] != '\0' && strchr(o->help, '\n') == NULL,
              "option %s has no line of help", o->name);
    size_t n = strlen(o->name);
    KIT_CHECK(k, o->type != PATIO_OPTION_MS || (n > 3 && strcmp(o->name + n - 3, "_ms") == 0),
              "option %s is a time and does not end in _ms", o->name);
    KIT_CHECK(k, o->min <= o->max, "option %s: min is above max", o->name);
    KIT_CHECK(k, o->type != PATIO_OPTION_CHOICE || o->choices != NULL, "option %s: no choices",
              o->name);
    KIT_CHECK(k, o->type != PATIO_OPTION_SECRET || o->fallback == NULL || o->fallback[0] == '\0',
              "option %s is a secret and has a default", o->name);
}

static const patio_option *const *options_of(kit *k)
{
    return k->ops != NULL ? k->ops->options : k->xops->options;
}

static void options_are_well_formed(kit *k)
{
    const patio_option *const *table = options_of(k);
    for (size_t i = 0; table != NULL && table[i] != NULL; i++) {
        check_option(k, table[i]);
        KIT_CHECK(k, kit_option(table, table[i]->name) == (int)i, "option %s is there twice",
                  table[i]->name);
    }
}

static void capabilities_are_kept_by_their_slots(kit *k)
{
    uint32_t known = 0;
#define PATIO_X(name, bit, word, text) known |= 1u << (bit);
    PATIO_TRANSPORT_CAP_MAP(PATIO_X)
#undef PATIO_X
    uint32_t caps = k->ops->caps;
    KIT_CHECK(k, (caps & ~known) == 0, "capabilities 0x%x mean nothing in this ABI", caps & ~known);
    if ((caps & PATIO_CAP_CANCEL) != 0) {
        KIT_CHECK(k, k->raw->cancel != NULL, "\"cancel\" without the slot");
    }
    if ((caps & PATIO_CAP_STARTED) != 0) {
        KIT_CHECK(k, k->raw->started != NULL, "\"started\" without the slot");
    }
    kit_instance *i = kit_instance_open(k, NULL);
    KIT_CHECK(k, kit_query(i, "patio.nothing/1") == NULL, "an unknown interface is there");
    if ((caps & PATIO_CAP_DEAD_LETTERS) != 0) {
        KIT_CHECK(k, kit_query(i, PATIO_DEAD_ID) != NULL, "\"dead_letters\" without %s",
                  PATIO_DEAD_ID);
    }
    if ((caps & PATIO_CAP_RESULTS) != 0) {
        KIT_CHECK(k, kit_query(i, PATIO_RESULTS_ID) != NULL, "\"results\" without %s",
                  PATIO_RESULTS_ID);
    }
}

static void schemes_are_words(kit *k)
{
    if (k->ops->schemes == NULL) {
        kit_skip(k, "its scheme is its name");
    }
    KIT_CHECK(k, k->ops->schemes[0] != NULL, "the list of schemes is empty");
    for (size_t i = 0; k->ops->schemes[i] != NULL; i++) {
        for (const char *c = k->ops->schemes[i]; *c != '\0'; c++) {
            KIT_CHECK(k,
                      islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '+' ||
                          *c == '-' || *c == '.',
                      "scheme \"%s\"", k->ops->schemes[i]);
        }
    }
}

static void each_option_works_at_its_limits(kit *k)
{
    const patio_option *const *table = k->ops->options;
    for (size_t i = 0; table != NULL && table[i] != NULL; i++) {
        const patio_option *o = table[i];
        if (o->type == PATIO_OPTION_STRING || o->type == PATIO_OPTION_SECRET ||
            o->type == PATIO_OPTION_CHOICE || o->type == PATIO_OPTION_BOOL || o->min == o->max) {
            continue;
        }
        for (int end = 0; end < 2; end++) {
            char        text[128];
            patio_error err = PATIO_ERROR_INIT;
            (void)snprintf(text, sizeof(text), "%s=%lld", o->name,
                           (long long)(end == 0 ? o->min : o->max));
            const char *const settings[] = {text, NULL};
            kit_instance     *x          = NULL;
            patio_status st = kit_instance_create(k, &(kit_open){.settings = settings}, &x, &err);
            if (st != PATIO_OK) {
                /* two options may not go together; then it says so */
                KIT_CHECK(k, st == PATIO_CONFIG || st == PATIO_INVALID, "%s: create returned %s",
                          text, kit_status_name(st));
                kit_check_error(k, &err, st, "create");
            } else {
                k->ops->destroy(x->t);
                atomic_store(&x->stopped, true);
                x->t = NULL;
                kit_instance_close(x);
            }
            k->instance_count = 0;
        }
    }
}

const kit_case kit_plugin_cases[] = {
    {1, 0, "the_entry_says_who_it_is", "plugin.h patio_plugin", 0, 0, NULL,
     the_entry_says_who_it_is},
    {2, 0, "unknown_interfaces_are_null", "plugin.h query", 0, 0, NULL,
     unknown_interfaces_are_null},
    {3, 0, "it_links_to_nothing_of_the_host", "abi: how a plugin is found", 0, 0, NULL,
     it_links_to_nothing_of_the_host},
    {4, 0, "options_are_well_formed", "plugin.h patio_option", 0, 0, NULL, options_are_well_formed},
    {5, 0, "capabilities_are_kept_by_their_slots", "transport.h PATIO_TRANSPORT_CAP_MAP", 0, 0,
     NULL, capabilities_are_kept_by_their_slots},
    {6, 0, "schemes_are_words", "transport.h schemes", 0, 0, NULL, schemes_are_words},
    {7, 0, "each_option_works_at_its_limits", "plugin.h patio_option", 0, 0, NULL,
     each_option_works_at_its_limits},
    {0},
};
