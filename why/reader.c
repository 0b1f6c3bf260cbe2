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

static int send_question(int fd, const struct iovec *parts, size_t nparts, int held)
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
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int why_reader_ask(struct why_reader *r, const struct why_object *object,
		   const struct why_reader_place *places, size_t n)
{
	struct reader_question q = {.serial = ++r->serial,
				    .nplaces = (uint32_t)n,
				    .path_bytes = (uint32_t)strlen(object->path) + 1,
				    .root_bytes = (uint32_t)strlen(object->root) + 1,
				    .build_id_bytes = object->build_id_bytes};
	const struct iovec parts[] = {{&q, sizeof(q)},
				      {(void *)places, n * sizeof(*places)},
				      {(char *)object->path, q.path_bytes},
				      {(char *)object->root, q.root_bytes}};

	if (n > WHY_READER_PLACES || q.path_bytes > READER_PATH_BYTES ||
	    q.root_bytes > READER_PATH_BYTES)
		return -EINVAL;
	memcpy(q.build_id, object->build_id, sizeof(q.build_id));
	return send_question(r->fd, parts, sizeof(parts) / sizeof(*parts), why_object_held(object));
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

enum why_reader_kind why_reader_next(struct why_reader *r, struct why_reader_answer *answer,
				     struct tlobctl_frame *frames)
{
	const char *buf = r->buffer.bytes;
	struct reader_answer a;
	ssize_t n;

	do {
		n = recv(r->fd, r->buffer.bytes, sizeof(r->buffer.bytes), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return WHY_READER_NOTHING;
		if (n < (ssize_t)sizeof(a))
			return WHY_READER_GONE;
		memcpy(&a, buf, sizeof(a));
		if (a.kind == WHY_READER_DIED)
			return WHY_READER_DIED;
	} while (a.serial != r->serial); /* to one that it did not live to answer to its end */
	*answer = (struct why_reader_answer){.index = a.index, .cpu_ns = a.cpu_ns};
	if (a.kind == WHY_READER_PLACE)
		answer->nframes = take_frames(buf, (size_t)n, a.nframes, frames);
	return a.kind == WHY_READER_PLACE ? WHY_READER_PLACE : WHY_READER_DONE;
}
