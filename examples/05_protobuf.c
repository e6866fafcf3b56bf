/* 05_protobuf: a message of your own as argument and as result, compiled by protoc-c from
 * 05_protobuf.proto. The type's name travels along: a message of another type is refused. */
#include "must.h"

#include "05_protobuf.pb-c.h"

static patio_status resize(patio_context *ctx)
{
    ProtobufCMessage *message = NULL;
    patio_status      st      = patio_arg_protobuf(ctx, &gallery__resize__descriptor, &message);
    if (st != PATIO_OK) {
        return st;
    }
    const Gallery__Resize *wish = (const Gallery__Resize *)message;
    Gallery__Image         image;
    gallery__image__init(&image);
    image.name   = wish->name;
    image.width  = wish->width;
    image.height = wish->height;
    if (wish->max_width != 0 && wish->width > wish->max_width) {
        image.width  = wish->max_width;
        image.height = (uint32_t)((uint64_t)wish->height * wish->max_width / wish->width);
    }
    return patio_return_payload(ctx, PATIO_PROTOBUF(&image));
}

int main(void)
{
    patio_error       err      = PATIO_ERROR_INIT;
    patio_registry   *registry = NULL;
    patio_broker     *broker   = NULL;
    patio_future     *future   = NULL;
    ProtobufCMessage *message  = NULL;

    MUST(patio_registry_create(NULL, &registry, &err));
    MUST(PATIO_ADD_AS(registry, "resize", resize, &err));
    MUST(patio_broker_open(registry, "memory://", &broker, &err));
    MUST(patio_broker_start(broker, &err));

    Gallery__Resize wish;
    gallery__resize__init(&wish);
    wish.name      = (char[]){"sunset.png"};
    wish.width     = 4000;
    wish.height    = 3000;
    wish.max_width = 1024;
    MUST(patio_call(broker, "resize", PATIO_PROTOBUF(&wish), NULL, &future, &err));
    MUST(patio_future_protobuf(future, &gallery__image__descriptor, &message));
    const Gallery__Image *image = (const Gallery__Image *)message; /* lives as long as the future */
    printf("%s: %" PRIu32 " x %" PRIu32 "\n", image->name, image->width, image->height);
    patio_future_destroy(future);

    Gallery__Image wrong;
    gallery__image__init(&wrong);
    patio_status st = patio_call(broker, "resize", PATIO_PROTOBUF(&wrong), NULL, NULL, &err);
    printf("%s: %s\n", patio_status_name(st), err.message);

    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return 0;
}
