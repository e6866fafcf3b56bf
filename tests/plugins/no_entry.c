/* A shared library that is no plugin. */
#include <patio/base.h>

PATIO_EXPORT int no_entry_answer(void);
int              no_entry_answer(void)
{
    return 42;
}
