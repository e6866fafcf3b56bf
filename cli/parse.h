/* parse.h: small texts of the command line. */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "250ms", "5s", "10min", "2h", "1d"; a bare number is milliseconds. The same as everywhere in
 * patio (PATIO_OPTION_MS). False for anything else, and for what does not fit. */
bool cli_parse_duration(const char *text, uint64_t *ms);
/* The same, and "forever". */
bool cli_parse_timeout(const char *text, uint64_t *ms);

/* "key=value": how long the key is. False without '=' or with an empty key. */
bool cli_parse_pair(const char *text, size_t *key_size, const char **value);

/* argp takes "-5" for an option. Words that look like negative numbers get a mark in front before
 * argp sees them, and every parser takes it off again with cli_unmark. Call it on argv once; the
 * marked copies live as long as the program. */
void  cli_mark_numbers(int argc, char **argv);
char *cli_unmark(char *word);

#endif
