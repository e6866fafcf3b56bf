/* patio/host.h: the services that the host gives to a plugin.
 *
 * A plugin does not link to libpatio. It gets this table at `create`: the same one for all
 * instances of a plugin in one runtime, valid until the `destroy` of the last of them has returned.
 * Every slot: [any thread] [never blocks] unless it says otherwise.
 */
#ifndef PATIO_HOST_H
#define PATIO_HOST_H

#include <patio/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*patio_fn)(void *arg);

typedef struct patio_host {
    uint32_t    struct_size;
    uint32_t    abi_minor; /* the host's PATIO_ABI_MINOR */
    const char *version;   /* the host's PATIO_VERSION, for logs */
    void       *self;      /* first argument of every slot */

    /* Memory. alloc and resize return NULL when there is none (or when a test says so); memory is
     * not cleared. free accepts NULL. All memory of an instance comes from here. */
    void *(*alloc)(void *self, size_t size_bytes);
    void *(*resize)(void *self, void *pointer, size_t size_bytes);
    void (*free)(void *self, void *pointer);

    /* A new buffer with one reference and undefined content, or NULL. Fill it through *data before
     * anyone else sees it; from then on it is immutable. */
    patio_buf *(*buf_new)(void *self, size_t size_bytes, uint8_t **data);
    /* A buffer over foreign memory; `drop(arg)` runs once, on any thread, when the last reference
     * goes. NULL when out of memory; then drop has not run. */
    patio_buf *(*buf_wrap)(void *self, patio_bytes bytes, patio_fn drop, void *arg);
    /* One more reference; returns its argument. */
    patio_buf *(*buf_ref)(void *self, patio_buf *buf);
    /* One reference less; the last one frees. NULL is allowed. */
    void (*buf_drop)(void *self, patio_buf *buf);
    /* The bytes; valid as long as the caller holds a reference. */
    patio_bytes (*buf_view)(void *self, const patio_buf *buf);

    /* Would a line of this level be shown? Ask before formatting on a busy path. */
    int32_t (*log_on)(void *self, int32_t level);
    /* Write one line under the topic of this plugin. May block for as long as the sink does. Never
     * pass a secret or a payload. */
    void (*log)(void *self, int32_t level, const char *text);

    /* Monotonic nanoseconds. All deadlines in the ABI are on this clock; with the virtual clock of
     * a test it moves only when the test says so. */
    uint64_t (*now_ns)(void *self);
    /* Run fn(arg) once, on the host's timer thread, not before delay_ns from now. Returns a number
     * for cancel, or 0 when out of memory. fn must not block. */
    uint64_t (*after)(void *self, uint64_t delay_ns, patio_fn fn, void *arg);
    /* Once this has returned, fn does not run and will not: 1 if it was cancelled, 0 if it had run
     * or the number is unknown. Blocks while fn runs (unless called from it): hold no lock fn
     * takes. */
    int32_t (*cancel)(void *self, uint64_t timer);
    /* Fill with bytes fit for nonces and keys. Returns PATIO_OK or PATIO_IO. */
    patio_status (*random)(void *self, void *data, size_t size_bytes);

    /* Share an object between the instances of this plugin in one runtime, so that a plugin needs
     * no process-wide state: find the object called `key`, or make it with make(arg); either way
     * its count goes up. NULL when make returns NULL or memory is out. `make` runs under a lock of
     * the host and must call nothing of the host but alloc and free. */
    void *(*share)(void *self, const char *key, void *(*make)(void *arg), void *arg);
    /* Count down; the last one runs destroy(object) before this returns. */
    void (*unshare)(void *self, void *object, void (*destroy)(void *object));

    /* Interfaces beyond this table, by id; NULL when the host has none of that id. */
    const void *(*query)(void *self, const char *interface_id);
} patio_host;

#ifdef __cplusplus
}
#endif
#endif
