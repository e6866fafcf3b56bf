/* runtime/registry.h: what the broker asks of a registry. */
#ifndef PT_REGISTRY_H
#define PT_REGISTRY_H

#include <patio/registry.h>

#include "base/alloc.h"

/* One name. Immutable once added; lives as long as the registry (or until removed). */
typedef struct pt_task {
    char              *name;
    patio_task_fn      fn;
    patio_task_options options; /* defaults filled in (0 never means "default" here, but priority is
                                   still shifted by one); its texts are owned by the task */
    char  *module;              /* without folders and ending; "" if not known */
    char  *function;            /* "" if not known */
    size_t index;               /* position, 0 … count-1 */
} pt_task;

/* patio_registry_create with memory of one's own. */
patio_status pt_registry_create(const patio_allocator *mem, const patio_registry_options *options,
                                patio_registry **out, patio_error *err);

/* By name; NULL if there is none. Lock-free once the registry is locked, else under its mutex. */
const pt_task *pt_registry_lookup(const patio_registry *registry, const char *name);
/* By position; NULL past the end. */
const pt_task *pt_registry_task(const patio_registry *registry, size_t index);
/* By function: its first name. */
const pt_task *pt_registry_lookup_fn(const patio_registry *registry, patio_task_fn fn);

/* A number for the names and versions of all tasks, whatever their order: two processes that have
 * the same registry have the same. */
uint64_t pt_registry_fingerprint(const patio_registry *registry);

/* Zero members become their documented defaults. */
void pt_task_options_fill(patio_task_options *options);

/* Hash of a function's text over its tokens: comments and white space do not count. 16 lower-case
 * hex digits and a NUL. false: out of memory. */
bool pt_source_hash(const char *source, char hex[17]);

#endif
