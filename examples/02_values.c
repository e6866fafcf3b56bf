/* 02_values: what travels. Lists and maps in each other, keyword arguments, reading what came back,
 * and errors that carry details a program can act on. */
#include "must.h"

/* parcel(["book", "pen"], to={"name": "Ada", "zip": "1015"}, insured=true)
 * -> {"to": "Ada", "items": ["book", "pen"], "grams": 350.5, "insured": true} */
static patio_status parcel(patio_context *ctx)
{
    const patio_value *items   = patio_arg(ctx, 0);
    const patio_value *to      = patio_kwarg(ctx, "to");
    const patio_value *wish    = patio_kwarg(ctx, "insured");
    const char        *name    = NULL;
    const char        *zip     = NULL;
    bool               insured = false; /* what it is if nobody says */

    if (items == NULL || items->type != PATIO_TYPE_LIST) {
        return patio_task_fail(ctx, 1, "NoItems", "the first argument is a list of items");
    }
    if (patio_value_get_string(patio_value_key(to, "name"), &name) != PATIO_OK ||
        patio_value_get_string(patio_value_key(to, "zip"), &zip) != PATIO_OK) {
        return patio_task_fail(ctx, 2, "NoAddress", "to= needs a name and a zip");
    }
    if (strlen(zip) != 4) {
        patio_value details = PATIO_MAP("zip", zip, "digits", PATIO_LIST(4, 4));
        return patio_task_fail_with(ctx, 3, "BadZip", "no such zip code", PATIO_ARGS(details));
    }
    if (wish != NULL && patio_value_get_bool(wish, &insured) != PATIO_OK) {
        return patio_task_fail(ctx, 4, "BadWish", "insured= is true or false, not a %s",
                               patio_type_name(wish->type));
    }
    return PATIO_RETURN(ctx, PATIO_MAP("to", name, "items", *items, "grams", 350.5, "insured",
                                       patio_bool(insured)));
}

static void print_result(const patio_value *result)
{
    const patio_value *items   = patio_value_key(result, "items");
    const char        *to      = "?";
    double             grams   = 0.0;
    bool               insured = false;
    if (patio_value_get_string(patio_value_key(result, "to"), &to) != PATIO_OK ||
        patio_value_get_double(patio_value_key(result, "grams"), &grams) != PATIO_OK ||
        patio_value_get_bool(patio_value_key(result, "insured"), &insured) != PATIO_OK) {
        printf("not a parcel\n");
        return;
    }
    printf("to %s, %.1f g, %s:", to, grams, insured ? "insured" : "not insured");
    for (size_t i = 0; items != NULL && i < items->size; i++) {
        const char *item = "?";
        if (patio_value_get_string(patio_value_at(items, i), &item) == PATIO_OK) {
            printf(" %s", item);
        }
    }
    printf("\n");
}

/* patio_call gives no future when the call failed; to read the task's error, start and wait. */
static void print_failure(patio_broker *broker, const patio_payload *payload)
{
    patio_error   err    = PATIO_ERROR_INIT;
    patio_future *future = NULL;
    MUST(patio_start(broker, "parcel", payload, NULL, &future, &err));
    MUST(patio_future_wait(future, PATIO_FOREVER));
    patio_status            st    = patio_future_status(future, &err);
    const patio_task_error *error = patio_future_error(future);
    if (error == NULL) {
        printf("%s: %s\n", patio_status_name(st), err.message);
    } else {
        const char *zip = NULL;
        printf("%s %" PRId32 ": %s", error->type, error->code, error->message);
        if (patio_value_get_string(patio_value_key(error->details, "zip"), &zip) == PATIO_OK) {
            printf(" (zip is \"%s\")", zip);
        }
        printf("\n");
    }
    patio_future_destroy(future);
}

int main(void)
{
    patio_error     err      = PATIO_ERROR_INIT;
    patio_registry *registry = NULL;
    patio_broker   *broker   = NULL;
    patio_future   *future   = NULL;

    MUST(patio_registry_create(NULL, &registry, &err));
    MUST(PATIO_ADD_AS(registry, "parcel", parcel, &err));
    MUST(patio_broker_open(registry, "memory://", &broker, &err));
    MUST(patio_broker_start(broker, &err));

    patio_value items   = PATIO_LIST("book", "pen");
    patio_value ada     = PATIO_MAP("name", "Ada", "zip", "1015");
    patio_value nowhere = PATIO_MAP("name", "Bob", "zip", "12");

    MUST(patio_call(broker, "parcel",
                    PATIO_ARGS_KW((items), ("to", ada, "insured", patio_bool(true))), NULL, &future,
                    &err));
    print_result(patio_future_value(future));
    patio_future_destroy(future);

    print_failure(broker, PATIO_ARGS(items));
    print_failure(broker, PATIO_ARGS_KW((items), ("to", nowhere)));

    patio_broker_destroy(broker);
    patio_registry_destroy(registry);
    return 0;
}
