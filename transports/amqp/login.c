/* From a fresh connection to a ready one: protocol header, login, channels,
 * confirm mode. */
#include "transport.h"

static amqp_table_entry_t entry_text(const char *key, const char *value)
{
    return (amqp_table_entry_t){
        .key   = wire_text(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = wire_text(value)}};
}

static amqp_table_entry_t entry_true(const char *key)
{
    return (amqp_table_entry_t){.key   = wire_text(key),
                                .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
}

void login_begin(connection *c)
{
    static const uint8_t header[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    patio_transport     *t         = c->t;
    pthread_mutex_lock(&t->lock);
    c->state    = LINK_START;
    c->heard_ns = t->host->now_ns(t->host->self);
    (void)obuf_add(t, &c->out, header, sizeof(header));
    socket_flush(c);
    pthread_mutex_unlock(&t->lock);
}

static void answer(connection *c, uint32_t next, uint32_t method, void *decoded)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    bool ok = wire_method(c, 0, method, decoded);
    if (ok) {
        c->state = next;
        socket_flush(c);
    }
    pthread_mutex_unlock(&t->lock);
    if (!ok) {
        link_fail(c, PATIO_NO_MEMORY, "log in to %s: user or password is too long", c->shown);
    }
}

/* Does it say so when it refuses who logs in, in place of hanging up? */
static bool says_no(const amqp_field_value_t *capabilities)
{
    const amqp_table_t *table = &capabilities->value.table;
    bool                found = false;
    for (int i = 0; capabilities->kind == AMQP_FIELD_KIND_TABLE && i < table->num_entries; i++) {
        const amqp_table_entry_t *e = &table->entries[i];
        found                       = found || (wire_is(e->key, "authentication_failure_close") &&
                          e->value.kind == AMQP_FIELD_KIND_BOOLEAN && e->value.value.boolean != 0);
    }
    return found;
}

/* "RabbitMQ 3.10.8", for people, and what the login must know. */
static void read_product(connection *c, const amqp_connection_start_t *start)
{
    patio_transport *t = c->t;
    char             what[2][64];
    what[0][0] = what[1][0] = '\0';
    c->says_no              = false;
    for (int i = 0; i < start->server_properties.num_entries; i++) {
        const amqp_table_entry_t *e = &start->server_properties.entries[i];
        int slot = wire_is(e->key, "product") ? 0 : wire_is(e->key, "version") ? 1 : 2;
        if (slot < 2 && e->value.kind == AMQP_FIELD_KIND_UTF8) {
            wire_copy(what[slot], sizeof(what[slot]), e->value.value.bytes);
        }
        c->says_no = c->says_no || (wire_is(e->key, "capabilities") && says_no(&e->value));
    }
    pthread_mutex_lock(&t->lock);
    (void)snprintf(t->product, sizeof(t->product), "%s %s", what[0], what[1]);
    pthread_mutex_unlock(&t->lock);
}

/* Is a word in a list with spaces between them? */
static bool offers(amqp_bytes_t list, const char *word)
{
    const uint8_t *at   = list.bytes;
    size_t         size = strlen(word);
    for (size_t from = 0, i = 0; i <= list.len; i++) {
        if (i == list.len || at[i] == ' ') {
            if (i - from == size && memcmp(at + from, word, size) == 0) {
                return true;
            }
            from = i + 1;
        }
    }
    return false;
}

/* Who we are, what we understand, and the proof. */
static void start_ok(connection *c, const amqp_connection_start_t *start)
{
    patio_transport   *t      = c->t;
    const char        *role   = c->role == CONSUMING ? "consuming" : "publishing";
    amqp_table_entry_t able[] = {
        entry_true("connection.blocked"),           entry_true("consumer_cancel_notify"),
        entry_true("publisher_confirms"),           entry_true("basic.nack"),
        entry_true("authentication_failure_close"),
    };
    char name[NAME_MAX_BYTES + 64];
    (void)snprintf(name, sizeof(name), "patio %s %s %016llx", t->project, role,
                   (unsigned long long)t->incarnation);
    amqp_table_entry_t about[] = {
        entry_text("product", "patio"),
        entry_text("version", t->host->version),
        entry_text("platform", "C"),
        entry_text("connection_name", name),
        {.key   = wire_text("capabilities"),
         .value = {.kind        = AMQP_FIELD_KIND_TABLE,
                   .value.table = {.num_entries = sizeof(able) / sizeof(able[0]),
                                   .entries     = able}}},
    };
    char   proof[600];
    size_t user     = strlen(t->set.user);
    size_t password = strlen(t->set.password);
    bool   fits     = user + password + 2 <= sizeof(proof);
    size_t size     = 0;
    if (t->set.auth == AUTH_PLAIN && fits) {
        proof[0] = proof[user + 1] = '\0';
        memcpy(proof + 1, t->set.user, user);
        memcpy(proof + user + 2, t->set.password, password);
        size = user + password + 2;
    }
    if (!fits) {
        link_fail(c, PATIO_CONFIG, "log in to %s: user or password is too long", c->shown);
        return;
    }
    const char *mechanism = t->set.auth == AUTH_PLAIN ? "PLAIN" : "EXTERNAL";
    if (!offers(start->mechanisms, mechanism)) {
        link_fail(c, PATIO_CONFIG, "log in to %s: it offers %.*s, not %s%s", c->shown,
                  (int)start->mechanisms.len, (const char *)start->mechanisms.bytes, mechanism,
                  t->set.auth == AUTH_PLAIN
                      ? " (auth=external?)"
                      : ": enable rabbitmq_auth_mechanism_ssl, and name EXTERNAL in "
                        "auth_mechanisms");
        return;
    }
    amqp_connection_start_ok_t ok = {
        .client_properties = {.num_entries = sizeof(about) / sizeof(about[0]), .entries = about},
        .mechanism         = wire_text(mechanism),
        .response          = {.len = size, .bytes = proof},
        .locale            = wire_text("en_US"),
    };
    answer(c, LINK_TUNE, AMQP_CONNECTION_START_OK_METHOD, &ok);
    OPENSSL_cleanse(proof, sizeof(proof));
}

static void tune_ok(connection *c, const amqp_connection_tune_t *tune)
{
    patio_transport *t         = c->t;
    uint64_t         heartbeat = t->set.heartbeat_ms / 1000;
    if (tune->channel_max != 0 && tune->channel_max < CHANNELS - 1) {
        link_fail(c, PATIO_CONFIG, "%s allows %u channels per connection, %d are needed", c->shown,
                  tune->channel_max, CHANNELS - 1);
        return;
    }
    heartbeat = heartbeat > 0 ? heartbeat : 1;
    heartbeat = tune->heartbeat != 0 && tune->heartbeat < heartbeat ? tune->heartbeat : heartbeat;
    c->heartbeat_ns = heartbeat * 1000000000u;
    c->frame_max    = tune->frame_max != 0 && tune->frame_max < FRAME_MAX_BYTES ? tune->frame_max
                                                                                : FRAME_MAX_BYTES;
    if (c->frame_max < 4096 ||
        amqp_tune_connection(c->codec, CHANNELS, (int)c->frame_max, 0) != AMQP_STATUS_OK) {
        link_fail(c, PATIO_PROTOCOL, "%s offers frames of %u bytes", c->shown, tune->frame_max);
        return;
    }
    amqp_connection_tune_ok_t ok = {
        .channel_max = CHANNELS - 1, .frame_max = c->frame_max, .heartbeat = (uint16_t)heartbeat};
    answer(c, LINK_OPEN, AMQP_CONNECTION_TUNE_OK_METHOD, &ok);
    amqp_connection_open_t open = {.virtual_host = wire_text(t->set.vhost)};
    if (c->state == LINK_OPEN) {
        answer(c, LINK_OPEN, AMQP_CONNECTION_OPEN_METHOD, &open);
    }
}

void login_open_channel(connection *c, uint16_t channel)
{
    amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
    (void)wire_method(c, channel, AMQP_CHANNEL_OPEN_METHOD, &open);
    if (c->role == PUBLISHING) {
        amqp_confirm_select_t select = {.nowait = 0};
        (void)wire_method(c, channel, AMQP_CONFIRM_SELECT_METHOD, &select);
        if (c->t->set.reply == REPLY_DIRECT) {
            amqp_basic_consume_t consume = {.queue        = wire_text("amq.rabbitmq.reply-to"),
                                            .consumer_tag = wire_text("patio.inbox"),
                                            .no_ack       = 1};
            (void)wire_method(c, channel, AMQP_BASIC_CONSUME_METHOD, &consume);
        }
    }
}

static void opened(connection *c)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    c->state = LINK_SETUP;
    if (c->role == PUBLISHING) {
        login_open_channel(c, CH_PUBLISH);
    } else {
        login_open_channel(c, CH_TASKS);
        login_open_channel(c, CH_TOPOLOGY);
        login_open_channel(c, CH_INBOX);
    }
    socket_flush(c);
    pthread_mutex_unlock(&t->lock);
}

