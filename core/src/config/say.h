/* config/say.h: how configuration errors show foreign text and where it came from. */
#ifndef PT_SAY_H
#define PT_SAY_H

#include "base/error.h"

enum { PT_QUOTE_BYTES = 96 };

/* `text` in double quotes, fit for one line of an error: control characters and broken UTF-8 become
 * '?', what is too long is cut. Returns the buffer. */
const char *pt_quote(char buffer[PT_QUOTE_BYTES], const char *text);
/* Put text before the message of err, as far as there is room: "patio.yaml:7: ". */
void pt_error_before(patio_error *err, const char *format, ...) PATIO_PRINTF(2, 3);
/* Put "ORIGIN: " before it, if there is an origin; returns the status, to be returned on. */
patio_status pt_error_at(patio_error *err, patio_status status, const char *origin);

#endif
