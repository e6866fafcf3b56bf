/* Options and URLs. */
#include "transport.h"

enum {
    OPT_USER,
    OPT_PASSWORD,
    OPT_AUTH,
    OPT_TOPOLOGY,
    OPT_QUEUE_TYPE,
    OPT_PERSISTENT,
    OPT_PERSISTENT_REPLY_AFTER_MS,
    OPT_REPLY,
    OPT_HEARTBEAT_MS,
    OPT_HANDSHAKE_MS,
    OPT_RECONNECT_MIN_MS,
    OPT_RECONNECT_MAX_MS,
    OPT_PROBE_MS,
    OPT_ENQUEUE_MS,
    OPT_MAX_UNCONFIRMED,
    OPT_MAX_UNCONFIRMED_BYTES,
    OPT_DELIVERY_LIMIT,
    OPT_DEAD_TTL_MS,
    OPT_MAX_DEAD,
    OPT_REPLY_EXPIRES_MS,
    OPT_CONSUMER_TIMEOUT_MS,
    OPT_TLS_CA_FILE,
    OPT_TLS_CERT_FILE,
    OPT_TLS_KEY_FILE,
    OPT_TLS_CRL_FILE,
    OPT_TLS_SERVER_NAME,
    OPT_TLS_VERIFY,
};

enum { PORT_PLAIN = 5672, PORT_TLS = 5671 };

#define ROW(name_, type_, fallback_, min_, max_, help_)                                            \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_), .type = (type_),            \
                           .fallback = (fallback_), .min = (min_), .max = (max_),                  \
                           .help = (help_)})
#define CHOICE(name_, fallback_, choices_, help_)                                                  \
    (&(const patio_option){PATIO_SIZED(patio_option), .name = (name_),                             \
                           .type = PATIO_OPTION_CHOICE, .fallback = (fallback_),                   \
                           .choices = (choices_), .help = (help_)})
#define TEXT(name, fallback, help)           ROW(name, PATIO_OPTION_STRING, fallback, 0, 0, help)
#define BOOL(name, fallback, help)           ROW(name, PATIO_OPTION_BOOL, fallback, 0, 0, help)
#define INT(name, fallback, min, max, help)  ROW(name, PATIO_OPTION_INT, fallback, min, max, help)
#define MS(name, fallback, min, max, help)   ROW(name, PATIO_OPTION_MS, fallback, min, max, help)
#define SIZE(name, fallback, min, max, help) ROW(name, PATIO_OPTION_SIZE, fallback, min, max, help)

const patio_option *const option_table[] = {
    [OPT_USER]       = TEXT("user", "", "user name; before what the URL says; neither: guest"),
    [OPT_PASSWORD]   = ROW("password", PATIO_OPTION_SECRET, "", 0, 0,
                           "password, best as env:NAME or file:PATH; before what the URL says"),
    [OPT_AUTH]       = CHOICE("auth", "plain", "plain|external",
                              "plain: user and password; external: the client certificate"),
    [OPT_TOPOLOGY]   = CHOICE("topology", "declare", "declare|check|none",
                              "declare the queues, only check that they exist, "
                                "or neither (read and write rights)"),
    [OPT_QUEUE_TYPE] = CHOICE("queue_type", "auto", "auto|classic|quorum",
                              "auto: classic, or what there is already; quorum has no priorities"),
    [OPT_PERSISTENT] = BOOL("persistent", "true", "tasks survive the broker's restart"),
    [OPT_PERSISTENT_REPLY_AFTER_MS] = MS(
        "persistent_reply_after_ms", "2s", 0, INT64_MAX,
        "the reply of a task that ran so long is on the broker's disk before the task is removed; "
        "0: every reply; none: no reply"),
    [OPT_REPLY]        = CHOICE("reply", "auto", "auto|queue|direct",
                                "a queue per process, or RabbitMQ's direct reply-to; auto: direct with "
                                       "topology=none, else queue"),
    [OPT_HEARTBEAT_MS] = MS("heartbeat_ms", "10s", 1000, 600000,
                            "in whole seconds; who is silent for two of them is given up"),
    [OPT_HANDSHAKE_MS] =
        MS("handshake_ms", "5s", 100, 600000, "time to connect, to prove who we are, to open"),
    [OPT_RECONNECT_MIN_MS] =
        MS("reconnect_min_ms", "100ms", 1, 3600000, "first pause before connecting again"),
    [OPT_RECONNECT_MAX_MS] = MS("reconnect_max_ms", "15s", 1, 3600000, "longest such pause"),
    [OPT_PROBE_MS]         = MS("probe_ms", "5s", 100, 600000,
                                "time for a message to our own queue to come back after connecting"),
    [OPT_ENQUEUE_MS]       = MS("enqueue_ms", "5s", 0, 3600000,
                                "tasks wait so long for a lost or blocked broker, then fail"),
    [OPT_MAX_UNCONFIRMED]  = INT("max_unconfirmed", "10000", 1, 1000000,
                                 "most tasks the broker has not confirmed; one more is FULL"),
    [OPT_MAX_UNCONFIRMED_BYTES] =
        SIZE("max_unconfirmed_bytes", "64MiB", 65536, INT64_MAX, "most bytes of such tasks"),
    [OPT_DELIVERY_LIMIT] = INT("delivery_limit", "20", 1, 1000000,
                               "quorum queues: deliveries without settlement until a task is dead"),
    [OPT_DEAD_TTL_MS] =
        MS("dead_ttl_ms", "14d", 1000, INT64_C(3153600000000), "dead letters are kept so long"),
    [OPT_MAX_DEAD] =
        INT("max_dead", "10000", 1, 100000000, "most dead letters kept per queue; oldest go first"),
    [OPT_REPLY_EXPIRES_MS] = MS("reply_expires_ms", "60s", 1000, 86400000,
                                "the queue for replies lives on so long without its process"),
    [OPT_CONSUMER_TIMEOUT_MS] =
        MS("consumer_timeout_ms", "30min", 0, 86400000,
           "the broker's consumer_timeout; tasks that run for a third of it are renewed; 0: none"),
    [OPT_TLS_CA_FILE]   = TEXT("tls_ca_file", "", "who is trusted, PEM; empty: the system's list"),
    [OPT_TLS_CERT_FILE] = TEXT("tls_cert_file", "", "client certificate with its chain, PEM"),
    [OPT_TLS_KEY_FILE]  = TEXT("tls_key_file", "", "its key, PEM; empty: in tls_cert_file"),
    [OPT_TLS_CRL_FILE]  = TEXT("tls_crl_file", "", "revoked certificates, PEM"),
    [OPT_TLS_SERVER_NAME] = TEXT("tls_server_name", "",
                                 "name in the broker's certificate, if it is not the URL's host"),
    [OPT_TLS_VERIFY] = BOOL("tls_verify", "true", "false accepts any certificate: for tests only"),
    NULL,
};

