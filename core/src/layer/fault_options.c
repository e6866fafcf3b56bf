#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "layer/fault.h"

enum {
    OPT_SEED,
    OPT_DROP,
    OPT_DUP,
    OPT_DELAY_MS,
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
    [OPT_SEED]     = ROW("fault_seed", PATIO_OPTION_INT, "1", 0, INT64_MAX,
                         "the same seed decides the same, operation by operation"),
    [OPT_DROP]     = ROW("fault_drop", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of publishes and deliveries that are lost, 0 to 1"),
    [OPT_DUP]      = ROW("fault_dup", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of finished tasks whose settlement is lost: they run again, 0 to 1"),
    [OPT_DELAY_MS] = ROW("fault_delay_ms", PATIO_OPTION_MS, "0", 0, 3600000,
                         "longest time by which deliveries and replies come late"),
    [OPT_CUT]      = ROW("fault_cut", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of operations at which the link is cut: all leases are lost, 0 to 1"),
    [OPT_REORDER]  = ROW("fault_reorder", PATIO_OPTION_STRING, "0", 0, 0,
                         "part of deliveries that others overtake, 0 to 1"),
    [OPT_STALL]    = ROW("fault_stall", PATIO_OPTION_STRING, "0.01", 0, 0,
                         "part of operations at which everything stalls for fault_stall_ms, 0 to 1"),
    [OPT_STALL_MS] = ROW("fault_stall_ms", PATIO_OPTION_MS, "0", 0, 3600000, "how long a stall is"),
    NULL,
};

bool pt_fault_is_option(const char *key)
{
    return strncmp(key, "fault_", 6) == 0;
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
    f->delay_ms              = (uint64_t)v[OPT_DELAY_MS].number;
    f->stall_ms              = (uint64_t)v[OPT_STALL_MS].number;
    static const int parts[] = {OPT_DROP, OPT_DUP, OPT_CUT, OPT_REORDER, OPT_STALL};
    double *const    into[]  = {&f->drop, &f->dup, &f->cut, &f->reorder, &f->stall};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && st == PATIO_OK; i++) {
        st = read_part(v[parts[i]].text, pt_fault_options[parts[i]]->name, into[i], err);
    }
    pt_options_free(mem, pt_fault_options, v);
    return st;
}
