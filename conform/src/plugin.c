/* plugin.c: the plugin and its URL, by the library's own loader and parsers, so that the kit takes
 * what patio takes. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/options.h"
#include "config/url.h"
#include "kit.h"
#include "plugin/load.h"

enum { URLS_MAX = KIT_INSTANCES + 1 };

struct kit_endpoints {
    const patio_option *const *table;
    uint32_t                   count;
    pt_url                     urls[URLS_MAX];
    patio_endpoint             array[URLS_MAX];
    patio_option_value        *values[URLS_MAX];
};

static bool name_of(const char *path, char name[PT_PLUGIN_NAME_MAX + 1])
{
    const char *file = strrchr(path, '/');
    file             = file != NULL ? file + 1 : path;
    size_t size      = strlen(file);
    size -= size > 3 && strcmp(file + size - 3, ".so") == 0 ? 3 : 0;
    if (size == 0 || size > PT_PLUGIN_NAME_MAX) {
        return false;
    }
    memcpy(name, file, size);
    name[size] = '\0';
    return pt_is_plugin_name(name);
}

bool kit_plugin_load(kit *k)
{
    static pt_plugin *cache;
    const pt_plugin  *found = NULL;
    patio_error       why   = PATIO_ERROR_INIT;
    char              name[PT_PLUGIN_NAME_MAX + 1];
    const pt_kind    *kind = pt_kind_find(k->options->kind);
    if (kind == NULL || !name_of(k->options->plugin, name)) {
        (void)snprintf(k->failure, sizeof(k->failure),
                       "%s: the file must be called NAME.so, and the kind transport or executor",
                       k->options->plugin);
        return false;
    }
    if (pt_load_file(&pt_malloc_allocator, &cache, kind, k->options->plugin, name, &found, &why) !=
        PATIO_OK) {
        (void)snprintf(k->failure, sizeof(k->failure), "load %s: %s", k->options->plugin,
                       why.message);
        return false;
    }
    k->plugin = pt_plugin_identity(found);
    if (kind == &pt_kind_transport) {
        k->ops = pt_plugin_ops(found);
        k->raw = k->plugin->query(PATIO_TRANSPORT_ID);
    } else {
        k->xops = pt_plugin_ops(found);
    }
    return true;
}

int kit_option(const patio_option *const *table, const char *name)
{
    for (int i = 0; table != NULL && table[i] != NULL; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return i;
        }
    }
    return -1;
}

bool kit_meshes(kit *k)
{
    if (k->options->listen != NULL) {
        return true;
    }
    char        scheme[64];
    const char *end = strstr(k->options->url, "://");
    size_t      n   = end != NULL ? (size_t)(end - k->options->url) : 0;
    if (n == 0 || n > 40 || k->ops->schemes == NULL) {
        return false;
    }
    (void)snprintf(scheme, sizeof(scheme), "%.*s+listen", (int)n, k->options->url);
    for (size_t i = 0; k->ops->schemes[i] != NULL; i++) {
        if (strcmp(k->ops->schemes[i], scheme) == 0) {
            return true;
        }
    }
    return false;
}

bool kit_has_link(kit *k)
{
    pt_url      url = {0};
    char        text[2048];
    patio_error err = PATIO_ERROR_INIT;
    kit_url(k, k->options->url, 0, text, sizeof(text));
    if (pt_url_parse(&pt_malloc_allocator, text, &url, &err) != PATIO_OK) {
        return false;
    }
    bool link = url.host_count == 1 && url.hosts[0].port != 0;
    pt_url_fini(&url);
    return link;
}

/* A port that nobody listens on, below those that the kernel gives to connections. */
static uint32_t free_port(kit *k)
{
    for (int tries = 0; tries < 1000; tries++) {
        uint16_t random = 0;
        (void)k->host.table.random(&k->host, &random, sizeof(random));
        uint32_t           port = 15400u + random % 16000u;
        int                fd   = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in a    = {.sin_family      = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port        = htons((uint16_t)port)};
        bool               ok   = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
        if (fd >= 0) {
            (void)close(fd);
        }
        if (ok) {
            return port;
        }
    }
    return 0;
}

void kit_url(kit *k, const char *form, uint32_t index, char *out, size_t size)
{
    size_t used = 0;
    for (const char *c = form; *c != '\0' && used + 32 < size; c++) {
        int n = 0;
        if (c[0] == '%' && c[1] == 'p') {
            if (k->ports[index] == 0) {
                k->ports[index] = free_port(k);
            }
            n = snprintf(out + used, size - used, "%u", k->ports[index]);
        } else if (c[0] == '%' && c[1] == 'c' && !isxdigit((unsigned char)c[2])) {
            n = snprintf(out + used, size - used, "%u", k->self->number);
        } else if (c[0] == '%' && c[1] == 'r') {
            n = snprintf(out + used, size - used, "%.30s", k->run_name);
        } else {
            out[used++] = *c;
            continue;
        }
        used += (size_t)n;
        c++;
    }
    out[used] = '\0';
}

static bool remember_secret(kit *k, const char *text)
{
    /* shorter ones would be found in any text */
    if (strlen(text) >= 6 && k->secret_count < 8) {
        (void)snprintf(k->secrets[k->secret_count++], sizeof(k->secrets[0]), "%s", text);
    }
    return true;
}

