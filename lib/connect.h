/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Talking to an agent: messages and descriptors over its socket. Nothing here waits longer than it
 * is told to.
 */
#ifndef TLOB_LIB_CONNECT_H
#define TLOB_LIB_CONNECT_H

#include "home.h"

#define TLOB_AGENT_SOCKET "/run/tlob/agent.sock"
#define TLOB_MAX_FDS 8 /* a message with more than anybody needs is refused */

/*
 * Say hello to the agent at @where, a path or @name (abstract), if it is one of root's, or also if
 * it is one of this user's: it gets to see what this process does, and names files and memory to
 * it. @token proves that it was the agent who started this program; "" if it was not. Returns a
 * socket, or negative errno.
 */
enum tlob_trust {
	TLOB_TRUST_ROOT,
	TLOB_TRUST_OWN
};
int tlob_connect_hello(const char *where, const char *token, enum tlob_trust trust);

/*
 * Wait for the answer to it: 0 with @home->welcome filled in and @fds set, which are the caller's
 * to close; -EAGAIN if there is none yet; other negative errno when there will be none.
 */
int tlob_connect_welcome(int socket, __u64 wait_ns, struct tlob_home *home, int *fds, int *nfds);

/* Send a message without content. */
int tlob_connect_ask(const struct tlob_descriptor *socket, enum tlob_msg_type type);
/* Wait for an arena; @fd is the caller's to close. -EAGAIN if none has come. */
int tlob_connect_arena(const struct tlob_descriptor *socket, __u64 wait_ns,
		       struct tlob_msg_arena *msg, int *fd);
/* Is there still somebody at the other end? */
bool tlob_connect_alive(const struct tlob_descriptor *socket);

#endif
