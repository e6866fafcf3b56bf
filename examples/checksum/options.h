/* options.h: what the command line says. */
#ifndef CHECKSUM_OPTIONS_H
#define CHECKSUM_OPTIONS_H

#include <stdint.h>

/* X(name, code, text): the exit codes, as --help lists them. Shared with the patio command where
 * the meaning is the same. */
#define EXIT_MAP(X)                                                                                \
    X(HASHED, 0, "everything was hashed, or a worker ended when told to")                          \
    X(BROKEN, 1, "the manifest cannot be written, or an internal error")                           \
    X(WRONG, 2, "wrong usage, configuration or DIR; nothing was done")                             \
    X(SOME_FAILED, 3, "some files could not be hashed")                                            \
    X(UNREACHABLE, 6, "the transport cannot reach its broker, or is refused")                      \
    X(INTERRUPTED, 130, "ended early by SIGINT or SIGTERM")
enum {
#define X(name, code, text) EXIT_##name = (code),
    EXIT_MAP(X)
#undef X
};

enum { ROLE_CALLER = 1, ROLE_WORKER = 2, ROLE_BOTH = ROLE_CALLER | ROLE_WORKER };

typedef struct options {
    const char *dir;
    const char *broker;  /* NULL: as configured, else memory:// */
    const char *workers; /* NULL: as configured, else the executor's default, 4 */
    const char *project;
    const char *config;
    const char *manifest; /* "-": standard output */
    uint32_t    in_flight;
    uint64_t    timeout_ms;
    int         role;
} options;

/* Fills *o, or ends the program with EXIT_WRONG. */
void options_parse(options *o, int argc, char **argv);

#endif
