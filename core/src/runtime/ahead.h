/* runtime/ahead.h: jobs that were fetched ahead of their turn, and go back when they wait too long.
 */
#ifndef PT_AHEAD_H
#define PT_AHEAD_H

#include <stdbool.h>

struct pt_job;
struct patio_broker;

/* When it is known whether anything can be ahead. */
void pt_ahead_init(struct patio_broker *broker);
/* From now on there are looks. */
void pt_ahead_start(struct patio_broker *broker);
/* It is about to be submitted. */
void pt_ahead_waits(struct pt_job *job);
/* It begins, or ends in whatever way. False: it went back meanwhile, its delivery is settled, and
 * pt_ahead_gone is due when it is free. */
bool pt_ahead_over(struct pt_job *job);
/* It went back. */
bool pt_ahead_went(const struct pt_job *job);
void pt_ahead_gone(struct patio_broker *broker);
/* Nothing is to be fetched ahead now. */
bool pt_ahead_rests(const struct patio_broker *broker);

#endif
