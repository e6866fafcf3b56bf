/* Any bytes as values, and as a user's message that contains itself. Values can be encoded again,
 * and are then the same. */
#include <demo.pb-c.h>

#include "wire_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned depth_of(const patio_value *v)
{
    unsigned deepest = 0;
    if (v->type != PATIO_TYPE_LIST && v->type != PATIO_TYPE_MAP) {
        return 0;
    }
    size_t items = v->type == PATIO_TYPE_MAP ? 2 * v->size : v->size;
    for (size_t i = 0; i < items; i++) {
        unsigned depth = depth_of(&v->as.items[i]);
        deepest        = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static void encode_again(const pt_values *values)
{
    const patio_payload payload = {PATIO_SIZED(patio_payload),
                                   .kind          = PATIO_PAYLOAD_VALUES,
                                   .values        = values->positional,
                                   .value_count   = values->count,
                                   .keywords      = values->keywords.as.items,
                                   .keyword_count = values->keywords.size};
    pt_values           again;
    patio_bytes         bytes;
    pt_arena            arena;
    pt_arena_init(&arena, &pt_malloc_allocator, NULL, 0, SIZE_MAX / 2);
    require(pt_encode_values(&arena, &payload, &bytes, NULL) == PATIO_OK);
    require(pt_decode_values(&arena, bytes, &again, NULL) == PATIO_OK);
    require_same_values(values, &again);
    pt_arena_reset(&arena);
}

static void as_message(patio_bytes bytes)
{
    pt_payload_view   view    = {PATIO_PAYLOAD_PROTOBUF, "demo.v1.Tree", bytes};
    ProtobufCMessage *message = NULL;
    patio_error       err     = PATIO_ERROR_INIT;
    fuzz_budget       b;
    fuzz_budget_begin(&b);
    patio_status st =
        pt_decode_message(&b.arena, &view, &demo__v1__tree__descriptor, &message, &err);
    if (st != PATIO_OK) {
        require_refusal(st, &err);
    }
    fuzz_budget_end(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    patio_error err = PATIO_ERROR_INIT;
    pt_values   values;
    fuzz_budget b;
    fuzz_budget_begin(&b);
    patio_status st = pt_decode_values(&b.arena, (patio_bytes){data, size}, &values, &err);
    if (st != PATIO_OK) {
        require_refusal(st, &err);
    } else {
        for (size_t i = 0; i < values.count; i++) {
            require(depth_of(&values.positional[i]) <= PATIO_VALUE_DEPTH_MAX);
        }
        require(depth_of(&values.keywords) <= PATIO_VALUE_DEPTH_MAX);
        encode_again(&values);
    }
    fuzz_budget_end(&b);
    as_message((patio_bytes){data, size});
    return 0;
}
