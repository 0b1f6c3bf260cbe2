// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's side of reader.h. */
#include "reader.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader_message.h"

int why_reader_start(struct why_reader *r, unsigned int limit_ms, int nice)
{
	int fds[2];
	pid_t pid;

	r->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	pid = fork();
	if (!pid)
		why_reader_process(fds[1], limit_ms, nice);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -EAGAIN;
	}
	r->fd = fds[0];
	r->pid = pid;
	return 0;
}

void why_reader_stop(struct why_reader *r)
{
	if (!r || r->fd < 0)
		return;
	close(r->fd); /* which ends it, whatever the reader is at */
	r->fd = -1;
	while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int why_reader_send(int fd, const struct iovec *parts, size_t nparts, int held, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = (struct iovec *)parts, .msg_iovlen = nparts};
	struct cmsghdr *c;

	if (held >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &held, sizeof(int));
	}
	return sendmsg(fd, &m, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int ask(struct why_reader *r, const struct why_object *object, struct reader_question *q,
	       const struct why_reader_place *places)
{
	const struct iovec parts[] = {{q, sizeof(*q)},
				      {(void *)places, q->nplaces * sizeof(*places)},
				      {(char *)object->path, strlen(object->path) + 1},
				      {(char *)object->root, strlen(object->root) + 1}};

	if (q->nplaces > WHY_READER_PLACES || parts[2].iov_len > READER_PATH_BYTES ||
	    parts[3].iov_len > READER_PATH_BYTES)
		return -EINVAL;
	q->serial = ++r->serial;
	q->path_bytes = (uint32_t)parts[2].iov_len;
	q->root_bytes = (uint32_t)parts[3].iov_len;
	q->build_id_bytes = object->build_id_bytes;
	memcpy(q->build_id, object->build_id, sizeof(q->build_id));
	return why_reader_send(r->fd, parts, sizeof(parts) / sizeof(*parts),
			       why_object_held(object), MSG_DONTWAIT);
}

int why_reader_ask(struct why_reader *r, const struct why_object *object,
		   const struct why_reader_place *places, size_t n)
{
	struct reader_question q = {.nplaces = (uint32_t)n};

	return ask(r, object, &q, places);
}

int why_reader_ask_code(struct why_reader *r, const struct why_object *object, uint32_t tgid,
			uint64_t address)
{
	struct reader_question q = {.tgid = tgid, .address = address};

	return ask(r, object, &q, NULL);
}

/* ---- answers */

/* The string of @bytes at *@at, which goes behind it; "" if it is none. */
static const char *take_string(const char *buf, size_t size, size_t *at, size_t bytes)
{
	const char *text = buf + *at;

	if (!bytes || bytes > size - *at || text[bytes - 1])
		return "";
	*at += bytes;
	return text;
}

static size_t take_frames(const char *buf, size_t size, size_t n, struct tlobctl_frame *frames)
{
	size_t at = sizeof(struct reader_answer) + n * sizeof(struct reader_frame);

	if (n > WHY_PLACE_FRAMES || at > size)
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct reader_frame f;

		memcpy(&f, buf + sizeof(struct reader_answer) + i * sizeof(f), sizeof(f));
		frames[i] = (struct tlobctl_frame){.line = f.line, .inlined = f.inlined};
		frames[i].function = take_string(buf, size, &at, f.function_bytes);
		frames[i].file = take_string(buf, size, &at, f.file_bytes);
	}
	return n;
}

int why_reader_descriptor(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static ssize_t receive(struct why_reader *r, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = r->buffer.bytes, .iov_len = sizeof(r->buffer.bytes)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(r->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = n >= 0 ? why_reader_descriptor(&m) : -1;
	return n;
}

enum why_reader_kind why_reader_next(struct why_reader *r, struct why_reader_answer *answer,
				     struct tlobctl_frame *frames)
{
	const char *buf = r->buffer.bytes;
	struct reader_answer a;
	ssize_t n;
	int fd;

	for (;;) {
		n = receive(r, &fd);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return WHY_READER_NOTHING;
		if (n < (ssize_t)sizeof(a))
			return WHY_READER_GONE;
		memcpy(&a, buf, sizeof(a));
		if (a.kind == WHY_READER_DIED)
			return WHY_READER_DIED;
		if (a.serial == r->serial)
			break;
		if (fd >= 0) /* to one that it did not live to answer to its end */
			close(fd);
	}
	*answer = (struct why_reader_answer){.index = a.index, .cpu_ns = a.cpu_ns, .fd = fd};
	if (a.kind == WHY_READER_CODE)
		return WHY_READER_CODE;
	if (fd >= 0)
		close(fd);
	if (a.kind == WHY_READER_PLACE)
		answer->nframes = take_frames(buf, (size_t)n, a.nframes, frames);
	return a.kind == WHY_READER_PLACE ? WHY_READER_PLACE : WHY_READER_DONE;
}
