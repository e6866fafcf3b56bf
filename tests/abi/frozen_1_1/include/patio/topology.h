/* patio/topology.h: what an operator must create where patio may not.
 *
 * An interface of a transport whose server needs queues or the like beforehand:
 * `query(t, PATIO_TOPOLOGY_ID)`. Nothing is connected to: it works on an instance that was only
 * created.
 */
#ifndef PATIO_TOPOLOGY_H
#define PATIO_TOPOLOGY_H

#include <patio/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PATIO_TOPOLOGY_ID "patio.topology/1"

typedef struct patio_topology_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* [control] [non-blocking] The definitions for these queues in the server's own format (for
     * RabbitMQ the JSON that its management imports). *out is one reference, the caller's. */
    patio_status (*print)(patio_transport *t, const char *const *queues, size_t queue_count,
                          patio_buf **out, patio_error *err);
} patio_topology_ops;

#ifdef __cplusplus
}
#endif
#endif
