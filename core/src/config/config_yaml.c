/* YAML into dotted keys. Events are pulled one at a time and nothing is built from them but the
 * path of the present key, so that a hostile file cannot make us hold more than it has itself. */
#include "config/config_yaml.h"

#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "base/error.h"
#include "config/config_keys.h"
#include "config/say.h"

enum { MAX_DEPTH = 8, ORIGIN_BYTES = 512 };

typedef struct frame {
    size_t   path_size; /* of the map or list itself */
    unsigned items;     /* of a list: how many there were */
    bool     is_list;
    bool     has_key; /* of a map: the path is that of a key, its value comes next */
} frame;

typedef struct loader {
    yaml_parser_t parser;
    const char   *name;
    patio_config *loaded;
    patio_config *seen; /* every path of the file, as a set: the same twice is a mistake */
    patio_error  *err;
    frame         frames[MAX_DEPTH];
    size_t        depth;
    size_t        path_size;
    char          path[PT_KEY_BYTES];
    char          origin[ORIGIN_BYTES]; /* of the present key */
} loader;

static void set_origin(loader *l, const yaml_mark_t *mark)
{
    (void)snprintf(l->origin, sizeof(l->origin), "%.480s:%zu", l->name, mark->line + 1);
}

static patio_status fail_here(loader *l, patio_status status)
{
    return pt_error_at(l->err, status, l->origin);
}

static patio_status fail_key(loader *l, const char *what)
{
    char quoted[PT_QUOTE_BYTES];
    (void)pt_fail(l->err, PATIO_CONFIG, "config", "key %s %s", pt_quote(quoted, l->path), what);
    return fail_here(l, PATIO_CONFIG);
}

static patio_status fail_text(loader *l, const char *what)
{
    (void)pt_fail(l->err, PATIO_CONFIG, "config", "%s", what);
    return fail_here(l, PATIO_CONFIG);
}

static patio_status fail_syntax(loader *l)
{
    const yaml_parser_t *p = &l->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return pt_no_memory(l->err, "config");
    }
    const char *problem = p->problem != NULL ? p->problem : "unknown error";
    if (p->error == YAML_READER_ERROR) {
        return pt_fail(l->err, PATIO_CONFIG, "config", "%s: not valid YAML: %s (byte %zu)", l->name,
                       problem, p->problem_offset + 1);
    }
    (void)pt_fail(l->err, PATIO_CONFIG, "config", "%s:%zu: not valid YAML: %s", l->name,
                  p->problem_mark.line + 1, problem);
    if (p->context != NULL) {
        pt_error_add(l->err, " (%s in line %zu)", p->context, p->context_mark.line + 1);
    }
    return PATIO_CONFIG;
}

/* ---- the path ---- */

static patio_status extend_path(loader *l, const char *part, size_t size)
{
    size_t dot = l->path_size > 0 ? 1 : 0;
    if (size == 0 || memchr(part, '\0', size) != NULL) {
        return fail_text(l, "a key is empty or holds a NUL character");
    }
    if (l->path_size + dot + size >= sizeof(l->path)) {
        return fail_text(l, "a key is too long");
    }
    if (dot != 0) {
        l->path[l->path_size++] = '.';
    }
    memcpy(l->path + l->path_size, part, size);
    l->path_size += size;
    l->path[l->path_size] = '\0';
    return PATIO_OK;
}

static void cut_path(loader *l, size_t size)
{
    l->path_size  = size;
    l->path[size] = '\0';
}

static patio_status remember_path(loader *l)
{
    const pt_entry *first = pt_store_find(l->seen, l->path);
    if (first != NULL) {
        char quoted[PT_QUOTE_BYTES];
        (void)pt_fail(l->err, PATIO_CONFIG, "config", "key %s is given twice, first at %s",
                      pt_quote(quoted, l->path), first->origin);
        return fail_here(l, PATIO_CONFIG);
    }
    patio_status status = pt_store_put(l->seen, l->path, "", l->origin, l->err);
    return status == PATIO_OK ? PATIO_OK : fail_here(l, status);
}

/* ---- events ---- */

static patio_status begin_key(loader *l, const yaml_event_t *event)
{
    set_origin(l, &event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        return fail_text(l, "a key must be a text, not a map or list");
    }
    patio_status status =
        extend_path(l, (const char *)event->data.scalar.value, event->data.scalar.length);
    size_t   list_size = 0;
    unsigned index     = 0;
    if (status == PATIO_OK && pt_key_is_item(l->path, &list_size, &index)) {
        return fail_key(l, "is an item of a list; write the list as a whole");
    }
    if (status == PATIO_OK) {
        status = remember_path(l);
    }
    l->frames[l->depth - 1].has_key = true;
    return status;
}

static patio_status begin_item(loader *l, const yaml_event_t *event)
{
    frame *list = &l->frames[l->depth - 1];
    char   index[16];
    set_origin(l, &event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        return fail_key(l, "is a list of texts, not of maps or lists");
    }
    int size = snprintf(index, sizeof(index), "%u", list->items++);
    return extend_path(l, index, (size_t)size);
}

/* A value (not a key) is complete: the path is again that of the map or list around it. */
static void end_value(loader *l)
{
    if (l->depth > 0) {
        frame *around   = &l->frames[l->depth - 1];
        around->has_key = false;
        cut_path(l, around->path_size);
    }
}

