#include "redis.h"

static const char digits[] = "0123456789abcdef";

void bytes_to_hex(const uint8_t *data, size_t size, char *hex)
{
    for (size_t i = 0; i < size; i++) {
        hex[2 * i]     = digits[data[i] >> 4];
        hex[2 * i + 1] = digits[data[i] & 15];
    }
    hex[2 * size] = '\0';
}

void id_to_hex(const patio_id *id, char hex[33])
{
    bytes_to_hex(id->bytes, sizeof(id->bytes), hex);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool id_from_hex(const char *hex, size_t size, patio_id *id)
{
    if (size != 2 * sizeof(id->bytes)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        int high = digit(hex[2 * i]);
        int low  = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        id->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool number(const char *text, size_t size, uint64_t *out)
{
    uint64_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || n > (UINT64_MAX - 9) / 10) {
            return false;
        }
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    *out = n;
    return size > 0;
}

bool place_parse(const char *text, size_t size, place *at)
{
    const char *dash = memchr(text, '-', size);
    return dash != NULL && number(text, (size_t)(dash - text), &at->ms) &&
           number(dash + 1, size - (size_t)(dash - text) - 1, &at->seq);
}
