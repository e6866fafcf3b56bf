/* Any text as a broker URL. What is shown of a good one must itself be a good one, and the same. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const pt_url *url)
{
    require(url->host_count >= 1 && url->plugin[0] != '\0');
    require(url->path[0] == '\0' || url->path[0] == '/');
    require(pt_is_utf8(url->shown, strlen(url->shown)));
    for (size_t i = 0; i < strlen(url->shown); i++) {
        require((unsigned char)url->shown[i] > ' ');
    }
    pt_url again;
    if (strlen(url->shown) <= PT_URL_MAX_BYTES) {
        require(pt_url_parse(&pt_malloc_allocator, url->shown, &again, NULL) == PATIO_OK);
        require(strcmp(again.shown, url->shown) == 0);
        require(strcmp(again.path, url->path) == 0);
        require(again.host_count == url->host_count && again.query_count == url->query_count);
        pt_url_fini(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    patio_error err  = PATIO_ERROR_INIT;
    char       *text = pt_strndup(&pt_malloc_allocator, (const char *)data, size);
    pt_url      url;
    if (text != NULL && pt_url_parse(&pt_malloc_allocator, text, &url, &err) == PATIO_OK) {
        check(&url);
        pt_url_fini(&url);
    } else {
        require(pt_is_utf8(err.message, strlen(err.message)));
    }
    pt_free(&pt_malloc_allocator, text);
    return 0;
}
