/* conform.h: the conformance kit as a function, so that `patio conform` is the same thing as
 * whatever else links to it. */
#ifndef PATIO_CONFORM_H
#define PATIO_CONFORM_H

/* argv as of a program. Returns the exit code: 0 all cases passed or were refused by name, 1 some
 * failed, 2 wrong usage. */
int patio_conform_main(int argc, char **argv);

#endif
