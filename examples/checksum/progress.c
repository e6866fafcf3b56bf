#include "progress.h"

#include <inttypes.h>
#include <unistd.h>

#include "clock.h"

#define REDRAW_NS (100 * NS_PER_MS)
#define REPEAT_NS (5 * NS_PER_S)

void progress_init(progress *p, FILE *out)
{
    *p         = (progress){.out = out, .terminal = isatty(fileno(out)) != 0};
    p->next_ns = now_ns() + (p->terminal ? REDRAW_NS : REPEAT_NS);
}

void progress_tick(progress *p, const report *r, uint32_t in_flight)
{
    uint64_t now = now_ns();
    if (now < p->next_ns) {
        return;
    }
    p->next_ns     = now + (p->terminal ? REDRAW_NS : REPEAT_NS);
    double seconds = (double)(now - r->begin_ns) / (double)NS_PER_S;
    (void)fprintf(
        p->out,
        "%s%" PRIu64 " files, %.1f MB, %.1f MB/s, %" PRIu32 " in flight, %" PRIu64 " failed%s%s",
        p->terminal ? "\r" : "", r->files, (double)r->bytes / 1e6, (double)r->bytes / 1e6 / seconds,
        in_flight, r->failed, r->files + r->failed == 0 ? ", no answer yet" : "",
        p->terminal ? "\033[K" : "\n");
    (void)fflush(p->out);
    p->drawn = p->terminal;
}

void progress_clear(progress *p)
{
    if (p->drawn) {
        (void)fputs("\r\033[K", p->out);
        (void)fflush(p->out);
        p->drawn = false;
    }
}
