// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The other side of reader.h: one process that reads, and one that starts it again. The latter ends both when the agent
 * does, however that ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "image.h"
#include "reader_message.h"

#define SOCKET 3
#define MAX_QUESTIONS \
	100000 /* then the symbolizer is made anew: objects are kept as long as it is */
#define MAX_HEAP_BYTES ((rlim_t)4 << 30)
#define PATIENCE 4
#define END_MS 500 /* what is freed takes time */
#define RETRY_NS 100000000L /* when there can be no process */

/* ---- questions */

struct question {
	struct reader_question head;
	struct why_reader_place places[WHY_READER_PLACES];
	char path[READER_PATH_BYTES], root[READER_PATH_BYTES];
	int held;
};

/* Waits for one. When the agent has gone this process ends. */
static void next_question(struct question *q)
{
	static union {
		struct reader_question head;
		char bytes[sizeof(struct reader_question) +
			   WHY_READER_PLACES * sizeof(struct why_reader_place) +
			   2 * READER_PATH_BYTES];
	} buf;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = &buf, .iov_len = sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(SOCKET, &m, MSG_CMSG_CLOEXEC);
	const char *at = buf.bytes + sizeof(q->head);

	if (n < (ssize_t)sizeof(q->head))
		_exit(0);
	q->head = buf.head;
	memcpy(q->places, at, q->head.nplaces * sizeof(*q->places));
	at += q->head.nplaces * sizeof(*q->places);
	memcpy(q->path, at, q->head.path_bytes);
	memcpy(q->root, at + q->head.path_bytes, q->head.root_bytes);
	q->held = why_reader_descriptor(&m);
}

/* ---- answers */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void answer(const void *message, size_t bytes)
{
	if (send(SOCKET, message, bytes, MSG_NOSIGNAL) < 0)
		_exit(0);
}

static size_t put_string(char *to, const char *text)
{
	size_t n = strnlen(text, READER_PATH_BYTES - 1);

	memcpy(to, text, n);
	to[n] = '\0';
	return n + 1;
}

/* Frames that the message has no room for are left out. */
static void answer_place(uint64_t serial, uint32_t index, const struct tlobctl_frame *frames,
			 size_t n)
{
	static char buf[WHY_READER_BYTES];
	struct reader_answer a = {.serial = serial, .kind = WHY_READER_PLACE, .index = index};
	size_t strings = sizeof(a) + n * sizeof(struct reader_frame), end = strings;

	for (size_t i = 0; i < n && sizeof(buf) - end >= 2 * READER_PATH_BYTES; i++) {
		struct reader_frame f = {.line = frames[i].line, .inlined = frames[i].inlined};

		f.function_bytes = (uint16_t)put_string(buf + end, frames[i].function);
		end += f.function_bytes;
		f.file_bytes = (uint16_t)put_string(buf + end, frames[i].file);
		end += f.file_bytes;
		memcpy(buf + sizeof(a) + i * sizeof(f), &f, sizeof(f));
		a.nframes++;
	}
	if (a.nframes < n) {
		size_t heads = sizeof(a) + a.nframes * sizeof(struct reader_frame);

		memmove(buf + heads, buf + strings, end - strings);
		end -= strings - heads;
	}
	memcpy(buf, &a, sizeof(a));
	answer(buf, end);
}

/*
 * The file at @address of @tgid, where its path leads to another one by now: only the process itself has it. Into @link, which is
 * left empty where there is none.
 */
