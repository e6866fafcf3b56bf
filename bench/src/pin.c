#include "pin.h"

#include <stdio.h>

bool bench_pin_plan(int mode, bench_pin *out)
{
    *out = (bench_pin){.mode = mode, .core = {-1, -1}};
    CPU_ZERO(&out->whole);
    if (sched_getaffinity(0, sizeof(out->whole), &out->whole) != 0) {
        return mode == BENCH_PIN_NONE;
    }
    out->cores = CPU_COUNT(&out->whole);
    if (mode == BENCH_PIN_NONE) {
        return true;
    }
    int found = 0;
    for (int core = 0; core < CPU_SETSIZE && found < 2; core++) {
        if (CPU_ISSET((size_t)core, &out->whole)) {
            out->core[found++] = core;
        }
    }
    if (mode == BENCH_PIN_SAME) {
        out->core[BENCH_WORKER] = out->core[BENCH_CALLER];
        return found >= 1;
    }
    return found >= 2;
}

void bench_pin_self(const bench_pin *pin, int side)
{
    if (pin->core[side] < 0) {
        return;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)pin->core[side], &one);
    /* The core was in our own mask a moment ago; if it was taken offline the run is only noisier.
     */
    (void)sched_setaffinity(0, sizeof(one), &one);
}

void bench_pin_release(const bench_pin *pin)
{
    if (pin->mode != BENCH_PIN_NONE) {
        (void)sched_setaffinity(0, sizeof(pin->whole), &pin->whole);
    }
}

void bench_pin_describe(const bench_pin *pin, char *text, size_t size)
{
    if (pin->mode == BENCH_PIN_NONE) {
        (void)snprintf(text, size, "unpinned");
    } else if (pin->mode == BENCH_PIN_SAME) {
        (void)snprintf(text, size, "all on core %d", pin->core[BENCH_CALLER]);
    } else {
        (void)snprintf(text, size, "callers on core %d, patio on core %d", pin->core[BENCH_CALLER],
                       pin->core[BENCH_WORKER]);
    }
}

const char *bench_pin_name(int mode)
{
    static const char *const names[] = {"none", "same", "split"};
    return names[mode];
}
