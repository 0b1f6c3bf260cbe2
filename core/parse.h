/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people type: durations and region specifications. Pure text work: whether the binary, the
 * symbol or the region exists is found out elsewhere.
 *
 * Parsers return 0 or -EINVAL / -ERANGE, leave their output untouched on failure, and then fill
 * @err (which may be NULL).
 */
#ifndef TLOB_CORE_PARSE_H
#define TLOB_CORE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tlob/abi.h>

#define TLOB_PATH_BYTES 4096
#define TLOB_SYMBOL_BYTES 256

struct tlob_parse_error {
	size_t at; /* byte in the text where it went wrong */
	const char *why; /* static sentence fragment: what was expected there */
};

/* For parsers: it went wrong in @text at @at. Returns @code. */
static inline int tlob_parse_fail(struct tlob_parse_error *err, int code, const char *text,
				  const char *at, const char *why)
{
	if (err) {
		err->at = (size_t)(at - text);
		err->why = why;
	}
	return code;
}

/* "1.5ms": digits, decimals if wanted, one of ns us ms s m h right behind. Exact: no rounding. */
int tlob_duration_parse(const char *text, uint64_t *ns, struct tlob_parse_error *err);

/* The same, within TLOB_BUDGET_MIN_NS .. TLOB_BUDGET_MAX_NS. */
int tlob_budget_parse(const char *text, uint64_t *ns, struct tlob_parse_error *err);
/* The same for the budget at the end of @text, which begins at @at. */
int tlob_budget_parse_at(const char *text, const char *at, uint64_t *ns,
			 struct tlob_parse_error *err);

struct tlob_point {
	char symbol[TLOB_SYMBOL_BYTES]; /* "": @offset is one in the file */
	bool glob; /* @symbol is a pattern with * ? [ */
	uint64_t offset;
	unsigned int argument; /* 1 .. TLOB_MAX_ARGUMENT: the tag; 0: none */
};

#define TLOB_MAX_ARGUMENT 6u /* in registers, on every machine that has probes here */

struct tlob_region_spec {
	char name[TLOB_NAME_BYTES]; /* "": none was given, to be named after its symbols */
	char path[TLOB_PATH_BYTES]; /* with a '/', or a bare file name; "": of linked programs */
	bool to_return; /* from the entry of @start to its return; @stop is empty */
	struct tlob_point start, stop;
	char stop_path[TLOB_PATH_BYTES]; /* "": the same binary and process; else across processes */
	uint64_t budget_ns;
};

struct tlob_chain_spec {
	char name[TLOB_NAME_BYTES];
	char stages[TLOB_MAX_STAGES][TLOB_NAME_BYTES]; /* regions, in order */
	size_t nstages; /* 2 .. */
	uint64_t budget_ns;
};

/* NAME=REGION>REGION[>REGION]...@BUDGET: the last '@' starts the budget, the first '=' the regions. */
int tlob_chain_parse(const char *text, struct tlob_chain_spec *spec, struct tlob_parse_error *err);

/*
 *	NAME@BUDGET				a region of linked programs
 *	[NAME=]BINARY:POINT..POINT@BUDGET	from one address to another
 *	[NAME=]BINARY:FUNCTION@BUDGET		from entry to return; a glob or 0xOFFSET is fine too
 *	[NAME=]BINARY:POINT#argN..POINT#argN@BUDGET	the same in any thread, by the N-th argument
 *	[NAME=]BINARY:POINT#argN..BINARY:POINT#argN@BUDGET	and across processes
 * POINT is symbol, symbol+0x10 or 0xOFFSET; a symbol may be what the source has, ns::type::f(int). Read
 * from the right, so that a path may hold ':' '=' '@' and blanks: the last '@' starts the budget, the last
 * ':' before it that is no part of a '::' the points; what precedes the first '=' is the name unless it has
 * a '/'.
 */
int tlob_region_parse(const char *text, struct tlob_region_spec *spec,
		      struct tlob_parse_error *err);

#endif
