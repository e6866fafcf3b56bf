/* redis-floor: what hiredis alone reaches with the very commands that the transport sends: the same
 * scripts, the same streams, nothing of patio. One JSON object on stdout.
 *
 *   redis-floor PORT SCRIPTS SECONDS
 *
 * two-hop: one call at a time. deep: 256 calls at a time, enqueued, taken and settled in batches as
 * they come. send: the enqueue script pipelined, 100 calls of it at a time, one task each. drain:
 * XREADGROUP COUNT 100 and one settle script for all of them. */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BODY = 160, DEEP = 256, PIPELINE = 100, SAMPLES = 200000 };
static const char tag[] = "patio:{floor:floor}";

static int         port;
static char        enqueue[41];
static char        settle[41];
static char        body[BODY];
static atomic_bool stop;

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static redisContext *dial(void)
{
    redisContext *c = redisConnect("127.0.0.1", port);
    if (c == NULL || c->err != 0) {
        (void)fprintf(stderr, "redis-floor: no connection\n");
        exit(1);
    }
    return c;
}

static redisReply *check(redisReply *r)
{
    if (r == NULL || r->type == REDIS_REPLY_ERROR) {
        (void)fprintf(stderr, "redis-floor: %s\n", r != NULL ? r->str : "connection lost");
        exit(1);
    }
    return r;
}

static void load(redisContext *c, const char *folder, const char *name, const char *lib, char *sha)
{
    static char text[65536];
    size_t      size    = 0;
    const char *parts[] = {lib, name};
    if (lib != NULL) {
        size = (size_t)snprintf(text, sizeof(text), "#!lua flags=allow-oom\n");
    }
    for (int i = 0; i < 2; i++) {
        char path[512];
        if (parts[i] == NULL) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s.lua", folder, parts[i]);
        FILE *f = fopen(path, "r");
        if (f == NULL) {
            (void)fprintf(stderr, "redis-floor: %s cannot be read\n", path);
            exit(1);
        }
        size += fread(text + size, 1, sizeof(text) - size - 1, f);
        (void)fclose(f);
    }
    redisReply *r = check(redisCommand(c, "SCRIPT LOAD %b", text, size));
    (void)snprintf(sha, 41, "%s", r->str);
    freeReplyObject(r);
}

static void add_enqueue(redisContext *c, unsigned long n)
{
    char head[160];
    int  size =
        snprintf(head, sizeof(head), "%032lx 1 1 0 0 0 30000 0 4 00000000000000aa - echo", n);
    (void)redisAppendCommand(c, "EVALSHA %s 1 %s 4 1000000 00000000000000aa 60000 %b %b", enqueue,
                             tag, head, (size_t)size, body, (size_t)BODY);
}

/* One settle script for all entries of an XREADGROUP answer; with replies, or without. */
static size_t settle_all(redisContext *c, const redisReply *r, int replies)
{
    static const char *argv[4096];
    static size_t      lengths[4096];
    static char        ids[DEEP * 2][33];
    int                n       = 0;
    const redisReply  *entries = r->element[0]->element[1];
#define ARG(text, size) (argv[n] = (text), lengths[n++] = (size))
    ARG("EVALSHA", 7);
    ARG(settle, 40);
    ARG("1", 1);
    ARG(tag, sizeof(tag) - 1);
    ARG("00000000000000bb", 16);
    ARG("10000", 5);
    ARG("0", 1);
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *e = entries->element[i];
        ARG(replies ? "R" : "A", 1);
        ARG("4", 1);
        ARG(e->element[0]->str, (size_t)e->element[0]->len);
        if (replies) {
            memcpy(ids[i], e->element[1]->element[1]->str, 32);
            ARG("00000000000000aa", 16);
            ARG(ids[i], 32);
            ARG("0", 1);
            ARG("-", 1);
            ARG(body, BODY);
        }
    }
#undef ARG
    (void)redisAppendCommandArgv(c, n, argv, lengths);
    redisReply *answer = NULL;
    (void)redisGetReply(c, (void **)&answer);
    freeReplyObject(check(answer));
    return entries->elements;
}

