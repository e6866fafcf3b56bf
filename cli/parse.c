#include "parse.h"

#include <stdio.h>
#include <string.h>

#include <patio/registry.h>

#include "alloc.h"

enum { MARK = '\x01' };

bool cli_parse_duration(const char *text, uint64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t    factor;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t    number = 0;
    const char *at     = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number)) {
            return false;
        }
    }
    if (at == text) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(at, units[i].unit) == 0) {
            return !__builtin_mul_overflow(number, units[i].factor, ms);
        }
    }
    return false;
}

bool cli_parse_timeout(const char *text, uint64_t *ms)
{
    if (strcmp(text, "forever") == 0) {
        *ms = PATIO_FOREVER;
        return true;
    }
    return cli_parse_duration(text, ms);
}

bool cli_parse_pair(const char *text, size_t *key_size, const char **value)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return false;
    }
    *key_size = (size_t)(equals - text);
    *value    = equals + 1;
    return true;
}

void cli_mark_numbers(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word   = argv[i];
        bool        number = word[0] == '-' && word[1] >= '0' && word[1] <= '9';
        if (number || word[0] == MARK) {
            size_t size   = strlen(word) + 1;
            char  *marked = cli_alloc(size + 1);
            marked[0]     = MARK;
            memcpy(marked + 1, word, size);
            argv[i] = marked;
        }
    }
}

char *cli_unmark(char *word)
{
    return word != NULL && word[0] == MARK ? word + 1 : word;
}
