/* layer/check.h: PATIO_CHECK=1 puts a layer around every transport and executor that looks whether
 * both sides keep the rules of docs/abi.md, and says in the log who does not; PATIO_CHECK=abort
 * ends the program there. */
#ifndef PT_CHECK_H
#define PT_CHECK_H

#include "layer/layer.h"

enum { PT_CHECK_OFF = 0, PT_CHECK_LOG = 1, PT_CHECK_ABORT = 2 };
/* What PATIO_CHECK says now. */
int pt_check_mode(void);

/* Makes what is to be watched: *plugin and *t, as pt_check_transport was given them. */
typedef patio_status (*pt_check_make_fn)(void *arg, const patio_host *host,
                                         const patio_transport_params *params, patio_error *err);
/* Put a layer before what `make` makes; *plugin, *t and *layers become the layer's. */
patio_status pt_check_transport(const patio_host *host, const patio_transport_params *params,
                                pt_check_make_fn make, void *arg,
                                const pt_transport_plugin **plugin, patio_transport **t,
                                pt_layer **layers, patio_error *err);

/* The same for an executor. */
typedef struct pt_check_executor pt_check_executor;
patio_status pt_check_executor_create(const pt_executor_plugin **plugin, const patio_host *host,
                                      const patio_executor_params *params,
                                      pt_check_executor **layer, patio_executor **out,
                                      patio_error *err);
/* After the instance is destroyed. NULL is allowed. */
void pt_check_executor_free(pt_check_executor *c);

/* Say that a rule was broken. */
void pt_check_report(const patio_host *host, int mode, const char *format, ...) PATIO_PRINTF(3, 4);

#endif
