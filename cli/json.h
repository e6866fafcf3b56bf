/* json.h: JSON text <-> patio_value, exactly. docs/cli.md has the mapping for users.
 *
 *   integers      int64 where they fit, else uint64; larger ones are refused, never rounded
 *   1.0, 1e3      double, written in the fewest digits that read back the same
 *   bytes         {"$bytes": "<base64>"}
 *   NaN, ±inf     {"$double": "NaN" | "Infinity" | "-Infinity"}: JSON has no words for them
 *   a map that has only one of these keys: {"$map": {…}} around it, so that it stays a map
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <patio/value.h>

struct json_object;

typedef enum cli_json_verdict {
    CLI_JSON_OK,
    CLI_JSON_NOT,     /* not JSON by RFC 8259 */
    CLI_JSON_REFUSED, /* JSON, but it cannot be a value: `err` says why */
} cli_json_verdict;

/* Is `text` one JSON text of RFC 8259, alone, with numbers and strings that a value can hold?
 * json-c alone would take "00" and NaN, and would round large integers silently. */
cli_json_verdict cli_json_check(const char *text, patio_error *err);

/* Read one JSON text. OK: *out owns all it points to; free it with cli_value_free. */
cli_json_verdict cli_json_parse(const char *text, patio_value *out, patio_error *err);
/* A value made by cli_json_parse or cli_value_string. */
void cli_value_free(patio_value *value);
/* A string value with memory of its own. */
patio_value cli_value_string(const char *text, size_t size);

/* *out gets one reference (NULL is JSON's null). INVALID: a map key holds a NUL character, which
 * json-c cannot hold; TOO_LARGE: a string beyond 2 GiB; NO_MEMORY. */
patio_status cli_json_write(const patio_value *value, struct json_object **out, patio_error *err);
/* Shortest text that reads back as the same double, always with '.' or 'e' ("nan", "inf" else). */
enum { CLI_DOUBLE_TEXT = 40 };
void cli_double_text(double number, char text[CLI_DOUBLE_TEXT]);

/* Text of a tree on one line, borrowed from it. */
const char *cli_json_line(struct json_object *tree);

#endif
