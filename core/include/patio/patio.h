/* patio/patio.h: the whole application API. Plugins include transport.h or executor.h instead. */
#ifndef PATIO_PATIO_H
#define PATIO_PATIO_H

#include <patio/await.h>
#include <patio/base.h>
#include <patio/broker.h>
#include <patio/call.h>
#include <patio/child.h>
#include <patio/config.h>
#include <patio/health.h>
#include <patio/operate.h>
#include <patio/registry.h>
#include <patio/reload.h>
#include <patio/runtime.h>
#include <patio/task.h>
#include <patio/value.h>

#endif
