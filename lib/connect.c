// SPDX-License-Identifier: LGPL-2.1-or-later
/* See connect.h. */
#include "connect.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "now.h"

static int address_of(const char *where, struct sockaddr_un *address, socklen_t *bytes)
{
	size_t length = strlen(where);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (!length || length >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, where, length);
	*bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	if (*where == '@') {
		address->sun_path[0] = '\0';
		--*bytes;
	}
	return 0;
}

static bool is_trusted(int fd, enum tlob_trust trust)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes))
		return false;
	return peer.uid == 0 || (trust == TLOB_TRUST_OWN && peer.uid == geteuid());
}

static int send_message(int fd, const void *message, size_t bytes)
{
	ssize_t sent = send(fd, message, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0)
		return -errno;
	return (size_t)sent == bytes ? 0 : -EPROTO;
}

static void fill_head(struct tlob_msg *head, enum tlob_msg_type type)
{
	head->magic = TLOB_ABI_MAGIC;
	head->version = TLOB_ABI_VERSION;
	head->type = (__u16)type;
}

static void copy_text(char *to, const char *from, size_t bytes)
{
	for (size_t i = 0; from && from[i] && i < bytes - 1; i++)
		to[i] = from[i];
}

static int say_hello(int fd, const char *token)
{
	struct tlob_msg_hello hello = {.pid = (__u32)getpid()};

	fill_head(&hello.head, TLOB_MSG_HELLO);
	copy_text(hello.program, program_invocation_short_name, sizeof(hello.program));
	copy_text(hello.token, token, sizeof(hello.token));
	return send_message(fd, &hello, sizeof(hello));
}

int tlob_connect_hello(const char *where, const char *token, enum tlob_trust trust)
{
	struct sockaddr_un address;
	socklen_t bytes;
	int r = address_of(where, &address, &bytes);
	int fd;

	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, bytes))
		r = -errno;
	else if (!is_trusted(fd, trust))
		r = -EPERM;
	else
		r = say_hello(fd, token);
	if (!r)
		return fd;
	close(fd);
	return r;
}

static void close_all(const int *fds, int n)
{
	while (n)
		close(fds[--n]);
}

/* The descriptors that came with @message. */
static int take_fds(struct msghdr *message, int *fds)
{
	int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < bytes / sizeof(int) && n < TLOB_MAX_FDS; i++)
			memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	return n;
}

/*
 * One message of at most @size bytes. Returns its length, or negative errno; then no descriptor is
 * left open.
 */
static ssize_t receive(int fd, void *buf, size_t size, int *fds, int *nfds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * TLOB_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	*nfds = take_fds(&message, fds);
	if (n && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	close_all(fds, *nfds);
	return n ? -EPROTO : -ECONNRESET;
}

/* Until there is something to receive. A signal does not lengthen it. */
static int wait_for(int fd, __u64 wait_ns)
{
	__u64 until = tlob_now() + wait_ns;

	for (;;) {
		__u64 now = tlob_now();
		struct timespec left = tlob_timespec(now < until ? until - now : 0);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int n = ppoll(&p, 1, &left, NULL);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (now >= until)
			return -EAGAIN;
	}
}

/* A message of exactly type @type and @size bytes. */
static int receive_one(int fd, __u64 wait_ns, enum tlob_msg_type type, void *buf, size_t size,
		       int *fds, int *nfds)
{
	struct tlob_msg *head = buf;
	ssize_t n;
	int r = wait_for(fd, wait_ns);

	if (r)
		return r;
	n = receive(fd, buf, size, fds, nfds);
	if (n < 0)
		return (int)n;
	if ((size_t)n >= sizeof(*head) && head->magic == TLOB_ABI_MAGIC &&
	    head->version == TLOB_ABI_VERSION) {
		if (head->type == type && (size_t)n == size)
			return 0;
		if (head->type == TLOB_MSG_REFUSED)
			r = -ECONNREFUSED;
	}
	close_all(fds, *nfds);
	return r ? r : -EPROTO;
}

int tlob_connect_welcome(int socket, __u64 wait_ns, struct tlob_home *home, int *fds, int *nfds)
{
	struct tlob_msg_welcome *w = &home->welcome;
	int r = receive_one(socket, wait_ns, TLOB_MSG_WELCOME, w, sizeof(*w), fds, nfds);

	if (r)
		return r;
	if (w->noverrides > TLOB_MAX_OVERRIDES)
		w->noverrides = TLOB_MAX_OVERRIDES;
	for (__u32 i = 0; i < w->noverrides; i++)
		w->overrides[i].name[TLOB_NAME_BYTES - 1] = '\0';
	return 0;
}

int tlob_connect_ask(const struct tlob_descriptor *socket, enum tlob_msg_type type)
{
	struct tlob_msg message;

	if (!tlob_descriptor_ours(socket))
		return -EBADF;
	fill_head(&message, type);
	return send_message(socket->fd, &message, sizeof(message));
}

int tlob_connect_arena(const struct tlob_descriptor *socket, __u64 wait_ns,
		       struct tlob_msg_arena *msg, int *fd)
{
	int fds[TLOB_MAX_FDS], n, r;

	if (!tlob_descriptor_ours(socket))
		return -EBADF;
	r = receive_one(socket->fd, wait_ns, TLOB_MSG_ARENA, msg, sizeof(*msg), fds, &n);
	if (r)
		return r;
	if (n != 1) {
		close_all(fds, n);
		return -EPROTO;
	}
	*fd = fds[0];
	return 0;
}

bool tlob_connect_alive(const struct tlob_descriptor *socket)
{
	struct pollfd p = {.fd = socket->fd};

	return tlob_descriptor_ours(socket) &&
	       (poll(&p, 1, 0) == 0 || !(p.revents & (POLLHUP | POLLERR)));
}
