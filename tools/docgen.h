/* docgen.h: the pages that docgen prints. False, with a word on stderr: it is not whole. */
#ifndef DOCGEN_H
#define DOCGEN_H

#include <stdbool.h>

#define DOCGEN_NOTICE "<!-- Printed by tools/docgen.c; renew with scripts/generate-docs. -->\n\n"

bool docgen_options(void);
bool docgen_errors(void);

#endif
