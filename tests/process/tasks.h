/* process/tasks.h: tasks that do to their process what no task should. */
#ifndef PROCESS_TASKS_H
#define PROCESS_TASKS_H

#include <patio/patio.h>

typedef struct task_row {
    const char   *name; /* NULL: the last one */
    patio_task_fn fn;
} task_row;

const task_row *calling_tasks(void); /* calling.c */
const task_row *hostile_tasks(void); /* hostile.c */

/* All of them. */
patio_status make_registry(patio_registry **out, patio_error *err);

#endif