const char *const scheme_table[] = {"amqp", "amqps", NULL};

static char *copy(const patio_transport *t, const char *text)
{
    size_t size = strlen(text) + 1;
    char  *to   = t->host->alloc(t->host->self, size);
    return to != NULL ? memcpy(to, text, size) : NULL;
}

static uint64_t number(const patio_endpoint *e, unsigned option)
{
    return (uint64_t)e->values[option].number;
}

static void read_numbers(settings *set, const patio_endpoint *e)
{
    set->auth                      = (uint32_t)number(e, OPT_AUTH);
    set->topology                  = (uint32_t)number(e, OPT_TOPOLOGY);
    set->queue_type                = (uint32_t)number(e, OPT_QUEUE_TYPE);
    set->persistent                = number(e, OPT_PERSISTENT) != 0;
    set->persistent_reply_after_ms = number(e, OPT_PERSISTENT_REPLY_AFTER_MS);
    set->reply                     = (uint32_t)number(e, OPT_REPLY);
    set->heartbeat_ms              = number(e, OPT_HEARTBEAT_MS);
    set->handshake_ms              = number(e, OPT_HANDSHAKE_MS);
    set->reconnect_min_ms          = number(e, OPT_RECONNECT_MIN_MS);
    set->reconnect_max_ms          = number(e, OPT_RECONNECT_MAX_MS);
    set->probe_ms                  = number(e, OPT_PROBE_MS);
    set->enqueue_ms                = number(e, OPT_ENQUEUE_MS);
    set->max_unconfirmed           = number(e, OPT_MAX_UNCONFIRMED);
    set->max_unconfirmed_bytes     = number(e, OPT_MAX_UNCONFIRMED_BYTES);
    set->delivery_limit            = number(e, OPT_DELIVERY_LIMIT);
    set->dead_ttl_ms               = number(e, OPT_DEAD_TTL_MS);
    set->max_dead                  = number(e, OPT_MAX_DEAD);
    set->reply_expires_ms          = number(e, OPT_REPLY_EXPIRES_MS);
    set->consumer_timeout_ms       = number(e, OPT_CONSUMER_TIMEOUT_MS);
    set->tls_verify                = number(e, OPT_TLS_VERIFY) != 0;
    set->tls                       = strcmp(e->scheme, "amqps") == 0;
    if (set->reply == REPLY_AUTO) {
        set->reply = set->topology == TOPOLOGY_NONE ? REPLY_DIRECT : REPLY_QUEUE;
    }
}

