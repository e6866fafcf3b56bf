/* patio/child.h: being a child process of the executor `process`.
 *
 * Tasks that a program brings itself run in children that are the same program, started anew. For
 * that its main begins with one line:
 *
 *     int main(int argc, char **argv)
 *     {
 *         PATIO_CHILD_MAIN(argc, argv, make_registry);
 *         …
 *
 * Programs whose tasks come from task modules (patio worker) need nothing: docs/process.md.
 */
#ifndef PATIO_CHILD_H
#define PATIO_CHILD_H

#include <patio/registry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Make the registry of this program, the same as in the parent. What it returns is destroyed when
 * the child ends. */
typedef patio_status (*patio_registry_fn)(patio_registry **out, patio_error *err);

/* In a child: run tasks until the parent wants no more, then return the exit code, 0 or more. In
 * any other process: remember that this program can be a child, and return -1. Call it first in
 * main, on the main thread, before any thread is made. */
PATIO_API int patio_child_main(int argc, char **argv, patio_registry_fn make);

/* The line at the top of main. */
#define PATIO_CHILD_MAIN(argc, argv, make)                                                         \
    do {                                                                                           \
        int patio_child_exit = patio_child_main((argc), (argv), (make));                           \
        if (patio_child_exit >= 0) {                                                               \
            return patio_child_exit;                                                               \
        }                                                                                          \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
