/* patio-bench-async [--quick]: what the executor async costs; bench/README.md. */
#include "bench_async.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    bool quick = argc == 2 && strcmp(argv[1], "--quick") == 0;
    if (argc > 1 && !quick) {
        printf(
            "usage: patio-bench-async [--quick]\n\n"
            "Switches of stacks, yields, yielding tasks, nested calls, 100,000 tasks asleep, and "
            "idleness\nof the executor async; --quick: fewer of each, as a test.\n");
        return strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    unsigned scale = quick ? 100 : 1;
    printf("switch           %.1f ns from one stack to another; swapcontext(3): %.1f ns\n",
           bench_switch_own(), bench_switch_ucontext());
    int wrong = bench_yields(1, 1000, 10000 / scale);
    wrong |= bench_yields(2, 1000, 10000 / scale);
    wrong |= bench_yields(1, 1, 5000000 / scale);
    wrong |= bench_yielding_tasks(1, 2000000 / scale, 256);
    wrong |= bench_yielding_tasks(1, 2000000 / scale, 2048);
    wrong |= bench_nested(500000 / scale);
    wrong |= bench_sleeps(1, 100000 / scale, quick ? 1000 : 2500, quick ? 200 : 5000);
    wrong |= bench_idle(1, 1000);
    return wrong;
}
