/* Options. */
#include "options.h"

#define ROW(name_, type_, fallback_, min_, max_, help_)                                            \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_), .type = (type_),            \
                           .fallback = (fallback_), .min = (min_), .max = (max_),                  \
                           .help = (help_)})
#define TEXT(name, help) ROW(name, PATIO_OPTION_STRING, "", 0, 0, help)
#define CHOICE(name_, fallback_, choices_, help_)                                                  \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_),                             \
                           .type = PATIO_OPTION_CHOICE, .fallback = (fallback_),                   \
                           .choices = (choices_), .help = (help_)})
#define INT(name, fallback, min, max, help)  ROW(name, PATIO_OPTION_INT, fallback, min, max, help)
#define MS(name, fallback, min, max, help)   ROW(name, PATIO_OPTION_MS, fallback, min, max, help)
#define SIZE(name, fallback, min, max, help) ROW(name, PATIO_OPTION_SIZE, fallback, min, max, help)

const patio_option *const tcp_options[] = {
    [OPT_KEY] = ROW("key", PATIO_OPTION_SECRET, "", 0, 0,
                    "both sides prove that they have it; empty: only loopback and unix sockets"),
    [OPT_INSECURE] =
        ROW("insecure", PATIO_OPTION_BOOL, "false", 0, 0, "allow other addresses without a key"),
    [OPT_MAX_FRAME_BYTES] = SIZE("max_frame_bytes", "16MiB", INT64_C(64) * 1024, INT64_C(1) << 30,
                                 "longest message taken"),
    [OPT_MAX_QUEUED] =
        INT("max_queued", "1000000", 1, 100000000, "most tasks held here; one more is FULL"),
    [OPT_MAX_QUEUED_BYTES] =
        SIZE("max_queued_bytes", "1GiB", 1, INT64_MAX, "most bytes of tasks held here"),
    [OPT_MAX_DEAD] =
        INT("max_dead", "10000", 0, 100000000, "most dead letters kept per queue; oldest go first"),
    [OPT_DEAD_TTL_MS] =
        MS("dead_ttl_ms", "14d", 1, INT64_MAX / 1000000, "how long a dead letter is kept"),
    [OPT_MAX_RESULTS]      = INT("max_results", "100000", 1, 100000000,
                                 "most results kept to be fetched by id; the oldest go first"),
    [OPT_MAX_RESULT_BYTES] = SIZE("max_result_bytes", "256MiB", 1, INT64_MAX,
                                  "most bytes of results kept; the oldest go first"),
    [OPT_MAX_DEDUP_KEYS]   = INT("max_dedup_keys", "100000", 1, 100000000,
                                 "most dedup keys remembered at once; one more is FULL"),
    [OPT_MAX_CRASHES] = INT("max_crashes", "3", 1, 65535, "workers that may be lost over one task"),
    [OPT_PREFETCH]    = INT("prefetch", "256", 0, 65536,
                            "most tasks a peer gets beyond its credit while its answers are quick"),
    [OPT_WRITE_QUEUE_BYTES] = SIZE("write_queue_bytes", "16MiB", INT64_C(64) * 1024, INT64_MAX,
                                   "a connection with more unwritten bytes gets no new task"),
    [OPT_PING_MS] = MS("ping_ms", "5s", 100, 3600000, "ask a silent peer whether it is there"),
    [OPT_DEAD_MS] = MS("dead_ms", "15s", 200, 3600000, "give up a peer that is silent for so long"),
    [OPT_HANDSHAKE_MS] =
        MS("handshake_ms", "5s", 100, 600000, "time to connect and to prove the key"),
    [OPT_RECONNECT_MIN_MS] =
        MS("reconnect_min_ms", "100ms", 1, 3600000, "first pause before connecting again"),
    [OPT_RECONNECT_MAX_MS] = MS("reconnect_max_ms", "15s", 1, 3600000, "longest such pause"),
    [OPT_MAX_CONNECTIONS]  = INT("max_connections", "10000", 1, 1000000, "most at once"),
    [OPT_MAX_CONNECTIONS_PER_ADDRESS] = INT("max_connections_per_address", "0", 0, 1000000,
                                            "most at once from one address; 0: no limit"),
    [OPT_HANDSHAKES_PER_SECOND] =
        INT("handshakes_per_second", "500", 0, 1000000,
            "connections that one address may begin, twice as many in a burst; 0: no limit"),
    [OPT_KEY_NEXT] = ROW("key_next", PATIO_OPTION_SECRET, "", 0, 0,
                         "a second key that is good as well, while keys are being changed"),
    [OPT_TLS_CERT] = TEXT("tls_cert_file", "file of this side's certificate and its chain, PEM"),
    [OPT_TLS_KEY] =
        TEXT("tls_key_file", "file of its private key, PEM; empty: it is in tls_cert_file"),
    [OPT_TLS_CA] =
        TEXT("tls_ca_file", "file of the authorities to trust, PEM; empty: the system's"),
    [OPT_TLS_CRL]    = TEXT("tls_crl_file", "file of revoked certificates, PEM, of each authority"),
    [OPT_TLS_NAME]   = TEXT("tls_server_name",
                            "connecting: name in the certificate of who listens; empty: the host"),
    [OPT_TLS_CLIENT] = CHOICE("tls_client", "none", "none|optional|required",
                              "listening: must who connects show a certificate"),
    [OPT_TLS_MIN]    = CHOICE("tls_min", "1.2", "1.2|1.3", "lowest version of TLS spoken"),
    [OPT_TLS_CIPHERS] = TEXT("tls_ciphers", "ciphers of TLS 1.2, as OpenSSL writes them"),
    [OPT_TLS_SUITES]  = TEXT("tls_suites", "cipher suites of TLS 1.3, as OpenSSL writes them"),
    [OPT_TLS_ALLOW] =
        TEXT("tls_allow_file", "listening: file of certificates and what they may call"),
    [OPT_TLS_RELOAD_MS] = MS("tls_reload_ms", "10s", 0, 86400000,
                             "how often to see whether these files have changed; 0: never"),
    NULL,
};