static void ready(connection *c)
{
    patio_transport *t = c->t;
    c->state           = LINK_READY;
    c->failures        = 0;
    t->work            = true;
    if (c->role == PUBLISHING) {
        post_link_ready(t);
    } else if (t->set.reply == REPLY_DIRECT) {
        t->inbox_ready = true;
    } else {
        rpc *r = rpc_new(t, RPC_INBOX, t->inbox);
        if (r != NULL) {
            rpc_add(t, r);
        }
    }
}

static void channel_opened(connection *c, uint16_t channel)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    c->channel_open[channel] = true;
    t->browse_opening        = t->browse_opening && channel != CH_BROWSE;
    t->work                  = true;
    if (c->state == LINK_SETUP && c->role == CONSUMING && c->channel_open[CH_TASKS] &&
        c->channel_open[CH_TOPOLOGY] && c->channel_open[CH_INBOX]) {
        ready(c);
    }
    pthread_mutex_unlock(&t->lock);
}

static void confirms_on(connection *c)
{
    patio_transport *t = c->t;
    pthread_mutex_lock(&t->lock);
    if (c->role == PUBLISHING) {
        ready(c);
    }
    pthread_mutex_unlock(&t->lock);
}

void login_method(connection *c, uint16_t channel, const amqp_method_t *m)
{
    switch (m->id) {
    case AMQP_CONNECTION_START_METHOD:
        if (c->state == LINK_START) {
            read_product(c, m->decoded);
            start_ok(c, m->decoded);
            return;
        }
        break;
    case AMQP_CONNECTION_TUNE_METHOD:
        if (c->state == LINK_TUNE) {
            tune_ok(c, m->decoded);
            return;
        }
        break;
    case AMQP_CONNECTION_OPEN_OK_METHOD:
        if (c->state == LINK_OPEN) {
            opened(c);
            return;
        }
        break;
    case AMQP_CHANNEL_OPEN_OK_METHOD:
        channel_opened(c, channel);
        return;
    case AMQP_CONFIRM_SELECT_OK_METHOD:
        confirms_on(c);
        return;
    default:
        break;
    }
    link_fail(c, PATIO_PROTOCOL, "%s sent %s, which was not expected", c->shown,
              amqp_method_name(m->id) != NULL ? amqp_method_name(m->id) : "an unknown method");
}
