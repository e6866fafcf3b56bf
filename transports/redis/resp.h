/* resp.h: answers of a server as trees, in memory of the host, with a budget.
 *
 * hiredis's reader does the parsing; it is given functions of ours, so that a tree lies in blocks
 * that are let go at once, and an answer that announces more elements or bytes than we would ever
 * ask for ends the connection instead of our memory.
 */
#ifndef RESP_H
#define RESP_H

#include <patio/plugin_util.h>

#include <stdbool.h>

typedef struct bytes {
    uint8_t *data;
    size_t   size;
    size_t   room;
} bytes;

typedef struct resp {
    int                 type;   /* REDIS_REPLY_… */
    int64_t             number; /* of an integer */
    const char         *text;   /* of a string, status or error; NUL-terminated */
    size_t              size;   /* of the text */
    const struct resp **items;
    size_t              count;
} resp;

typedef struct resp_reader resp_reader;

resp_reader *resp_reader_new(const patio_host *host, size_t max_bytes);
void         resp_reader_free(resp_reader *r);
/* False: out of memory, or more than the budget. */
bool resp_feed(resp_reader *r, const void *data, size_t size);
/* 1 and a tree, valid until the next call; 0 when more bytes are needed; -1 for what is no RESP. */
int resp_next(resp_reader *r, const resp **out);
/* The tree given out last goes to a holder of its own; NULL when out of memory. */
resp_reader *resp_detach(resp_reader *r);
const char  *resp_problem(const resp_reader *r);

/* Small looks into a tree; all accept NULL. */
const resp *resp_at(const resp *r, size_t index);
int64_t     resp_number(const resp *r, int64_t otherwise); /* integers, and digits in a string */
bool        resp_is(const resp *r, const char *text);
bool        resp_error(const resp *r);

/* Buffers that grow through the host. */
bool bytes_reserve(const patio_host *host, bytes *b, size_t more);
bool bytes_add(const patio_host *host, bytes *b, const void *data, size_t size);
void bytes_fini(const patio_host *host, bytes *b);

#endif
