/* runtime/registry_names.h: which names a task may have, and the ones it gets by itself. */
#ifndef PT_REGISTRY_NAMES_H
#define PT_REGISTRY_NAMES_H

#include <patio/base.h>

enum { PT_TASK_NAME_MAX = 255 };

/* What is wrong with a task name, for an error message; NULL: nothing. */
const char *pt_task_name_problem(const char *name);

/* The module's name inside what PATIO_ADD passed, which is PATIO_MODULE or a file's path: without
 * folders, and without the ending of a C or C++ file. Borrows from `module`; NULL gives "". */
patio_bytes pt_module_name(const char *module);

/* Write "project.module.function" to `name`, and "-<16 hex digits>" behind it if there is a
 * `source`. INVALID: there is no module or no function, it is not the name of a function, or the
 * name gets too long. */
patio_status pt_auto_name(const char *project, patio_bytes module, const char *function,
                          const char *source, char name[PT_TASK_NAME_MAX + 1], patio_error *err);

#endif