static void read_numbers(settings *set, const patio_endpoint *e)
{
    /* what could never be held is not taken; a reply, which is not held, may have one frame */
    uint64_t most = option_number(e, OPT_MAX_QUEUED_BYTES);
    most          = most > FRAME_CHUNK_BYTES ? most : FRAME_CHUNK_BYTES;

    set->max_frame_bytes             = option_number(e, OPT_MAX_FRAME_BYTES);
    set->max_frame_bytes             = set->max_frame_bytes < most ? set->max_frame_bytes : most;
    set->bounds.max_queued           = option_number(e, OPT_MAX_QUEUED);
    set->bounds.max_queued_bytes     = option_number(e, OPT_MAX_QUEUED_BYTES);
    set->bounds.max_dead             = option_number(e, OPT_MAX_DEAD);
    set->bounds.dead_ttl_ns          = option_number(e, OPT_DEAD_TTL_MS) * 1000000u;
    set->bounds.max_results          = option_number(e, OPT_MAX_RESULTS);
    set->bounds.max_result_bytes     = option_number(e, OPT_MAX_RESULT_BYTES);
    set->bounds.max_dedup_keys       = option_number(e, OPT_MAX_DEDUP_KEYS);
    set->max_crashes                 = option_number(e, OPT_MAX_CRASHES);
    set->prefetch                    = option_number(e, OPT_PREFETCH);
    set->write_queue_bytes           = option_number(e, OPT_WRITE_QUEUE_BYTES);
    set->ping_ms                     = option_number(e, OPT_PING_MS);
    set->dead_ms                     = option_number(e, OPT_DEAD_MS);
    set->handshake_ms                = option_number(e, OPT_HANDSHAKE_MS);
    set->reconnect_min_ms            = option_number(e, OPT_RECONNECT_MIN_MS);
    set->reconnect_max_ms            = option_number(e, OPT_RECONNECT_MAX_MS);
    set->max_connections             = option_number(e, OPT_MAX_CONNECTIONS);
    set->max_connections_per_address = option_number(e, OPT_MAX_CONNECTIONS_PER_ADDRESS);
    set->handshakes_per_second       = option_number(e, OPT_HANDSHAKES_PER_SECOND);
}

