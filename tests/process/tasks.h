/* process/tasks.h: tasks that do to their process what no task should. */
#ifndef PROCESS_TASKS_H
#define PROCESS_TASKS_H

#include <patio/patio.h>

patio_status make_registry(patio_registry **out, patio_error *err);

#endif
