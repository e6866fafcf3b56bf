/* cmd_bench.c: `patio bench`: the benchmark, which is a program of its own as well (patio-bench).
 */
#include <bench.h>

#include "commands.h"

int cmd_bench(int argc, char **argv)
{
    return patio_bench_main(argc, argv);
}
