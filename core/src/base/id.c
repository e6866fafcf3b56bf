#include "base/id.h"

#include <patio/call.h>

#include <string.h>

static const char digits[] = "0123456789abcdef";

void patio_id_format(patio_id id, char text[33])
{
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        text[2 * i]     = digits[id.bytes[i] >> 4];
        text[2 * i + 1] = digits[id.bytes[i] & 15];
    }
    text[32] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

patio_status patio_id_parse(const char *text, patio_id *out)
{
    if (strnlen(text, 33) != 32) {
        return PATIO_INVALID;
    }
    patio_id id;
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        int high = digit(text[2 * i]);
        int low  = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return PATIO_INVALID;
        }
        id.bytes[i] = (uint8_t)(high * 16 + low);
    }
    *out = id;
    return PATIO_OK;
}

patio_id pt_id_make(uint64_t incarnation, uint64_t number)
{
    patio_id id;
    for (size_t i = 0; i < 8; i++) {
        id.bytes[i]     = (uint8_t)(incarnation >> (56 - 8 * i));
        id.bytes[8 + i] = (uint8_t)(number >> (56 - 8 * i));
    }
    return id;
}

void pt_id_split(const patio_id *id, uint64_t *incarnation, uint64_t *number)
{
    uint64_t parts[2] = {0, 0};
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        parts[i / 8] = parts[i / 8] << 8 | id->bytes[i];
    }
    *incarnation = parts[0];
    *number      = parts[1];
}
