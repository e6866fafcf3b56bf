/* mesh_world.h: nodes of a mesh, each a process of this program, and where they meet. */
#ifndef MESH_WORLD_H
#define MESH_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include <patio/patio.h>

#include "place.h"
#include "tcp_world.h"

enum { NODES = 8, WAIT_MS = 60000 };

typedef struct node {
    pid_t pid;
    int   in;  /* closed: it ends */
    int   out; /* a byte: its calls are done */
} node;

extern const char *program; /* this one */
extern node        nodes[NODES];

/* mesh_node.c: a node's own side */
int  be_node(const char *name, int64_t calls, char *peers, const char *const *urls,
             size_t url_count);
bool call_many(patio_broker *broker, const char *task, int64_t count);

/* A place by its name, over the scheme that is *state of the test. */
int          begin_mesh(void **state);
const place *spot(const char *name);
const char  *at(const char *name); /* URL to listen there */
const char  *to(const char *name);
/* Somebody listens there: a node that only connects gives up where nobody does for long. */
void wait_there(const char *name);

/* A node that executes the task `name` and calls those of `peers`. */
void begin(node *n, const char *name, const char *peers, const char *const *urls);
void wait_done(const node *n);
int  end_nodes(void **state);

#endif
