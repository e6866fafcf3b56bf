/* layer/layer.h: something that stands between a broker and a plugin and looks like the plugin to
 * the one, like the broker to the other. By itself a layer only passes on; check.h and fault.h
 * replace what they care for. Nobody has one who has not asked for it.
 */
#ifndef PT_LAYER_H
#define PT_LAYER_H

#include "base/alloc.h"
#include "plugin/plugins.h"

/* First member of each layer's own struct. Its address is the patio_transport that the broker
 * holds, and `plugin` the plugin that it believes to have. */
typedef struct pt_layer {
    struct pt_layer              *next; /* in the broker's list, to be freed */
    const patio_allocator        *mem;
    pt_transport_plugin           plugin;
    const pt_transport_plugin    *real;
    patio_transport              *t;
    const patio_host             *host;
    const patio_transport_events *up;   /* the broker's, or those of the layer above */
    patio_transport_events        down; /* what the plugin below is given */
    void (*fini)(struct pt_layer *layer);
} pt_layer;

/* Make `layer` pass everything on, both ways. */
void pt_layer_init(pt_layer *layer, const patio_allocator *mem, const pt_transport_plugin *real,
                   const patio_host *host, const patio_transport_events *up);
/* Create the instance below with the layer's events instead of those in params. */
patio_status            pt_layer_create(pt_layer *layer, const patio_transport_params *params,
                                        patio_error *err);
static inline pt_layer *pt_layer_of(patio_transport *t)
{
    return (pt_layer *)(void *)t;
}
/* Free a list of layers, after the instances are destroyed. */
void pt_layers_free(pt_layer *first);

/* layer_query.c: the interfaces by id, for the instance below; NULL for what it does not have. */
const void *pt_layer_query(patio_transport *t, const char *interface_id);

#endif