static void find_link(uint32_t tgid, uint64_t address, char *link, size_t size)
{
	char path[32], *line = NULL;
	uint64_t start, end;
	size_t room = 0;
	FILE *maps;

	*link = '\0';
	snprintf(path, sizeof(path), "/proc/%u/maps", tgid);
	maps = fopen(path, "re");
	while (maps && getline(&line, &room, maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2 || address < start ||
		    address >= end)
			continue;
		snprintf(link, size, "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, tgid, start, end);
		break;
	}
	free(line);
	if (maps)
		fclose(maps);
}

static void answer_code(const struct question *q, const struct why_object *object)
{
	struct reader_answer a = {.serial = q->head.serial, .kind = WHY_READER_CODE};
	const struct iovec part = {&a, sizeof(a)};
	char link[80] = "";
	int fd;

	if (q->head.tgid)
		find_link(q->head.tgid, q->head.address, link, sizeof(link));
	fd = why_image_make(object, *link ? link : NULL);
	if (why_reader_send(SOCKET, &part, 1, fd, 0))
		_exit(0);
	if (fd >= 0)
		close(fd);
}

static void answer_all(struct why_symbolizer *s, const struct question *q)
{
	const struct why_object *object =
		why_object_of(s, q->path, q->root, q->head.build_id, q->head.build_id_bytes);
	struct tlobctl_frame frames[WHY_PLACE_FRAMES];
	struct reader_answer done = {.serial = q->head.serial, .kind = WHY_READER_DONE};
	uint64_t since = cpu_ns();

	if (q->held >= 0 && object)
		why_object_hold(s, object, q->held);
	else if (q->held >= 0)
		close(q->held);
	if (object && !q->head.nplaces)
		answer_code(q, object);
	for (uint32_t i = 0; object && i < q->head.nplaces; i++) {
		size_t n = why_symbolize(s, object, q->places[i].offset, q->places[i].call, frames,
					 WHY_PLACE_FRAMES);

		answer_place(q->head.serial, i, frames, n);
		why_symbolizer_turn(s);
	}
	done.cpu_ns = cpu_ns() - since;
	answer(&done, sizeof(done));
}

static void set_timer(int which, unsigned int ms)
{
	const struct itimerval limit = {.it_value = {ms / 1000, (suseconds_t)(ms % 1000) * 1000}};

	setitimer(which, &limit, NULL);
}

/* CPU time; it may have to wait for a CPU, or for a disk, but not for ever. */
static void set_limit(unsigned int ms)
{
	set_timer(ITIMER_PROF, ms);
	set_timer(ITIMER_REAL, PATIENCE * ms);
}

/* Ends with the agent, or in the midst of a question. */
static _Noreturn void read_files(unsigned int limit_ms)
{
	static struct question q;
	struct why_symbolizer *s = NULL;

	for (unsigned int n = 0;; n++) {
		if (n % MAX_QUESTIONS == 0 || *why_symbolizer_note(s)) {
			why_symbolizer_free(s);
			if (why_symbolizer_new(&s))
				_exit(1);
		}
		next_question(&q);
		set_limit(limit_ms);
		answer_all(s, &q);
		set_limit(0);
	}
}

/* ---- the process that stays */

/* Nothing of what the agent has is kept: neither descriptors, nor how it treats signals, nor its priority. */
static void leave_agent(int fd, int nice)
{
	const struct sched_param other = {.sched_priority = 0};
	int socket = fcntl(fd, F_DUPFD, SOCKET + 1), null = open("/dev/null", O_RDWR);
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	signal(SIGINT, SIG_IGN); /* which is the agent's to understand */
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; null >= 0 && i < SOCKET; i++)
		dup2(null, i);
	dup2(socket, SOCKET);
	syscall(SYS_close_range, SOCKET + 1, ~0U, 0);
	sched_setscheduler(0, SCHED_OTHER, &other);
	setpriority(PRIO_PROCESS, 0, nice);
	prctl(PR_SET_NAME, "tlob-reader");
}

/* Before the agent, if there is no memory; and not more than half of what there is. */
static void limit_memory(void)
{
	struct rlimit limit = {.rlim_max = 0};
	struct sysinfo info;
	FILE *f = fopen("/proc/self/oom_score_adj", "we");

	if (f) {
		fputs("1000", f);
		fclose(f);
	}
	setrlimit(RLIMIT_CORE, &limit);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they take terabytes */
	if (sysinfo(&info))
		return;
	limit.rlim_max = (rlim_t)info.totalram * info.mem_unit / 2;
	if (limit.rlim_max > MAX_HEAP_BYTES)
		limit.rlim_max = MAX_HEAP_BYTES;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_DATA, &limit);
#else
	(void)info;
#endif
}

static bool agent_has_gone(int timeout_ms)
{
	struct pollfd p = {.fd = SOCKET};

	return poll(&p, 1, timeout_ms) > 0;
}

/* True: the reader has ended; false: the agent has. */
static bool wait_for(pid_t reader)
{
	struct pollfd p[2] = {{.fd = SOCKET},
			      {.fd = (int)syscall(SYS_pidfd_open, reader, 0), .events = POLLIN}};

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (p[0].revents) {
		kill(reader, SIGKILL);
		poll(&p[1], 1, END_MS);
	}
	waitpid(reader, NULL, WNOHANG);
	close(p[1].fd);
	return !p[0].revents;
}

_Noreturn void why_reader_process(int fd, unsigned int limit_ms, int nice)
{
	const struct reader_answer died = {.kind = WHY_READER_DIED};
	const struct timespec a_while = {0, RETRY_NS};

	leave_agent(fd, nice);
	limit_memory();
	for (;;) {
		pid_t reader = fork();

		if (!reader)
			read_files(limit_ms);
		if (reader > 0 && !wait_for(reader))
			_exit(0);
		if (reader < 0)
			nanosleep(&a_while, NULL);
		if (agent_has_gone(0))
			_exit(0);
		if (reader > 0)
			answer(&died, sizeof(died));
	}
}
