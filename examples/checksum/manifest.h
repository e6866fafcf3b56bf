/* manifest.h: lines as sha256sum writes and checks them. */
#ifndef CHECKSUM_MANIFEST_H
#define CHECKSUM_MANIFEST_H

#include <stdio.h>

/* One line: digest, two spaces, name. A name with a backslash, a newline or a carriage return is
 * escaped, and a backslash before the digest says so. An error stays in ferror(out). */
void manifest_line(FILE *out, const char *hex, const char *name);

#endif
