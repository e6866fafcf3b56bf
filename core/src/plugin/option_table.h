/* plugin/option_table.h: is the option table of a plugin one that the rest of libpatio can trust?
 */
#ifndef PT_OPTION_TABLE_H
#define PT_OPTION_TABLE_H

#include <patio/plugin.h>

/* NULL is an empty table. PROTOCOL names the option and what is wrong with it. Whether a fallback
 * parses is known to config/options.h only. */
patio_status pt_option_table_check(const patio_option *const *table, patio_error *why);

#endif
