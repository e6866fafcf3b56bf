/* module.c: the same tasks for a worker in another process; see --remote. */
#include <patio/registry.h>

#include "tasks.h"

PATIO_TASK_MODULE(bench_tasks_add)
