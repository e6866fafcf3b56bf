/* json_read.c: JSON text -> value. */
#include "json.h"

#include <json-c/json.h>

#include <limits.h>
#include <math.h>

#include <patio/plugin_util.h>

#include "alloc.h"
#include "base64.h"

static patio_status read_tree(json_object *tree, unsigned depth, patio_value *out,
                              patio_error *err);

patio_value cli_value_string(const char *text, size_t size)
{
    return patio_string_n(cli_strndup(text, size), size);
}

void cli_value_free(patio_value *value)
{
    size_t items = value->type == PATIO_TYPE_MAP ? 2 * value->size : value->size;
    switch (value->type) {
    case PATIO_TYPE_LIST:
    case PATIO_TYPE_MAP:
        for (size_t i = 0; i < items; i++) {
            patio_value item = value->as.items[i];
            cli_value_free(&item);
        }
        break;
    case PATIO_TYPE_STRING:
    case PATIO_TYPE_BYTES:
        break;
    default:
        *value = patio_null();
        return;
    }
    /* The const of a value says that readers must not write; the memory is ours. */
    union {
        const void *seen;
        void       *owned;
    } memory = {.seen = value->as.items};
    cli_free(memory.owned);
    *value = patio_null();
}

static patio_status read_bytes(json_object *tree, patio_value *out, patio_error *err)
{
    patio_bytes bytes;
    if (!json_object_is_type(tree, json_type_string) ||
        !cli_base64_decode(json_object_get_string(tree), (size_t)json_object_get_string_len(tree),
                           &bytes)) {
        return patio_fail(err, PATIO_INVALID, 0,
                          "$bytes wants a string of base64 with padding (RFC 4648)");
    }
    *out = patio_blob(bytes.data, bytes.size);
    return PATIO_OK;
}

static patio_status read_double(json_object *tree, patio_value *out, patio_error *err)
{
    static const struct {
        const char *word;
        double      number;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    const char *given =
        json_object_is_type(tree, json_type_string) ? json_object_get_string(tree) : "";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(given, words[i].word) == 0) {
            *out = patio_double(words[i].number);
            return PATIO_OK;
        }
    }
    return patio_fail(err, PATIO_INVALID, 0,
                      "$double wants \"NaN\", \"Infinity\" or \"-Infinity\"");
}

static patio_status read_list(json_object *tree, unsigned depth, patio_value *out, patio_error *err)
{
    size_t       count = json_object_array_length(tree);
    patio_value *items = cli_resize(NULL, count, sizeof(*items));
    *out               = patio_list(items, 0);
    for (size_t i = 0; i < count; i++) {
        patio_status st = read_tree(json_object_array_get_idx(tree, i), depth, &items[i], err);
        if (st != PATIO_OK) {
            return st;
        }
        out->size = i + 1;
    }
    return PATIO_OK;
}

static patio_status read_map(json_object *tree, unsigned depth, patio_value *out, patio_error *err)
{
    size_t       pairs = (size_t)json_object_object_length(tree);
    patio_value *items = cli_resize(NULL, 2 * pairs, sizeof(*items));
    *out               = patio_map(items, 0);
    json_object_object_foreach(tree, key, item)
    {
        patio_value  value;
        patio_status st = read_tree(item, depth, &value, err);
        if (st != PATIO_OK) {
            return st;
        }
        items[2 * out->size]     = cli_value_string(key, strlen(key));
        items[2 * out->size + 1] = value;
        out->size++;
    }
    return PATIO_OK;
}

static patio_status read_object(json_object *tree, unsigned depth, patio_value *out,
                                patio_error *err)
{
    json_object *inner;
    if (json_object_object_length(tree) != 1) {
        return read_map(tree, depth, out, err);
    }
    if (json_object_object_get_ex(tree, "$bytes", &inner)) {
        return read_bytes(inner, out, err);
    }
    if (json_object_object_get_ex(tree, "$double", &inner)) {
        return read_double(inner, out, err);
    }
    if (json_object_object_get_ex(tree, "$map", &inner)) {
        return json_object_is_type(inner, json_type_object)
                   ? read_map(inner, depth, out, err)
                   : patio_fail(err, PATIO_INVALID, 0, "$map wants an object");
    }
    return read_map(tree, depth, out, err);
}

/* `depth` is how many lists and maps are around the tree. On failure *out may hold a part, which
 * cli_value_free frees. */
static patio_status read_tree(json_object *tree, unsigned depth, patio_value *out, patio_error *err)
{
    *out = patio_null();
    switch (json_object_get_type(tree)) {
    case json_type_null:
        return PATIO_OK;
    case json_type_boolean:
        *out = patio_bool(json_object_get_boolean(tree));
        return PATIO_OK;
    case json_type_int:
        /* json-c says 0 for a negative number asked for as unsigned. */
        *out = json_object_get_uint64(tree) > INT64_MAX ? patio_uint(json_object_get_uint64(tree))
                                                        : patio_int(json_object_get_int64(tree));
        return PATIO_OK;
    case json_type_double:
        *out = patio_double(json_object_get_double(tree));
        return PATIO_OK;
    case json_type_string:
        *out = cli_value_string(json_object_get_string(tree),
                                (size_t)json_object_get_string_len(tree));
        return PATIO_OK;
    case json_type_array:
    case json_type_object:
        break;
    }
    patio_status st     = json_object_is_type(tree, json_type_array)
                              ? read_list(tree, depth + 1, out, err)
                              : read_object(tree, depth + 1, out, err);
    bool         nested = out->type == PATIO_TYPE_LIST || out->type == PATIO_TYPE_MAP;
    if (st == PATIO_OK && nested && depth >= PATIO_VALUE_DEPTH_MAX) {
        st =
            patio_fail(err, PATIO_INVALID, 0, "lists and maps are nested too deep; the limit is %u",
                       PATIO_VALUE_DEPTH_MAX);
    }
    if (st != PATIO_OK) {
        cli_value_free(out);
    }
    return st;
}

cli_json_verdict cli_json_parse(const char *text, patio_value *out, patio_error *err)
{
    cli_json_verdict verdict = cli_json_check(text, err);
    if (verdict != CLI_JSON_OK) {
        return verdict;
    }
    size_t size = strlen(text);
    if (size >= INT_MAX) {
        (void)patio_fail(err, PATIO_TOO_LARGE, 0, "JSON text is larger than 2 GiB");
        return CLI_JSON_REFUSED;
    }
    /* json-c counts one level more than brackets. */
    json_tokener *parser = json_tokener_new_ex(2 * (int)PATIO_VALUE_DEPTH_MAX + 8);
    if (parser == NULL) {
        (void)patio_fail(err, PATIO_NO_MEMORY, 0, "read JSON");
        return CLI_JSON_REFUSED;
    }
    json_tokener_set_flags(parser, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* With the NUL, so that a number at the end is complete. */
    json_object            *tree  = json_tokener_parse_ex(parser, text, (int)size + 1);
    enum json_tokener_error error = json_tokener_get_error(parser);
    json_tokener_free(parser);
    if (error != json_tokener_success) {
        (void)patio_fail(err, PATIO_INVALID, 0, "read JSON: %s", json_tokener_error_desc(error));
        return CLI_JSON_REFUSED;
    }
    patio_status st = read_tree(tree, 0, out, err);
    json_object_put(tree);
    return st == PATIO_OK ? CLI_JSON_OK : CLI_JSON_REFUSED;
}
