/* store_owner.h: what memory hangs at what the store holds. */
#ifndef STORE_OWNER_H
#define STORE_OWNER_H

typedef struct subscription subscription;
typedef struct hub          hub;

#define STORE_ENTRY_OWN                                                                            \
    bool             told; /* its holder knows that it is cancelled */                             \
    hub             *hub;                                                                          \
    patio_transport *origin;            /* who waits for the reply; NULL: nobody, or gone */       \
    subscription    *holder;            /* whose credit it uses while leased */
#define STORE_LANE_OWN uint32_t routes; /* subscriptions that know this task */
#define STORE_QUEUE_OWN                                                                            \
    bool          gated; /* paused or limited: look before handing out */                          \
    uint64_t      limit; /* most leased at once; 0: none */                                        \
    subscription *subscriptions;

#endif
