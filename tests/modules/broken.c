/* Modules with one thing wrong each; CMake says which by BROKEN_…. */
#include <patio/patio.h>

#ifndef BROKEN_MAGIC
#define BROKEN_MAGIC PATIO_MODULE_MAGIC
#endif
#ifndef BROKEN_SIZE
#define BROKEN_SIZE sizeof(patio_module)
#endif
#ifndef BROKEN_MAJOR
#define BROKEN_MAJOR PATIO_VERSION_MAJOR
#endif
#ifndef BROKEN_MINOR
#define BROKEN_MINOR PATIO_VERSION_MINOR
#endif
#ifndef BROKEN_NO_FUNCTION
#define BROKEN_NO_FUNCTION 0
#endif
#ifndef BROKEN_NO_TABLE
#define BROKEN_NO_TABLE 0
#endif

PATIO_EXPORT const patio_module *patio_module_entry(void);

static patio_status add_tasks(patio_registry *registry, patio_error *err)
{
    (void)registry;
    (void)err;
    return PATIO_OK;
}

const patio_module *patio_module_entry(void)
{
    static const patio_module module = {BROKEN_MAGIC, BROKEN_SIZE, BROKEN_MAJOR, BROKEN_MINOR,
                                        BROKEN_NO_FUNCTION ? NULL : add_tasks};
    return BROKEN_NO_TABLE ? NULL : &module;
}
