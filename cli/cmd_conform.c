/* cmd_conform.c: `patio conform`: the conformance kit, as a command. */
#include <conform.h>

#include "commands.h"

int cmd_conform(int argc, char **argv)
{
    return patio_conform_main(argc, argv);
}
