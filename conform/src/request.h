/* request.h: what the command line of `patio conform` says. */
#ifndef CONFORM_REQUEST_H
#define CONFORM_REQUEST_H

#include "kit.h"

enum { KIT_SETTINGS_MAX = 32, KIT_RANGES_MAX = 64 };

typedef struct kit_range {
    uint32_t first;
    uint32_t last;
} kit_range;

typedef struct kit_request {
    kit_options options;
    const char *settings[KIT_SETTINGS_MAX];
    const char *task[KIT_SETTINGS_MAX];
    const char *lasting[KIT_SETTINGS_MAX];
    const char *json;
    const char *junit;
    bool        list;
    kit_range   only[KIT_RANGES_MAX];
    size_t      only_count;
    kit_range   skip[KIT_RANGES_MAX];
    size_t      skip_count;
} kit_request;

/* Ends the process for --help and for what argp refuses; false, with a word on stderr, for the rest
 * that cannot be run. *r is to be kept where it is. */
bool kit_request_read(kit_request *r, int argc, char **argv);

#endif
