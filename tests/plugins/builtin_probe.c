/* The search for the built-in folder, in a shared library of its own as it is in libpatio. */
#include "plugin/plugins.h"

PATIO_EXPORT const char *builtin_probe(void);
const char              *builtin_probe(void)
{
    return pt_plugins_builtin_dir();
}
