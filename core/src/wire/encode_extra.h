/* wire/encode_extra.h: what a request says beyond what every call does. */
#ifndef PT_ENCODE_EXTRA_H
#define PT_ENCODE_EXTRA_H

#include <patio/v1/envelope.pb-c.h>

#include "wire/payload.h"

/* Fills extra, with memory of the arena and texts of the request, and hangs it into the envelope.
 * INVALID: a text is not UTF-8; TOO_LARGE, NO_MEMORY. */
patio_status pt_encode_extra(Patio__V1__Envelope *envelope, Patio__V1__Extra *extra,
                             const pt_request *r, pt_arena *arena, patio_error *err);

#endif
