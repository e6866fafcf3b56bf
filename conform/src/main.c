/* main.c: `patio conform`. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"
#include "report.h"
#include "request.h"

enum { CASES_MAX = 512 };

static bool within(const kit_range *list, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (number >= list[i].first && number <= list[i].last) {
            return true;
        }
    }
    return false;
}

static size_t choose(const kit_request *r, const kit_case **out)
{
    size_t   count = 0;
    uint32_t kind  = strcmp(r->options.kind, "executor") == 0 ? KIT_EXECUTOR : 0;
    for (size_t g = 0; kit_groups[g] != NULL; g++) {
        for (const kit_case *c = kit_groups[g]; c->number != 0; c++) {
            if ((r->list || (c->flags & KIT_EXECUTOR) == kind) &&
                (r->only_count == 0 || within(r->only, r->only_count, c->number)) &&
                !within(r->skip, r->skip_count, c->number) && count < CASES_MAX) {
                out[count++] = c;
            }
        }
    }
    return count;
}

static void print_list(const kit_case *const *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const kit_case *c = cases[i];
        printf("%4u  %-62s  %s%s%s\n", c->number, c->name, c->rule, c->needs != 0 ? ", needs " : "",
               c->needs != 0 && (c->flags & KIT_EXECUTOR) == 0
                   ? kit_cap_word(c->needs & ~(c->needs - 1))
                   : "");
    }
}

/* In a process of its own, as what it runs later. One that dies of it is a case's affair. */
static bool loads(const kit_options *o)
{
    int   status = 0;
    pid_t pid    = fork();
    if (pid == 0) {
        static kit k;
        k.options = o;
        if (!kit_plugin_load(&k)) {
            (void)fprintf(stderr, "patio conform: %s\n", k.failure);
            _exit(2);
        }
        _exit(0);
    }
    return pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
           WEXITSTATUS(status) != 2;
}

static int run(const kit_request *r)
{
    static const kit_case *cases[CASES_MAX];
    size_t                 count = choose(r, cases);
    if (r->list) {
        print_list(cases, count);
        return 0;
    }
    if (count == 0) {
        (void)fprintf(stderr, "patio conform: no case of that number; --list shows all\n");
        return 2;
    }
    if (!loads(&r->options)) {
        return 2;
    }
    kit_outcome_row *rows = calloc(count, sizeof(*rows));
    if (rows == NULL) {
        abort();
    }
    printf("%s as %s%s%s, seed %llu\n", r->options.plugin, r->options.kind,
           r->options.url != NULL ? " at " : "", r->options.url != NULL ? "its URL" : "",
           (unsigned long long)r->options.seed);
    kit_run_all(&r->options, cases, count, rows, kit_report_row);
    kit_report_end(rows, count);
    int code = 0;
    for (size_t i = 0; i < count; i++) {
        code = rows[i].result == KIT_FAILED ? 1 : code;
    }
    if ((r->json != NULL && !kit_report_json(r->json, &r->options, rows, count)) ||
        (r->junit != NULL && !kit_report_junit(r->junit, &r->options, rows, count))) {
        (void)fprintf(stderr, "patio conform: the report could not be written\n");
        code = 2;
    }
    free(rows);
    return code;
}

int patio_conform_main(int argc, char **argv)
{
    static kit_request r;
    return kit_request_read(&r, argc, argv) ? run(&r) : 2;
}
