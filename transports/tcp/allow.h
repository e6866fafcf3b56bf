/* allow.h: which certificates may call what; a file of lines "name projects tasks
 * [operate]". */
#ifndef TCP_ALLOW_H
#define TCP_ALLOW_H

#include <patio/plugin_util.h>

#include <stdbool.h>

/* What one certificate may call: patterns with *, several behind commas. */
typedef struct grant {
    char projects[256];
    char tasks[512];
    bool operate; /* it may look at queues and dead letters, and change them */
} grant;

typedef struct allow_list allow_list;

/* CONFIG says file and line. */
patio_status allow_load(const patio_host *host, const char *path, allow_list **out,
                        patio_error *err);
void         allow_free(const patio_host *host, allow_list *list);
/* Of one certificate. */
enum { ALLOW_NAMES_MAX = 256 };
/* The first line that fits one of these names, "" fitting none; NULL: there is none. */
const grant *allow_find(const allow_list *list, char (*names)[256], unsigned count);
/* NULL: no list, everything is allowed. */
bool allow_task(const grant *g, const char *task);
bool allow_project(const grant *g, const char *project);
bool allow_operate(const grant *g);
void allow_nothing(grant *g);

#endif
