// SPDX-License-Identifier: GPL-2.0-or-later
/* See agent.h. Clients are hostile: nothing here waits for one, and one that breaks the rules is dropped. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "ledger.h"
#include "now.h"
#include "objects.h"
#include "sampler.h"
#include "session.h"

#define MAX_FDS 3
#define ACCEPTS_AT_ONCE 64
#define MESSAGES_AT_ONCE 64 /* of one client; nearly all just say that there are records */

/* ---- messages to a client */

static struct tlob_msg head(enum tlob_msg_type type)
{
	return (struct tlob_msg){TLOB_ABI_MAGIC, TLOB_ABI_VERSION, (uint16_t)type};
}

static int send_message(int fd, const void *msg, size_t bytes, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)msg, .iov_len = bytes};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (nfds) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)bytes ? 0 : -EIO;
}

static int refuse(int fd)
{
	struct tlob_msg msg = head(TLOB_MSG_REFUSED);

	return send_message(fd, &msg, sizeof(msg), NULL, 0);
}

/* ---- records that are left for later */

static void come_back(struct tlobctl_agent *agent)
{
	(void)!write(agent->later_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* The engine has had its turn with @client, and is not through. */
static void put_off(struct tlobctl_agent *agent, struct tlobctl_client *client)
{
	if (client->put_off)
		return;
	client->put_off = true;
	client->next_later = agent->later;
	agent->later = client;
	come_back(agent);
}

static void take_off(struct tlobctl_agent *agent, const struct tlobctl_client *client)
{
	struct tlobctl_client **at = &agent->later;

	while (*at && *at != client)
		at = &(*at)->next_later;
	if (*at)
		*at = client->next_later;
}

static void collect(struct tlobctl *ctl, struct tlobctl_client *client)
{
	if (ctl->engine->wake(ctl, client))
		put_off(&ctl->agent, client);
}

/* One more turn for each that waits for one; when this takes long, the rest comes first the next time. */
static void later_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	struct tlobctl_client *client = ctl->agent.later, **last;
	uint64_t end = tlobctl_now_ns() + TLOBCTL_TURN_NS, count;

	(void)self;
	(void)!read(ctl->agent.later_fd, &count, sizeof(count));
	ctl->agent.later = NULL;
	while (client) {
		struct tlobctl_client *next = client->next_later;

		client->put_off = false;
		collect(ctl, client);
		client = next;
		if (tlobctl_now_ns() >= end)
			break;
	}
	if (!client)
		return;
	for (last = &client; *last; last = &(*last)->next_later)
		;
	*last = ctl->agent.later;
	ctl->agent.later = client;
	come_back(&ctl->agent);
}

/* Nobody else has this descriptor, so that nobody can make a read or a write of it wait. */
static int open_later(struct tlobctl *ctl)
{
	struct tlobctl_agent *agent = &ctl->agent;

	agent->later_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (agent->later_fd < 0)
		return tlobctl_fail(-errno, "cannot make an eventfd: %m");
	agent->later_source.ready = later_ready;
	return tlobctl_source_add(ctl, agent->later_fd, &agent->later_source);
}

/* ---- messages from a client. 0, or negative: drop it */

static int welcome(struct tlobctl *ctl, struct tlobctl_client *client)
{
	struct tlob_msg_welcome msg = {.head = head(TLOB_MSG_WELCOME),
				       .engine = ctl->engine->kind,
				       .noverrides = (uint32_t)ctl->regions.noverrides};
	int fds[MAX_FDS] = {-1, -1, -1}, r;
	size_t nfds = 1;

	memcpy(msg.overrides, ctl->regions.overrides, sizeof(msg.overrides));
	r = tlobctl_ledger_new(&client->ledger_fd, &client->ledger);
	if (r)
		return refuse(client->fd) ? -EIO : r;
	fds[0] = client->ledger_fd;
	if (ctl->engine->join) {
		r = ctl->engine->join(ctl, client, &msg.arena, &fds[1], &fds[2]);
		msg.arena.head = head(TLOB_MSG_ARENA);
		nfds = 3;
	}
	if (!r)
		r = send_message(client->fd, &msg, sizeof(msg), fds, nfds);
	else
		refuse(client->fd);
	if (fds[2] >= 0)
		close(fds[2]);
	return r;
}

/* All of it, whatever differs first: how long that takes tells nothing. */
static bool is_invited(const struct tlobctl_agent *agent, const struct tlob_msg_hello *hello)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < sizeof(agent->token); i++)
		differs |= (unsigned char)(agent->token[i] ^ hello->token[i]);
	return !*agent->token || !differs;
}

