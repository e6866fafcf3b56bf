/* awaited.h: calls of this process whose reply is due, in so far as a guest must know (turn.h). For
 * transports whose tasks are kept elsewhere. A few are known by id, for more than one at a time is
 * more than a guest serves. All under the transport's lock, with the host's clock.
 */
#ifndef PATIO_AWAITED_H
#define PATIO_AWAITED_H

#include <patio/message.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { AWAITED_MAX = 4 };

typedef struct awaited {
    patio_id id;
    uint64_t until_ns; /* after that nobody waits for it; 0: none is here */
} awaited;

typedef struct call_list {
    awaited          calls[AWAITED_MAX];
    _Atomic uint32_t more; /* beside these; also read without the lock */
    uint64_t         more_until_ns;
} call_list;

/* A reply that never comes is waited for until its caller has given up. */
void awaited_add(call_list *list, const patio_message *call, uint64_t now_ns);
/* Its reply has come, or will not come. */
void awaited_remove(call_list *list, const patio_id *id);
/* Nobody here waits for its reply any more, which may come all the same. */
void awaited_forget(call_list *list, const patio_id *id);
/* How many of those known by id are awaited. */
uint32_t awaited_count(const call_list *list, uint64_t now_ns);
uint32_t awaited_more(const call_list *list);

#endif
