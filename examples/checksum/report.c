#include "report.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"

static cause *find_cause(report *r, const char *name)
{
    for (size_t i = 0; i < r->cause_count; i++) {
        if (strncmp(r->causes[i].name, name, sizeof(r->causes[i].name) - 1) == 0) {
            return &r->causes[i];
        }
    }
    if (r->cause_count == CAUSES_MAX) {
        return &r->causes[CAUSES_MAX - 1];
    }
    cause *made = &r->causes[r->cause_count++];
    (void)snprintf(made->name, sizeof(made->name), "%s",
                   r->cause_count < CAUSES_MAX ? name : "other causes");
    return made;
}

void report_failure(report *r, const char *cause_name, const char *name, const char *why)
{
    cause *c = find_cause(r, cause_name);
    if (c->count < EXAMPLES_MAX) {
        size_t size = strlen(name) + strlen(why) + 3;
        char  *text = got(malloc(size));
        (void)snprintf(text, size, "%s: %s", name, why);
        c->examples[c->count] = text;
    }
    c->count++;
    r->failed++;
}

/* Nothing of a file's name reaches the terminal as a command to it. */
static void print_safely(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (iscntrl(c)) {
            (void)fprintf(out, "\\%03o", c);
        } else {
            (void)putc(c, out);
        }
    }
}

static void print_failures(const report *r, FILE *out)
{
    (void)fprintf(out, "failures  %" PRIu64 "\n", r->failed);
    for (size_t i = 0; i < r->cause_count; i++) {
        const cause *c = &r->causes[i];
        (void)fprintf(out, "  %s  %" PRIu64 "\n", c->name, c->count);
        for (size_t e = 0; e < EXAMPLES_MAX && c->examples[e] != NULL; e++) {
            (void)fputs("    ", out);
            print_safely(c->examples[e], out);
            (void)putc('\n', out);
        }
        if (c->count > EXAMPLES_MAX) {
            (void)fprintf(out, "    and %" PRIu64 " more\n", c->count - EXAMPLES_MAX);
        }
    }
}

void report_print(const report *r, FILE *out)
{
    double seconds = (double)(r->end_ns - r->begin_ns) / (double)NS_PER_S;
    double rate    = seconds > 0.0 ? 1.0 / seconds : 0.0;
    (void)fprintf(out, "files     %" PRIu64 "\n", r->files);
    (void)fprintf(out, "bytes     %" PRIu64 "\n", r->bytes);
    (void)fprintf(out, "elapsed   %.3f s\n", seconds);
    (void)fprintf(out, "rate      %.1f MB/s, %.0f tasks/s\n", (double)r->bytes * rate / 1e6,
                  (double)r->latency.count * rate);
    (void)fprintf(out, "per task  p50 %.3f ms, p99 %.3f ms, from start to done, waiting included\n",
                  (double)histogram_percentile(&r->latency, 50.0) / (double)NS_PER_MS,
                  (double)histogram_percentile(&r->latency, 99.0) / (double)NS_PER_MS);
    print_failures(r, out);
}

void report_fini(report *r)
{
    for (size_t i = 0; i < r->cause_count; i++) {
        for (size_t e = 0; e < EXAMPLES_MAX; e++) {
            free(r->causes[i].examples[e]);
        }
    }
}
