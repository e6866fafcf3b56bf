/* sim/world.h: an executor whose jobs run when the test says so, on the test's thread. The test
 * hands the address of a world to it as an option. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <patio/executor.h>

enum { SIM_JOBS = 64, SIM_WORLDS = 4 };

typedef struct sim_world {
    const patio_executor_events *events;
    patio_job                   *jobs[SIM_JOBS];
    uint32_t                     count;
    uint32_t                     slots;
} sim_world;

#endif
