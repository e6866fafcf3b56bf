#include "base64.h"

#include <string.h>

#include "alloc.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *cli_base64_encode(patio_bytes bytes)
{
    char  *text = cli_alloc((bytes.size + 2) / 3 * 4 + 1);
    size_t used = 0;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t   left  = bytes.size - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes.data[i + 2] : 0;
        text[used++] = alphabet[group >> 18];
        text[used++] = alphabet[group >> 12 & 63];
        text[used++] = left > 1 ? alphabet[group >> 6 & 63] : '=';
        text[used++] = left > 2 ? alphabet[group & 63] : '=';
    }
    text[used] = '\0';
    return text;
}

/* 0..63, or -1 for a character outside the alphabet. */
static int digit(char c)
{
    const char *place = c != '\0' ? strchr(alphabet, c) : NULL;
    return place != NULL ? (int)(place - alphabet) : -1;
}

/* One group of four characters into up to three bytes; how many, or 0 if it is malformed. */
static size_t decode_group(const char *in, bool last, uint8_t *out)
{
    size_t   padding = last && in[3] == '=' ? (in[2] == '=' ? 2 : 1) : 0;
    uint32_t group   = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? digit(in[i]) : 0;
        if (value < 0) {
            return 0;
        }
        group = group << 6 | (uint32_t)value;
    }
    uint32_t beyond = padding == 2 ? 0xFFFF : padding == 1 ? 0xFF : 0;
    if ((group & beyond) != 0) {
        return 0;
    }
    size_t count = 3 - padding;
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)(group >> (16 - 8 * i));
    }
    return count;
}

bool cli_base64_decode(const char *text, size_t size, patio_bytes *out)
{
    if (size % 4 != 0) {
        return false;
    }
    uint8_t *data = cli_alloc(size / 4 * 3);
    size_t   used = 0;
    for (size_t i = 0; i < size; i += 4) {
        size_t count = decode_group(text + i, i + 4 == size, data + used);
        if (count == 0) {
            cli_free(data);
            return false;
        }
        used += count;
    }
    *out = (patio_bytes){data, used};
    return true;
}
