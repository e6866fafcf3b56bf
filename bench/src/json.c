/* json.c: the one JSON object. */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>

#include "report.h"

static bool add(struct json_object *object, const char *key, struct json_object *value)
{
    return json_object_object_add(object, key, value) == 0;
}

static bool add_text(struct json_object *object, const char *key, const char *text)
{
    struct json_object *value = text == NULL ? NULL : json_object_new_string(text);
    return (value != NULL || text == NULL) && add(object, key, value);
}

static bool add_count(struct json_object *object, const char *key, uint64_t number)
{
    struct json_object *value = json_object_new_int64((int64_t)number);
    return value != NULL && add(object, key, value);
}

static bool add_bool(struct json_object *object, const char *key, bool truth)
{
    struct json_object *value = json_object_new_boolean(truth);
    return value != NULL && add(object, key, value);
}

/* null if it was not measured; else with no more digits than a clock of nanoseconds can mean. */
static bool add_number(struct json_object *object, const char *key, double number)
{
    if (!isfinite(number)) {
        return add(object, key, NULL);
    }
    char text[64];
    (void)snprintf(text, sizeof(text), fabs(number) < 1.0 ? "%.6f" : "%.3f", number);
    struct json_object *value = json_object_new_double_s(number, text);
    return value != NULL && add(object, key, value);
}

static bool add_group(struct json_object *object, const bench_metrics *m, int group)
{
    bool well = true;
    for (size_t i = 0; i < BENCH_METRIC_COUNT; i++) {
        if (bench_metric_group(i) == group) {
            well = add_number(object, bench_metric_key(i), m->value[i]) && well;
        }
    }
    return well;
}

static bool add_subject(struct json_object *object, const bench_session *s)
{
    const bench_options *opt = s->opt;
    return add_text(object, "transport", s->transport) &&
           add_text(object, "executor", s->executor) && add_text(object, "workers", opt->workers) &&
           add_text(object, "mode", bench_mode_name(opt->mode)) &&
           add_text(object, "completion", bench_completion_name(opt->completion)) &&
           add_bool(object, "remote", opt->remote) &&
           add_count(object, "in_flight", opt->in_flight) &&
           add_count(object, "threads", opt->threads) && add_count(object, "count", s->done) &&
           add_bool(object, "cut_short", s->done < opt->count) &&
           add_count(object, "size_bytes", opt->size_bytes) &&
           add_count(object, "repeats", opt->repeat) &&
           add_text(object, "pin", bench_pin_name(opt->pin)) &&
           add_text(object, "floors_pin", bench_pin_name(s->floor_pin.mode)) &&
           add_count(object, "cores", (uint64_t)s->pin.cores);
}

/* A nested object with one group of numbers. */
static bool add_nested(struct json_object *object, const char *key, const bench_metrics *m,
                       int group)
{
    struct json_object *nested = json_object_new_object();
    return nested != NULL && add(object, key, nested) && add_group(nested, m, group);
}

static bool add_runs(struct json_object *object, const bench_session *s, const bench_metrics *runs)
{
    struct json_object *list = json_object_new_array();
    if (list == NULL || !add(object, "runs", list)) {
        return false;
    }
    for (uint64_t i = 0; i < s->opt->repeat; i++) {
        struct json_object *run = json_object_new_object();
        if (run == NULL || json_object_array_add(list, run) != 0 ||
            !add_group(run, &runs[i], BENCH_GROUP_RESULT)) {
            return false;
        }
    }
    return true;
}

bool bench_report_json(const bench_session *session, const bench_metrics *medians,
                       const bench_metrics *runs)
{
    struct json_object *object = json_object_new_object();
    bool                well   = object != NULL && add_subject(object, session) &&
                add_group(object, medians, BENCH_GROUP_RESULT) &&
                add_nested(object, "floors", medians, BENCH_GROUP_FLOOR) &&
                add_nested(object, "ratios", medians, BENCH_GROUP_RATIO) &&
                add_runs(object, session, runs);
    if (well) {
        const char *text = json_object_to_json_string_ext(
            object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
        well = text != NULL && puts(text) >= 0;
    }
    (void)json_object_put(object);
    return well;
}
