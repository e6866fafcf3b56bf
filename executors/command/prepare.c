/* A task's command line, taken apart once. */
#include "command.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

extern char **environ;

/* ---- words, as a shell would see them, with nothing replaced ---- */

/* The quote that opens at `text` up to its end; NULL if it has none. */
static const char *add_quoted(texts *words, const char *text)
{
    char quote = *text++;
    while (*text != '\0' && *text != quote) {
        bool escape = quote == '"' && *text == '\\' && (text[1] == '"' || text[1] == '\\');
        text += escape ? 1 : 0;
        texts_add(words, text++, 1);
    }
    return *text == quote ? text + 1 : NULL;
}

static const char *add_word(texts *words, const char *text)
{
    texts_begin(words);
    while (text != NULL && *text != '\0' && strchr(" \t\r\n", *text) == NULL) {
        if (*text == '\'' || *text == '"') {
            text = add_quoted(words, text);
        } else {
            text += *text == '\\' && text[1] != '\0' ? 1 : 0;
            texts_add(words, text++, 1);
        }
    }
    texts_end(words);
    return text;
}

static patio_status split(texts *words, const char *task, const char *command, patio_error *err)
{
    const char *at = command + strspn(command, " \t\r\n");
    while (*at != '\0') {
        at = add_word(words, at);
        if (at == NULL) {
            return patio_fail(err, PATIO_CONFIG, 0, "task \"%s\": command: a quote is not closed",
                              task);
        }
        at += strspn(at, " \t\r\n");
    }
    if (words->count == 0 && !words->failed) {
        return patio_fail(err, PATIO_CONFIG, 0, "task \"%s\": the command is empty", task);
    }
    return PATIO_OK;
}

/* ---- places for arguments ---- */

static bool is_name_char(char c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
}

/* How much of `text` is a number without leading zeros, or a name. */
static size_t name_bytes(const char *text)
{
    size_t size = strspn(text, "0123456789");
    if (size > 0) {
        return size <= 4 && (size == 1 || text[0] != '0') ? size : 0;
    }
    while (is_name_char(text[size], size == 0)) {
        size++;
    }
    return size;
}

bool find_place(const char *text, const char **name, size_t *name_size, size_t *size, bool *literal)
{
    size_t braces = strspn(text, "{");
    braces        = braces > 2 ? 2 : braces;
    if (braces == 0) {
        return false;
    }
    *name      = text + braces;
    *name_size = name_bytes(*name);
    *literal   = braces == 2;
    *size      = 2 * braces + *name_size;
    return *name_size > 0 && strncmp(*name + *name_size, "}}", braces) == 0;
}

static bool has_place(const char *word)
{
    const char *name      = NULL;
    size_t      name_size = 0;
    size_t      size      = 0;
    bool        literal   = false;
    for (; *word != '\0'; word++) {
        if (find_place(word, &name, &name_size, &size, &literal)) {
            if (!literal) {
                return true;
            }
            word += size - 1;
        }
    }
    return false;
}

/* ---- the program ---- */

static char *join(const patio_host *host, const char *folder, size_t size, const char *name)
{
    size_t bytes = size + strlen(name) + 3;
    char  *path  = host->alloc(host->self, bytes);
    if (path != NULL) {
        (void)snprintf(path, bytes, "%.*s%s%s", (int)size, folder, size > 0 ? "/" : "", name);
    }
    return path;
}

/* It may be run from another folder. */
static char *make_absolute(const patio_host *host, char *path)
{
    char here[PATH_MAX];
    if (path == NULL || path[0] == '/' || getcwd(here, sizeof(here)) == NULL) {
        return path;
    }
    char *absolute = join(host, here, strlen(here), path);
    host->free(host->self, path);
    return absolute;
}

