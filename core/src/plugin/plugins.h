/* plugin/plugins.h: finding, loading and checking plugins; the only code that opens them. */
#ifndef PT_PLUGINS_H
#define PT_PLUGINS_H

#include <patio/executor.h>
#include <patio/runtime.h>
#include <patio/transport.h>

#include "base/alloc.h"

/* The plugins of one runtime: search path and cache. Any thread. */
typedef struct pt_plugins pt_plugins;

/* A loaded plugin, checked: its table copied into ours, optional slots it lacks filled with stubs
 * that return PATIO_UNSUPPORTED (queries: NULL), so that no call site tests for NULL. */
typedef struct pt_transport_plugin {
    const patio_plugin *identity;
    const char         *path;
    patio_transport_ops ops;
} pt_transport_plugin;
typedef struct pt_executor_plugin {
    const patio_plugin *identity;
    const char         *path;
    patio_executor_ops  ops;
} pt_executor_plugin;

patio_status pt_plugins_create(const patio_allocator *mem, pt_plugins **out, patio_error *err);
void         pt_plugins_destroy(pt_plugins *plugins); /* frees the cache; libraries stay loaded */
patio_status pt_plugins_add_dir(pt_plugins *plugins, const char *dir, patio_error *err);

/* By name, or by path if there is a '/' in it. The result lives as long as `plugins`.
 * NOT_FOUND lists every file tried, where the folder came from and why not, and a near name;
 * ABI says which version was expected and found; PROTOCOL: no entry symbol, bad magic, other name,
 * missing required slot (named); IO: the loader's own words. */
patio_status pt_plugins_transport(pt_plugins *plugins, const char *name,
                                  const pt_transport_plugin **out, patio_error *err);
patio_status pt_plugins_executor(pt_plugins *plugins, const char *name,
                                 const pt_executor_plugin **out, patio_error *err);

/* The work behind patio_runtime_plugins and patio_runtime_describe. */
patio_status pt_plugins_visit(pt_plugins *plugins, patio_plugin_visit_fn visit, void *arg,
                              patio_error *err);
patio_status pt_plugins_describe(pt_plugins *plugins, const char *kind, const char *name,
                                 patio_plugin_visit_fn visit, void *arg, patio_error *err);

/* Folder of libpatio's own plugins and tasks: <folder of libpatio.so>/patio, or, when the code is
 * linked into a program, the one configured at build time. Static text. */
const char *pt_plugins_builtin_dir(void);

#endif
