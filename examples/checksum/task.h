/* task.h: the task "checksum.sha256".
 *
 * Argument: the path of a file, as bytes or as a string (a path need not be UTF-8).
 * Result:   {"sha256": 64 hexadecimal digits, "bytes": how many were read}
 * Errors:   "Unreadable", code errno, details {"path": bytes, "errno": number, "step": what failed}
 *           "ArgumentError", "Digest"
 */
#ifndef CHECKSUM_TASK_H
#define CHECKSUM_TASK_H

#include <patio/patio.h>

#define CHECKSUM_TASK "checksum.sha256"

PATIO_CHECKED patio_status checksum_task_add(patio_registry *registry, patio_error *err);
/* After the registry's last use. */
void checksum_task_fini(void);

#endif
