/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of an agent that speaks the protocol by hand, and so can also speak it wrongly. */
#ifndef TLOB_TESTS_RAW_CLIENT_H
#define TLOB_TESTS_RAW_CLIENT_H

#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlob/ctl.h>

#define RAW_FDS 4

struct raw {
	int fd;
	int fds[RAW_FDS]; /* that came with the last message */
	int nfds;
	union {
		struct tlob_msg head;
		struct tlob_msg_welcome welcome;
		struct tlob_msg_arena arena;
	} in;
};

static inline int raw_connect(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, name, n);
	if (*name == '@')
		a.sun_path[0] = '\0';
	if (connect(fd, (struct sockaddr *)&a,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*name != '@')))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static inline void raw_send(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

static inline struct tlob_msg raw_head(uint16_t type)
{
	return (struct tlob_msg){TLOB_ABI_MAGIC, TLOB_ABI_VERSION, type};
}

static inline void raw_hello(int fd)
{
	struct tlob_msg_hello hello = {.head = raw_head(TLOB_MSG_HELLO), .program = "raw"};

	raw_send(fd, &hello, sizeof(hello));
}

/* Lets @ctl do what there is to do for @ms. */
static inline void serve(struct tlobctl *ctl, int ms)
{
	for (int i = 0; i < ms; i += 5)
		assert_true(tlobctl_poll(ctl, 5, NULL, NULL) >= 0);
}

/* The one call into engine bpf, by its program @fd. What that says, or a negative errno. */
static inline int raw_kick(int fd, struct tlob_kick k)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.ctx_in = (uintptr_t)&k;
	attr.test.ctx_size_in = sizeof(k);
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		return -errno;
	return (int)attr.test.retval;
}

static inline void raw_close_fds(struct raw *r)
{
	while (r->nfds)
		close(r->fds[--r->nfds]);
}

/* The next message: its length, 0 when the agent hung up, -1 when there is none. */
static inline ssize_t raw_receive(struct raw *r)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * RAW_FDS)];
	} control;
	struct iovec iov = {.iov_base = &r->in, .iov_len = sizeof(r->in)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n;

	raw_close_fds(r);
	n = recvmsg(r->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -1;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		r->nfds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(r->fds, CMSG_DATA(c), sizeof(int) * (size_t)r->nfds);
	}
	return n;
}

static inline void raw_leave(struct raw *r)
{
	raw_close_fds(r);
	close(r->fd);
}

/* A client that has been welcomed. */
static inline struct raw raw_join(struct tlobctl *ctl, const char *name)
{
	struct raw r = {.fd = raw_connect(name)};

	assert_true(r.fd >= 0);
	raw_hello(r.fd);
	for (int i = 0; i < 100; i++) {
		struct pollfd p = {.fd = r.fd, .events = POLLIN};

		if (poll(&p, 1, 0) > 0)
			break;
		serve(ctl, 20);
	}
	assert_int_equal(raw_receive(&r), sizeof(struct tlob_msg_welcome));
	assert_int_equal(r.in.head.type, TLOB_MSG_WELCOME);
	return r;
}

#endif
