/* The text of one option by its type: integers, booleans, durations, sizes, choices. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "config/options.h"
#include "config/say.h"

enum outcome { PARSED, MALFORMED, OVERFLOWED, TOO_FINE };

typedef struct unit {
    const char *name;
    int64_t     factor;
} unit;

static const unit time_units[] = {
    {"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};
static const unit size_units[] = {
    {"", 1},      {"B", 1},        {"KiB", 1 << 10},   {"MiB", 1 << 20}, {"GiB", 1 << 30},
    {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {NULL, 0},
};

const char *pt_option_type_name(uint32_t type)
{
    static const char *const names[] = {
        [PATIO_OPTION_STRING] = "string", [PATIO_OPTION_INT] = "integer",
        [PATIO_OPTION_BOOL] = "boolean",  [PATIO_OPTION_MS] = "duration",
        [PATIO_OPTION_SIZE] = "size",     [PATIO_OPTION_SECRET] = "secret",
        [PATIO_OPTION_CHOICE] = "choice",
    };
    return type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown type";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits at *at as a number of the given sign (1 or -1) and moves behind them. */
static enum outcome read_digits(const char **at, int sign, int64_t *number)
{
    const char *p          = *at;
    int64_t     value      = 0;
    bool        overflowed = false;
    if (!is_digit(*p)) {
        return MALFORMED;
    }
    for (; is_digit(*p); p++) {
        overflowed = overflowed || __builtin_mul_overflow(value, 10, &value) ||
                     __builtin_add_overflow(value, sign * (*p - '0'), &value);
    }
    *at     = p;
    *number = value;
    return overflowed ? OVERFLOWED : PARSED;
}

static enum outcome parse_integer(const char *text, int64_t *number)
{
    int          sign    = *text == '-' ? -1 : 1;
    const char  *p       = sign < 0 ? text + 1 : text;
    enum outcome outcome = read_digits(&p, sign, number);
    return *p != '\0' ? MALFORMED : outcome;
}

static enum outcome parse_boolean(const char *text, int64_t *number)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *number = (int64_t)(i % 2);
            return PARSED;
        }
    }
    return MALFORMED;
}

static const unit *find_unit(const unit *units, const char *name)
{
    for (; units->name != NULL; units++) {
        if (strcmp(units->name, name) == 0) {
            return units;
        }
    }
    return NULL;
}

/* The digits behind a decimal point: a numerator over a power of ten. Nine digits are enough for
 * any whole number of milliseconds in a day; what follows must be zeros. */
static enum outcome read_fraction(const char **at, int64_t *numerator, int64_t *scale)
{
    const int64_t max_scale = 1000000000;
    enum outcome  outcome   = is_digit(**at) ? PARSED : MALFORMED;
    for (; is_digit(**at); (*at)++) {
        int digit = **at - '0';
        if (*scale < max_scale) {
            *numerator = *numerator * 10 + digit;
            *scale *= 10;
        } else if (digit != 0) {
            outcome = TOO_FINE;
        }
    }
    return outcome;
}

static enum outcome parse_amount(const char *text, const unit *units, bool may_have_fraction,
                                 int64_t *number)
{
    const char  *p         = text;
    int64_t      whole     = 0;
    int64_t      numerator = 0;
    int64_t      scale     = 1;
    enum outcome outcome   = read_digits(&p, 1, &whole);
    enum outcome fraction  = PARSED;
    if (outcome == MALFORMED) {
        return MALFORMED;
    }
    if (may_have_fraction && *p == '.') {
        p++;
        fraction = read_fraction(&p, &numerator, &scale);
    }
    const unit *used = find_unit(units, p);
    if (used == NULL || fraction == MALFORMED) {
        return MALFORMED;
    }
    int64_t small = numerator * used->factor;
    if (fraction == TOO_FINE || small % scale != 0) {
        return TOO_FINE;
    }
    if (outcome == OVERFLOWED || __builtin_mul_overflow(whole, used->factor, &whole) ||
        __builtin_add_overflow(whole, small / scale, number)) {
        return OVERFLOWED;
    }
    return PARSED;
}

static enum outcome parse_duration(const char *text, int64_t *number)
{
    if (strcmp(text, "none") == 0 || strcmp(text, "forever") == 0 ||
        strcmp(text, "infinite") == 0) {
        *number = INT64_MAX;
        return PARSED;
    }
    return parse_amount(text, time_units, true, number);
}

