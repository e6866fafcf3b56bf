/* base/id.h: task ids: 8 bytes of the broker's random incarnation, 8 bytes of its own number.
 * Unique without asking anyone, and the broker finds its own call by the number alone. */
#ifndef PT_ID_H
#define PT_ID_H

#include <patio/base.h>

patio_id pt_id_make(uint64_t incarnation, uint64_t number);
void     pt_id_split(const patio_id *id, uint64_t *incarnation, uint64_t *number);

#endif
