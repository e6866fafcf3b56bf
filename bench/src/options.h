/* options.h: the command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_MODE_CALL, BENCH_MODE_SEND, BENCH_MODE_QUEUE };
enum { BENCH_COMPLETION_WAIT, BENCH_COMPLETION_CALLBACK };

#define BENCH_SETTINGS_MAX 32u

/* Texts are borrowed from argv. */
typedef struct bench_options {
    const char *url;
    const char *executor;                     /* NULL: patio's default */
    const char *workers;                      /* NULL: patio's default */
    const char *project;                      /* NULL: patio's default */
    const char *settings[BENCH_SETTINGS_MAX]; /* "key=value" */
    size_t      setting_count;
    int         mode;       /* BENCH_MODE_… */
    int         completion; /* BENCH_COMPLETION_… */
    int         pin;        /* BENCH_PIN_… */
    uint64_t    in_flight;  /* per calling thread */
    uint64_t    count;      /* of all calling threads together */
    uint64_t    size_bytes;
    uint64_t    repeat;
    uint64_t    threads;
    uint64_t    max_seconds;
    bool        remote;
    bool        floors;
    bool        json;
    bool        count_allocations;
} bench_options;

/* Fills *out, or ends the process as argp does (help, wrong command line). */
void        bench_options_parse(int argc, char **argv, bench_options *out);
const char *bench_mode_name(int mode);
const char *bench_completion_name(int completion);

#endif
