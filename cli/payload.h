/* payload.h: words of the command line, or standard input, as what a task gets. */
#ifndef CLI_PAYLOAD_H
#define CLI_PAYLOAD_H

#include <patio/value.h>

typedef struct cli_payload {
    patio_value *args;
    size_t       arg_count;
    patio_value *keywords; /* name, value, name, value … */
    size_t       keyword_count;
    patio_bytes  raw;
} cli_payload;

/* One value from one word: JSON if the whole word is JSON, else a string of just that word.
 * INVALID: it is JSON, but not a value (json.h). */
patio_status cli_value_from_word(const char *word, patio_value *out, patio_error *err);

/* Add a positional argument, or a keyword argument "name=word". INVALID says which one and why. */
patio_status cli_payload_add(cli_payload *payload, const char *word, patio_error *err);
patio_status cli_payload_add_keyword(cli_payload *payload, const char *pair, patio_error *err);
/* Read standard input to its end. TOO_LARGE beyond 1 GiB, IO. */
patio_status cli_payload_read(cli_payload *payload, patio_error *err);
void         cli_payload_fini(cli_payload *payload);

#endif
