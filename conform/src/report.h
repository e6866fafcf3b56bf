/* report.h: cases are run, and their results told. */
#ifndef CONFORM_REPORT_H
#define CONFORM_REPORT_H

#include "kit.h"

typedef struct kit_outcome_row {
    const kit_case *self;
    uint32_t        result;
    uint64_t        took_ms;
    char            text[KIT_TEXT];
    char            note[KIT_TEXT];
} kit_outcome_row;
void kit_run_here(const kit_options *o, const kit_case *c, kit_outcome_row *row);
void kit_run_all(const kit_options *o, const kit_case *const *cases, size_t count,
                 kit_outcome_row *rows, void (*done)(const kit_outcome_row *row));
/* What a plugin has said, as text for all three. */
void kit_report_clean(kit_outcome_row *row);
void kit_report_row(const kit_outcome_row *row);
void kit_report_end(const kit_outcome_row *rows, size_t count);
bool kit_report_json(const char *path, const kit_options *o, const kit_outcome_row *rows,
                     size_t count);
bool kit_report_junit(const char *path, const kit_options *o, const kit_outcome_row *rows,
                      size_t count);

#endif
