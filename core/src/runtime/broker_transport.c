/* A broker's transport: URLs -> plugin, options, instance. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "config/say.h"
#include "layer/check.h"
#include "layer/fault.h"
#include "runtime/worker.h"

/* broker, or broker.0, broker.1 …, or memory:// */
static patio_status parse_urls(patio_broker *b, const patio_config *config, patio_error *err)
{
    pt_setting   one   = {.value = "memory://", .origin = "default"};
    pt_setting  *list  = NULL;
    size_t       count = 0;
    patio_status st    = pt_config_under(b->mem, config, "broker.", &list, &count, err);
    if (st != PATIO_OK) {
        return st;
    }
    if (count == 0) {
        (void)pt_config_find(config, "broker", &one);
    }
    const pt_setting *settings = count > 0 ? list : &one;
    b->endpoint_count          = count > 0 ? count : 1;
    b->urls                    = pt_calloc(b->mem, b->endpoint_count, sizeof(*b->urls));
    b->endpoints               = pt_calloc(b->mem, b->endpoint_count, sizeof(*b->endpoints));
    bool room                  = b->urls != NULL && b->endpoints != NULL;
    st                         = room ? PATIO_OK : pt_no_memory(err, "broker");
    for (size_t i = 0; i < b->endpoint_count && room && st == PATIO_OK; i++) {
        const char *text   = settings[i].value;
        size_t      prefix = strlen(PT_FAULT_PREFIX);
        if (strncmp(text, PT_FAULT_PREFIX, prefix) == 0) {
            b->fault = true;
            text += prefix;
        }
        st = pt_error_at(err, pt_url_parse(b->mem, text, &b->urls[i], err), settings[i].origin);
        if (st == PATIO_OK && strcmp(b->urls[i].plugin, b->urls[0].plugin) != 0) {
            st = pt_fail(err, PATIO_CONFIG, "broker",
                         "%s and %s need different transports; a broker has one", b->urls[0].shown,
                         b->urls[i].shown);
        }
    }
    pt_free(b->mem, list);
    return st;
}

/* The options of one endpoint: transport.… of the configuration, then what the URL says. */
static patio_status parse_endpoint(patio_broker *b, const patio_config *config, size_t i,
                                   patio_error *err)
{
    const patio_transport_ops *ops    = &b->transport_plugin->ops;
    const pt_url              *url    = &b->urls[i];
    pt_setting                *under  = NULL;
    size_t                     count  = 0;
    patio_option_value        *values = NULL;
    char                       who[64];
    (void)snprintf(who, sizeof(who), "transport %s", url->plugin);
    patio_status st = pt_config_under(b->mem, config, "transport.", &under, &count, err);
    if (st == PATIO_OK && b->fault) {
        st = pt_fault_check_known(b->mem, ops->options, who, url->query, url->query_count, err);
    }
    if (st != PATIO_OK) {
        pt_free(b->mem, under);
        return st;
    }
    pt_setting *all = pt_calloc(b->mem, count + url->query_count + 1, sizeof(*all));
    if (all == NULL) {
        st = pt_no_memory(err, "broker");
    } else {
        if (count > 0) {
            memcpy(all, under, count * sizeof(*all));
        }
        for (size_t q = 0; q < url->query_count; q++) {
            if (!b->fault || !pt_fault_is_option(url->query[q].key)) {
                all[count++] = url->query[q];
            }
        }
        st = pt_options_parse(b->mem, ops->options, who, all, count, &values, err);
    }
    if (st == PATIO_OK) {
        b->endpoints[i] = (patio_endpoint){
            PATIO_SIZED(patio_endpoint), .host_count = url->host_count, .scheme = url->scheme,
            .user = url->user,           .password = url->password,     .hosts = url->hosts,
            .path = url->path,           .shown = url->shown,           .values = values,
        };
    }
    pt_free(b->mem, all);
    pt_free(b->mem, under);
    return st;
}

static patio_status make_instance(void *arg, const patio_host *host,
                                  const patio_transport_params *params, patio_error *err)
{
    patio_broker *b = arg;
    return b->fault
               ? pt_fault_transport(b->mem, &b->transport_plugin, host, params, b->urls[0].query,
                                    b->urls[0].query_count, &b->layers, &b->transport, err)
               : b->transport_plugin->ops.create(host, params, &b->transport, err);
}

/* With what is asked for in between: the check sees what the fault makes of the plugin. */
static patio_status create(patio_broker *b, const patio_host *host,
                           const patio_transport_params *params, patio_error *err)
{
    return pt_check_mode() == PT_CHECK_OFF
               ? make_instance(b, host, params, err)
               : pt_check_transport(host, params, make_instance, b, &b->transport_plugin,
                                    &b->transport, &b->layers, err);
}

patio_status pt_broker_make_transport(patio_broker *b, const patio_config *config, patio_error *err)
{
    patio_status st = parse_urls(b, config, err);
    if (st == PATIO_OK) {
        b->transport_plugin = b->runtime->to_parent;
        if (b->transport_plugin == NULL) {
            st = pt_plugins_transport(b->runtime->plugins, b->urls[0].plugin, &b->transport_plugin,
                                      err);
        }
    }
    for (size_t i = 0; i < b->endpoint_count && st == PATIO_OK; i++) {
        st = parse_endpoint(b, config, i, err);
    }
    if (st != PATIO_OK) {
        return st;
    }
    b->events = (patio_transport_events){
        PATIO_SIZED(patio_transport_events),      .self = b,
        .delivered = pt_worker_delivered,         .replied = pt_broker_replied,
        .published = pt_broker_published,         .lease_lost = pt_worker_lease_lost,
        .settle_failed = pt_worker_settle_failed, .cancel_wanted = pt_worker_cancel_wanted,
        .cancelled = pt_broker_cancelled,         .link = pt_broker_link,
    };
    patio_transport_params params = {
        PATIO_SIZED(patio_transport_params),
        .endpoint_count = (uint32_t)b->endpoint_count,
        .project        = b->project,
        .incarnation    = b->incarnation,
        .max_body_bytes = b->max_body_bytes + PT_ENVELOPE_HEAD_MAX,
        .endpoints      = b->endpoints,
        .endpoint_bytes = sizeof(patio_endpoint),
        .events         = &b->events,
    };
    const patio_host *host = pt_runtime_host(b->runtime, "transport", b->urls[0].plugin);
    if (host == NULL) {
        return pt_no_memory(err, "broker");
    }
    st = create(b, host, &params, err);
    if (st != PATIO_OK) {
        pt_error_origin(err, "transport.%s", b->urls[0].plugin);
        return st;
    }
    const patio_poll_ops *poll = b->transport_plugin->ops.query(b->transport, PATIO_POLL_ID);
    b->futures.transport       = b->transport;
    b->futures.poll            = PATIO_HAS(patio_poll_ops, poll, interrupt) ? poll : NULL;
    return PATIO_OK;
}
