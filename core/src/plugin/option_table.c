#include "plugin/option_table.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"

#define ORIGIN "plugins"

enum { NAME_MAX_BYTES = 63 };

static bool is_option_name(const char *name)
{
    if (name[0] < 'a' || name[0] > 'z') {
        return false;
    }
    size_t size = 1;
    for (; name[size] != '\0'; size++) {
        char c  = name[size];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!ok || size >= NAME_MAX_BYTES) {
            return false;
        }
    }
    return true;
}

/* What is wrong with one option that has a good name; NULL: nothing. */
static const char *find_fault(const patio_option *const *table, size_t i)
{
    const patio_option *option = table[i];
    if (option->type > PATIO_OPTION_CHOICE) {
        return "its type is unknown to this version of patio";
    }
    if (option->help == NULL) {
        return "it has no help";
    }
    bool has_choices = option->choices != NULL && option->choices[0] != '\0';
    if (option->type == PATIO_OPTION_CHOICE && !has_choices) {
        return "it is a choice without choices";
    }
    if (option->min > option->max) {
        return "its min is above its max";
    }
    for (size_t before = 0; before < i; before++) {
        if (strcmp(table[before]->name, option->name) == 0) {
            return "an earlier option has the same name";
        }
    }
    return NULL;
}

patio_status pt_option_table_check(const patio_option *const *table, patio_error *why)
{
    for (size_t i = 0; table != NULL && table[i] != NULL; i++) {
        const patio_option *option = table[i];
        if (!PATIO_HAS(patio_option, option, max)) {
            return pt_fail(why, PATIO_PROTOCOL, ORIGIN,
                           "option number %zu says struct_size %u, at least %zu are needed", i + 1,
                           option->struct_size, offsetof(patio_option, max) + sizeof(option->max));
        }
        if (option->name == NULL || !is_option_name(option->name)) {
            return pt_fail(why, PATIO_PROTOCOL, ORIGIN,
                           "option number %zu is named \"%.*s\", expected [a-z][a-z0-9_]*", i + 1,
                           NAME_MAX_BYTES, option->name != NULL ? option->name : "");
        }
        const char *fault = find_fault(table, i);
        if (fault != NULL) {
            return pt_fail(why, PATIO_PROTOCOL, ORIGIN, "option \"%s\": %s", option->name, fault);
        }
    }
    return PATIO_OK;
}
