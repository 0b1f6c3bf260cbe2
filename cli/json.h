/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writer of NDJSON: one object per line, each line one write, so that a reader sees whole objects
 * at once and a killed tlob leaves none cut in half.
 */
#ifndef TLOB_CLI_JSON_H
#define TLOB_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cli_json {
	FILE *out;
	bool comma; /* a member precedes at the current depth */
	uint64_t second_ns; /* events: when the current second began, */
	unsigned int in_second; /* how many were written in it, */
	uint64_t left_out; /* and how many were not, in all */
	int error; /* errno of the first write that failed; nothing is written after it */
};

/* "-": standard output. Returns 0 or -1 with errno. */
int cli_json_open(struct cli_json *j, const char *path);
/* Returns 0, or -1 with errno if anything was not written. */
int cli_json_close(struct cli_json *j);

void cli_json_begin(struct cli_json *j, const char *type);
void cli_json_end(struct cli_json *j);

/* @key NULL: an element of an array. */
void cli_json_object(struct cli_json *j, const char *key);
void cli_json_object_end(struct cli_json *j);
void cli_json_array(struct cli_json *j, const char *key);
void cli_json_array_end(struct cli_json *j);
/* Broken UTF-8 becomes U+FFFD; NULL becomes null. */
void cli_json_string(struct cli_json *j, const char *key, const char *value);
void cli_json_number(struct cli_json *j, const char *key, uint64_t value);
/* In microseconds, with three decimals. */
void cli_json_micros(struct cli_json *j, const char *key, uint64_t ns);
void cli_json_bool(struct cli_json *j, const char *key, bool value);
void cli_json_null(struct cli_json *j, const char *key);

#endif