static int on_hello(struct tlobctl *ctl, struct tlobctl_client *client,
		    const struct tlob_msg_hello *hello)
{
	if (client->ledger)
		return -EPROTO;
	if (!is_invited(&ctl->agent, hello)) {
		refuse(client->fd);
		return -EACCES;
	}
	if (client->pid <= 0 ||
	    !tlobctl_program_of(client->pid, client->program, sizeof(client->program)))
		tlobctl_printable(client->program, sizeof(client->program), hello->program,
				  sizeof(hello->program));
	if (ctl->objects && client->pid > 0) /* before it closes a library it has now */
		tlobctl_objects_know(ctl, (uint32_t)client->pid);
	return welcome(ctl, client);
}

static int on_grow(struct tlobctl *ctl, struct tlobctl_client *client, bool transit)
{
	int (*grow)(struct tlobctl *, struct tlobctl_client *, struct tlob_msg_arena *, int *) =
		transit ? ctl->engine->transit : ctl->engine->grow;
	struct tlob_msg_arena msg = {0};
	int arena = -1, r;

	if (!client->ledger || !grow)
		return -EPROTO;
	if (client->narenas == TLOBCTL_MAX_ARENAS_OF_CLIENT || grow(ctl, client, &msg, &arena))
		return refuse(client->fd);
	msg.head = head(TLOB_MSG_ARENA);
	r = send_message(client->fd, &msg, sizeof(msg), &arena, 1);
	close(arena);
	return r;
}

static int on_wake(struct tlobctl *ctl, struct tlobctl_client *client)
{
	if (!client->ledger || !ctl->engine->wake)
		return -EPROTO;
	client->woken = true;
	return 0;
}

static int on_message(struct tlobctl *ctl, struct tlobctl_client *client, const void *buf,
		      size_t bytes)
{
	const struct tlob_msg *msg = buf;

	if (bytes < sizeof(*msg) || msg->magic != TLOB_ABI_MAGIC)
		return -EPROTO;
	if (msg->version != TLOB_ABI_VERSION) {
		refuse(client->fd);
		return -EPROTO;
	}
	if (msg->type == TLOB_MSG_HELLO && bytes == sizeof(struct tlob_msg_hello))
		return on_hello(ctl, client, buf);
	if (msg->type == TLOB_MSG_GROW && bytes == sizeof(*msg))
		return on_grow(ctl, client, false);
	if (msg->type == TLOB_MSG_TRANSIT && bytes == sizeof(*msg))
		return on_grow(ctl, client, true);
	if (msg->type == TLOB_MSG_WAKE && bytes == sizeof(*msg))
		return on_wake(ctl, client);
	return -EPROTO;
}

static void client_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	struct tlobctl_client *client = (struct tlobctl_client *)self; /* its first member */
	union {
		struct tlob_msg_hello hello;
		char bytes[256];
	} buf = {0};
	ssize_t n;

	if (tlobctl_agent_client(ctl, client->id) != client)
		return; /* dropped while this was on its way */
	client->woken = false;
	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		/* no room for descriptors: those that a client sends are closed by the kernel */
		n = recv(client->fd, &buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0 || on_message(ctl, client, &buf, (size_t)n)) {
			tlobctl_agent_drop(ctl, client);
			return;
		}
	}
	if (client->woken && !client->put_off)
		collect(ctl, client);
}

/* ---- coming and going */

static size_t clients_of(const struct tlobctl_agent *agent, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < TLOBCTL_MAX_CLIENTS; i++)
		n += agent->clients[i] && agent->clients[i]->uid == uid;
	return n;
}

static int take_place(struct tlobctl_agent *agent, struct tlobctl_client *client)
{
	if (client->uid && clients_of(agent, client->uid) >= TLOBCTL_MAX_CLIENTS_OF_USER)
		return -EAGAIN;
	for (uint32_t tries = 0; tries < TLOBCTL_MAX_CLIENTS; tries++) {
		uint32_t id = ++agent->serial, place = id % TLOBCTL_MAX_CLIENTS;

		if (!id || agent->clients[place])
			continue;
		client->id = id;
		agent->clients[place] = client;
		return 0;
	}
	return -EAGAIN;
}

