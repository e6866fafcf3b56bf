/* alloc.h: memory for a program that can do nothing sensible without it. */
#ifndef CHECKSUM_ALLOC_H
#define CHECKSUM_ALLOC_H

#include <stdio.h>
#include <stdlib.h>

/* What an allocation gave; ends the program if that is nothing. */
static inline void *got(void *memory)
{
    if (memory == NULL) {
        (void)fputs("patio-checksum: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

#endif
