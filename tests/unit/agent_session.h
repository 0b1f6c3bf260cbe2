/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session of engine user at a socket of its own, for tests whose clients are in raw_client.h. */
#ifndef TLOB_TESTS_AGENT_SESSION_H
#define TLOB_TESTS_AGENT_SESSION_H

#include "raw_client.h"

static char name[64]; /* of the socket */

static inline struct tlobctl *open_at(const char *where)
{
	struct tlobctl_opts opts = {
		.size = sizeof(opts), .engine = TLOBCTL_ENGINE_USER, .socket = where};
	struct tlobctl *ctl = NULL;

	if (tlobctl_open(&opts, &ctl))
		print_message("%s\n", tlobctl_error());
	return ctl;
}

static inline int make_session(void **state)
{
	snprintf(name, sizeof(name), "@tlob-test-agent-%d", getpid());
	*state = open_at(name);
	return *state ? 0 : -1;
}

static inline int end_session(void **state)
{
	tlobctl_close(*state);
	return 0;
}

/* The agent still serves who behaves. */
static inline void assert_alive(struct tlobctl *ctl)
{
	struct raw r = raw_join(ctl, name);

	assert_int_equal(r.nfds, 1);
	raw_leave(&r);
	serve(ctl, 10);
}

#endif
