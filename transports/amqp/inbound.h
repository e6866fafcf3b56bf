/* inbound.h: what is read: frames, and messages that come in them. */
#ifndef PATIO_AMQP_INBOUND_H
#define PATIO_AMQP_INBOUND_H

#include "common.h"

/* The properties of a message that mean something here; only what had its flag
 * is set. */
typedef struct props {
    patio_id id;
    bool     has_id;
    bool     persistent;
    uint8_t  priority;
    uint32_t flags;
    uint16_t attempt;
    uint16_t crashes;
    uint64_t ttl_ms;
    uint64_t sent_ms;
    uint64_t fence;
    uint64_t delivery_count;
    uint64_t dead_at_ms;           /* wall clock */
    uint64_t moved_at_ms;          /* by the broker itself, to the dead; 0: it was not */
    char     task[NAME_MAX_BYTES]; /* property `type` */
    char     reply_to[NAME_MAX_BYTES];
} props;

enum { IN_NOTHING, IN_DELIVERY, IN_RETURN };

/* A message that is being read, one per channel. I/O thread. */
typedef struct inbound {
    uint8_t    kind; /* IN_… */
    bool       redelivered;
    bool       skip; /* too large or no memory: its bytes are dropped */
    bool       has_header;
    uint32_t   consumer; /* number in its tag */
    uint64_t   number;   /* delivery tag */
    uint64_t   size;
    uint64_t   got;
    uint16_t   reply_code;
    patio_buf *body;
    uint8_t   *data;
    patio_buf *cause; /* header patio-cause; dead letters only */
    props      props;
    char       key[NAME_MAX_BYTES]; /* routing key */
} inbound;

/* ---- input.c, content.c: frames ---- */
void input_frame(connection *c, const amqp_frame_t *f);
void content_method(connection *c, uint16_t channel, const amqp_method_t *m);
void content_header(connection *c, uint16_t channel, const amqp_frame_t *f);
void content_body(connection *c, uint16_t channel, const amqp_frame_t *f);
void content_reset(connection *c);

/* ---- props.c ---- */
void props_read(props *out, const amqp_basic_properties_t *p);
void props_write_id(char out[33], const patio_id *id);
bool props_read_id(patio_id *id, amqp_bytes_t text);
/* What is said of a task beside its body. */
typedef struct task_facts {
    patio_id    id;
    const char *task;
    const char *reply_to; /* "" none */
    patio_bytes cause;    /* of its death */
    uint64_t    ttl_ms;
    uint64_t    expire_ms; /* for the broker; 0: none */
    uint64_t    sent_ms;
    uint64_t    fence;
    uint32_t    flags;
    uint16_t    attempt;
    uint16_t    crashes;
    uint8_t     priority;
    bool        persistent;
} task_facts;
uint64_t props_wall_ms(void);
/* Of whatever width; negative ones count as 0. */
bool props_number(const amqp_field_value_t *v, uint64_t *out);

/* ---- cause.c ---- */
/* What speaks against its being a task; NULL: nothing. */
const char *cause_strange(const patio_transport *t, const inbound *in);
/* Why it is dead, as an encoded patio.v1.DeadLetter; NULL: nothing is known. */
patio_buf *cause_read(const patio_transport *t, const inbound *in,
                      const amqp_basic_properties_t *p);
/* The newest entry of the header x-death; NULL: there is none. */
const amqp_table_t *cause_last_death(const amqp_field_value_t *deaths);

#endif
