/* plugin/negotiate.h: is this plugin one that we can talk to, and what does it offer? */
#ifndef PT_NEGOTIATE_H
#define PT_NEGOTIATE_H

#include "plugin/kind.h"

/* Ask the entry point for its identity and check it: ABI for another major version or a struct
 * shorter than that of 1.0, PROTOCOL for what no plugin of any version may do. */
patio_status pt_negotiate_identity(patio_plugin_entry_fn *entry, const char *name,
                                   const patio_plugin **out, patio_error *why);

/* Its own part of the above: PROTOCOL unless the plugin calls itself so. */
patio_status pt_negotiate_name(const patio_plugin *identity, const char *name, patio_error *why);

/* Ask for the table of a kind, check it, and copy it into `ops`, our own table of that kind: what
 * the plugin does not have is zero or a stub, what we do not know is left out. PROTOCOL names what
 * is missing or wrong. */
patio_status pt_negotiate_ops(const pt_kind *kind, const patio_plugin *identity, void *ops,
                              patio_error *why);

#endif
