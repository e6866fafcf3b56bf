/* json_write.c: value -> JSON. */
#include "json.h"

#include <json-c/json.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <patio/plugin_util.h>

#include "alloc.h"
#include "base64.h"

static patio_status no_memory(patio_error *err)
{
    return patio_fail(err, PATIO_NO_MEMORY, 0, "write JSON");
}

void cli_double_text(double number, char text[CLI_DOUBLE_TEXT])
{
    if (isnan(number) || isinf(number)) {
        (void)snprintf(text, CLI_DOUBLE_TEXT, "%s",
                       isnan(number) ? "nan"
                       : number > 0  ? "inf"
                                     : "-inf");
        return;
    }
    /* 17 significant digits always read back the same, most numbers need fewer. */
    int digits = 1;
    for (;; digits++) {
        (void)snprintf(text, CLI_DOUBLE_TEXT, "%.*e", digits - 1, number);
        if (digits == 17 || strtod(text, NULL) == number) {
            break;
        }
    }
    long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent >= -5 && exponent < 16) {
        int decimals = digits - 1 - (int)exponent;
        (void)snprintf(text, CLI_DOUBLE_TEXT, "%.*f", decimals > 1 ? decimals : 1, number);
    }
}

/* {"key": inner}; takes `inner`. */
static patio_status wrap(const char *key, json_object *inner, json_object **out, patio_error *err)
{
    json_object *object = json_object_new_object();
    if (object == NULL || json_object_object_add(object, key, inner) != 0) {
        json_object_put(inner);
        json_object_put(object);
        return no_memory(err);
    }
    *out = object;
    return PATIO_OK;
}

static patio_status write_string(const char *text, size_t size, json_object **out, patio_error *err)
{
    if (size > INT_MAX / 2) {
        return patio_fail(err, PATIO_TOO_LARGE, 0, "write a string of %zu bytes as JSON", size);
    }
    *out = json_object_new_string_len(text != NULL ? text : "", (int)size);
    return *out != NULL ? PATIO_OK : no_memory(err);
}

static patio_status write_bytes(const patio_value *value, json_object **out, patio_error *err)
{
    char        *text  = cli_base64_encode((patio_bytes){value->as.bytes, value->size});
    json_object *inner = NULL;
    patio_status st    = write_string(text, strlen(text), &inner, err);
    cli_free(text);
    return st == PATIO_OK ? wrap("$bytes", inner, out, err) : st;
}

static patio_status write_double(double number, json_object **out, patio_error *err)
{
    if (isnan(number) || isinf(number)) {
        json_object *inner = NULL;
        const char  *word  = isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
        patio_status st    = write_string(word, strlen(word), &inner, err);
        return st == PATIO_OK ? wrap("$double", inner, out, err) : st;
    }
    char text[CLI_DOUBLE_TEXT];
    cli_double_text(number, text);
    *out = json_object_new_double_s(number, text);
    return *out != NULL ? PATIO_OK : no_memory(err);
}

static patio_status write_list(const patio_value *value, json_object **out, patio_error *err)
{
    json_object *array = json_object_new_array();
    if (array == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < value->size; i++) {
        json_object *item = NULL;
        patio_status st   = cli_json_write(&value->as.items[i], &item, err);
        if (st == PATIO_OK && json_object_array_add(array, item) != 0) {
            json_object_put(item);
            st = no_memory(err);
        }
        if (st != PATIO_OK) {
            json_object_put(array);
            return st;
        }
    }
    *out = array;
    return PATIO_OK;
}

static patio_status write_pair(json_object *object, const patio_value *key,
                               const patio_value *value, patio_error *err)
{
    if (memchr(key->as.string, '\0', key->size) != NULL) {
        return patio_fail(err, PATIO_INVALID, 0,
                          "write a map as JSON: one of its keys holds a NUL character");
    }
    json_object *item = NULL;
    patio_status st   = cli_json_write(value, &item, err);
    if (st != PATIO_OK) {
        return st;
    }
    char *name = cli_strndup(key->as.string, key->size);
    int   bad  = json_object_object_add(object, name, item);
    cli_free(name);
    if (bad != 0) {
        json_object_put(item);
        return no_memory(err);
    }
    return PATIO_OK;
}

/* Would a reader take the map for something else? */
static bool needs_wrapper(const patio_value *map)
{
    static const char *const words[] = {"$bytes", "$double", "$map"};
    if (map->size != 1) {
        return false;
    }
    const patio_value *key = &map->as.items[0];
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (key->size == strlen(words[i]) && memcmp(key->as.string, words[i], key->size) == 0) {
            return true;
        }
    }
    return false;
}

static patio_status write_map(const patio_value *value, json_object **out, patio_error *err)
{
    json_object *object = json_object_new_object();
    if (object == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < value->size; i++) {
        const patio_value *pair = &value->as.items[2 * i];
        patio_status       st   = write_pair(object, &pair[0], &pair[1], err);
        if (st != PATIO_OK) {
            json_object_put(object);
            return st;
        }
    }
    if (needs_wrapper(value)) {
        return wrap("$map", object, out, err);
    }
    *out = object;
    return PATIO_OK;
}

patio_status cli_json_write(const patio_value *value, json_object **out, patio_error *err)
{
    *out = NULL;
    switch (value->type) {
    case PATIO_TYPE_NULL:
        return PATIO_OK;
    case PATIO_TYPE_BOOL:
        *out = json_object_new_boolean(value->as.boolean);
        break;
    case PATIO_TYPE_INT64:
        *out = json_object_new_int64(value->as.i64);
        break;
    case PATIO_TYPE_UINT64:
        *out = json_object_new_uint64(value->as.u64);
        break;
    case PATIO_TYPE_DOUBLE:
        return write_double(value->as.f64, out, err);
    case PATIO_TYPE_STRING:
        return write_string(value->as.string, value->size, out, err);
    case PATIO_TYPE_BYTES:
        return write_bytes(value, out, err);
    case PATIO_TYPE_LIST:
        return write_list(value, out, err);
    case PATIO_TYPE_MAP:
        return write_map(value, out, err);
    default:
        return patio_fail(err, PATIO_TYPE, 0, "write a value of unknown type %u as JSON",
                          value->type);
    }
    return *out != NULL ? PATIO_OK : no_memory(err);
}

const char *cli_json_line(json_object *tree)
{
    return json_object_to_json_string_ext(tree,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
