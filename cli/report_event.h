/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects of --json read back into what they were written from, so that the same words can be made of them. */
#ifndef TLOB_CLI_REPORT_EVENT_H
#define TLOB_CLI_REPORT_EVENT_H

#include <json-c/json.h>
#include <obstack.h>

#include <tlob/ctl.h>

/* "" if it is not there or no string. Belongs to @o. */
const char *cli_report_string(struct json_object *o, const char *key);
/* 0 if it is not there or no number. */
uint64_t cli_report_number(struct json_object *o, const char *key);
/* NULL if it is not there or no array. */
struct json_object *cli_report_array(struct json_object *o, const char *key);

struct cli_report_event {
	struct tlob_record record;
	struct tlobctl_event event; /* its why is NULL if the object has none */
	struct tlobctl_why why;
	const char *reason; /* as written; "" none */
};

/* Of an "overrun" or "close" object. Texts belong to @o, arrays are taken from @memory. */
void cli_report_event(struct cli_report_event *e, struct json_object *o, struct obstack *memory);

/* An array of samples, with the same owners. Returns how many. */
size_t cli_report_samples(struct json_object *array, const struct tlobctl_samples **out,
			  struct obstack *memory);

#endif
