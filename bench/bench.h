/* bench/bench.h: the benchmark as one function, for patio-bench and for `patio bench`. */
#ifndef PATIO_BENCH_H
#define PATIO_BENCH_H

/* Parse argv (argv[0] is the name to show in help and errors), measure, print. Returns the exit
 * code: 0 measured, 1 a result was wrong or something failed, argp's code for a wrong command line.
 * Starts and ends all its threads; not to be called twice at a time. */
int patio_bench_main(int argc, char **argv);

#endif
