/* A library, but no task module. */
#include <patio/base.h>

PATIO_EXPORT int something_else(void);
int              something_else(void)
{
    return 1;
}