static bool is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static patio_status take_scalar(loader *l, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    char        stored[PT_KEY_BYTES];
    bool        has_value = pt_key_check(l->path, stored, NULL) == PATIO_OK;
    if (is_null(event) && (l->depth == 0 || (!has_value && pt_key_is_map(l->path)))) {
        return PATIO_OK; /* an empty file, or "transport:" with nothing below it */
    }
    if (l->depth == 0) {
        return fail_text(l, "the file must be a map of keys");
    }
    if (!has_value) {
        return fail_here(l, pt_key_check(l->path, stored, l->err));
    }
    if (is_null(event)) {
        return fail_key(l, "has no value; write \"\" for an empty text");
    }
    if (strlen(text) != event->data.scalar.length) {
        return fail_key(l, "has a value that holds a NUL character");
    }
    const pt_entry *first = pt_store_find(l->loaded, stored);
    if (first != NULL) { /* another spelling of the same: "executor" and "executor.name" */
        char quoted[PT_QUOTE_BYTES];
        (void)pt_fail(l->err, PATIO_CONFIG, "config", "key %s is given twice, first at %s",
                      pt_quote(quoted, stored), first->origin);
        return fail_here(l, PATIO_CONFIG);
    }
    patio_status status = pt_store_put(l->loaded, stored, text, l->origin, l->err);
    return status == PATIO_OK ? PATIO_OK : fail_here(l, status);
}

/* A map or list where a single value belongs, or a list where a map does. */
static patio_status check_shape(loader *l, bool is_list)
{
    char stored[PT_KEY_BYTES];
    if (l->depth == 0) {
        return is_list ? fail_text(l, "the file must be a map of keys, not a list") : PATIO_OK;
    }
    if (is_list ? pt_key_is_list(l->path) : pt_key_is_map(l->path)) {
        return PATIO_OK;
    }
    if (pt_key_is_map(l->path)) {
        return fail_key(l, "is a map, not a list");
    }
    if (pt_key_is_list(l->path)) {
        return fail_key(l, "is a text or a list of texts, not a map");
    }
    patio_status status = pt_key_check(l->path, stored, l->err);
    if (status != PATIO_OK) {
        return fail_here(l, status);
    }
    return fail_key(l, is_list ? "takes one value, not a list" : "takes one value, not a map");
}

static patio_status open_frame(loader *l, bool is_list)
{
    patio_status status = check_shape(l, is_list);
    if (status != PATIO_OK) {
        return status;
    }
    if (l->depth == MAX_DEPTH) {
        return fail_text(l, "maps are nested deeper than 8");
    }
    l->frames[l->depth++] = (frame){.path_size = l->path_size, .is_list = is_list};
    return PATIO_OK;
}

static patio_status close_frame(loader *l)
{
    const frame *closed = &l->frames[--l->depth];
    if (closed->is_list && closed->items == 0) {
        return fail_key(l, "is an empty list; leave it out");
    }
    end_value(l);
    return PATIO_OK;
}

/* Anchors, aliases and tags: nothing here needs them, and they are what YAML bombs are made of. */
static patio_status refuse_extras(loader *l, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag    = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag    = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag    = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag    = event->data.sequence_start.tag;
    }
    if (event->type != YAML_ALIAS_EVENT && anchor == NULL && tag == NULL) {
        return PATIO_OK;
    }
    set_origin(l, &event->start_mark);
    return fail_text(l, tag != NULL ? "tags (\"!...\") are not supported; leave it out"
                                    : "anchors and aliases (\"&\", \"*\") are not supported; write "
                                      "the value, or quote the text");
}

static patio_status take_node(loader *l, const yaml_event_t *event)
{
    patio_status status = refuse_extras(l, event);
    if (status != PATIO_OK) {
        return status;
    }
    if (l->depth == 0) {
        set_origin(l, &event->start_mark);
    } else if (l->frames[l->depth - 1].is_list) {
        status = begin_item(l, event);
    } else if (!l->frames[l->depth - 1].has_key) {
        return begin_key(l, event);
    }
    if (status != PATIO_OK) {
        return status;
    }
    if (event->type == YAML_SCALAR_EVENT) {
        status = take_scalar(l, event);
        end_value(l);
        return status;
    }
    return open_frame(l, event->type == YAML_SEQUENCE_START_EVENT);
}

static patio_status take_event(loader *l, const yaml_event_t *event, unsigned *documents)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1) {
            set_origin(l, &event->start_mark);
            return fail_text(l, "a second document begins; a configuration has one");
        }
        return PATIO_OK;
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return take_node(l, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_frame(l);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    default:
        return PATIO_OK;
    }
}

static patio_status take_events(loader *l)
{
    unsigned     documents = 0;
    bool         at_end    = false;
    patio_status status    = PATIO_OK;
    while (status == PATIO_OK && !at_end) {
        yaml_event_t event;
        if (yaml_parser_parse(&l->parser, &event) == 0) {
            return fail_syntax(l);
        }
        at_end = event.type == YAML_STREAM_END_EVENT;
        status = take_event(l, &event, &documents);
        yaml_event_delete(&event);
    }
    return status;
}

patio_status pt_yaml_load(const char *name, patio_bytes yaml, patio_config *loaded,
                          patio_error *err)
{
    static const uint8_t nothing[1];
    loader               l      = {.name = name, .loaded = loaded, .err = err};
    patio_status         status = pt_config_create(loaded->mem, &l.seen, err);
    if (status != PATIO_OK) {
        return status;
    }
    if (yaml_parser_initialize(&l.parser) != 0) {
        yaml_parser_set_input_string(&l.parser, yaml.size > 0 ? yaml.data : nothing, yaml.size);
        yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
        status = take_events(&l);
        yaml_parser_delete(&l.parser);
    } else {
        status = pt_no_memory(err, "config");
    }
    patio_config_destroy(l.seen);
    return status;
}
