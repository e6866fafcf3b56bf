/* The task of patio-checksum as a module, for workers that are started by the command:
 *     patio worker -b 'tcp+listen://0.0.0.0:15383?key=env:KEY' -m checksum */
#include "task.h"

PATIO_TASK_MODULE(checksum_task_add)
