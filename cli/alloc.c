#include "alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"

static _Noreturn void out_of_memory(void)
{
    fputs("patio: out of memory\n", stderr);
    exit(CLI_EXIT_INTERNAL);
}

void *cli_alloc(size_t size_bytes)
{
    void *p = malloc(size_bytes > 0 ? size_bytes : 1);
    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

void *cli_resize(void *pointer, size_t count, size_t item_bytes)
{
    if (item_bytes > 0 && count > SIZE_MAX / item_bytes) {
        out_of_memory();
    }
    size_t size_bytes = count * item_bytes;
    void  *p          = realloc(pointer, size_bytes > 0 ? size_bytes : 1);
    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

char *cli_strndup(const char *text, size_t size)
{
    char *copy = cli_alloc(size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

void cli_free(void *pointer)
{
    free(pointer);
}

void cli_list_add(cli_list *list, const char *item)
{
    list->items                = cli_resize(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = item;
}

void cli_list_fini(cli_list *list)
{
    cli_free(list->items);
    *list = (cli_list){NULL, 0};
}
