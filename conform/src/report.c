/* report.c: for people, as JSON, as JUnit. */
#include <json-c/json.h>
#include <stdlib.h>

#include "base/text.h"
#include "report.h"

static const char *const words[] = {"passed", "FAILED", "refused", "skipped"};

/* A plugin's words go into documents that must be UTF-8. */
static void clean(char *text)
{
    size_t size = strlen(text);
    for (size_t at = 0; at < size; at++) {
        at += pt_utf8_prefix(text + at, size - at);
        if (at < size) {
            text[at] = '?';
        }
    }
}

void kit_report_clean(kit_outcome_row *row)
{
    clean(row->text);
    clean(row->note);
}

void kit_report_row(const kit_outcome_row *row)
{
    printf("%4u  %-7s  %6.2f s  %s", row->self->number, words[row->result],
           (double)row->took_ms / 1000.0, row->self->name);
    if (row->note[0] != '\0') {
        printf("  [%s]", row->note);
    }
    printf("\n");
    if (row->result == KIT_FAILED) {
        printf("               %s\n               rule: %s\n", row->text, row->self->rule);
    }
    (void)fflush(stdout);
}

void kit_report_end(const kit_outcome_row *rows, size_t count)
{
    size_t by[4] = {0};
    for (size_t i = 0; i < count; i++) {
        by[rows[i].result]++;
    }
    printf("%zu cases: %zu passed, %zu failed, %zu refused by name, %zu not applicable\n", count,
           by[KIT_PASSED], by[KIT_FAILED], by[KIT_REFUSED], by[KIT_SKIPPED]);
}

bool kit_report_json(const char *path, const kit_options *o, const kit_outcome_row *rows,
                     size_t count)
{
    json_object *root  = json_object_new_object();
    json_object *cases = json_object_new_array();
    json_object_object_add(root, "plugin", json_object_new_string(o->plugin));
    json_object_object_add(root, "kind", json_object_new_string(o->kind));
    json_object_object_add(root, "version", json_object_new_string(PATIO_VERSION));
    json_object_object_add(root, "seed", json_object_new_uint64(o->seed));
    for (size_t i = 0; i < count; i++) {
        const kit_outcome_row *r = &rows[i];
        json_object           *c = json_object_new_object();
        json_object_object_add(c, "number", json_object_new_int((int32_t)r->self->number));
        json_object_object_add(c, "name", json_object_new_string(r->self->name));
        json_object_object_add(c, "rule", json_object_new_string(r->self->rule));
        json_object_object_add(
            c, "result",
            json_object_new_string(r->result == KIT_FAILED ? "failed" : words[r->result]));
        json_object_object_add(c, "ms", json_object_new_uint64(r->took_ms));
        if (r->text[0] != '\0') {
            json_object_object_add(c, "text", json_object_new_string(r->text));
        }
        if (r->note[0] != '\0') {
            json_object_object_add(c, "note", json_object_new_string(r->note));
        }
        json_object_array_add(cases, c);
    }
    json_object_object_add(root, "cases", cases);
    bool ok = json_object_to_file_ext(path, root, JSON_C_TO_STRING_PRETTY) == 0;
    json_object_put(root);
    return ok;
}

static void print_xml(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            (void)fputs("&lt;", f);
            break;
        case '>':
            (void)fputs("&gt;", f);
            break;
        case '&':
            (void)fputs("&amp;", f);
            break;
        case '"':
            (void)fputs("&quot;", f);
            break;
        default:
            (void)fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
        }
    }
}

static void print_case(FILE *f, const kit_outcome_row *r)
{
    (void)fprintf(f, "  <testcase classname=\"patio.conform\" name=\"%u %s\" time=\"%.3f\">",
                  r->self->number, r->self->name, (double)r->took_ms / 1000.0);
    if (r->result == KIT_FAILED) {
        (void)fputs("<failure message=\"", f);
        print_xml(f, r->text);
        (void)fputs("\"/>", f);
    } else if (r->result != KIT_PASSED) {
        (void)fprintf(f, "<skipped message=\"%s: ", words[r->result]);
        print_xml(f, r->note);
        (void)fputs("\"/>", f);
    }
    (void)fputs("</testcase>\n", f);
}

bool kit_report_junit(const char *path, const kit_options *o, const kit_outcome_row *rows,
                      size_t count)
{
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        return false;
    }
    size_t failed  = 0;
    size_t skipped = 0;
    for (size_t i = 0; i < count; i++) {
        failed += rows[i].result == KIT_FAILED;
        skipped += rows[i].result == KIT_REFUSED || rows[i].result == KIT_SKIPPED;
    }
    (void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"", f);
    print_xml(f, o->plugin);
    (void)fprintf(f, "\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n", count, failed,
                  skipped);
    for (size_t i = 0; i < count; i++) {
        print_case(f, &rows[i]);
    }
    (void)fputs("</testsuite>\n", f);
    return fclose(f) == 0;
}
