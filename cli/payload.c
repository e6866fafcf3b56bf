#include "payload.h"

#include <errno.h>
#include <unistd.h>

#include <patio/plugin_util.h>

#include "alloc.h"
#include "base/text.h"
#include "json.h"
#include "parse.h"

/* Far above any sensible body limit; only there to end a pipe that never ends. */
#define INPUT_MAX_BYTES ((size_t)1 << 30)

patio_status cli_value_from_word(const char *word, patio_value *out, patio_error *err)
{
    switch (cli_json_parse(word, out, err)) {
    case CLI_JSON_OK:
        return PATIO_OK;
    case CLI_JSON_NOT:
        if (!pt_is_utf8(word, strlen(word))) {
            return patio_fail(err, PATIO_INVALID, 0,
                              "not UTF-8; send bytes as {\"$bytes\": \"<base64>\"} or by --stdin");
        }
        *out = cli_value_string(word, strlen(word));
        return PATIO_OK;
    case CLI_JSON_REFUSED:
        break;
    }
    return PATIO_INVALID;
}

patio_status cli_payload_add(cli_payload *payload, const char *word, patio_error *err)
{
    patio_error  why   = PATIO_ERROR_INIT;
    size_t       count = payload->arg_count;
    patio_value  value;
    patio_status st = cli_value_from_word(word, &value, &why);
    if (st != PATIO_OK) {
        return patio_fail(err, st, 0, "argument %zu: %s", count + 1, why.message);
    }
    payload->args        = cli_resize(payload->args, count + 1, sizeof(*payload->args));
    payload->args[count] = value;
    payload->arg_count++;
    return PATIO_OK;
}

static bool has_keyword(const cli_payload *payload, const char *name, size_t size)
{
    for (size_t i = 0; i < payload->keyword_count; i++) {
        const patio_value *known = &payload->keywords[2 * i];
        if (known->size == size && memcmp(known->as.string, name, size) == 0) {
            return true;
        }
    }
    return false;
}

patio_status cli_payload_add_keyword(cli_payload *payload, const char *pair, patio_error *err)
{
    size_t      size;
    const char *word;
    if (!cli_parse_pair(pair, &size, &word)) {
        return patio_fail(err, PATIO_INVALID, 0, "--kw wants NAME=VALUE, not \"%s\"", pair);
    }
    if (has_keyword(payload, pair, size)) {
        return patio_fail(err, PATIO_INVALID, 0, "keyword argument \"%.*s\" is given twice",
                          (int)size, pair);
    }
    patio_error  why = PATIO_ERROR_INIT;
    patio_value  value;
    patio_status st = cli_value_from_word(word, &value, &why);
    if (st != PATIO_OK) {
        return patio_fail(err, st, 0, "keyword argument \"%.*s\": %s", (int)size, pair,
                          why.message);
    }
    size_t used             = 2 * payload->keyword_count;
    payload->keywords       = cli_resize(payload->keywords, used + 2, sizeof(*payload->keywords));
    payload->keywords[used] = cli_value_string(pair, size);
    payload->keywords[used + 1] = value;
    payload->keyword_count++;
    return PATIO_OK;
}

patio_status cli_payload_read(cli_payload *payload, patio_error *err)
{
    size_t   room = (size_t)1 << 16;
    size_t   size = 0;
    uint8_t *data = cli_alloc(room);
    for (;;) {
        ssize_t got = read(STDIN_FILENO, data + size, room - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            cli_free(data);
            return patio_fail(err, PATIO_IO, errno, "read standard input: %s", strerror(errno));
        }
        if (got == 0) {
            break;
        }
        size += (size_t)got;
        if (size >= INPUT_MAX_BYTES) {
            cli_free(data);
            return patio_fail(err, PATIO_TOO_LARGE, 0, "standard input is longer than %zu bytes",
                              INPUT_MAX_BYTES - 1);
        }
        if (size == room) {
            room *= 2;
            data = cli_resize(data, room, 1);
        }
    }
    payload->raw = (patio_bytes){data, size};
    return PATIO_OK;
}

static void free_values(patio_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cli_value_free(&values[i]);
    }
    cli_free(values);
}

void cli_payload_fini(cli_payload *payload)
{
    free_values(payload->args, payload->arg_count);
    free_values(payload->keywords, 2 * payload->keyword_count);
    patio_value raw = patio_blob(payload->raw.data, payload->raw.size);
    cli_value_free(&raw);
    *payload = (cli_payload){0};
}
