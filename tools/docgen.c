/* docgen options|errors: print a page of docs/ from the tables in the code, as Markdown. */
#include <stdio.h>
#include <string.h>

#include "docgen.h"

int main(int argc, char **argv)
{
    const char *page = argc == 2 ? argv[1] : "";
    bool        good = false;
    if (strcmp(page, "options") == 0) {
        good = docgen_options();
    } else if (strcmp(page, "errors") == 0) {
        good = docgen_errors();
    } else {
        fputs("usage: docgen options|errors\n", stderr);
        return 2;
    }
    return good && fflush(stdout) == 0 ? 0 : 1;
}
