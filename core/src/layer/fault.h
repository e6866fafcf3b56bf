/* layer/fault.h: `fault+URL`: a transport that misbehaves as transports do, repeatably, for tests
 * of one's own tasks. It keeps the contract: what it loses it says to be unknown, what it delivers
 * twice it might have delivered twice. docs/testing.md shows how to use it.
 */
#ifndef PT_FAULT_H
#define PT_FAULT_H

#include "config/options.h"
#include "layer/layer.h"

#define PT_FAULT_PREFIX "fault+"

/* fault_seed, fault_drop …; NULL-terminated. */
extern const patio_option *const pt_fault_options[];

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

/* Is this setting of a URL's query one of ours? */
bool pt_fault_is_option(const char *key);

/* Create an instance of *plugin behind a layer; *plugin, *out and *layers become the layer's.
 * `settings`: those of the URL; others than pt_fault_options are passed over. */
patio_status pt_fault_transport(const patio_allocator *mem, const pt_transport_plugin **plugin,
                                const patio_host *host, const patio_transport_params *params,
                                const pt_setting *settings, size_t count, pt_layer **layers,
                                patio_transport **out, patio_error *err);

#endif