static bool add_endpoint(kit *k, kit_endpoints *e, const char *text, const char *const *settings,
                         patio_error *err)
{
    uint32_t i   = e->count;
    pt_url  *url = &e->urls[i];
    if (pt_url_parse(&pt_malloc_allocator, text, url, err) != PATIO_OK) {
        return false;
    }
    e->count++;
    pt_setting all[64];
    size_t     count = 0;
    char       keys[16][64];
    for (size_t s = 0; s < url->query_count && count < 40; s++) {
        all[count++] = url->query[s];
    }
    for (size_t s = 0; settings != NULL && settings[s] != NULL && s < 16; s++) {
        const char *equals = strchr(settings[s], '=');
        (void)snprintf(keys[s], sizeof(keys[s]), "%.*s", (int)(equals - settings[s]), settings[s]);
        all[count++] = (pt_setting){.key = keys[s], .value = equals + 1, .origin = "the case"};
    }
    if (pt_options_parse(&pt_malloc_allocator, e->table, k->plugin->name, all, count, &e->values[i],
                         err) != PATIO_OK) {
        return false;
    }
    (void)remember_secret(k, url->password);
    for (size_t o = 0; e->table != NULL && e->table[o] != NULL; o++) {
        if (e->table[o]->type == PATIO_OPTION_SECRET) {
            (void)remember_secret(k, e->values[i][o].text);
        }
    }
    return true;
}

kit_endpoints *kit_endpoints_make(kit *k, const char *const *urls, size_t count,
                                  const char *const *settings, patio_error *err)
{
    kit_endpoints *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        abort();
    }
    e->table = k->ops->options;
    for (size_t i = 0; i < count && i < URLS_MAX; i++) {
        if (!add_endpoint(k, e, urls[i], settings, err)) {
            kit_endpoints_free(e);
            return NULL;
        }
    }
    for (uint32_t i = 0; i < e->count; i++) {
        const pt_url *u = &e->urls[i];
        e->array[i]     = (patio_endpoint){
                PATIO_SIZED(patio_endpoint),
                .host_count = u->host_count,
                .scheme     = u->scheme,
                .user       = u->user,
                .password   = u->password,
                .hosts      = u->hosts,
                .path       = u->path,
                .shown      = u->shown,
                .values     = e->values[i],
        };
    }
    return e;
}

const patio_endpoint *kit_endpoints_array(const kit_endpoints *e, uint32_t *count)
{
    *count = e->count;
    return e->array;
}

patio_option_value *kit_endpoints_values(kit_endpoints *e, uint32_t i)
{
    return e->values[i];
}

void kit_endpoints_free(kit_endpoints *e)
{
    for (uint32_t i = 0; e != NULL && i < e->count; i++) {
        pt_options_free(&pt_malloc_allocator, e->table, e->values[i]);
        pt_url_fini(&e->urls[i]);
    }
    free(e);
}

/* What a dead worker costs at most: the plugin's own numbers, where it has options of such a name.
 */
uint64_t kit_redelivery_ms(kit *k)
{
    static const char *const names[]  = {"lease_ms", "dead_ms", "heartbeat_ms"};
    static const uint64_t    factor[] = {2, 1, 3};
    uint64_t                 found    = 0;
    if (k->options->redelivery_ms > 0) {
        return k->options->redelivery_ms;
    }
    char        text[2048];
    patio_error err = PATIO_ERROR_INIT;
    kit_url(k, k->options->url, 0, text, sizeof(text));
    const char    *urls[] = {text};
    kit_endpoints *e      = kit_endpoints_make(k, urls, 1, NULL, &err);
    for (size_t i = 0; e != NULL && i < 3; i++) {
        int      at = kit_option(k->ops->options, names[i]);
        uint64_t ms = at >= 0 ? (uint64_t)e->values[0][at].number * factor[i] + 2000 : 0;
        found       = ms > found ? ms : found;
    }
    if (e != NULL) {
        kit_endpoints_free(e);
    }
    return found != 0 ? found : 62000;
}

patio_option_value *kit_values(kit *k, const patio_option *const *table,
                               const char *const *settings, size_t count, patio_error *err)
{
    pt_setting all[64];
    char       keys[64][64];
    for (size_t s = 0; s < count && s < 64; s++) {
        const char *equals = strchr(settings[s], '=');
        if (equals == NULL) {
            (void)patio_fail(err, PATIO_CONFIG, 0, "option \"%s\": expected KEY=VALUE",
                             settings[s]);
            return NULL;
        }
        (void)snprintf(keys[s], sizeof(keys[s]), "%.*s", (int)(equals - settings[s]), settings[s]);
        all[s] = (pt_setting){.key = keys[s], .value = equals + 1, .origin = "the command line"};
    }
    patio_option_value *values = NULL;
    if (pt_options_parse(&pt_malloc_allocator, table, k->plugin->name, all, count, &values, err) !=
        PATIO_OK) {
        return NULL;
    }
    static patio_option_value none;
    return values != NULL ? values : &none;
}

void kit_values_free(const patio_option *const *table, patio_option_value *values)
{
    if (table != NULL && table[0] != NULL) {
        pt_options_free(&pt_malloc_allocator, table, values);
    }
}
