/* Options that contradict each other, or mean nothing where they stand, are refused. */
#include "options.h"

/* Has a URL that is inside TLS the same? Then it was given to all, and this one has no use for it.
 */
static bool is_of_another(const patio_transport_params *params, const char *text, unsigned option)
{
    const uint8_t *base = (const uint8_t *)params->endpoints;
    for (uint32_t i = 0; i < params->endpoint_count; i++) {
        const void           *at = base + i * params->endpoint_bytes;
        const patio_endpoint *e  = at;
        if (strncmp(e->scheme, "tls", 3) == 0 && e->values[option].given != 0 &&
            strcmp(e->values[option].text, text) == 0) {
            return true;
        }
    }
    return false;
}

patio_status options_check_one(const endpoint *ep, const patio_transport_params *params,
                               const patio_endpoint *e, patio_error *err)
{
    for (unsigned i = OPT_TLS_CERT; i <= OPT_TLS_RELOAD_MS; i++) {
        if (!ep->is_tls && e->values[i].given != 0 &&
            !is_of_another(params, e->values[i].text, i)) {
            return patio_fail(err, PATIO_CONFIG, 0, "%s: %s is of tls:// and tls+listen:// only",
                              e->shown, tcp_options[i]->name);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        unsigned option = i == 0 ? OPT_KEY : OPT_KEY_NEXT;
        if (e->values[option].given != 0 && ep->keys[i][0] == '\0') {
            return patio_fail(
                err, PATIO_CONFIG, 0,
                "%s: %s is given, but empty: whoever comes would be let in; leave it out if "
                "that is meant",
                e->shown, tcp_options[option]->name);
        }
    }
    if (ep->keys[0][0] == '\0' && ep->keys[1][0] != '\0') {
        return patio_fail(err, PATIO_CONFIG, 0, "%s: key_next is given, but no key", e->shown);
    }
    if (ep->listens && ep->tls.ca[0] != '\0' && ep->tls.client == TLS_CLIENT_NONE) {
        return patio_fail(
            err, PATIO_CONFIG, 0,
            "%s: tls_ca_file says whose certificates are good, and nobody who connects is "
            "asked for one: set tls_client=required (or optional), or leave it out",
            e->shown);
    }
    if (ep->tls.allow[0] != '\0' && ep->listens && ep->tls.client != TLS_CLIENT_REQUIRED) {
        return patio_fail(err, PATIO_CONFIG, 0, "%s: tls_allow_file needs tls_client=required",
                          e->shown);
    }
    return PATIO_OK;
}

patio_status options_agree(settings *set, const patio_endpoint *e, patio_error *err)
{
    if (set->ping_ms >= set->dead_ms && e->values[OPT_PING_MS].given == 0) {
        set->ping_ms = set->dead_ms / 3;
    }
    if (set->ping_ms >= set->dead_ms && e->values[OPT_DEAD_MS].given == 0) {
        set->dead_ms = set->ping_ms * 3;
    }
    if (set->ping_ms >= set->dead_ms) {
        return patio_fail(
            err, PATIO_CONFIG, 0,
            "%s: dead_ms must be more than ping_ms, or every quiet link ends before its "
            "peer is asked",
            e->shown);
    }
    if (set->reconnect_min_ms > set->reconnect_max_ms &&
        e->values[OPT_RECONNECT_MIN_MS].given == 0) {
        set->reconnect_min_ms = set->reconnect_max_ms;
    }
    if (set->reconnect_min_ms > set->reconnect_max_ms &&
        e->values[OPT_RECONNECT_MAX_MS].given == 0) {
        set->reconnect_max_ms = set->reconnect_min_ms;
    }
    return set->reconnect_min_ms <= set->reconnect_max_ms
               ? PATIO_OK
               : patio_fail(err, PATIO_CONFIG, 0,
                            "%s: reconnect_min_ms is more than reconnect_max_ms", e->shown);
}

patio_status options_check_first(const patio_endpoint *first, const patio_endpoint *e,
                                 patio_error *err)
{
    for (unsigned i = OPT_MAX_FRAME_BYTES; i <= OPT_HANDSHAKES_PER_SECOND; i++) {
        if (e->values[i].given != 0 && option_number(e, i) != option_number(first, i)) {
            return patio_fail(err, PATIO_CONFIG, 0,
                              "%s: %s is of the whole broker, and the first URL says otherwise: "
                              "give it there, or as transport.%s",
                              e->shown, tcp_options[i]->name, tcp_options[i]->name);
        }
    }
    return PATIO_OK;
}

/* Is it given here, to a side that has no use for it? */
static bool is_out_of_place(const endpoint *ep, unsigned option)
{
    switch (option) {
    case OPT_TLS_NAME:
        return ep->listens && ep->tls.name[0] != '\0';
    case OPT_TLS_ALLOW:
        return !ep->listens && ep->tls.allow[0] != '\0';
    default:
        return !ep->listens && ep->tls.client != TLS_CLIENT_NONE;
    }
}

/* Is the other one of the kind that has a use for it, and has it the same? */
static bool has_use(const endpoint *ep, const endpoint *other, unsigned option)
{
    if (ep->listens == other->listens) {
        return false;
    }
    switch (option) {
    case OPT_TLS_NAME:
        return strcmp(ep->tls.name, other->tls.name) == 0;
    case OPT_TLS_ALLOW:
        return strcmp(ep->tls.allow, other->tls.allow) == 0;
    default:
        return ep->tls.client == other->tls.client;
    }
}

static patio_status check_side(const patio_transport *t, const endpoint *ep, unsigned option,
                               patio_error *err)
{
    bool use = !is_out_of_place(ep, option);
    for (uint32_t i = 0; i < t->endpoint_count && !use; i++) {
        use = has_use(ep, &t->endpoints[i], option);
    }
    return use ? PATIO_OK
               : patio_fail(err, PATIO_CONFIG, 0,
                            "%s: %s is of who %s, and this side %s: leave it out", ep->shown,
                            tcp_options[option]->name, ep->listens ? "connects" : "listens",
                            ep->listens ? "listens" : "connects");
}

patio_status options_check_sides(const patio_transport *t, patio_error *err)
{
    patio_status st = PATIO_OK;
    for (uint32_t i = 0; i < t->endpoint_count && st == PATIO_OK; i++) {
        const endpoint *ep = &t->endpoints[i];
        st                 = check_side(t, ep, OPT_TLS_NAME, err);
        st                 = st == PATIO_OK ? check_side(t, ep, OPT_TLS_CLIENT, err) : st;
        st                 = st == PATIO_OK ? check_side(t, ep, OPT_TLS_ALLOW, err) : st;
    }
    return st;
}
