/* config/options.h: an option table and pairs of text in, typed values out. */
#ifndef PT_OPTIONS_H
#define PT_OPTIONS_H

#include <patio/plugin.h>

#include "base/alloc.h"

/* One option as the user wrote it; borrowed. `origin` says where: "patio.yaml:12", "PATIO_WORKERS",
 * "the URL"; NULL: unknown. */
typedef struct pt_setting {
    const char *key;
    const char *value;
    const char *origin;
} pt_setting;

/* Number of options in a NULL-terminated table; a NULL table has none. */
size_t pt_options_count(const patio_option *const *table);

/* Parse `settings` by `table` into *out: an array of pt_options_count values in table order (NULL
 * for an empty table), to be freed with pt_options_free. A later setting of the same key wins.
 * Values not set get their fallback. `who` ("transport memory") is for errors: CONFIG  unknown key
 * (with the nearest option), missing required option, a value that does not parse or is out of
 * range; each names who, option, value (never a secret's) and origin IO      a "file:PATH" secret
 * that cannot be read; CONFIG for an "env:NAME" that is not set */
patio_status pt_options_parse(const patio_allocator *mem, const patio_option *const *table,
                              const char *who, const pt_setting *settings, size_t count,
                              patio_option_value **out, patio_error *err);
/* Only the first of these mistakes: CONFIG for an unknown key. */
patio_status pt_options_check_known(const patio_option *const *table, const char *who,
                                    const pt_setting *settings, size_t count, patio_error *err);
/* Overwrites secrets before freeing. NULL is allowed. */
void pt_options_free(const patio_allocator *mem, const patio_option *const *table,
                     patio_option_value *values);

/* One text by one option's type: number into *number (untouched for texts). The error's text says
 * what was expected, without naming the option. */
patio_status pt_option_parse_number(const patio_option *option, const char *text, int64_t *number,
                                    patio_error *err);
/* "string", "integer", "duration" …; for the reference and for errors. */
const char *pt_option_type_name(uint32_t type);

#endif
