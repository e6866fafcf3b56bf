/* A packet as a child that runs wild may send it: what is accepted lies within it, and written
 * again it is the same. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <patio/child_protocol.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 16 };

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const uint8_t *packet, size_t size, const patio_child_part *part)
{
    const uint8_t *end  = packet + size;
    const uint8_t *body = part->body;
    require(part->frame.size <= size && part->frame.size % 8 == 0);
    require(body + patio_child_body_size(part->frame.type) <= end);
    if (part->text_bytes > 0) {
        require(part->text[part->text_bytes - 1] == '\0');
        require((const uint8_t *)part->text + part->text_bytes <= end);
    } else {
        require(part->text[0] == '\0');
    }
    require(part->bytes == NULL ||
            (part->bytes <= end && part->frame.bytes <= (uint64_t)(end - part->bytes)));
}

static void write_again(const patio_child_part *part)
{
    static uint64_t   again[LARGEST / 8 + 8];
    patio_child_part  same;
    patio_child_frame frame = part->frame;
    size_t            at    = 0;
    size_t put = patio_child_put((uint8_t *)again, &frame, part->body, part->text, part->text_bytes,
                                 part->bytes);
    require(put == part->frame.size);
    require(patio_child_next((const uint8_t *)again, put, &at, &same) == 1 && at == put);
    require(memcmp(&same.frame, &part->frame, sizeof(same.frame)) == 0);
    require(same.text_bytes == part->text_bytes);
    require(memcmp(same.text, part->text, part->text_bytes) == 0);
    require((same.bytes == NULL) == (part->bytes == NULL));
    require(part->bytes == NULL || part->frame.bytes == 0 ||
            memcmp(same.bytes, part->bytes, (size_t)part->frame.bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > LARGEST) {
        return 0;
    }
    /* an allocation of just this size, so that a sanitizer sees one byte too many */
    uint8_t         *packet = malloc(size > 0 ? size : 1);
    size_t           at     = 0;
    patio_child_part part;
    require(packet != NULL);
    if (size > 0) {
        memcpy(packet, data, size);
    }
    int32_t more = 1;
    while ((more = patio_child_next(packet, size, &at, &part)) > 0) {
        require(at <= size);
        check(packet, size, &part);
        write_again(&part);
    }
    require(more == 0 || more == -1);
    free(packet);
    return 0;
}
