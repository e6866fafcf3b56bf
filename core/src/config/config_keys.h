/* config/config_keys.h: which keys there are. */
#ifndef PT_CONFIG_KEYS_H
#define PT_CONFIG_KEYS_H

#include <stdbool.h>

#include <patio/base.h>

/* "tasks." + a task name of 255 bytes + "." + an option of 32 bytes fit, with room. */
enum { PT_KEY_BYTES = 320 };

/* Check a key that holds a value, and bring it into the form it is stored by: "executor" becomes
 * "executor.name", "modules" becomes "modules.0". CONFIG: unknown key (with the nearest one), or
 * one that holds no value itself. */
patio_status pt_key_check(const char *key, char stored[PT_KEY_BYTES], patio_error *err);
/* May other keys follow below it? "transport", "tasks", "tasks.mul". */
bool pt_key_is_map(const char *key);
/* May it be a list? "broker", "modules". */
bool pt_key_is_list(const char *key);
/* Is it an item of a list? Then *list_size is the length of the list's own name: 6 for "broker.0".
 */
bool pt_key_is_item(const char *key, size_t *list_size, unsigned *index);

#endif
