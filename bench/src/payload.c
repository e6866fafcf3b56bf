#include "payload.h"

#include <stdlib.h>
#include <string.h>

static size_t stamp_bytes(size_t size)
{
    return size < sizeof(uint64_t) ? size : sizeof(uint64_t);
}

bool bench_payload_init(bench_payload *p, size_t size)
{
    p->size = size;
    p->data = malloc(size + 1); /* malloc(0) may be NULL */
    for (size_t i = 0; p->data != NULL && i < size; i++) {
        p->data[i] = (uint8_t)(i * 131 + 7);
    }
    return p->data != NULL;
}

void bench_payload_fini(bench_payload *p)
{
    free(p->data);
    *p = (bench_payload){0};
}

void bench_payload_stamp(bench_payload *p, uint64_t stamp)
{
    memcpy(p->data, &stamp, stamp_bytes(p->size));
}

bool bench_payload_matches(const bench_payload *p, uint64_t stamp, const patio_value *value)
{
    patio_bytes got;
    if (patio_value_get_bytes(value, &got) != PATIO_OK || got.size != p->size) {
        return false;
    }
    size_t head = stamp_bytes(p->size);
    if (p->size == 0) {
        return true;
    }
    return memcmp(got.data, &stamp, head) == 0 &&
           memcmp(got.data + head, p->data + head, p->size - head) == 0;
}

uint64_t bench_payload_digest(const uint8_t *data, size_t size)
{
    uint64_t x = 0;
    if (size > 0) {
        memcpy(&x, data, stamp_bytes(size));
    }
    /* The finaliser of SplitMix64 (Steele, Lea, Flood, 2014): no two stamps swap unnoticed. */
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
