#include "table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

/* What a terminal would act on: C0, DEL, and C1 in UTF-8, of which the first byte goes. Texts come
 * from strangers, such as the names of tasks among the dead letters. */
static bool is_control(const char *c)
{
    unsigned char first = (unsigned char)*c;
    return first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)c[1] < 0xa0);
}

void cli_table_add(cli_table *table, size_t columns, const char *const *texts)
{
    if (table->cell_count == 0) {
        table->columns = columns;
    }
    table->cells =
        cli_resize(table->cells, table->cell_count + table->columns, sizeof(*table->cells));
    for (size_t i = 0; i < table->columns; i++) {
        const char *text = i < columns && texts[i] != NULL ? texts[i] : "-";
        char       *cell = cli_strndup(text, strlen(text));
        for (char *c = cell; *c != '\0'; c++) {
            *c = *c == '\n' ? ' ' : is_control(c) ? '?' : *c;
        }
        table->cells[table->cell_count++] = cell;
    }
}

static void print_row(const cli_table *table, size_t first, const size_t *widths,
                      const char *indent)
{
    printf("%s", indent);
    for (size_t i = 0; i + 1 < table->columns; i++) {
        printf("%-*s  ", (int)widths[i], table->cells[first + i]);
    }
    printf("%s\n", table->cells[first + table->columns - 1]);
}

void cli_table_free(cli_table *table)
{
    for (size_t i = 0; i < table->cell_count; i++) {
        cli_free(table->cells[i]);
    }
    cli_free(table->cells);
    *table = (cli_table){0};
}

void cli_table_print(cli_table *table, const char *indent)
{
    size_t widths[CLI_TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t *width = &widths[i % table->columns];
        size_t  size  = strlen(table->cells[i]);
        *width        = size > *width ? size : *width;
    }
    for (size_t i = 0; i < table->cell_count; i += table->columns) {
        print_row(table, i, widths, indent);
    }
    cli_table_free(table);
}