static bool read_texts(patio_transport *t, const patio_endpoint *e)
{
    settings   *set      = &t->set;
    const char *user     = e->values[OPT_USER].text;
    const char *password = e->values[OPT_PASSWORD].text;
    bool        nobody   = user[0] == '\0' && e->user[0] == '\0';
    const char *other    = set->auth == AUTH_EXTERNAL ? "who the client certificate says" : "guest";
    user                 = user[0] != '\0' ? user : nobody ? other : e->user;
    password             = password[0] != '\0' ? password : e->password;
    set->user            = copy(t, user);
    set->password        = copy(t, nobody && password[0] == '\0' ? "guest" : password);
    /* "/" and "" are the vhost "/"; "/name" and "//name" are "name" and "/name"
     */
    set->vhost           = copy(t, e->path[0] == '\0' || e->path[1] == '\0' ? "/" : e->path + 1);
    set->tls_ca_file     = copy(t, e->values[OPT_TLS_CA_FILE].text);
    set->tls_cert_file   = copy(t, e->values[OPT_TLS_CERT_FILE].text);
    set->tls_key_file    = copy(t, e->values[OPT_TLS_KEY_FILE].text);
    set->tls_crl_file    = copy(t, e->values[OPT_TLS_CRL_FILE].text);
    set->tls_server_name = copy(t, e->values[OPT_TLS_SERVER_NAME].text);
    return set->user != NULL && set->password != NULL && set->vhost != NULL &&
           set->tls_ca_file != NULL && set->tls_cert_file != NULL && set->tls_key_file != NULL &&
           set->tls_crl_file != NULL && set->tls_server_name != NULL;
}

static const patio_endpoint *endpoint(const patio_transport_params *params, uint32_t i)
{
    const void *at = (const uint8_t *)params->endpoints + i * params->endpoint_bytes;
    return at;
}

static patio_status read_hosts(patio_transport *t, const patio_transport_params *params,
                               patio_error *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < params->endpoint_count; i++) {
        count += endpoint(params, i)->host_count;
    }
    t->hosts = t->host->alloc(t->host->self, count * sizeof(*t->hosts));
    if (t->hosts == NULL) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    memset(t->hosts, 0, count * sizeof(*t->hosts));
    for (uint32_t i = 0; i < params->endpoint_count; i++) {
        const patio_endpoint *e = endpoint(params, i);
        if ((strcmp(e->scheme, "amqps") == 0) != t->set.tls) {
            return patio_fail(err, PATIO_CONFIG, 0,
                              "%s: all URLs of a cluster are amqp://, or all are amqps://",
                              e->shown);
        }
        for (uint32_t k = 0; k < e->host_count; k++) {
            const patio_host_port *at = &e->hosts[k];
            host_name             *to = &t->hosts[t->host_count];
            to->host                  = copy(t, at->host[0] != '\0' ? at->host : "localhost");
            to->port = at->port != 0 ? at->port : t->set.tls ? PORT_TLS : PORT_PLAIN;
            if (to->host == NULL) {
                return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
            }
            t->host_count++;
            if (to->port > UINT16_MAX) {
                return patio_fail(err, PATIO_CONFIG, 0, "%s: port %u", e->shown, to->port);
            }
        }
    }
    return PATIO_OK;
}

static patio_status check(const patio_transport *t, const patio_endpoint *e, patio_error *err)
{
    if (strcmp(e->scheme, "amqp") != 0 && strcmp(e->scheme, "amqps") != 0) {
        return patio_fail(err, PATIO_CONFIG, 0, "%s: scheme %s is not one of amqp, amqps", e->shown,
                          e->scheme);
    }
    if (t->set.auth == AUTH_EXTERNAL && (!t->set.tls || t->set.tls_cert_file[0] == '\0')) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s: auth=external needs amqps:// and tls_cert_file", e->shown);
    }
    if (t->set.auth == AUTH_EXTERNAL &&
        (e->user[0] != '\0' || e->values[OPT_USER].text[0] != '\0')) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s: auth=external takes the user from tls_cert_file, so none is named",
                          e->shown);
    }
    if (t->set.topology == TOPOLOGY_NONE && t->set.reply == REPLY_QUEUE) {
        return patio_fail(err, PATIO_CONFIG, 0,
                          "%s: topology=none declares nothing, and reply=queue needs a queue: "
                          "reply=direct",
                          e->shown);
    }
    return PATIO_OK;
}

patio_status options_read(patio_transport *t, const patio_transport_params *params,
                          patio_error *err)
{
    const patio_endpoint *e = endpoint(params, 0);
    read_numbers(&t->set, e);
    (void)snprintf(t->shown, sizeof(t->shown), "%s", e->shown);
    if (!read_texts(t, e)) {
        return patio_fail(err, PATIO_NO_MEMORY, 0, "out of memory");
    }
    patio_status st = check(t, e, err);
    return st == PATIO_OK ? read_hosts(t, params, err) : st;
}

void options_free(patio_transport *t)
{
    settings *set = &t->set;
    char *list[]  = {set->user,         set->vhost,        set->tls_ca_file,    set->tls_cert_file,
                     set->tls_key_file, set->tls_crl_file, set->tls_server_name};
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        t->host->free(t->host->self, list[i]);
    }
    if (set->password != NULL) {
        OPENSSL_cleanse(set->password, strlen(set->password));
        t->host->free(t->host->self, set->password);
    }
    for (uint32_t i = 0; i < t->host_count; i++) {
        name_drop(&t->hosts[i]);
        t->host->free(t->host->self, t->hosts[i].host);
    }
    t->host->free(t->host->self, t->hosts);
}
