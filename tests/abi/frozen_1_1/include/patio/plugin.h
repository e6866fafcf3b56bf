/* patio/plugin.h: how a shared library becomes a plugin: entry point, identity, options, endpoints.
 *
 * A plugin is one shared library with one exported function. It is found by name, checked, and
 * never unloaded (errors and thread-local data may point into it). docs/plugin-guide.md is the way
 * in.
 */
#ifndef PATIO_PLUGIN_H
#define PATIO_PLUGIN_H

#include <patio/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Type of an option; it decides how text is parsed and what the option's value holds. */
enum {
    PATIO_OPTION_STRING = 0, /* text */
    PATIO_OPTION_INT    = 1, /* number: decimal integer */
    PATIO_OPTION_BOOL   = 2, /* number 0 or 1: true|false|yes|no|on|off|1|0 */
    PATIO_OPTION_MS     = 3, /* number of milliseconds: "250ms", "5s", "10min", "2h", "1d", "9" */
    PATIO_OPTION_SIZE   = 4, /* number of bytes: "64KiB", "16MiB", "1GiB", "1MB", bare = bytes */
    PATIO_OPTION_SECRET = 5, /* text that is never printed; "env:NAME" and "file:PATH" are read */
    PATIO_OPTION_CHOICE = 6, /* text: one of `choices`; number: its position */
};

/* One option of a plugin. From this table the core parses, validates, suggests on a typo, redacts
 * secrets, and prints the reference (patio describe, docs/options.md). Static data. */
typedef struct patio_option {
    uint32_t    struct_size;
    uint32_t    type;     /* PATIO_OPTION_… */
    const char *name;     /* lower_snake_case; a time ends in _ms, a size in _bytes */
    const char *fallback; /* default, as text; NULL: the option must be given */
    const char *help;     /* one line, lower case, no full stop */
    const char *choices;  /* "a|b|c" with CHOICE, else NULL */
    int64_t     min;      /* numbers: smallest allowed value */
    int64_t     max;      /* numbers: largest allowed value; 0 with min 0: no limits */
} patio_option;

/* A parsed option: values[i] belongs to options[i] of the plugin's table, so that a plugin indexes
 * by an enum of its own and never compares names. */
typedef struct patio_option_value {
    const char *text;   /* as given or the default; "" if neither; secrets resolved */
    int64_t     number; /* for INT, BOOL, MS, SIZE, CHOICE */
    uint32_t    given;  /* 1: the user set it */
    uint32_t    reserved;
} patio_option_value;

#define PATIO_PORT_ANY 65536u /* written as :0 where a URL says to listen: any free port */

typedef struct patio_host_port {
    const char *host; /* name, IPv4, or IPv6 without brackets; "" if the URL has none */
    uint32_t    port; /* 0: not given; or PATIO_PORT_ANY */
    uint32_t    reserved;
} patio_host_port;

/* One URL, taken apart: scheme://user:password@host:port,host:port/path?option=value
 * Percent-encoding is undone. The query became options. */
typedef struct patio_endpoint {
    uint32_t                  struct_size;
    uint32_t                  host_count; /* at least 1 */
    const char               *scheme;     /* as written: "tcp+listen" */
    const char               *user;       /* "" if none */
    const char               *password;   /* "" if none; a secret */
    const patio_host_port    *hosts;
    const char               *path;   /* "" or begins with '/' */
    const char               *shown;  /* the URL without its secrets, for logs and errors */
    const patio_option_value *values; /* one per option of the plugin's table */
} patio_endpoint;

#define PATIO_PLUGIN_MAGIC  0x50544F31u /* "PTO1" */
#define PATIO_PLUGIN_SYMBOL "patio_plugin_entry"

/* Who this plugin is. Static data: a plugin has no init, no deinit and no process-wide state. */
typedef struct patio_plugin {
    uint32_t    magic; /* PATIO_PLUGIN_MAGIC */
    uint32_t    struct_size;
    uint16_t    abi_major;
    uint16_t    abi_minor;
    uint32_t    flags;   /* 0 */
    const char *name;    /* [a-z][a-z0-9_]{0,31}; must equal the name it was asked for by */
    const char *version; /* the plugin's own */
    const char *license; /* SPDX identifier */
    const char *summary; /* one line for `patio plugins` */
    /* The tables of this plugin by id: PATIO_TRANSPORT_ID, PATIO_EXECUTOR_ID; NULL for others. */
    const void *(*query)(const char *interface_id);
} patio_plugin;

/* The one exported function. NULL: this plugin cannot serve a host of that major version. */
typedef const patio_plugin *(patio_plugin_entry_fn)(uint32_t host_abi_major);

/* Defines the entry point:
 *     PATIO_PLUGIN_DEFINE(acme, "1.0.0", "MIT", "moves tasks by pigeon", query)               */
/* clang-format off */
#define PATIO_PLUGIN_DEFINE(name_, version_, license_, summary_, query_)               \
    static const patio_plugin patio_plugin_self = {                                    \
        PATIO_PLUGIN_MAGIC, (uint32_t)sizeof(patio_plugin), PATIO_ABI_MAJOR,           \
        PATIO_ABI_MINOR,    0,                              #name_,                    \
        version_,           license_,                       summary_,                  \
        query_};                                                                       \
    PATIO_EXPORT const patio_plugin *patio_plugin_entry(uint32_t host_abi_major);      \
    const patio_plugin *patio_plugin_entry(uint32_t host_abi_major)                    \
    {                                                                                  \
        return host_abi_major == PATIO_ABI_MAJOR ? &patio_plugin_self : NULL;          \
    }
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