static patio_status fail_outcome(const patio_option *option, const char *text, enum outcome outcome,
                                 patio_error *err)
{
    static const char *const expected[] = {
        [PATIO_OPTION_INT]  = "an integer",
        [PATIO_OPTION_BOOL] = "a boolean; write true, false, yes, no, on, off, 1 or 0",
        [PATIO_OPTION_MS]   = "a duration; write it like 250ms, 5s, 10min, 2h or 1d",
        [PATIO_OPTION_SIZE] = "a size; write it like 512B, 64KiB, 16MiB, 1GiB or 1MB",
    };
    char quoted[PT_QUOTE_BYTES];
    pt_quote(quoted, text);
    switch (outcome) {
    case OVERFLOWED:
        return pt_fail(err, PATIO_CONFIG, "config", "%s is too large: more than 64 bits", quoted);
    case TOO_FINE:
        return pt_fail(err, PATIO_CONFIG, "config", "%s is not a whole number of milliseconds",
                       quoted);
    case PARSED:
    case MALFORMED:
    default:
        return pt_fail(err, PATIO_CONFIG, "config", "%s is not %s", quoted, expected[option->type]);
    }
}

static patio_status check_range(const patio_option *option, const char *text, int64_t number,
                                patio_error *err)
{
    const char *suffix = option->type == PATIO_OPTION_MS     ? " ms"
                         : option->type == PATIO_OPTION_SIZE ? " bytes"
                                                             : "";
    char        quoted[PT_QUOTE_BYTES];
    if (option->type == PATIO_OPTION_BOOL || (option->min == 0 && option->max == 0)) {
        return PATIO_OK;
    }
    if (number < option->min) {
        return pt_fail(err, PATIO_CONFIG, "config",
                       "%s is less than the smallest allowed, %" PRId64 "%s",
                       pt_quote(quoted, text), option->min, suffix);
    }
    /* a largest value below the smallest would allow nothing: the table only meant a smallest one
     */
    if (number > option->max && option->max >= option->min) {
        return pt_fail(err, PATIO_CONFIG, "config",
                       "%s is more than the largest allowed, %" PRId64 "%s", pt_quote(quoted, text),
                       option->max, suffix);
    }
    return PATIO_OK;
}

static patio_status parse_choice(const patio_option *option, const char *text, int64_t *number,
                                 patio_error *err)
{
    const char *choices = option->choices != NULL ? option->choices : "";
    char        word[64];
    char        best[64];
    pt_near     near;
    pt_near_init(&near, text);
    int64_t position = 0;
    for (const char *p = choices;; p++, position++) {
        size_t size = strcspn(p, "|");
        if (strlen(text) == size && memcmp(p, text, size) == 0) {
            *number = position;
            return PATIO_OK;
        }
        if (size < sizeof(word)) {
            memcpy(word, p, size);
            word[size] = '\0';
            pt_near_try(&near, word);
        }
        if (near.best == word) {
            memcpy(best, word, sizeof(best));
            near.best = best;
        }
        p += size;
        if (*p == '\0') {
            break;
        }
    }
    char quoted[PT_QUOTE_BYTES];
    (void)pt_fail(err, PATIO_CONFIG, "config", "%s is not one of %s", pt_quote(quoted, text),
                  choices);
    if (near.best != NULL) {
        pt_error_add(err, "; did you mean \"%s\"?", near.best);
    }
    return PATIO_CONFIG;
}

patio_status pt_option_parse_number(const patio_option *option, const char *text, int64_t *number,
                                    patio_error *err)
{
    int64_t      value   = 0;
    enum outcome outcome = MALFORMED;
    switch (option->type) {
    case PATIO_OPTION_STRING:
    case PATIO_OPTION_SECRET:
        return PATIO_OK;
    case PATIO_OPTION_CHOICE:
        return parse_choice(option, text, number, err);
    case PATIO_OPTION_INT:
        outcome = parse_integer(text, &value);
        break;
    case PATIO_OPTION_BOOL:
        outcome = parse_boolean(text, &value);
        break;
    case PATIO_OPTION_MS:
        outcome = parse_duration(text, &value);
        break;
    case PATIO_OPTION_SIZE:
        outcome = parse_amount(text, size_units, false, &value);
        break;
    default:
        return pt_fail(err, PATIO_INTERNAL, "config", "option type %u is unknown to this patio",
                       option->type);
    }
    if (outcome != PARSED) {
        return fail_outcome(option, text, outcome, err);
    }
    patio_status status = check_range(option, text, value, err);
    if (status == PATIO_OK) {
        *number = value;
    }
    return status;
}
