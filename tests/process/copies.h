/* copies.h: how many bytes large copies have moved in this process. */
#ifndef PROCESS_COPIES_H
#define PROCESS_COPIES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORTED __attribute__((visibility("default")))

enum { COPIES_LARGE = 64 * 1024 };

extern _Atomic uint64_t copies_copied;  /* by memcpy and memmove */
extern _Atomic uint64_t copies_written; /* by write */

#endif
