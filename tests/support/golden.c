#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { BYTES_MAX = 4096 };

const patio_id golden_id = {
    {0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255}};

const uint8_t golden_png[10] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0xff};

static void path_of(char path[512], const char *name)
{
    (void)snprintf(path, 512, "%s/golden/%s.hex", PATIO_TESTS, name);
}

patio_bytes golden_read(const char *name)
{
    static uint8_t bytes[BYTES_MAX];
    char           path[512];
    unsigned       byte = 0;
    size_t         size = 0;
    path_of(path, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("no %s", path);
    }
    while (size < BYTES_MAX && fscanf(file, "%2x", &byte) == 1) {
        bytes[size++] = (uint8_t)byte;
    }
    (void)fclose(file);
    return (patio_bytes){bytes, size};
}

void golden_write(const char *name, patio_bytes bytes)
{
    char path[512];
    path_of(path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < bytes.size; i++) {
        (void)fprintf(file, "%02x%s", bytes.data[i],
                      i % 32 == 31 || i + 1 == bytes.size ? "\n" : "");
    }
    (void)fclose(file);
}

pt_request golden_call(const char *task)
{
    return (pt_request){
        .kind        = PT_KIND_CALL,
        .id          = golden_id,
        .task        = task,
        .project     = "demo",
        .ttl_ms      = 30000,
        .queue       = "",
        .traceparent = "",
        .tracestate  = "",
        .dedup_key   = "",
    };
}

static const patio_header headers[] = {
    {"tenant", "blue"}, {"tenant", "gr\xc3\xbcn"}, {"empty", ""}};

pt_request golden_send(void)
{
    pt_request request      = golden_call("report.make");
    request.kind            = PT_KIND_SEND;
    request.ttl_ms          = 0;
    request.attempt         = 2;
    request.queue           = "slow";
    request.priority        = PATIO_PRIORITY(9);
    request.task_version    = 3;
    request.traceparent     = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.tracestate      = "congo=t61rcWkgMzE";
    request.dedup_key       = "report-2024";
    request.dedup_window_ms = 60000;
    request.dedup_conflict  = 1;
    request.headers         = headers;
    request.header_count    = 3;
    return request;
}

pt_reply golden_error(void)
{
    return (pt_reply){
        .id            = golden_id,
        .status        = PATIO_TASK_FAILED,
        .code          = -7,
        .error_type    = "ZeroDivision",
        .error_message = "b is zero",
    };
}