static char *copy_text(const patio_transport *t, const char *text)
{
    size_t size = strlen(text) + 1;
    char  *copy = t->host->alloc(t->host->self, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* Copies of all texts, those of TLS only where it is; false: out of memory. */
static bool copy_texts(endpoint *ep, const patio_endpoint *e)
{
    const struct {
        char   **to;
        unsigned option;
    } texts[] = {
        {&ep->keys[0], OPT_KEY},           {&ep->keys[1], OPT_KEY_NEXT},
        {&ep->tls.cert, OPT_TLS_CERT},     {&ep->tls.cert_key, OPT_TLS_KEY},
        {&ep->tls.ca, OPT_TLS_CA},         {&ep->tls.crl, OPT_TLS_CRL},
        {&ep->tls.name, OPT_TLS_NAME},     {&ep->tls.ciphers, OPT_TLS_CIPHERS},
        {&ep->tls.suites, OPT_TLS_SUITES}, {&ep->tls.allow, OPT_TLS_ALLOW},
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        bool has_use = ep->is_tls || texts[i].option < OPT_TLS_CERT;
        *texts[i].to = copy_text(ep->t, has_use ? e->values[texts[i].option].text : "");
        ok           = ok && *texts[i].to != NULL;
    }
    ep->tls.client    = ep->is_tls ? (uint32_t)option_number(e, OPT_TLS_CLIENT) : TLS_CLIENT_NONE;
    ep->tls.min_1_3   = option_number(e, OPT_TLS_MIN) != 0;
    ep->tls.reload_ms = option_number(e, OPT_TLS_RELOAD_MS);
    return ok;
}

void tcp_forget_settings(endpoint *ep)
{
    const patio_host *host    = ep->t->host;
    char *const       texts[] = {ep->keys[0],    ep->keys[1],  ep->tls.cert, ep->tls.cert_key,
                                 ep->tls.ca,     ep->tls.crl,  ep->tls.name, ep->tls.ciphers,
                                 ep->tls.suites, ep->tls.allow};
    secure_fini(ep);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (i < 2 && texts[i] != NULL) {
            explicit_bzero(texts[i], strlen(texts[i]));
        }
        host->free(host->self, texts[i]);
    }
}

patio_status tcp_read_settings(patio_transport *t, const patio_transport_params *params,
                               patio_error *err)
{
    const uint8_t *base  = (const uint8_t *)params->endpoints;
    uint32_t       count = 0;
    for (uint32_t i = 0; i < params->endpoint_count; i++) {
        const void *at = base + i * params->endpoint_bytes;
        count += ((const patio_endpoint *)at)->host_count;
    }
    t->endpoints = t->host->alloc(t->host->self, count * sizeof(*t->endpoints));
    if (t->endpoints == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(t->endpoints, 0, count * sizeof(*t->endpoints));
    read_numbers(&t->set, params->endpoints);
    patio_status st = options_agree(&t->set, params->endpoints, err);
    for (uint32_t i = 0; i < params->endpoint_count && st == PATIO_OK; i++) {
        const void           *at = base + i * params->endpoint_bytes;
        const patio_endpoint *e  = at;
        st                       = options_check_first(params->endpoints, e, err);
        for (uint32_t k = 0; k < e->host_count && st == PATIO_OK; k++) {
            endpoint *ep = &t->endpoints[t->endpoint_count++];
            ep->t        = t;
            ep->insecure = e->values[OPT_INSECURE].number != 0;
            st           = tcp_read_address(ep, e, k, err);
            if (!copy_texts(ep, e)) {
                return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
            }
            st = st == PATIO_OK ? options_check_one(ep, params, e, err) : st;
        }
    }
    return st == PATIO_OK ? options_check_sides(t, err) : st;
}
