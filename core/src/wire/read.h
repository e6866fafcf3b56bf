/* wire/read.h: the two messages of every call, read field by field.
 *
 * protobuf-c unpacks a message in two passes, by tables, with an allocation per text: for an
 * envelope and its values that was 40 % of what a call costs (docs/performance.md). These readers
 * take what every patio writes: known fields, once, packed, payload last. Everything else they
 * leave to protobuf-c, which is the judge: false means "ask it", never "wrong". Where they say
 * true, it agrees (tests/unit/test_read.c).
 */
#ifndef PT_READ_H
#define PT_READ_H

#include <stdbool.h>

#include <patio/v1/envelope.pb-c.h>
#include <patio/v1/values.pb-c.h>

#include "base/arena.h"

/* Texts are copied into the arena; id and *payload lie in `bytes`. */
bool pt_read_envelope(pt_arena *arena, patio_bytes bytes, Patio__V1__Envelope *out,
                      patio_bytes *payload);
/* Columns are copied into the arena, but for kinds; each blob ends in a NUL that its size leaves
 * out. */
bool pt_read_values(pt_arena *arena, patio_bytes bytes, Patio__V1__Values *out);

#endif
