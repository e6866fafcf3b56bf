/* runtime/registry_task.h: making the entry of a registry: options checked and filled, texts
 * copied. */
#ifndef PT_REGISTRY_TASK_H
#define PT_REGISTRY_TASK_H

#include "runtime/registry.h"

/* What to make a task from; all borrowed. */
typedef struct pt_task_draft {
    const char        *name;
    patio_task_fn      fn;
    patio_bytes        module;
    const char        *function; /* may be NULL */
    patio_task_options options;  /* as pt_task_options_read left them */
} pt_task_draft;

/* Copy the caller's options (may be NULL, may be of another version of the struct) and check them.
 * `who` is the task, for the error. INVALID. */
patio_status pt_task_options_read(const patio_task_options *given, const char *who,
                                  patio_task_options *out, patio_error *err);

/* One block of memory with all texts in it, to be freed with pt_free; NULL when out of memory. */
pt_task *pt_task_make(const patio_allocator *mem, const pt_task_draft *draft);

#endif
