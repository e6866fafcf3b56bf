/* The scripts as they are sent: scripts/NAME.lua behind scripts/lib.lua. */
#include "redis.h"

#include "redis_scripts.h"

const char *const script_names[SCRIPT_COUNT] = {
    [SCRIPT_ENQUEUE] = "enqueue",   [SCRIPT_SPECIAL] = "special", [SCRIPT_SETTLE] = "settle",
    [SCRIPT_FETCH] = "fetch",       [SCRIPT_BEAT] = "beat",       [SCRIPT_PROMOTE] = "promote",
    [SCRIPT_LEAVE] = "leave",       [SCRIPT_COUNTS] = "counts",   [SCRIPT_CANCEL] = "cancel",
    [SCRIPT_DEAD] = "dead",         [SCRIPT_QUEUE] = "queue",     [SCRIPT_STATE] = "state",
    [SCRIPT_PRESENCE] = "presence", [SCRIPT_RIGHTS] = "rights",
};

static const struct source {
    const unsigned char *text;
    size_t               size;
} sources[SCRIPT_COUNT] = {
#define SOURCE(name)                                                                               \
    {                                                                                              \
        script_##name, sizeof(script_##name) - 1                                                   \
    }
    [SCRIPT_ENQUEUE] = SOURCE(enqueue),   [SCRIPT_SPECIAL] = SOURCE(special),
    [SCRIPT_SETTLE] = SOURCE(settle),     [SCRIPT_FETCH] = SOURCE(fetch),
    [SCRIPT_BEAT] = SOURCE(beat),         [SCRIPT_PROMOTE] = SOURCE(promote),
    [SCRIPT_LEAVE] = SOURCE(leave),       [SCRIPT_COUNTS] = SOURCE(counts),
    [SCRIPT_CANCEL] = SOURCE(cancel),     [SCRIPT_DEAD] = SOURCE(dead),
    [SCRIPT_QUEUE] = SOURCE(queue),       [SCRIPT_STATE] = SOURCE(state),
    [SCRIPT_PRESENCE] = SOURCE(presence), [SCRIPT_RIGHTS] = SOURCE(rights),
};

/* What ends tasks, or gives memory back, must work where nothing new is taken for want of memory.
 * Since 7.0 a script says so in its first line; before, its first write decides, and in these that
 * is one that is always allowed. */
static bool frees(uint8_t script)
{
    return script == SCRIPT_SETTLE || script == SCRIPT_BEAT || script == SCRIPT_LEAVE ||
           script == SCRIPT_PROMOTE || script == SCRIPT_CANCEL || script == SCRIPT_DEAD;
}

bool script_text(const patio_transport *t, uint8_t script, bool legacy, bytes *out)
{
    static const char    shebang[] = "#!lua flags=allow-oom\n";
    const patio_host    *host      = t->host;
    const struct source *s         = &sources[script];
    out->size                      = 0;
    return (legacy || !frees(script) || bytes_add(host, out, shebang, sizeof(shebang) - 1)) &&
           (script == SCRIPT_ENQUEUE || bytes_add(host, out, script_lib, sizeof(script_lib) - 1)) &&
           bytes_add(host, out, s->text, s->size);
}