patio_status find_program(const patio_host *host, const char *name, char **out)
{
    bool        anywhere = strchr(name, '/') == NULL;
    const char *path     = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe): read only */
    path                 = path != NULL ? path : "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        size_t      size  = anywhere ? strcspn(path, ":") : 0;
        const char *in    = size > 0 || !anywhere ? path : ".";
        char       *found = join(host, in, size > 0 || !anywhere ? size : 1, name);
        if (found == NULL) {
            return PATIO_NO_MEMORY;
        }
        if (access(found, X_OK) == 0) {
            *out = make_absolute(host, found);
            return *out != NULL ? PATIO_OK : PATIO_NO_MEMORY;
        }
        host->free(host->self, found);
        if (!anywhere || path[size] == '\0') {
            return PATIO_NOT_FOUND;
        }
        path += size + 1;
    }
}

/* ---- environment ---- */

/* What stands under a name in this process, as NAME=VALUE. */
static const char *inherited(const char *name, size_t size)
{
    for (char **e = environ; e != NULL && *e != NULL; e++) {
        if (strncmp(*e, name, size) == 0 && (*e)[size] == '=') {
            return *e;
        }
    }
    return NULL;
}

/* "PATH,LANG,MODE=fast": those of this process that are named, and those that are set here. */
static patio_status add_env(texts *env, const char *task, const char *list, patio_error *err)
{
    while (*list != '\0') {
        list += strspn(list, ", ");
        size_t size = strcspn(list, ",");
        size_t name = strcspn(list, "=,");
        if (size > 0 && name == 0) {
            return patio_fail(err, PATIO_CONFIG, 0,
                              "task \"%s\": env: \"%.*s\" has no name before the =", task,
                              (int)(size < 64 ? size : 64), list);
        }
        if (size > name) {
            texts_begin(env);
            texts_add(env, list, size);
            texts_end(env);
        } else if (size > 0 && inherited(list, size) != NULL) {
            texts_put(env, inherited(list, size));
        }
        list += size;
    }
    return PATIO_OK;
}

/* ---- together ---- */

static patio_status fill(const patio_host *host, prepared *p, patio_error *err)
{
    const char  *command = p->values[TASK_COMMAND].text;
    patio_status st      = PATIO_OK;
    if (p->shell) {
        texts_put(&p->words, "/bin/sh");
        texts_put(&p->words, "-c");
        texts_put(&p->words, command);
        texts_put(&p->words, p->task);
    } else {
        st = split(&p->words, p->task, command, err);
    }
    if (st == PATIO_OK) {
        st = add_env(&p->env, p->task, p->values[TASK_ENV].text, err);
    }
    if (st != PATIO_OK) {
        return st;
    }
    if (p->words.failed || p->env.failed) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    const char *program = p->words.data;
    for (size_t i = 0; i < p->words.count && !p->shell; i++) {
        p->uses_arguments = p->uses_arguments || has_place(p->words.data + p->words.starts[i]);
    }
    if (!p->shell && has_place(program)) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "task \"%s\": command: the program itself cannot be an argument",
                          p->task);
    }
    st = find_program(host, program, &p->program);
    if (st == PATIO_NO_MEMORY) {
        return patio_fail(err, st, 0, "out of memory");
    }
    if (st != PATIO_OK) {
        return patio_fail(err, PATIO_CONFIG, ENOENT,
                          "task \"%s\": command: there is no program \"%.200s\"%s", p->task,
                          program, strchr(program, '/') == NULL ? " in PATH" : "");
    }
    return PATIO_OK;
}

patio_status prepare(const patio_host *host, const char *task, const patio_option_value *values,
                     prepared **out, patio_error *err)
{
    prepared *p = host->alloc(host->self, sizeof(*p));
    if (p == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    *p = (prepared){.values = values, .task = task, .shell = values[TASK_SHELL].number != 0};
    texts_init(&p->words, host);
    texts_init(&p->env, host);
    patio_status st = fill(host, p, err);
    if (st != PATIO_OK) {
        prepared_free(host, p);
        return st;
    }
    *out = p;
    return PATIO_OK;
}

void prepared_free(const patio_host *host, prepared *p)
{
    texts_fini(&p->words);
    texts_fini(&p->env);
    host->free(host->self, p->program);
    host->free(host->self, p);
}
