/* raw_bodies.h: one well-formed body of each type of frame, to be cut and bent. */
#ifndef RAW_BODIES_H
#define RAW_BODIES_H

#include <stddef.h>
#include <stdint.h>

enum { RAW_BODY_ROOM = 256 };

/* Of a type that may be sent once both sides are open; 0: its body is empty. */
size_t raw_whole_body(uint8_t type, uint8_t to[RAW_BODY_ROOM]);
/* With fewer bytes than that it is malformed, and ends the connection. */
size_t raw_body_needs(uint8_t type);
/* The next of a sequence that is the same in each run. */
uint32_t raw_random(uint32_t *seed);
void     raw_noise(uint32_t *seed, uint8_t *to, size_t size);

#endif
