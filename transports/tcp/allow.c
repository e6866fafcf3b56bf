#include "allow.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 1280, RULES_MAX = 10000 };

typedef struct rule {
    char  name[256];
    grant may;
} rule;

struct allow_list {
    uint32_t count;
    uint32_t room;
    rule    *rules;
};

/* The next word of a line; false: it is missing or too long. */
static bool take_word(char **at, char *word, size_t room)
{
    *at += strspn(*at, " \t");
    size_t size = strcspn(*at, " \t\r\n");
    if (size == 0 || size >= room) {
        return false;
    }
    memcpy(word, *at, size);
    word[size] = '\0';
    *at += size;
    return true;
}

static rule *add_rule(const patio_host *host, allow_list *list)
{
    if (list->count == list->room) {
        uint32_t room  = list->room == 0 ? 8 : list->room * 2;
        rule    *rules = host->resize(host->self, list->rules, room * sizeof(*rules));
        if (rules == NULL) {
            return NULL;
        }
        list->rules = rules;
        list->room  = room;
    }
    rule *r = &list->rules[list->count++];
    memset(r, 0, sizeof(*r));
    return r;
}

static patio_status read_line(const patio_host *host, allow_list *list, const char *path,
                              unsigned number, char *line, patio_error *err)
{
    char *at = line + strspn(line, " \t\r\n");
    if (*at == '\0' || *at == '#') {
        return PATIO_OK;
    }
    rule *r = list->count < RULES_MAX ? add_rule(host, list) : NULL;
    if (r == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "%s:%u: more rules than there is room for", path,
                          number);
    }
    if (strchr(line, '\n') == NULL && strlen(line) >= LINE_BYTES - 1) {
        return patio_fail(err, PATIO_CONFIG, 0, "%s:%u: the line is too long", path, number);
    }
    bool whole = take_word(&at, r->name, sizeof(r->name)) &&
                 take_word(&at, r->may.projects, sizeof(r->may.projects)) &&
                 take_word(&at, r->may.tasks, sizeof(r->may.tasks));
    char word[16];
    at += strspn(at, " \t\r\n");
    if (whole && *at != '\0' && *at != '#') {
        r->may.operate = take_word(&at, word, sizeof(word)) && strcmp(word, "operate") == 0;
        whole          = r->may.operate;
        at += strspn(at, " \t\r\n");
    }
    if (!whole || (*at != '\0' && *at != '#')) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s:%u: write the certificate's name, projects and tasks, as in "
                          "\"worker-*.example demo mul,div\", and \"operate\" behind them for "
                          "who may operate this side",
                          path, number);
    }
    return PATIO_OK;
}

patio_status allow_load(const patio_host *host, const char *path, allow_list **out,
                        patio_error *err)
{
    char         line[LINE_BYTES];
    unsigned     number = 0;
    patio_status st     = PATIO_OK;
    allow_list  *list   = host->alloc(host->self, sizeof(*list));
    FILE        *file   = fopen(path, "re");
    if (file == NULL || list == NULL) {
        int os_errno = errno;
        host->free(host->self, list);
        if (file != NULL) {
            (void)fclose(file);
            return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
        }
        return patio_fail(err, PATIO_CONFIG, os_errno, "open tls_allow_file %s: %s", path,
                          strerrordesc_np(os_errno));
    }
    memset(list, 0, sizeof(*list));
    while (st == PATIO_OK && fgets(line, sizeof(line), file) != NULL) {
        st = read_line(host, list, path, ++number, line, err);
    }
    if (st == PATIO_OK && ferror(file) != 0) {
        st = patio_fail(err, PATIO_CONFIG, EIO, "read tls_allow_file %s", path);
    }
    (void)fclose(file);
    if (st != PATIO_OK) {
        allow_free(host, list);
        return st;
    }
    *out = list;
    return PATIO_OK;
}

void allow_free(const patio_host *host, allow_list *list)
{
    if (list != NULL) {
        host->free(host->self, list->rules);
        host->free(host->self, list);
    }
}

static bool is_of(const rule *r, char (*names)[256], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (names[i][0] != '\0' && fnmatch(r->name, names[i], FNM_CASEFOLD) == 0) {
            return true;
        }
    }
    return false;
}

const grant *allow_find(const allow_list *list, char (*names)[256], unsigned count)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (is_of(&list->rules[i], names, count)) {
            return &list->rules[i].may;
        }
    }
    return NULL;
}

static bool fits(const char *patterns, const char *name)
{
    char one[512];
    for (const char *at = patterns; *at != '\0';) {
        size_t size = strcspn(at, ",");
        memcpy(one, at, size);
        one[size] = '\0';
        if (fnmatch(one, name, 0) == 0) {
            return true;
        }
        at += size + (at[size] == ',' ? 1 : 0);
    }
    return false;
}

bool allow_task(const grant *g, const char *task)
{
    return g == NULL || fits(g->tasks, task);
}

bool allow_project(const grant *g, const char *project)
{
    return g == NULL || fits(g->projects, project);
}

bool allow_operate(const grant *g)
{
    return g == NULL || g->operate;
}

void allow_nothing(grant *g)
{
    g->tasks[0] = '\0';
    g->operate  = false;
}
