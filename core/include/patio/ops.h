/* patio/ops.h: all interfaces by id that a transport may have beside its table. */
#ifndef PATIO_OPS_H
#define PATIO_OPS_H

#include <patio/dead.h>
#include <patio/doctor.h>
#include <patio/peers.h>
#include <patio/poll.h>
#include <patio/presence.h>
#include <patio/queues.h>
#include <patio/results.h>
#include <patio/topology.h>

#endif
