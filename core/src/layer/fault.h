/* layer/fault.h: `fault+URL`: a transport that misbehaves as transports do, repeatably, for tests
 * of one's own tasks. It keeps the contract: what it loses it says to be unknown, what it delivers
 * twice it might have delivered twice. docs/testing.md shows how to use it.
 */
#ifndef PT_FAULT_H
#define PT_FAULT_H

#include <patio/runtime.h>

#include "config/options.h"
#include "layer/layer.h"

#define PT_FAULT_PREFIX "fault+"

/* seed, drop …; NULL-terminated. */
extern const patio_option *const pt_fault_options[];
/* For those who describe transports: a layer, of no ABI. */
extern const patio_plugin_info pt_fault_info;

typedef struct pt_fault_settings {
    uint64_t seed;
    uint64_t delay_ms;
    uint64_t stall_ms;
    double   drop; /* parts, 0 to 1 */
    double   dup;
    double   cut;
    double   reorder;
    double   stall;
} pt_fault_settings;
patio_status pt_fault_read(const patio_allocator *mem, const pt_setting *settings, size_t count,
                           pt_fault_settings *out, patio_error *err);

/* Is this setting of a URL's query one of ours? Then it is not the transport's: an option of a
 * transport with the same name is set as transport.NAME. */
bool pt_fault_is_option(const char *key);
/* CONFIG for a setting that is neither ours nor one of `theirs`, with the nearest of both. */
patio_status pt_fault_check_known(const patio_allocator *mem, const patio_option *const *theirs,
                                  const char *who, const pt_setting *settings, size_t count,
                                  patio_error *err);

/* Create an instance of *plugin behind a layer; *plugin, *out and *layers become the layer's.
 * `settings`: those of the URL; others than pt_fault_options are passed over. */
patio_status pt_fault_transport(const patio_allocator *mem, const pt_transport_plugin **plugin,
                                const patio_host *host, const patio_transport_params *params,
                                const pt_setting *settings, size_t count, pt_layer **layers,
                                patio_transport **out, patio_error *err);

#endif
