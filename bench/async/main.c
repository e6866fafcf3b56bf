/* patio-bench-async: what the executor async costs; bench/README.md. */
#include "bench_async.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct wanted {
    bool        quick;
    const char *only;  /* NULL: all */
    unsigned    count; /* 0: as many as usual */
} wanted;

static bool wants(const wanted *w, const char *name)
{
    return w->only == NULL || strcmp(w->only, name) == 0;
}

static unsigned count_of(const wanted *w, unsigned usual)
{
    return w->count != 0 ? w->count : w->quick ? usual / 100 : usual;
}

static int measure(const wanted *w)
{
    int wrong = 0;
    if (wants(w, "switch")) {
        printf("switch           %.1f ns from one stack to another; swapcontext(3): %.1f ns\n",
               bench_switch_own(), bench_switch_ucontext());
    }
    if (wants(w, "yields")) {
        wrong |= bench_yields(1, 1000, count_of(w, 10000));
        wrong |= bench_yields(2, 1000, count_of(w, 10000));
        wrong |= bench_yields(1, 1, count_of(w, 5000000));
    }
    if (wants(w, "tasks-256")) {
        wrong |= bench_yielding_tasks(1, count_of(w, 2000000), 256);
    }
    if (wants(w, "tasks-2048")) {
        wrong |= bench_yielding_tasks(1, count_of(w, 2000000), 2048);
    }
    if (wants(w, "nested")) {
        wrong |= bench_nested(count_of(w, 500000));
    }
    if (wants(w, "sleeps")) {
        wrong |=
            bench_sleeps(1, count_of(w, 100000), w->quick ? 1000 : 2500, w->quick ? 200 : 5000);
    }
    if (wants(w, "idle")) {
        wrong |= bench_idle(1, 1000);
    }
    return wrong;
}

static int usage(int code)
{
    printf("usage: patio-bench-async [--quick] [--only=NAME] [--count=N]\n\n"
           "What the executor async costs: switch, yields, tasks-256, tasks-2048, nested, sleeps "
           "(100,000\ntasks at once) and idle. --only: one of them; --count: so many of what it "
           "counts; --quick:\nfewer of each, as a test.\n");
    return code;
}

static bool is_name(const char *name)
{
    static const char *const names[] = {"switch", "yields", "tasks-256", "tasks-2048",
                                        "nested", "sleeps", "idle"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    wanted w = {.quick = false};
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--quick") == 0) {
            w.quick = true;
        } else if (strncmp(argv[i], "--only=", 7) == 0 && is_name(argv[i] + 7)) {
            w.only = argv[i] + 7;
        } else if (strncmp(argv[i], "--count=", 8) == 0 &&
                   (w.count = (unsigned)strtoul(argv[i] + 8, &end, 10)) > 0 && *end == '\0') {
            continue;
        } else {
            return usage(strcmp(argv[i], "--help") == 0 ? 0 : 2);
        }
    }
    return measure(&w);
}
