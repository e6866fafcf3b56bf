#include "wire/policy.h"

#include <patio/plugin_util.h>

#include "wire/scan.h"

/* Field numbers of proto/patio/v1/envelope.proto. */
enum { ENVELOPE_TTL_MS = 6, ENVELOPE_EXTRA = 8, EXTRA_POLICY = 16 };
#define BYTES_TAG(number)  ((uint64_t)(number) << 3 | PT_WIRE_BYTES)
#define VARINT_TAG(number) ((uint64_t)(number) << 3 | PT_WIRE_VARINT)

/* The last of a message field; readers merge several, writers make one. */
static patio_bytes find_message(patio_bytes in, uint64_t tag)
{
    patio_bytes found = {NULL, 0};
    size_t      at    = 0;
    pt_field    field;
    while (at < in.size && pt_scan_field(in, &at, &field)) {
        if (field.tag == tag) {
            found = field.bytes;
        }
    }
    return found;
}

static uint64_t find_number(patio_bytes in, uint64_t tag)
{
    uint64_t found = 0;
    size_t   at    = 0;
    pt_field field;
    while (at < in.size && pt_scan_field(in, &at, &field)) {
        if (field.tag == tag) {
            found = field.number;
        }
    }
    return found;
}

static void set32(uint32_t *out, uint64_t number)
{
    *out = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

/* Of a list, packed; what is beyond our longest, or no number, ends it. */
static void read_list(pt_policy *p, patio_bytes list)
{
    size_t   at      = 0;
    uint64_t ms      = 0;
    p->backoff_count = 0;
    while (at < list.size && p->backoff_count < PT_BACKOFF_LIST_MAX &&
           pt_scan_varint(list, &at, &ms)) {
        set32(&p->backoff_list_ms[p->backoff_count++], ms);
    }
}

static void lay_over(pt_policy *p, const pt_field *field)
{
    uint64_t number = field->number;
    switch (number != 0 || field->bytes.size > 0 ? field->tag : 0) {
    case VARINT_TAG(1):
        p->attempt_timeout_ms = number;
        break;
    case VARINT_TAG(2):
        set32(&p->max_attempts, number);
        break;
    case VARINT_TAG(3):
        set32(&p->max_crashes, number);
        break;
    case VARINT_TAG(4):
        p->backoff =
            number == PATIO_BACKOFF_FIXED + 1 ? PATIO_BACKOFF_FIXED : PATIO_BACKOFF_EXPONENTIAL;
        p->backoff_count = 0;
        break;
    case VARINT_TAG(5):
        p->backoff_base_ms = number;
        p->backoff_count   = 0;
        break;
    case VARINT_TAG(6):
        p->backoff_cap_ms = number;
        break;
    case VARINT_TAG(7):
        p->result_ttl_ms = number;
        break;
    case VARINT_TAG(8):
        p->queue_ttl_ms = number;
        break;
    case VARINT_TAG(9):
        p->ack = number <= PATIO_ACK_ON_RECEIVE + 1 ? (uint32_t)number - 1 : p->ack;
        break;
    case BYTES_TAG(10): /* behind 4 and 5, which undo a list */
        read_list(p, field->bytes);
        break;
    default:
        break; /* a later patio's */
    }
}

void pt_policy_read(patio_bytes request, pt_policy *policy, uint64_t *ttl_ms)
{
    patio_bytes said =
        find_message(find_message(request, BYTES_TAG(ENVELOPE_EXTRA)), BYTES_TAG(EXTRA_POLICY));
    size_t   at = 0;
    pt_field field;
    *ttl_ms = find_number(request, VARINT_TAG(ENVELOPE_TTL_MS));
    while (at < said.size && pt_scan_field(said, &at, &field)) {
        lay_over(policy, &field);
    }
}

uint64_t pt_policy_backoff_ms(const pt_policy *p, uint32_t attempt, uint64_t random)
{
    if (p->backoff_count > 0) {
        uint32_t last = p->backoff_count - 1;
        uint32_t i    = attempt > 0 ? attempt - 1 : 0;
        return p->backoff_list_ms[i < last ? i : last];
    }
    if (p->backoff == PATIO_BACKOFF_FIXED) {
        return p->backoff_base_ms;
    }
    return patio_backoff_ms(attempt, p->backoff_base_ms, p->backoff_cap_ms, random);
}
