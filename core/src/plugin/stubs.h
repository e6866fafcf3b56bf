/* plugin/stubs.h: what stands in for optional slots that a plugin does not have. */
#ifndef PT_STUBS_H
#define PT_STUBS_H

/* `ops` is our own patio_transport_ops or patio_executor_ops. Slots that are set stay as they are;
 * the others get a stub that returns PATIO_UNSUPPORTED and names the slot, or NULL for `query`. */
void pt_stubs_fill_transport(void *ops);
void pt_stubs_fill_executor(void *ops);

#endif
