#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* Group the digits of a whole number: 1234567 -> 1,234,567; up to 28 bytes. */
static const char *grouped(uint64_t number, char *text)
{
    char   digits[24];
    int    count = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    size_t out   = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) {
            text[out++] = ',';
        }
        text[out++] = digits[i];
    }
    text[out] = '\0';
    return text;
}

/* Three digits that mean something, whatever the size. */
static const char *rounded(double value, char text[32])
{
    if (isnan(value)) {
        (void)snprintf(text, 32, "-");
    } else if (fabs(value) >= 1000.0) {
        text[0] = '-';
        (void)grouped((uint64_t)llround(fabs(value)), value < 0 ? text + 1 : text);
    } else {
        (void)snprintf(text, 32, "%.*f",
                       fabs(value) >= 100.0  ? 0
                       : fabs(value) >= 10.0 ? 1
                                             : 2,
                       value);
    }
    return text;
}

static void print_head(const bench_session *s)
{
    const bench_options *opt = s->opt;
    char                 number[32];
    char                 pin[96];
    bench_pin_describe(&s->pin, pin, sizeof(pin));
    printf("%s", s->transport);
    if (opt->remote) {
        printf(", executed elsewhere");
    } else {
        printf(" + %s", s->executor);
    }
    if (opt->workers != NULL) {
        printf(" (%s workers)", opt->workers);
    }
    printf(" · %s, %" PRIu64 " in flight", bench_mode_name(opt->mode), opt->in_flight);
    if (opt->completion == BENCH_COMPLETION_CALLBACK) {
        printf(", callback");
    }
    printf(" · %" PRIu64 " caller%s · %" PRIu64 " B\n", opt->threads, opt->threads == 1 ? "" : "s",
           opt->size_bytes);
    printf("%s %s", grouped(s->done, number), opt->mode == BENCH_MODE_CALL ? "calls" : "tasks");
    if (s->done < opt->count) {
        printf(" (cut short)");
    }
    printf(" × %" PRIu64 "%s · %s · %d core%s\n\n", opt->repeat, opt->repeat > 1 ? ", medians" : "",
           pin, s->pin.cores, s->pin.cores == 1 ? "" : "s");
}

static void print_latency(const bench_session *s, const bench_metrics *m)
{
    char pin[96];
    char p50[32];
    char p99[32];
    char p999[32];
    bench_pin_describe(&s->pin, pin, sizeof(pin));
    printf("  %-24s %12s %12s %12s\n", "", "p50", "p99", "p99.9");
    printf("  %-24s %12s %12s %12s  µs, %s\n",
           s->opt->mode == BENCH_MODE_CALL ? "call and result" : "until accepted",
           rounded(m->value[BENCH_P50_US], p50), rounded(m->value[BENCH_P99_US], p99),
           rounded(m->value[BENCH_P999_US], p999), pin);
}

/* A row per number; those that were not measured are left out. */
typedef struct row {
    const char *label;
    const char *unit;
    int         metric;
    int         ratio; /* of a floor; -1: none */
} row;

static void print_rows(const bench_metrics *m, const row *rows, size_t count)
{
    char value[32];
    char ratio[32];
    for (size_t i = 0; i < count; i++) {
        if (isnan(m->value[rows[i].metric])) {
            continue;
        }
        (void)rounded(m->value[rows[i].metric], value);
        if (rows[i].ratio < 0 || isnan(m->value[rows[i].ratio])) {
            printf("  %-24s %12s  %s\n", rows[i].label, value, rows[i].unit);
        } else {
            printf("  %-24s %12s  %-14s %10s ×\n", rows[i].label, value, rows[i].unit,
                   rounded(m->value[rows[i].ratio], ratio));
        }
    }
}

void bench_report_text(const bench_session *session, const bench_metrics *medians)
{
    static const row results[] = {
        {"throughput", "per second", BENCH_CALLS_PER_S, -1},
        {"accepted", "per second", BENCH_ACCEPTED_PER_S, -1},
        {"drained after", "ms more", BENCH_DRAIN_MS, -1},
        {"CPU", "us per call, whole process", BENCH_CPU_US, -1},
        {"threads put to sleep", "per call", BENCH_SWITCHES, -1},
        {"allocations", "per call", BENCH_ALLOCATIONS, -1},
        {"memory when queued", "bytes per task, beyond its payload", BENCH_RSS_PER_QUEUED, -1},
    };
    static const row floors[] = {
        {"futex hand-off", "us p50", BENCH_FLOOR_HANDOFF, BENCH_RATIO_HANDOFF},
        {"spin, then futex", "us p50", BENCH_FLOOR_SPIN, BENCH_RATIO_SPIN},
        {"TCP ping-pong", "us p50", BENCH_FLOOR_TCP, BENCH_RATIO_TCP},
        {"process ping-pong", "us p50", BENCH_FLOOR_PAIR, BENCH_RATIO_PAIR},
        {"mutex queue, 256", "per second", BENCH_FLOOR_QUEUE, BENCH_RATIO_QUEUE},
    };
    print_head(session);
    print_latency(session, medians);
    print_rows(medians, results, sizeof(results) / sizeof(results[0]));
    if (session->opt->floors) {
        printf("\n  floors, pin %-42s patio\n", bench_pin_name(session->floor_pin.mode));
        print_rows(medians, floors, sizeof(floors) / sizeof(floors[0]));
    }
}
