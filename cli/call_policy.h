/* call_policy.h: what the command line of `patio call` and `patio send` says about the treatment of
 * one task. */
#ifndef CLI_CALL_POLICY_H
#define CLI_CALL_POLICY_H

#include <argp.h>

#include <patio/call.h>

/* --level --max-attempts --max-crashes --backoff --attempt-timeout; input: patio_call_options. */
extern const struct argp cli_policy_argp;

/* "2026-12-24T18:00:00+01:00": seconds and zone may be missing, the zone is this machine's then;
 * "@1766595600": seconds since 1970. Ends the program for anything else. */
void cli_policy_at(struct argp_state *state, const char *text, int64_t *at_unix_ms);

#endif
