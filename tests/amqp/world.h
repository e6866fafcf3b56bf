/* amqp/world.h: brokers of this process on the shared RabbitMQ, each test in a project of its own,
 * and a plain AMQP client beside them. */
#ifndef AMQP_WORLD_H
#define AMQP_WORLD_H

#include "../api/fixture.h"

#include <amqp.h>

typedef struct world {
    fixture f;
    char    project[64];
    char    project_setting[96];
    char    url[256]; /* "broker=amqp://…" */
} world;

/* options: "" or "?name=value&…" */
void world_init(world *w, const char *options);
/* A broker of the project: with the common tasks, or only for calling. The world closes `f.broker`;
 * others are the test's. */
patio_broker *world_worker(world *w, const char *setting);
patio_broker *world_caller(world *w);
void          world_close(world *w);
void          close_broker(patio_broker *broker);
patio_status  call_mul(patio_broker *broker, int64_t a, int64_t b, int64_t *out, patio_error *err);
/* "patio:PROJECT:default" and what follows */
const char *queue_name(const world *w, const char *suffix);
/* rabbitmqctl with these words; asserts that it works. */
void broker_ctl(const char *words);

/* The plain client: one connection, one channel. */
amqp_connection_state_t plain_open(const world *w);
void                    plain_close(amqp_connection_state_t c);
void plain_publish(amqp_connection_state_t c, const char *queue, amqp_basic_properties_t *p,
                   const void *body, size_t size);
/* Takes one message without acknowledging it, and gives its delivery tag; 0: there is none within
 * 20 s. */
uint64_t plain_get(amqp_connection_state_t c, const char *queue, amqp_message_t *out);
/* Messages ready; fails the test if there is no such queue. */
uint32_t plain_count(amqp_connection_state_t c, const char *queue);

#endif
