#include "result.h"

#include <json-c/json.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <patio/plugin_util.h>

#include "alloc.h"
#include "base64.h"
#include "exits.h"
#include "json.h"

int cli_finish_output(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return CLI_EXIT_OK;
    }
    fprintf(stderr, "patio: write to standard output: %s\n", strerror(errno));
    return CLI_EXIT_INTERNAL;
}

static int print_json(const patio_value *value)
{
    patio_error  err  = PATIO_ERROR_INIT;
    json_object *tree = NULL;
    patio_status st   = cli_json_write(value, &tree, &err);
    if (st != PATIO_OK) {
        return cli_fail("print the result", st, &err);
    }
    (void)puts(cli_json_line(tree));
    json_object_put(tree);
    return cli_finish_output();
}

/* Empty data may be a null pointer, which fwrite must not see. */
static void write_data(const void *data, size_t size)
{
    if (size > 0) {
        (void)fwrite(data, 1, size, stdout);
    }
}

static int print_text(const patio_value *value)
{
    char number[CLI_DOUBLE_TEXT];
    switch (value->type) {
    case PATIO_TYPE_STRING:
        write_data(value->as.string, value->size);
        (void)putchar('\n');
        break;
    case PATIO_TYPE_DOUBLE:
        cli_double_text(value->as.f64, number);
        (void)puts(number);
        break;
    default:
        return print_json(value); /* for the other scalars, text and JSON are the same */
    }
    return cli_finish_output();
}

/* Bytes for a program that wants JSON all the same. */
static int print_raw_json(patio_bytes bytes, const char *content_type)
{
    char             *base64  = cli_base64_encode(bytes);
    const patio_value pairs[] = {
        patio_string("$bytes"),
        patio_string(base64),
        patio_string("content_type"),
        patio_string(content_type),
    };
    const patio_value object = patio_map(pairs, 2);
    int               code   = print_json(&object);
    cli_free(base64);
    return code;
}

static int print_raw(patio_future *future, bool json)
{
    patio_bytes bytes;
    const char *content_type = NULL;
    if (patio_future_raw(future, &bytes, &content_type) != PATIO_OK) {
        fputs("patio: the result is of a kind that this version cannot print\n", stderr);
        return CLI_EXIT_INTERNAL;
    }
    if (json) {
        return print_raw_json(bytes, content_type);
    }
    write_data(bytes.data, bytes.size);
    return cli_finish_output();
}

int cli_result_print(patio_future *future, bool json)
{
    const patio_value *value = patio_future_value(future);
    if (value == NULL) {
        return print_raw(future, json);
    }
    return json ? print_json(value) : print_text(value);
}

static void print_details(const patio_value *details)
{
    json_object *tree = NULL;
    if (details == NULL || details->type == PATIO_TYPE_NULL ||
        cli_json_write(details, &tree, NULL) != PATIO_OK) {
        return;
    }
    fprintf(stderr, "patio: details: %s\n", cli_json_line(tree));
    json_object_put(tree);
}

int cli_result_error(patio_future *future, const char *task, patio_status status,
                     const patio_error *err)
{
    const patio_task_error *error = future != NULL ? patio_future_error(future) : NULL;
    if (status == PATIO_TASK_FAILED && error != NULL) {
        flockfile(stderr);
        fprintf(stderr, "patio: task \"%s\" failed: ", task);
        cli_put_text(error->type);
        fprintf(stderr, " (%" PRId32 "): ", error->code);
        cli_put_text(error->message);
        fprintf(stderr, "\n");
        funlockfile(stderr);
        print_details(error->details);
        return CLI_EXIT_TASK;
    }
    char what[300];
    (void)snprintf(what, sizeof(what), "call \"%s\"", task);
    return cli_fail(what, status, err);
}

/* Other people's text on this terminal: nothing in it may move the cursor. */
static void print_note(const char *note)
{
    for (const char *c = note; *c != '\0'; c++) {
        (void)putc((unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c, stderr);
    }
}

void cli_result_progress(patio_future *future, const patio_progress *p, void *unused)
{
    (void)future;
    (void)unused;
    bool terminal = isatty(STDERR_FILENO) != 0;
    flockfile(stderr);
    fputs(terminal ? "\r\033[Kpatio: " : "patio: ", stderr);
    if (p->denominator != 0) {
        fprintf(stderr, "%3.0f %% (%" PRIu64 " of %" PRIu64 ")",
                100.0 * (double)p->numerator / (double)p->denominator, p->numerator,
                p->denominator);
    } else {
        fprintf(stderr, "%" PRIu64, p->numerator);
    }
    if (p->note[0] != '\0') {
        fputs(" ", stderr);
        print_note(p->note);
    }
    if (!terminal || (p->denominator != 0 && p->numerator >= p->denominator)) {
        fputs("\n", stderr);
    }
    (void)fflush(stderr);
    funlockfile(stderr);
}
