#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "layer/fault.h"

enum {
    OPT_SEED,
    OPT_DROP,
    OPT_DUP,
    OPT_DELAY,
    OPT_CUT,
    OPT_REORDER,
    OPT_STALL,
    OPT_STALL_MS,
};

#define ROW(name_, type_, fallback_, min_, max_, help_)                                            \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_), .type = (type_),            \
                           .fallback = (fallback_), .min = (min_), .max = (max_),                  \
                           .help = (help_)})

const patio_option *const pt_fault_options[] = {
    [OPT_SEED]     = ROW("seed", PATIO_OPTION_INT, "1", 0, INT64_MAX,
                         "the same seed decides the same, operation by operation"),
    [OPT_DROP]     = ROW("drop", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of publishes and deliveries that are lost, 0 to 1"),
    [OPT_DUP]      = ROW("dup", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of finished tasks whose settlement is lost: they run again, 0 to 1"),
    [OPT_DELAY]    = ROW("delay", PATIO_OPTION_MS, "0", 0, 3600000,
                         "longest time by which deliveries and replies come late"),
    [OPT_CUT]      = ROW("cut", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of publishes at which the link is cut: all leases are lost, 0 to 1"),
    [OPT_REORDER]  = ROW("reorder", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of deliveries that others overtake, 0 to 1"),
    [OPT_STALL]    = ROW("stall", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of deliveries and replies at which all stand still, 0 to 1"),
    [OPT_STALL_MS] = ROW("stall_ms", PATIO_OPTION_MS, "1s", 0, 3600000, "how long a stall is"),
    NULL,
};

const patio_plugin_info pt_fault_info = {
    PATIO_SIZED(patio_plugin_info),
    .kind    = "transport",
    .name    = "fault",
    .version = PATIO_VERSION,
    .license = "MIT",
    .summary =
        "fault+URL puts it before any transport: it misbehaves repeatably, for tests of tasks",
    .path    = "built in",
    .options = pt_fault_options,
    .problem = "",
};

bool pt_fault_is_option(const char *key)
{
    for (const patio_option *const *o = pt_fault_options; *o != NULL; o++) {
        if (strcmp((*o)->name, key) == 0) {
            return true;
        }
    }
    return false;
}

patio_status pt_fault_check_known(const patio_allocator *mem, const patio_option *const *theirs,
                                  const char *who, const pt_setting *settings, size_t count,
                                  patio_error *err)
{
    size_t               ours  = pt_options_count(pt_fault_options);
    size_t               rest  = pt_options_count(theirs);
    const patio_option **table = pt_calloc(mem, ours + rest + 1, sizeof(const patio_option *));
    if (table == NULL) {
        return pt_no_memory(err, "fault");
    }
    for (size_t i = 0; i < ours + rest; i++) {
        table[i] = i < ours ? pt_fault_options[i] : theirs[i - ours];
    }
    patio_status st = pt_options_check_known(table, who, settings, count, err);
    pt_free(mem, (void *)table);
    return st;
}

/* "0.1", "1", ".25" */
static patio_status read_part(const char *text, const char *name, double *out, patio_error *err)
{
    double value = 0;
    double place = 1;
    bool   point = false;
    bool   digit = false;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '.' && !point) {
            point = true;
        } else if (*c >= '0' && *c <= '9') {
            digit = true;
            place = point ? place / 10 : place;
            value = point ? value + (*c - '0') * place : value * 10 + (*c - '0');
        } else {
            digit = false;
            break;
        }
    }
    if (!digit || value > 1) {
        return pt_fail(err, PATIO_CONFIG, "fault",
                       "option %s: \"%.40s\" is no part between 0 and 1", name, text);
    }
    *out = value;
    return PATIO_OK;
}

patio_status pt_fault_read(const patio_allocator *mem, const pt_setting *settings, size_t count,
                           pt_fault_settings *f, patio_error *err)
{
    patio_option_value *v     = NULL;
    pt_setting         *own   = pt_calloc(mem, count + 1, sizeof(*own));
    size_t              found = 0;
    if (own == NULL) {
        return pt_no_memory(err, "fault");
    }
    for (size_t i = 0; i < count; i++) {
        if (pt_fault_is_option(settings[i].key)) {
            own[found++] = settings[i]; /* the others are the transport's */
        }
    }
    patio_status st = pt_options_parse(mem, pt_fault_options, "fault", own, found, &v, err);
    pt_free(mem, own);
    if (st != PATIO_OK) {
        return st;
    }
    f->seed                  = (uint64_t)v[OPT_SEED].number;
    f->delay_ms              = (uint64_t)v[OPT_DELAY].number;
    f->stall_ms              = (uint64_t)v[OPT_STALL_MS].number;
    static const int parts[] = {OPT_DROP, OPT_DUP, OPT_CUT, OPT_REORDER, OPT_STALL};
    double *const    into[]  = {&f->drop, &f->dup, &f->cut, &f->reorder, &f->stall};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && st == PATIO_OK; i++) {
        st = read_part(v[parts[i]].text, pt_fault_options[parts[i]]->name, into[i], err);
    }
    pt_options_free(mem, pt_fault_options, v);
    return st;
}