static void *worker(void *arg)
{
    redisContext *reader = dial();
    redisContext *writer = dial();
    (void)arg;
    while (!atomic_load(&stop)) {
        redisReply *r = check(redisCommand(
            reader, "XREADGROUP GROUP w bb COUNT %d BLOCK 200 STREAMS %s:s:f %s:s:4 > >", DEEP, tag,
            tag));
        if (r->type == REDIS_REPLY_ARRAY) {
            (void)settle_all(writer, r, 1);
        }
        freeReplyObject(r);
    }
    redisFree(reader);
    redisFree(writer);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* `deep` calls at a time; the median latency of one, and calls per second. */
static double calls(int deep, double seconds, double *p50)
{
    static double samples[SAMPLES];
    redisContext *writer   = dial();
    redisContext *reader   = dial();
    char          last[64] = "0";
    unsigned long sent     = 0;
    unsigned long got      = 0;
    size_t        count    = 0;
    pthread_t     thread;
    freeReplyObject(redisCommand(writer, "DEL %s:a:00000000000000aa %s:s:4 %s:s:f", tag, tag, tag));
    freeReplyObject(redisCommand(writer, "XGROUP CREATE %s:s:4 w 0 MKSTREAM", tag));
    freeReplyObject(redisCommand(writer, "XGROUP CREATE %s:s:f w 0 MKSTREAM", tag));
    atomic_store(&stop, 0);
    (void)pthread_create(&thread, NULL, worker, NULL);
    double from = now_us();
    double end  = from + seconds * 1e6;
    double at   = from;
    while ((at = now_us()) < end || got < sent) {
        unsigned long before = sent;
        while (at < end && sent < got + (unsigned long)deep) {
            add_enqueue(writer, sent++);
        }
        for (unsigned long i = before; i < sent; i++) {
            redisReply *r = NULL;
            (void)redisGetReply(writer, (void **)&r);
            freeReplyObject(check(r));
        }
        redisReply *r = check(redisCommand(
            reader, "XREAD COUNT 512 BLOCK 1000 STREAMS %s:a:00000000000000aa %s", tag, last));
        if (r->type == REDIS_REPLY_ARRAY) {
            const redisReply *entries = r->element[0]->element[1];
            got += entries->elements;
            (void)snprintf(last, sizeof(last), "%s",
                           entries->element[entries->elements - 1]->element[0]->str);
        }
        freeReplyObject(r);
        if (deep == 1 && count < SAMPLES) {
            samples[count++] = now_us() - at;
        }
    }
    double took = now_us() - from;
    atomic_store(&stop, 1);
    (void)pthread_join(thread, NULL);
    redisFree(writer);
    redisFree(reader);
    if (count > 0) {
        qsort(samples, count, sizeof(samples[0]), by_value);
        *p50 = samples[count / 2];
    }
    return (double)got / took * 1e6;
}

static double send_all(unsigned long count)
{
    redisContext *c = dial();
    freeReplyObject(redisCommand(c, "DEL %s:s:4 %s:s:f", tag, tag));
    double from = now_us();
    for (unsigned long sent = 0; sent < count; sent += PIPELINE) {
        for (unsigned long i = 0; i < PIPELINE; i++) {
            add_enqueue(c, sent + i);
        }
        for (unsigned long i = 0; i < PIPELINE; i++) {
            redisReply *r = NULL;
            (void)redisGetReply(c, (void **)&r);
            freeReplyObject(check(r));
        }
    }
    double took = now_us() - from;
    redisFree(c);
    return (double)count / took * 1e6;
}

static double drain_all(unsigned long count)
{
    redisContext *c    = dial();
    unsigned long done = 0;
    freeReplyObject(redisCommand(c, "XGROUP CREATE %s:s:4 w 0 MKSTREAM", tag));
    double from = now_us();
    while (done < count) {
        redisReply *r = check(
            redisCommand(c, "XREADGROUP GROUP w bb COUNT %d STREAMS %s:s:4 >", PIPELINE, tag));
        done += r->type == REDIS_REPLY_ARRAY ? settle_all(c, r, 0) : count;
        freeReplyObject(r);
    }
    double took = now_us() - from;
    redisFree(c);
    return (double)count / took * 1e6;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "usage: redis-floor PORT SCRIPTS SECONDS\n");
        return 2;
    }
    port           = (int)strtol(argv[1], NULL, 10);
    double seconds = strtod(argv[3], NULL);
    double p50     = 0;
    double unused  = 0;
    memset(body, 'x', sizeof(body));
    redisContext *c = dial();
    load(c, argv[2], "enqueue", NULL, enqueue);
    load(c, argv[2], "settle", "lib", settle);
    double        one   = calls(1, seconds, &p50);
    double        deep  = calls(DEEP, seconds, &unused);
    unsigned long count = (unsigned long)(seconds * 20000) / PIPELINE * PIPELINE;
    double        sent  = send_all(count);
    double        drain = drain_all(count);
    freeReplyObject(redisCommand(c, "DEL %s:s:4 %s:s:f %s:a:00000000000000aa", tag, tag, tag));
    redisFree(c);
    (void)printf("{\"two_hop_p50_us\": %.1f, \"two_hop_per_s\": %.0f, \"deep_per_s\": %.0f, "
                 "\"send_per_s\": %.0f, \"drain_per_s\": %.0f}\n",
                 p50, one, deep, sent, drain);
    return 0;
}
