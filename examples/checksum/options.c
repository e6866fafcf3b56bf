#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_ROLE = 0x100, KEY_TIMEOUT };

static const struct argp_option table[] = {
    {"broker", 'b', "URL", 0, "Where callers and workers meet (default memory://, this process)",
     0},
    {"workers", 'j', "N", 0, "Files hashed side by side (default 4)", 0},
    {"manifest", 'm', "FILE", 0,
     "Write the checksums, as sha256sum -c reads them; - is standard output", 0},
    {"config", 'f', "FILE", 0, "Read this patio.yaml; the environment and options win", 0},
    {"project", 'p', "NAME", 0, "Name space: only the same project meets", 0},
    {"in-flight", 'n', "N", 0, "Most calls started and not done (default 256)", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0,
     "Longest time for one file, waiting included (default 3600)", 0},
    {"role", KEY_ROLE, "ROLE", 0,
     "caller: only asks; worker: hashes for others until SIGTERM; both (default)", 0},
    {0},
};

static const char before[] = "Compute the SHA-256 of every regular file below DIR (default "
                             "/usr/include), as tasks of patio.";

static const char after[] =
    "Symbolic links are not followed. A file that changes while it is read gets the checksum of "
    "what "
    "was read. Workers open the same paths, so they need the same files.\n\n"
    "Exit codes:\n"
#define X(name, code, text) "  " #code "  " text "\n"
    EXIT_MAP(X)
#undef X
    ;

static uint64_t number(struct argp_state *state, const char *option, const char *text, uint64_t max)
{
    char *end = NULL;
    errno     = 0;

    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value == 0 || value > max) {
        argp_error(state, "--%s wants a number from 1 to %llu, not \"%s\"", option,
                   (unsigned long long)max, text);
    }
    return value;
}

static int role(struct argp_state *state, const char *text)
{
    static const struct {
        const char *name;
        int         role;
    } roles[] = {{"caller", ROLE_CALLER}, {"worker", ROLE_WORKER}, {"both", ROLE_BOTH}};
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(roles[i].name, text) == 0) {
            return roles[i].role;
        }
    }
    argp_error(state, "--role is caller, worker or both, not \"%s\"", text);
    return 0;
}

static error_t parse_one(int key, char *text, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'b':
        o->broker = text;
        return 0;
    case 'j':
        o->workers = text;
        return 0;
    case 'm':
        o->manifest = text;
        return 0;
    case 'f':
        o->config = text;
        return 0;
    case 'p':
        o->project = text;
        return 0;
    case 'n':
        o->in_flight = (uint32_t)number(state, "in-flight", text, 1000000);
        return 0;
    case KEY_TIMEOUT:
        o->timeout_ms = 1000 * number(state, "timeout", text, UINT64_C(30) * 86400);
        return 0;
    case KEY_ROLE:
        o->role = role(state, text);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one DIR at a time; \"%s\" is too much", text);
        }
        o->dir = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void options_parse(options *o, int argc, char **argv)
{
    static char       doc[sizeof(before) + sizeof(after)];
    const struct argp argp = {table, parse_one, "[DIR]", doc, NULL, NULL, NULL};
    /* argp tells what stands before the options from what stands after them by a vertical tab */
    memcpy(doc, before, sizeof(before) - 1);
    doc[sizeof(before) - 1] = '\v';
    memcpy(doc + sizeof(before), after, sizeof(after));
    *o                   = (options){.dir        = "/usr/include",
                                     .in_flight  = 256,
                                     .timeout_ms = UINT64_C(3600) * 1000,
                                     .role       = ROLE_BOTH};
    argp_err_exit_status = EXIT_WRONG;
    if (argp_parse(&argp, argc, argv, 0, NULL, o) != 0) {
        exit(EXIT_WRONG);
    }
}
