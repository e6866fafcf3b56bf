/* Trees of values as columns in pre-order: proto/patio/v1/values.proto. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "wire/kinds.h"
#include "wire/payload.h"

static patio_status measure(const patio_value *v, unsigned depth, columns *need, patio_error *err);

static patio_status measure_items(const patio_value *v, unsigned depth, columns *need,
                                  patio_error *err)
{
    bool   map   = v->type == PATIO_TYPE_MAP;
    size_t items = map ? 2 * v->size : v->size;
    if (depth >= PATIO_VALUE_DEPTH_MAX) {
        return pt_fail(err, PATIO_INVALID, "values", "lists and maps nest deeper than %u",
                       PATIO_VALUE_DEPTH_MAX);
    }
    if (v->size > UINT32_MAX / 2 || (v->size > 0 && v->as.items == NULL)) {
        return pt_fail(err, PATIO_INVALID, "values", "%s of %zu items without items",
                       patio_type_name(v->type), v->size);
    }
    for (size_t i = 0; i < items; i++) {
        if (map && i % 2 == 0 && v->as.items[i].type != PATIO_TYPE_STRING) {
            return pt_fail(err, PATIO_INVALID, "values", "key %zu of a map is %s, not a string",
                           i / 2, patio_type_name(v->as.items[i].type));
        }
        patio_status st = measure(&v->as.items[i], depth + 1, need, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    return PATIO_OK;
}

/* What a value needs of each column; checks everything that can be wrong with it. The recursion is
 * bounded by PATIO_VALUE_DEPTH_MAX. */
static patio_status measure(const patio_value *v, unsigned depth, columns *need, patio_error *err)
{
    need->kinds++;
    switch (v->type) {
    case PATIO_TYPE_NULL:
    case PATIO_TYPE_BOOL:
        return PATIO_OK;
    case PATIO_TYPE_INT64:
        need->ints++;
        return PATIO_OK;
    case PATIO_TYPE_UINT64:
        need->uints++;
        return PATIO_OK;
    case PATIO_TYPE_DOUBLE:
        need->reals++;
        return PATIO_OK;
    case PATIO_TYPE_STRING:
        need->blobs++;
        if (v->size > 0 && (v->as.string == NULL || !pt_is_utf8(v->as.string, v->size))) {
            return pt_fail(err, PATIO_INVALID, "values",
                           "string of %zu bytes is not UTF-8; use bytes", v->size);
        }
        return PATIO_OK;
    case PATIO_TYPE_BYTES:
        need->blobs++;
        return v->size == 0 || v->as.bytes != NULL
                   ? PATIO_OK
                   : pt_fail(err, PATIO_INVALID, "values", "bytes have a size but no data");
    case PATIO_TYPE_LIST:
    case PATIO_TYPE_MAP:
        need->sizes++;
        return measure_items(v, depth, need, err);
    default:
        return pt_fail(err, PATIO_INVALID, "values", "value of unknown type %u", v->type);
    }
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

/* Columns have room for what was measured; their counts say how much is used. */
static void write_value(Patio__V1__Values *w, const patio_value *v)
{
    uint8_t kind  = KIND_NULL;
    size_t  items = 0;
    switch (v->type) {
    case PATIO_TYPE_BOOL:
        kind = v->as.boolean ? KIND_TRUE : KIND_FALSE;
        break;
    case PATIO_TYPE_INT64:
        kind                 = KIND_INT;
        w->ints[w->n_ints++] = v->as.i64;
        break;
    case PATIO_TYPE_UINT64:
        kind                   = KIND_UINT;
        w->uints[w->n_uints++] = v->as.u64;
        break;
    case PATIO_TYPE_DOUBLE:
        kind                   = KIND_REAL;
        w->reals[w->n_reals++] = v->as.f64;
        break;
    case PATIO_TYPE_STRING:
    case PATIO_TYPE_BYTES:
        kind                   = v->type == PATIO_TYPE_STRING ? KIND_TEXT : KIND_BLOB;
        w->blobs[w->n_blobs++] = binary(v->as.bytes, v->size);
        break;
    case PATIO_TYPE_LIST:
    case PATIO_TYPE_MAP:
        kind                   = v->type == PATIO_TYPE_LIST ? KIND_LIST : KIND_MAP;
        items                  = v->type == PATIO_TYPE_LIST ? v->size : 2 * v->size;
        w->sizes[w->n_sizes++] = (uint32_t)v->size;
        break;
    default:
        break;
    }
    w->kinds.data[w->kinds.len++] = kind;
    for (size_t i = 0; i < items; i++) {
        write_value(w, &v->as.items[i]);
    }
}

static void *room(pt_arena *arena, size_t count, size_t size_bytes, bool *failed)
{
    size_t bytes = 0;
    if (count == 0 || *failed) {
        return NULL;
    }
    void *p =
        __builtin_mul_overflow(count, size_bytes, &bytes) ? NULL : pt_arena_alloc(arena, bytes);
    *failed = p == NULL;
    return p;
}

static bool make_room(Patio__V1__Values *w, pt_arena *arena, const columns *need)
{
    bool failed   = false;
    w->kinds.data = room(arena, need->kinds, 1, &failed);
    w->ints       = room(arena, need->ints, sizeof(*w->ints), &failed);
    w->uints      = room(arena, need->uints, sizeof(*w->uints), &failed);
    w->reals      = room(arena, need->reals, sizeof(*w->reals), &failed);
    w->blobs      = room(arena, need->blobs, sizeof(*w->blobs), &failed);
    w->sizes      = room(arena, need->sizes, sizeof(*w->sizes), &failed);
    return !failed;
}

patio_status pt_values_from_payload(Patio__V1__Values *out, pt_arena *arena,
                                    const patio_payload *payload, patio_error *err)
{
    columns need = {0};
    if (payload->value_count > UINT32_MAX || payload->keyword_count > UINT32_MAX / 2 ||
        (payload->value_count > 0 && payload->values == NULL)) {
        return pt_fail(err, PATIO_INVALID, "values", "%zu arguments without values",
                       payload->value_count);
    }
    for (size_t i = 0; i < payload->value_count; i++) {
        patio_status st = measure(&payload->values[i], 0, &need, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    if (payload->keyword_count > 0) {
        /* the keywords are a map without a head, and no deeper than an argument */
        columns      none     = {0};
        patio_value  keywords = patio_map(payload->keywords, payload->keyword_count);
        patio_status st =
            measure_items(&keywords, 0, payload->keywords != NULL ? &need : &none, err);
        if (st != PATIO_OK) {
            return st;
        }
    }
    patio__v1__values__init(out);
    if (!make_room(out, arena, &need)) {
        return pt_arena_fail(arena, "values", "encoding", err);
    }
    for (size_t i = 0; i < payload->value_count; i++) {
        write_value(out, &payload->values[i]);
    }
    for (size_t i = 0; i < 2 * payload->keyword_count; i++) {
        write_value(out, &payload->keywords[i]);
    }
    out->positional = (uint32_t)payload->value_count;
    out->keyword    = (uint32_t)payload->keyword_count;
    return PATIO_OK;
}

size_t pt_values_bound(const Patio__V1__Values *values, size_t enough)
{
    enum { HEADS = 7 * (1 + 10), NUMBER = 10, BLOB = 1 + 10 };
    size_t bound = HEADS + values->kinds.len;
    bound += NUMBER * (values->n_ints + values->n_uints + values->n_reals + values->n_sizes);
    for (size_t i = 0; i < values->n_blobs && bound <= enough; i++) {
        bound += BLOB + values->blobs[i].len;
    }
    return bound;
}
