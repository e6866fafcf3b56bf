/* mesh_node.h: one process of a mesh. */
#ifndef MESH_NODE_H
#define MESH_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patio/patio.h>

enum { WAIT_MS = 60000 };

/* Executes the task "name", and "who"; calls the task of each of peers (a,b,c) so many times, says
 * so on its output, and ends with its input. Its exit code. */
int be_node(const char *name, int64_t calls, char *peers, const char *const *urls,
            size_t url_count);
/* Call a node's task so often; false: why was said. */
bool call_many(patio_broker *broker, const char *task, int64_t count);

#endif
