/* What a server says when it does not do what it was asked for. */
#include "redis.h"

static const struct word {
    const char *text;
    uint8_t     trouble;
} words[] = {
    {"NOSCRIPT", TROUBLE_NOSCRIPT},
    {"NOGROUP", TROUBLE_NOGROUP},
    {"UNBLOCKED", TROUBLE_NOGROUP},
    {"READONLY", TROUBLE_READONLY},
    {"LOADING", TROUBLE_LOADING},
    {"OOM", TROUBLE_OOM},
    {"BUSY", TROUBLE_BUSY},
    {"MASTERDOWN", TROUBLE_MASTERDOWN},
    {"NOAUTH", TROUBLE_AUTH},
    {"WRONGPASS", TROUBLE_AUTH},
    {"NOPERM", TROUBLE_AUTH},
    {"MISCONF", TROUBLE_MISCONF},
    {"MOVED", TROUBLE_MOVED},
    {"ASK", TROUBLE_ASK},
    {"TRYAGAIN", TROUBLE_ASK},
    {"CLUSTERDOWN", TROUBLE_CLUSTERDOWN},
    {"NOREPLICAS", TROUBLE_NOREPLICAS},
};

static bool says(const char *text, const char *word)
{
    size_t size = strlen(word);
    return strncmp(text, word, size) == 0 && (text[size] == ' ' || text[size] == '\0');
}

uint8_t trouble_of(const resp *r)
{
    if (!resp_error(r)) {
        return TROUBLE_NONE;
    }
    /* who waited is let go for two reasons: its stream went, or this is no master any more */
    if (says(r->text, "UNBLOCKED") && strstr(r->text, "instance state") != NULL) {
        return TROUBLE_READONLY;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (says(r->text, words[i].text)) {
            return words[i].trouble;
        }
    }
    /* inside of a script it has no word of its own: "ERR The user executing the script can't run
     * …", Valkey and later Redis "ERR ACL failure in script: …" */
    if (strstr(r->text, "The user executing the script can't") != NULL ||
        strstr(r->text, "ACL failure in script") != NULL) {
        return TROUBLE_AUTH;
    }
    /* before 7.0 an error inside of a script is quoted: "ERR Error running script …: -OOM …" */
    for (const char *at = strstr(r->text, ": "); at != NULL; at = strstr(at + 1, ": ")) {
        const char *word = at + 2 + (at[2] == '-' ? 1 : 0);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (says(word, words[i].text)) {
                return words[i].trouble;
            }
        }
    }
    return TROUBLE_OTHER;
}

/* Under the lock. */
static void hold(conn *c, patio_status status, const resp *r)
{
    node    *n  = c->node;
    uint64_t ms = patio_backoff_ms(n->holds + 1, 20, 1000, UINT64_MAX >> 1);
    ms          = ms < 20 ? 20 : ms;
    n->hold_ns  = now_ns(c->t) + ms * 1000000u;
    n->holds += n->holds < 16 ? 1 : 0;
    n->trouble.status = status;
    (void)snprintf(
        n->trouble.message, sizeof(n->trouble.message), "the server says: %.600s%s", r->text,
        status == PATIO_AUTH ? "; `patio doctor` names the rights that are missing" : "");
}

bool trouble_note(conn *c, const cmd *k, uint8_t trouble, const resp *r)
{
    patio_transport *t     = c->t;
    bool             again = true;
    pthread_mutex_lock(&t->lock);
    switch (trouble) {
    case TROUBLE_NOSCRIPT:
        if (k->detail < SCRIPT_COUNT) {
            hello_load(c, k->detail);
        }
        break;
    case TROUBLE_NOGROUP:
        if (k->q != NULL) {
            k->q->opened  = false;
            k->q->beat_ns = 0;
        }
        break;
    case TROUBLE_READONLY:
    case TROUBLE_MASTERDOWN:
        hold(c, PATIO_UNREACHABLE, r);
        conn_break(&c->node->w, PATIO_UNREACHABLE, r->text);
        break;
    case TROUBLE_AUTH:
        hold(c, PATIO_AUTH, r);
        break;
    case TROUBLE_OOM:
        hold(c, PATIO_BLOCKED, r);
        /* what ends tasks may pass, and makes room */
        c->node->hold_publish_ns = c->node->hold_ns;
        c->node->hold_ns         = 0;
        break;
    case TROUBLE_LOADING:
    case TROUBLE_BUSY:
    case TROUBLE_MISCONF:
    case TROUBLE_NOREPLICAS:
    case TROUBLE_CLUSTERDOWN:
        hold(c, PATIO_BLOCKED, r);
        break;
    case TROUBLE_ASK:
        /* half of a slot has moved; a script needs all of it in one place, so it waits */
        c->node->hold_ns = now_ns(t) + 50 * UINT64_C(1000000);
        t->slots_wanted  = true;
        break;
    case TROUBLE_MOVED:
        break;
    default:
        again = false;
        break;
    }
    pthread_mutex_unlock(&t->lock);
    if (trouble == TROUBLE_MOVED) {
        cluster_moved(c, r->text);
    }
    return again;
}
