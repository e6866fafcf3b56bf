#include "plugin/negotiate.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "plugin/option_table.h"

#define ORIGIN "plugins"

enum {
    PROBE_MAX = 16, /* majors asked for when a plugin refuses ours */
};

/* The entry point refused our major version: find out which ones it would serve. */
static patio_status refuse_major(patio_plugin_entry_fn *entry, patio_error *why)
{
    char   spoken[64] = "";
    size_t used       = 0;
    for (uint32_t major = 0; major <= PROBE_MAX; major++) {
        if (major != PATIO_ABI_MAJOR && entry(major) != NULL) {
            const char *comma = used > 0 ? ", " : "";
            int         size = snprintf(spoken + used, sizeof(spoken) - used, "%s%u", comma, major);
            used += size > 0 ? (size_t)size : 0;
        }
    }
    if (used == 0) {
        return pt_fail(why, PATIO_ABI, ORIGIN, "expected ABI %u.x, plugin speaks none of 0 to %d",
                       PATIO_ABI_MAJOR, PROBE_MAX);
    }
    return pt_fail(why, PATIO_ABI, ORIGIN, "expected ABI %u.x, plugin speaks %s", PATIO_ABI_MAJOR,
                   spoken);
}

patio_status pt_negotiate_name(const patio_plugin *identity, const char *name, patio_error *why)
{
    if (strcmp(identity->name, name) != 0) {
        return pt_fail(why, PATIO_PROTOCOL, ORIGIN, "plugin calls itself \"%.*s\", not \"%s\"",
                       PT_PLUGIN_NAME_MAX, identity->name, name);
    }
    return PATIO_OK;
}

patio_status pt_negotiate_identity(patio_plugin_entry_fn *entry, const char *name,
                                   const patio_plugin **out, patio_error *why)
{
    const patio_plugin *p = entry(PATIO_ABI_MAJOR);
    if (p == NULL) {
        return refuse_major(entry, why);
    }
    if (p->magic != PATIO_PLUGIN_MAGIC) {
        return pt_fail(why, PATIO_PROTOCOL, ORIGIN, "magic number is 0x%08x, expected 0x%08x",
                       p->magic, PATIO_PLUGIN_MAGIC);
    }
    if (p->abi_major != PATIO_ABI_MAJOR) {
        return pt_fail(why, PATIO_ABI, ORIGIN, "expected ABI %u.x, plugin speaks %u.%u",
                       PATIO_ABI_MAJOR, p->abi_major, p->abi_minor);
    }
    if (!PATIO_HAS(patio_plugin, p, query)) {
        return pt_fail(why, PATIO_ABI, ORIGIN,
                       "identity says struct_size %u, ABI %u.0 needs at least %zu", p->struct_size,
                       PATIO_ABI_MAJOR, offsetof(patio_plugin, query) + sizeof(p->query));
    }
    if (p->name == NULL || p->version == NULL || p->license == NULL || p->summary == NULL ||
        p->query == NULL) {
        return pt_fail(why, PATIO_PROTOCOL, ORIGIN,
                       "identity lacks its name, version, license, summary or query");
    }
    patio_status status = pt_negotiate_name(p, name, why);
    if (status == PATIO_OK) {
        *out = p;
    }
    return status;
}

/* Slots have many types, but all that is asked is whether one is there. */
static bool slot_is_set(const void *ops, const pt_slot *slot)
{
    patio_fn fn = NULL;
    memcpy(&fn, (const char *)ops + slot->offset, sizeof(fn));
    return fn != NULL;
}

static patio_status check_required(const pt_kind *kind, const void *ops, patio_error *why)
{
    patio_status status = PATIO_OK;
    for (size_t i = 0; i < kind->required_count; i++) {
        const pt_slot *slot = &kind->required[i];
        if (slot_is_set(ops, slot)) {
            continue;
        }
        if (status == PATIO_OK) {
            status = pt_fail(why, PATIO_PROTOCOL, ORIGIN, "%s table lacks required slots: %s",
                             kind->word, slot->name);
        } else {
            pt_error_add(why, ", %s", slot->name);
        }
    }
    return status;
}

patio_status pt_negotiate_ops(const pt_kind *kind, const patio_plugin *identity, void *ops,
                              patio_error *why)
{
    const void *theirs = identity->query(kind->interface_id);
    if (theirs == NULL) {
        return pt_fail(why, PATIO_PROTOCOL, ORIGIN, "plugin has no interface \"%s\": not a%s %s",
                       kind->interface_id, kind == &pt_kind_executor ? "n" : "", kind->word);
    }
    uint32_t bytes = 0;
    memcpy(&bytes, theirs, sizeof(bytes));
    if (bytes < kind->head_bytes) {
        return pt_fail(why, PATIO_PROTOCOL, ORIGIN,
                       "%s table says struct_size %u, at least %zu are needed", kind->word, bytes,
                       kind->head_bytes);
    }
    size_t shared = bytes < kind->ops_bytes ? bytes : kind->ops_bytes;
    shared -= shared % sizeof(patio_fn); /* never half a slot */
    memset(ops, 0, kind->ops_bytes);
    memcpy(ops, theirs, shared);
    uint32_t ours = (uint32_t)kind->ops_bytes;
    memcpy(ops, &ours, sizeof(ours));

    patio_status status = check_required(kind, ops, why);
    if (status == PATIO_OK) {
        status = pt_option_table_check(kind->options(ops), why);
    }
    if (status == PATIO_OK) {
        status = pt_option_table_check(kind->task_options(ops), why);
    }
    if (status == PATIO_OK) {
        kind->fill(ops);
    }
    return status;
}