static struct tlobctl_client *client_new(int fd)
{
	struct tlobctl_client *client = calloc(1, sizeof(*client));
	struct ucred peer = {0};
	socklen_t bytes = sizeof(peer);

	if (!client)
		return NULL;
	client->source.ready = client_ready;
	client->fd = fd;
	client->ledger_fd = -1;
	client->uid = (uid_t)-1;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes)) {
		client->uid = peer.uid;
		client->pid = peer.pid;
	}
	return client;
}

static void client_free(struct tlobctl_client *client)
{
	tlobctl_ledger_free(client->ledger);
	if (client->ledger_fd >= 0)
		close(client->ledger_fd);
	tlobctl_unclosed_deinit(&client->unclosed);
	close(client->fd);
	free(client);
}

static void admit(struct tlobctl *ctl, int fd)
{
	struct tlobctl_client *client = client_new(fd);

	if (!client) {
		close(fd);
		return;
	}
	if (take_place(&ctl->agent, client)) {
		refuse(fd);
		client_free(client);
		return;
	}
	if (tlobctl_source_add(ctl, fd, &client->source))
		tlobctl_agent_drop(ctl, client);
	else
		client_ready(ctl, &client->source); /* the library has said hello already */
}

/* Without descriptors left nobody can be accepted, and somebody not accepted would keep us awake: give up the spare. */
static void turn_away(struct tlobctl_agent *agent)
{
	int fd;

	if (agent->spare_fd < 0)
		return;
	close(agent->spare_fd);
	fd = accept4(agent->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		refuse(fd);
		close(fd);
	}
	agent->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	(void)self;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(ctl->agent.listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			turn_away(&ctl->agent);
		if (fd < 0)
			return;
		admit(ctl, fd);
	}
}

struct tlobctl_client *tlobctl_agent_client(struct tlobctl *ctl, uint32_t id)
{
	struct tlobctl_client *client = ctl->agent.clients[id % TLOBCTL_MAX_CLIENTS];

	return client && client->id == id ? client : NULL;
}

void tlobctl_agent_drop(struct tlobctl *ctl, struct tlobctl_client *client)
{
	struct tlobctl_client **place = &ctl->agent.clients[client->id % TLOBCTL_MAX_CLIENTS];

	if (*place != client)
		return; /* dropped already */
	if (client->ledger) {
		tlobctl_sampler_drain(ctl);
		ctl->engine->leave(ctl, client);
		tlobctl_stats_client(ctl, client, &ctl->departed);
	}
	*place = NULL;
	tlobctl_source_remove(ctl, client->fd);
	take_off(&ctl->agent, client);
	client->next_dead = ctl->agent.dead;
	ctl->agent.dead = client;
}

void tlobctl_agent_bury(struct tlobctl *ctl)
{
	while (ctl->agent.dead) {
		struct tlobctl_client *client = ctl->agent.dead;

		ctl->agent.dead = client->next_dead;
		client_free(client);
	}
}

static int take_token(struct tlobctl_agent *agent, const char *token)
{
	size_t length = token ? strlen(token) : 0;

	if (token && (!length || length >= sizeof(agent->token) || strchr(token, ',')))
		return tlobctl_fail(-EINVAL,
				    "a token has 1 to %zu characters, and no comma: '%s' has not",
				    sizeof(agent->token) - 1, token);
	memcpy(agent->token, token ? token : "", length);
	return 0;
}

int tlobctl_agent_open(struct tlobctl *ctl, const char *where)
{
	int r = take_token(&ctl->agent, ctl->opts.token);

	if (!r)
		r = tlobctl_listener_open(&ctl->agent.listener, where);
	if (!r)
		r = open_later(ctl);
	if (r)
		return r;
	ctl->agent.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ctl->agent.source.ready = listener_ready;
	return tlobctl_source_add(ctl, ctl->agent.listener.fd, &ctl->agent.source);
}

void tlobctl_agent_close(struct tlobctl *ctl)
{
	ctl->agent.closing = true;
	for (size_t i = 0; i < TLOBCTL_MAX_CLIENTS; i++)
		if (ctl->agent.clients[i])
			tlobctl_agent_drop(ctl, ctl->agent.clients[i]);
	tlobctl_agent_bury(ctl);
	tlobctl_listener_close(&ctl->agent.listener);
	if (ctl->agent.later_fd >= 0)
		close(ctl->agent.later_fd);
	if (ctl->agent.spare_fd >= 0)
		close(ctl->agent.spare_fd);
}
