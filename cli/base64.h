/* base64.h: RFC 4648, section 4: the standard alphabet, with padding. */
#ifndef CLI_BASE64_H
#define CLI_BASE64_H

#include <stdbool.h>

#include <patio/base.h>

/* NUL-terminated text, to be freed with cli_free. */
char *cli_base64_encode(patio_bytes bytes);
/* *out gets bytes to be freed with cli_free. False for anything that the encoder would not have
 * written: a foreign character, missing padding, bits beyond the end. */
bool cli_base64_decode(const char *text, size_t size, patio_bytes *out);

#endif
