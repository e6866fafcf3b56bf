#include "config/url.h"

#include <string.h>

#include "base/error.h"
#include "config/say.h"
#include "config/url_host.h"
#include "config/url_parts.h"

static size_t count_items(pt_span span, char separator)
{
    size_t count = 1;
    for (size_t i = 0; i < span.size; i++) {
        count += span.at[i] == separator ? 1 : 0;
    }
    return count;
}

static const char *resolve_alias(const char *name)
{
    static const char *const aliases[][2] = {
        {"tls", "tcp"}, {"unix", "tcp"}, {"amqps", "amqp"}, {"rediss", "redis"}};
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (strcmp(name, aliases[i][0]) == 0) {
            return aliases[i][1];
        }
    }
    return name;
}

static bool is_plugin_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t            size      = strlen(name);
    return size >= 1 && size <= 32 && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, allowed) == size;
}

static patio_status fill_scheme(const pt_url_parts *p, pt_block *block, pt_url *url,
                                patio_error *err)
{
    url->scheme = pt_block_decode(block, p->scheme);
    for (char *c = url->scheme; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    pt_span scheme      = {url->scheme, p->scheme.size};
    pt_span base        = pt_span_take(&scheme, "+");
    url->plugin         = pt_block_decode(block, base);
    const char *actual  = resolve_alias(url->plugin);
    bool        has_end = pt_span_skip(&scheme, '+');
    if (!is_plugin_name(actual) || (has_end && scheme.size == 0)) {
        char quoted[PT_QUOTE_BYTES];
        return pt_fail(err, PATIO_CONFIG, "config", "URL: scheme %s does not name a transport",
                       pt_quote(quoted, url->scheme));
    }
    if (actual != url->plugin) {
        /* no alias is shorter than what it stands for */
        memcpy(url->plugin, actual, strlen(actual) + 1);
    }
    return PATIO_OK;
}

static patio_status fill_hosts(const pt_url_parts *p, pt_block *block, pt_url *url,
                               patio_error *err)
{
    pt_span rest = p->hosts;
    for (uint32_t i = 0; i < url->host_count; i++) {
        const char *bad = NULL;
        const char *problem =
            pt_url_parse_host(pt_span_take(&rest, ","), block, &url->hosts[i], &bad);
        if (problem == NULL && url->host_count > 1 && url->hosts[i].host[0] == '\0') {
            problem = "a list of hosts has an empty one";
        }
        if (problem == NULL && url->hosts[i].port == PATIO_PORT_ANY &&
            strstr(url->scheme, "+listen") == NULL) {
            problem = "the port is not a number from 1 to 65535";
        }
        if (problem != NULL) {
            return pt_url_fail(err, p, bad, problem);
        }
        (void)pt_span_skip(&rest, ',');
    }
    return PATIO_OK;
}

static patio_status fill_option(const pt_url_parts *p, pt_span item, pt_block *block, pt_url *url,
                                patio_error *err)
{
    pt_span key = pt_span_take(&item, "=");
    if (!pt_span_skip(&item, '=')) {
        return pt_url_fail(err, p, key.at, "an option is written as name=value");
    }
    pt_setting *setting = &url->query[url->query_count];
    setting->key        = pt_block_decode(block, key);
    if (!is_plugin_name(setting->key)) {
        return pt_url_fail(err, p, key.at, "the name of an option has a-z, 0-9 and _ only");
    }
    for (size_t i = 0; i < url->query_count; i++) {
        if (strcmp(url->query[i].key, setting->key) == 0) {
            return pt_fail(err, PATIO_CONFIG, "config", "URL: option %s is given twice",
                           setting->key);
        }
    }
    setting->value  = pt_block_decode(block, item);
    setting->origin = "the URL";
    url->query_count++;
    return PATIO_OK;
}

static patio_status fill_query(const pt_url_parts *p, pt_block *block, pt_url *url,
                               patio_error *err)
{
    pt_span rest = p->query;
    while (rest.size > 0) {
        patio_status status = fill_option(p, pt_span_take(&rest, "&"), block, url, err);
        if (status != PATIO_OK) {
            return status;
        }
        if (pt_span_skip(&rest, '&') && rest.size == 0) {
            return pt_url_fail(err, p, rest.at, "an option is missing after \"&\"");
        }
    }
    return PATIO_OK;
}

/* ---- the text for people ---- */

static void show(pt_block *block, const char *text)
{
    pt_block_add(block, (pt_span){text, strlen(text)});
}

static bool could_be_secret(const char *key)
{
    /* "pass" finds password, passwd and passphrase */
    static const char *const words[] = {"key", "pass", "secret", "token"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(key, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Built from the text as written, in which no control character can be. */
static void fill_shown(const pt_url_parts *p, pt_block *block, pt_url *url)
{
    char *start = block->next;
    show(block, url->scheme);
    show(block, "://");
    if (p->has_user) {
        pt_block_add(block, p->user);
        show(block, p->has_password ? ":***@" : "@");
    }
    pt_block_add(block, p->hosts);
    pt_block_add(block, p->path);
    pt_span rest = p->query;
    for (size_t i = 0; i < url->query_count; i++) {
        pt_span item = pt_span_take(&rest, "&");
        (void)pt_span_skip(&rest, '&');
        (void)pt_span_take(&item, "=");
        show(block, i == 0 ? "?" : "&");
        show(block, url->query[i].key);
        if (could_be_secret(url->query[i].key)) {
            show(block, "=***");
        } else {
            pt_block_add(block, item);
        }
    }
    url->shown = pt_block_end(block, start);
}

static patio_status fill(const pt_url_parts *p, pt_block *block, pt_url *url, patio_error *err)
{
    patio_status status = fill_scheme(p, block, url, err);
    if (status == PATIO_OK) {
        status = fill_hosts(p, block, url, err);
    }
    if (status == PATIO_OK) {
        status = fill_query(p, block, url, err);
    }
    if (status == PATIO_OK) {
        url->user     = pt_block_decode(block, p->user);
        url->password = pt_block_decode(block, p->password);
        url->path     = pt_block_decode(block, p->path);
        fill_shown(p, block, url);
    }
    return status;
}

patio_status pt_url_parse(const patio_allocator *mem, const char *text, pt_url *out,
                          patio_error *err)
{
    pt_url_parts p;
    size_t       size = strnlen(text, PT_URL_MAX_BYTES + 1);
    *out              = (pt_url){.mem = mem};
    if (size > PT_URL_MAX_BYTES) {
        return pt_fail(err, PATIO_CONFIG, "config", "URL: it is longer than %d bytes",
                       PT_URL_MAX_BYTES);
    }
    patio_status status = pt_url_find_parts(text, size, &p, err);
    if (status != PATIO_OK) {
        return status;
    }
    size_t hosts   = count_items(p.hosts, ',');
    size_t options = count_items(p.query, '&');
    /* every byte is decoded once and shown once, the scheme's are copied once more; a NUL for each
     * text; "***" for each option and the password */
    out->texts_bytes = 3 * size + 8 * (hosts + options) + 64;
    out->texts       = pt_calloc(mem, out->texts_bytes, 1);
    out->hosts       = pt_calloc(mem, hosts, sizeof(*out->hosts));
    out->query       = pt_calloc(mem, options, sizeof(*out->query));
    out->host_count  = (uint32_t)hosts;
    if (out->texts == NULL || out->hosts == NULL || out->query == NULL) {
        status = pt_no_memory(err, "config");
    } else {
        pt_block block = {out->texts, out->texts + out->texts_bytes};
        status         = fill(&p, &block, out, err);
    }
    if (status != PATIO_OK) {
        pt_url_fini(out);
    }
    return status;
}

void pt_url_fini(pt_url *url)
{
    if (url->texts != NULL) {
        explicit_bzero(url->texts, url->texts_bytes);
        pt_free(url->mem, url->texts);
    }
    if (url->mem != NULL) {
        pt_free(url->mem, url->hosts);
        pt_free(url->mem, url->query);
    }
    *url = (pt_url){0};
}
