/* bench/main.c: patio-bench, the program. */
#include "bench.h"

int main(int argc, char **argv)
{
    return patio_bench_main(argc, argv);
}
