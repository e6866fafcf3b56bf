/* Compiled twice: with our own switch, and with swapcontext(3). */
#include "switch.h"

#include "../src/clock.h"

#include <stdint.h>
#include <stdlib.h>

#ifdef ASYNC_UCONTEXT
#define MEASURE bench_switch_ucontext
#else
#define MEASURE bench_switch_own
#endif
double MEASURE(void);

enum { STACK_BYTES = 64 * 1024, ROUNDS = 200000, TRIES = 10 };

static context home;
static context away;

static void there(void *arg)
{
    (void)arg;
    for (;;) {
        context_switch(&away, &home);
    }
}

/* The best of a few tries: everything else that the machine does only adds. */
double MEASURE(void)
{
    void  *stack = malloc(STACK_BYTES);
    double best  = 1e9;
    if (stack == NULL) {
        return 0;
    }
    context_make(&away, stack, STACK_BYTES, there, NULL);
    for (int k = 0; k < TRIES; k++) {
        uint64_t from = bench_now_ns();
        for (int i = 0; i < ROUNDS; i++) {
            context_switch(&home, &away);
        }
        double ns = (double)(bench_now_ns() - from) / ROUNDS / 2;
        best      = ns < best ? ns : best;
    }
    free(stack);
    return best;
}
