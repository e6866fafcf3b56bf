/* alloc.h: memory of the command itself. A short-lived program has no better answer to a lack of it
 * than to say so and end, so these never return NULL. */
#ifndef CLI_ALLOC_H
#define CLI_ALLOC_H

#include <stddef.h>

void *cli_alloc(size_t size_bytes);
/* Grow an array to `count` items of `item_bytes`; ends the program when the product overflows. */
void *cli_resize(void *pointer, size_t count, size_t item_bytes);
char *cli_strndup(const char *text, size_t size);
/* NULL is allowed. */
void cli_free(void *pointer);

/* A list of borrowed texts. */
typedef struct cli_list {
    const char **items;
    size_t       count;
} cli_list;
void cli_list_add(cli_list *list, const char *item);
void cli_list_fini(cli_list *list);

#endif
