/* table.h: rows of text in aligned columns. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

enum { CLI_TABLE_COLUMNS_MAX = 16 };

typedef struct cli_table {
    size_t columns;
    size_t cell_count;
    char **cells;
} cli_table;

/* Add a row of `columns` texts, which are copied; line ends in them become spaces, what else a
 * terminal would act on "?", NULL is "-". The first row is the heading and fixes the number of
 * columns. */
void cli_table_add(cli_table *table, size_t columns, const char *const *texts);
/* Print to standard output, every line beginning with `indent`, and free. */
void cli_table_print(cli_table *table, const char *indent);
/* Free without printing; harmless after it. */
void cli_table_free(cli_table *table);

/* CLI_ROW(table, "a", "b"): one row. */
#define CLI_ROW(table, ...)                                                                        \
    do {                                                                                           \
        const char *const row_[] = {__VA_ARGS__};                                                  \
        _Static_assert(sizeof(row_) / sizeof(row_[0]) <= CLI_TABLE_COLUMNS_MAX, "columns fit");    \
        cli_table_add((table), sizeof(row_) / sizeof(row_[0]), row_);                              \
    } while (0)

#endif
