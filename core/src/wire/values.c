/* Trees of values as flat nodes in pre-order, and back: proto/patio/v1/values.proto. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "wire/payload.h"

/* ---- tree -> nodes ---- */

typedef struct writer {
    Patio__V1__Node  *nodes;
    Patio__V1__Node **pointers;
    size_t            used;
    patio_error      *err;
} writer;

/* How many nodes a value needs; checks everything that can be wrong with it. Recursion is bounded
 * by PATIO_VALUE_DEPTH_MAX. */
static patio_status measure(const patio_value *v, unsigned depth, size_t *nodes, patio_error *err)
{
    *nodes += 1;
    switch (v->type) {
    case PATIO_TYPE_NULL:
    case PATIO_TYPE_BOOL:
    case PATIO_TYPE_INT64:
    case PATIO_TYPE_UINT64:
    case PATIO_TYPE_DOUBLE:
        return PATIO_OK;
    case PATIO_TYPE_STRING:
        if (v->size > 0 && (v->as.string == NULL || !pt_is_utf8(v->as.string, v->size))) {
            return pt_fail(err, PATIO_INVALID, "values",
                           "string of %zu bytes is not UTF-8; use bytes", v->size);
        }
        return PATIO_OK;
    case PATIO_TYPE_BYTES:
        return v->size == 0 || v->as.bytes != NULL
                   ? PATIO_OK
                   : pt_fail(err, PATIO_INVALID, "values", "bytes have a size but no data");
    case PATIO_TYPE_LIST:
    case PATIO_TYPE_MAP:
        break;
    default:
        return pt_fail(err, PATIO_INVALID, "values", "value of unknown type %u", v->type);
    }
    if (depth >= PATIO_VALUE_DEPTH_MAX) {
        return pt_fail(err, PATIO_INVALID, "values", "lists and maps nest deeper than %u",
                       PATIO_VALUE_DEPTH_MAX);
    }
    if (v->size > UINT32_MAX || (v->size > 0 && v->as.items == NULL)) {
        return pt_fail(err, PATIO_INVALID, "values", "%s of %zu items without items",
                       patio_type_name(v->type), v->size);
    }
    bool   map   = v->type == PATIO_TYPE_MAP;
    size_t items = map ? 2 * v->size : v->size;
    for (size_t i = 0; i < items; i++) {
        if (map && i % 2 == 0 && v->as.items[i].type != PATIO_TYPE_STRING) {
            return pt_fail(err, PATIO_INVALID, "values", "key %zu of a map is %s, not a string",
                           i / 2, patio_type_name(v->as.items[i].type));
        }
        patio_status st = measure(&v->as.items[i], depth + 1, nodes, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    return PATIO_OK;
}

/* The buffer is only read by the packer. */
static ProtobufCBinaryData binary(const void *data, size_t size)
{
    union {
        const void *in;
        uint8_t    *out;
    } cast = {.in = data};
    return (ProtobufCBinaryData){.len = size, .data = cast.out};
}

static void write_value(writer *w, const patio_value *v)
{
    Patio__V1__Node *node  = &w->nodes[w->used];
    w->pointers[w->used++] = node;
    patio__v1__node__init(node);
    switch (v->type) {
    case PATIO_TYPE_BOOL:
        node->kind_case = PATIO__V1__NODE__KIND_BOOLEAN;
        node->boolean   = v->as.boolean;
        break;
    case PATIO_TYPE_INT64:
        node->kind_case = PATIO__V1__NODE__KIND_INT;
        node->int_      = v->as.i64;
        break;
    case PATIO_TYPE_UINT64:
        node->kind_case = PATIO__V1__NODE__KIND_UINT;
        node->uint      = v->as.u64;
        break;
    case PATIO_TYPE_DOUBLE:
        node->kind_case = PATIO__V1__NODE__KIND_REAL;
        node->real      = v->as.f64;
        break;
    case PATIO_TYPE_STRING:
        node->kind_case = PATIO__V1__NODE__KIND_TEXT;
        node->text      = binary(v->as.string, v->size);
        break;
    case PATIO_TYPE_BYTES:
        node->kind_case = PATIO__V1__NODE__KIND_BLOB;
        node->blob      = binary(v->as.bytes, v->size);
        break;
    case PATIO_TYPE_LIST:
        node->kind_case = PATIO__V1__NODE__KIND_LIST;
        node->list      = (uint32_t)v->size;
        for (size_t i = 0; i < v->size; i++) {
            write_value(w, &v->as.items[i]);
        }
        break;
    case PATIO_TYPE_MAP:
        node->kind_case = PATIO__V1__NODE__KIND_MAP;
        node->map       = (uint32_t)v->size;
        for (size_t i = 0; i < 2 * v->size; i++) {
            write_value(w, &v->as.items[i]);
        }
        break;
    default:
        break; /* null: no field set */
    }
}

patio_status pt_nodes_from_payload(Patio__V1__Values *out, pt_arena *arena,
                                   const patio_payload *payload, patio_error *err)
{
    patio_value keywords = patio_map(payload->keywords, payload->keyword_count);
    size_t      count    = 0;
    if (payload->value_count > 0 && payload->values == NULL) {
        return pt_fail(err, PATIO_INVALID, "values", "%zu values are promised, but there are none",
                       payload->value_count);
    }
    for (size_t i = 0; i < payload->value_count; i++) {
        patio_status st = measure(&payload->values[i], 0, &count, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    if (payload->keyword_count > 0) {
        size_t       head = 0; /* the keywords are a map without a head */
        patio_status st   = measure(&keywords, 0, &head, err);
        if (st != PATIO_OK) {
            return st;
        }
        count += head - 1;
    }
    writer w     = {.err = err};
    size_t bytes = 0;
    if (payload->value_count > UINT32_MAX ||
        __builtin_mul_overflow(count, sizeof(*w.nodes) + sizeof(*w.pointers), &bytes)) {
        return pt_fail(err, PATIO_TOO_LARGE, "values", "%zu values are too many", count);
    }
    w.nodes = pt_arena_alloc(arena, bytes);
    if (w.nodes == NULL) {
        return pt_arena_fail(arena, "values", "encoding", err);
    }
    w.pointers = (Patio__V1__Node **)(void *)(w.nodes + count);
    for (size_t i = 0; i < payload->value_count; i++) {
        write_value(&w, &payload->values[i]);
    }
    for (size_t i = 0; i < 2 * payload->keyword_count; i++) {
        write_value(&w, &payload->keywords[i]);
    }
    patio__v1__values__init(out);
    out->n_nodes    = count;
    out->nodes      = w.pointers;
    out->positional = (uint32_t)payload->value_count;
    out->keyword    = (uint32_t)payload->keyword_count;
    return PATIO_OK;
}

/* ---- nodes -> tree ---- */

typedef struct reader {
    Patio__V1__Node **nodes;
    size_t            count;
    size_t            used;
    pt_arena         *arena;
    patio_error      *err;
} reader;

static patio_status read_items(reader *r, uint64_t items, bool keys, unsigned depth,
                               const patio_value **out);

static patio_status read_value(reader *r, unsigned depth, patio_value *out)
{
    const Patio__V1__Node *node = r->nodes[r->used++];
    switch (node->kind_case) {
    case PATIO__V1__NODE__KIND_BOOLEAN:
        *out = patio_bool(node->boolean != 0);
        return PATIO_OK;
    case PATIO__V1__NODE__KIND_INT:
        *out = patio_int(node->int_);
        return PATIO_OK;
    case PATIO__V1__NODE__KIND_UINT:
        *out = patio_uint(node->uint);
        return PATIO_OK;
    case PATIO__V1__NODE__KIND_REAL:
        *out = patio_double(node->real);
        return PATIO_OK;
    case PATIO__V1__NODE__KIND_TEXT:
        *out = node->text.len > 0 ? patio_string_n((const char *)node->text.data, node->text.len)
                                  : patio_string_n("", 0);
        if (!pt_is_utf8(out->as.string, out->size)) {
            return pt_fail(r->err, PATIO_PROTOCOL, "values", "text of %zu bytes is not UTF-8",
                           out->size);
        }
        return PATIO_OK;
    case PATIO__V1__NODE__KIND_BLOB:
        *out = patio_blob(node->blob.data, node->blob.len);
        return PATIO_OK;
    case PATIO__V1__NODE__KIND_LIST:
        *out = patio_list(NULL, node->list);
        return read_items(r, node->list, false, depth + 1, &out->as.items);
    case PATIO__V1__NODE__KIND_MAP:
        *out = patio_map(NULL, node->map);
        return read_items(r, 2 * (uint64_t)node->map, true, depth + 1, &out->as.items);
    case PATIO__V1__NODE__KIND__NOT_SET:
    case _PATIO__V1__NODE__KIND__CASE_IS_INT_SIZE:
    default:
        *out = patio_null();
        return PATIO_OK;
    }
}

static patio_status read_items(reader *r, uint64_t items, bool keys, unsigned depth,
                               const patio_value **out)
{
    if (depth > PATIO_VALUE_DEPTH_MAX) {
        return pt_fail(r->err, PATIO_PROTOCOL, "values", "lists and maps nest deeper than %u",
                       PATIO_VALUE_DEPTH_MAX);
    }
    if (items > r->count - r->used) {
        return pt_fail(r->err, PATIO_PROTOCOL, "values",
                       "a list or map promises %llu values where %zu are left",
                       (unsigned long long)items, r->count - r->used);
    }
    if (items == 0) {
        *out = NULL;
        return PATIO_OK;
    }
    patio_value *values = pt_arena_alloc(r->arena, (size_t)items * sizeof(*values));
    if (values == NULL) {
        return pt_arena_fail(r->arena, "values", "decoding", r->err);
    }
    for (size_t i = 0; i < items; i++) {
        if (r->used >= r->count) {
            return pt_fail(r->err, PATIO_PROTOCOL, "values", "values end early");
        }
        patio_status st = read_value(r, depth, &values[i]);
        if (st != PATIO_OK) {
            return st;
        }
        if (keys && i % 2 == 0 && values[i].type != PATIO_TYPE_STRING) {
            return pt_fail(r->err, PATIO_PROTOCOL, "values", "a map has a key that is not text");
        }
    }
    *out = values;
    return PATIO_OK;
}

patio_status pt_decode_values(pt_arena *arena, patio_bytes bytes, pt_values *out, patio_error *err)
{
    ProtobufCMessage *message = NULL;
    patio_status      st =
        pt_unpack(arena, &patio__v1__values__descriptor, bytes, "values", &message, err);
    if (st != PATIO_OK) {
        return st;
    }
    const Patio__V1__Values *values = (const Patio__V1__Values *)(const void *)message;

    reader    r = {.nodes = values->nodes, .count = values->n_nodes, .arena = arena, .err = err};
    pt_values v = {.count = values->positional};
    st          = read_items(&r, values->positional, false, 0, &v.positional);
    if (st != PATIO_OK) {
        return st;
    }
    v.keywords = patio_map(NULL, values->keyword);
    /* a map like any other: it counts for the depth, as when it is written */
    st = read_items(&r, 2 * (uint64_t)values->keyword, true, 1, &v.keywords.as.items);
    if (st != PATIO_OK) {
        return st;
    }
    if (r.used != r.count) {
        return pt_fail(err, PATIO_PROTOCOL, "values", "%zu values belong to nothing",
                       r.count - r.used);
    }
    *out = v;
    return PATIO_OK;
}
