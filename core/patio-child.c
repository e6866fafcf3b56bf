/* patio-child: what the executor `process` starts when the tasks come from task modules. */
#include <patio/child.h>
#include <patio/child_protocol.h>

#include <stddef.h>

int main(int argc, char **argv)
{
    (void)argc;
    /* without a function of its own it loads the modules that its parent names */
    char *as_child[] = {argv[0], (char[]){PATIO_CHILD_ARGUMENT}, NULL};
    return patio_child_main(2, as_child, NULL);
}
