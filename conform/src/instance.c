/* instance.c: the life of one instance of the transport, and what a case asks of it. */
#include <stdlib.h>

#include "kit.h"

/* Every instance of a mesh listens on a port of its own and connects to those before it. */
static size_t list_urls(kit *k, uint32_t index, const kit_open *o, char texts[][2048],
                        const char **urls)
{
    if (o->url != NULL) {
        urls[0] = o->url;
        return 1;
    }
    size_t count = 0;
    if (!kit_meshes(k)) {
        kit_url(k, k->options->url, 0, texts[0], sizeof(texts[0]));
        count = 1;
    } else {
        char        form[2048];
        const char *listen = k->options->listen;
        if (listen == NULL) {
            const char *end = strstr(k->options->url, "://");
            (void)snprintf(form, sizeof(form), "%.*s+listen%s", (int)(end - k->options->url),
                           k->options->url, end);
            listen = form;
        }
        kit_url(k, listen, index, texts[count++], sizeof(texts[0]));
        for (uint32_t n = 0; n < index; n++) {
            kit_url(k, k->options->url, n, texts[count++], sizeof(texts[0]));
        }
    }
    for (size_t n = 0; n < count; n++) {
        urls[n] = texts[n];
    }
    /* past the proxy it goes only when it must: it stands before instance 0 of a mesh, or before
     * the server */
    if (k->proxy != NULL && !o->direct) {
        uint32_t real = k->ports[0];
        for (size_t n = 0; n < count; n++) {
            char port[16];
            char mine[2048];
            (void)snprintf(port, sizeof(port), ":%u", real);
            char *at  = strstr(texts[n], port);
            bool  own = kit_meshes(k) && n == 0;
            if (at != NULL && !own) {
                (void)snprintf(mine, sizeof(mine), "%.*s:%u%s", (int)(at - texts[n]), texts[n],
                               k->ports[KIT_INSTANCES - 1], at + strlen(port));
                memcpy(texts[n], mine, strlen(mine) + 1);
            }
        }
    }
    return count;
}

static void free_instance(kit_instance *i)
{
    kit *k = i->k;
    for (uint32_t n = 0; n < KIT_INSTANCES; n++) {
        if (k->instances[n] == i) {
            k->instances[n] = NULL;
        }
    }
    kit_endpoints_free(i->endpoints);
    kit_map_free(i->tags);
    kit_map_free(i->early);
    kit_map_free(i->receipts_by);
    kit_map_free(i->replies_by);
    free(i->deliveries);
    free(i->receipts);
    free(i->replies);
    free(i);
}

patio_status kit_instance_create(kit *k, const kit_open *o, kit_instance **out, patio_error *err)
{
    static const kit_open plain;
    o               = o != NULL ? o : &plain;
    uint32_t      n = k->instance_count;
    kit_instance *i = n < KIT_INSTANCES - 1 ? calloc(1, sizeof(*i)) : NULL;
    KIT_CHECK(k, i != NULL, "too many instances in one case");
    char(*texts)[2048] = calloc(KIT_INSTANCES + 1, sizeof(*texts));
    const char *urls[KIT_INSTANCES + 1];
    KIT_CHECK(k, texts != NULL, "the kit itself is out of memory");
    i->k           = k;
    i->index       = n;
    i->tags        = kit_map_new();
    i->early       = kit_map_new();
    i->receipts_by = kit_map_new();
    i->replies_by  = kit_map_new();
    kit_instance_events(i);
    size_t count    = list_urls(k, n, o, texts, urls);
    i->endpoints    = kit_endpoints_make(k, urls, count, o->settings, err);
    k->instances[n] = i;
    patio_status st = PATIO_CONFIG;
    if (i->endpoints != NULL) {
        patio_transport_params params = {
            PATIO_SIZED(patio_transport_params),
            .project        = o->project != NULL ? o->project : k->project,
            .max_body_bytes = o->max_body_bytes != 0 ? o->max_body_bytes : 1048576,
            .endpoint_bytes = sizeof(patio_endpoint),
            .events         = &i->events,
        };
        params.endpoints = kit_endpoints_array(i->endpoints, &params.endpoint_count);
        (void)k->host.table.random(&k->host, &params.incarnation, sizeof(params.incarnation));
        kit_silent_slot = "create";
        st              = k->ops->create(&k->host.table, &params, &i->t, err);
        kit_silent_slot = NULL;
    }
    free(texts);
    if (st != PATIO_OK) {
        bool touched = i->t != NULL;
        free_instance(i);
        KIT_CHECK(k, !touched, "create failed and wrote to *out all the same");
        return st;
    }
    k->instance_count++;
    *out = i;
    return st;
}

patio_status kit_instance_counts(kit_instance *i, const char *queue, patio_counts *c,
                                 patio_error *err)
{
    kit_silent_slot = "counts";
    patio_status st = i->k->ops->counts(i->t, queue, 5000, c, err);
    kit_silent_slot = NULL;
    return st;
}

void kit_instance_await_up(kit_instance *i)
{
    KIT_AWAIT(i->k, KIT_SOON_MS, KIT_GET(i, link) == PATIO_LINK_UP,
              "the link of instance %u is not up (state %u): %s", i->index, i->link, i->link_text);
}

kit_instance *kit_instance_open(kit *k, const kit_open *o)
{
    patio_error   err = PATIO_ERROR_INIT;
    kit_instance *i   = NULL;
    patio_status  st  = kit_instance_create(k, o, &i, &err);
    KIT_CHECK(k, st == PATIO_OK, "create returned %s: %s", kit_status_name(st), err.message);
    if (o == NULL || !o->unstarted) {
        st = k->ops->start(i->t, &err);
        KIT_CHECK(k, st == PATIO_OK, "start returned %s: %s", kit_status_name(st), err.message);
        if (o == NULL || !o->unawaited) {
            kit_instance_await_up(i);
        }
    }
    return i;
}

void kit_instance_stop(kit_instance *i)
{
    patio_error  err = PATIO_ERROR_INIT;
    patio_status st  = i->k->ops->stop(i->t, 5000, &err);
    atomic_store(&i->stopped, true);
    KIT_CHECK(i->k, st == PATIO_OK || st == PATIO_TIMEOUT, "stop returned %s: %s",
              kit_status_name(st), err.message);
    KIT_CHECK(i->k, i->early_count == 0,
              "lease_lost or cancel_wanted was raised for %u tags that were never delivered",
              i->early_count);
}

void kit_instance_close(kit_instance *i)
{
    kit_work_stop(i);
    if (!atomic_load(&i->stopped)) {
        kit_instance_stop(i);
    }
    i->k->ops->destroy(i->t);
    free_instance(i);
}

void kit_close_all(kit *k)
{
    for (uint32_t n = KIT_INSTANCES; n > 0; n--) {
        if (k->instances[n - 1] != NULL) {
            kit_instance_close(k->instances[n - 1]);
        }
    }
}
