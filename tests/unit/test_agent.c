// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's socket: clients that behave, clients that do not, and sockets that are in the way. */
#include "agent_session.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void welcome_is_complete(void **state)
{
	struct raw r;
	struct stat st;

	assert_int_equal(tlobctl_add(*state, "decode@7ms", NULL, NULL), 1);
	r = raw_join(*state, name);
	assert_int_equal(r.in.welcome.engine, TLOB_ENGINE_USER);
	assert_int_equal(r.in.welcome.noverrides, 1);
	assert_string_equal(r.in.welcome.overrides[0].name, "decode");
	assert_int_equal(r.in.welcome.overrides[0].budget_ns, 7000000);
	assert_int_equal(fstat(r.fds[0], &st), 0);
	assert_int_equal(st.st_size, TLOB_LEDGER_BYTES);
	assert_int_equal(ftruncate(r.fds[0], 4096), -1);
	assert_int_equal(fcntl(r.fds[0], F_ADD_SEALS, F_SEAL_WRITE), -1);
	raw_leave(&r);
}

static void nonsense_is_dropped(void **state)
{
	static const char big[4096];
	struct tlob_msg_hello hello = {.head = raw_head(TLOB_MSG_HELLO)};
	struct tlob_msg grow = raw_head(TLOB_MSG_GROW), other = raw_head(99);
	struct tlob_msg_hello magic = hello, version = hello;
	const struct {
		const void *bytes;
		size_t n;
	} packets[] = {{big, sizeof(big)},	    {big, 1},
		       {&hello, sizeof(hello) - 1}, {&grow, sizeof(grow)}, /* before any hello */
		       {&other, sizeof(other)},	    {&magic, sizeof(magic)},
		       {&version, sizeof(version)}};

	magic.head.magic = 0;
	version.head.version = TLOB_ABI_VERSION + 1;
	for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++) {
		struct raw r = {.fd = raw_connect(name)};
		ssize_t n;

		raw_send(r.fd, packets[i].bytes, packets[i].n);
		serve(*state, 10);
		n = raw_receive(&r);
		if (packets[i].bytes == &version) {
			assert_int_equal(n, sizeof(struct tlob_msg));
			assert_int_equal(r.in.head.type, TLOB_MSG_REFUSED);
			n = raw_receive(&r);
		}
		assert_int_equal(n, 0);
		raw_leave(&r);
	}
	assert_alive(*state);
}

static void second_hello_is_dropped(void **state)
{
	struct raw r = raw_join(*state, name);

	raw_hello(r.fd);
	serve(*state, 10);
	assert_int_equal(raw_receive(&r), 0);
	raw_leave(&r);
	assert_alive(*state);
}

static void nobody_waits_for_the_deaf(void **state)
{
	struct raw r = raw_join(*state, name);
	struct tlob_msg grow = raw_head(TLOB_MSG_GROW);

	/* never reads, so that answers no longer fit */
	for (int i = 0; i < 2000; i++)
		if (send(r.fd, &grow, sizeof(grow), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	serve(*state, 50);
	raw_leave(&r);
	assert_alive(*state);
}

/* More connections than there is room for, some silent, some gone before they were accepted. */
static void crowds_are_turned_away(void **state)
{
	enum {
		N = 1700
	};
	static int fds[N];
	size_t refused = 0;
	struct rlimit limit, more;

	getrlimit(RLIMIT_NOFILE, &limit);
	more = limit;
	more.rlim_cur = more.rlim_max < 8192 ? more.rlim_max : 8192;
	setrlimit(RLIMIT_NOFILE, &more);
	if (more.rlim_cur < 4 * N)
		skip();
	for (int i = 0; i < N; i++) {
		fds[i] = raw_connect(name);
		if (i % 3 == 1) {
			close(fds[i]);
			fds[i] = -1;
		} else if (fds[i] >= 0 && i % 3 == 2) {
			raw_hello(fds[i]);
		}
		if (i % 50 == 0)
			serve(*state, 5);
	}
	serve(*state, 50);
	for (int i = 0; i < N; i++) {
		struct raw r = {.fd = fds[i]};

		if (fds[i] < 0)
			continue;
		refused += raw_receive(&r) == sizeof(struct tlob_msg);
		raw_leave(&r);
	}
	serve(*state, 50);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_alive(*state);
	assert_true(refused > 0);
}

static void descriptors_run_out(void **state)
{
	struct rlimit limit, few;
	int fds[64], n = 0;
	struct raw r;

	r = raw_join(*state, name); /* whatever the loader needs, it has by now */
	raw_leave(&r);
	serve(*state, 10);
	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	for (int i = 0; i < 20; i++)
		fds[n++] = raw_connect(name);
	few.rlim_cur = (rlim_t)fds[n - 1] + 2; /* one more, then no more */
	setrlimit(RLIMIT_NOFILE, &few);
	serve(*state, 50);
	setrlimit(RLIMIT_NOFILE, &limit);
	while (n)
		close(fds[--n]);
	serve(*state, 20);
	assert_alive(*state);
}

static void nothing_is_not_quoted(void **state)
{
	assert_int_equal(tlobctl_add(*state, "decode@5", NULL, NULL), -EINVAL);
	assert_non_null(strstr(tlobctl_error(), "needs a unit"));
	assert_null(strstr(tlobctl_error(), "at ''"));
}

/* ---- tokens */

static struct tlobctl *open_with(const char *where, const char *token)
{
	struct tlobctl_opts opts = {.size = sizeof(opts),
				    .engine = TLOBCTL_ENGINE_USER,
				    .socket = where,
				    .token = token};
	struct tlobctl *ctl = NULL;

	tlobctl_open(&opts, &ctl);
	return ctl;
}

/* Only who knows the token gets in, and nothing is learnt from being turned away. */
static void strangers_stay_outside(void **state)
{
	static const char *const tokens[] = {"", "0123456789abcde", "0123456789abcdef0",
					     "0123456789abcdeF", "0123456789abcdef"};
	char socket[64];
	struct tlobctl *ctl;

	snprintf(socket, sizeof(socket), "@tlob-test-token-%d", getpid());
	assert_null(open_with(socket, ""));
	assert_null(open_with(socket, "with,comma"));
	assert_null(open_with(socket, "0123456789012345678901234567890x"));
	ctl = open_with(socket, "0123456789abcdef");
	assert_non_null(ctl);
	for (size_t i = 0; i < 5; i++) {
		struct tlob_msg_hello hello = {.head = raw_head(TLOB_MSG_HELLO)};
		struct raw r = {.fd = raw_connect(socket)};

		memcpy(hello.token, tokens[i], strlen(tokens[i]));
		raw_send(r.fd, &hello, sizeof(hello));
		serve(ctl, 10);
		assert_true(raw_receive(&r) >= (ssize_t)sizeof(struct tlob_msg));
		assert_int_equal(r.in.head.type, i == 4 ? TLOB_MSG_WELCOME : TLOB_MSG_REFUSED);
		if (i < 4)
			assert_int_equal(raw_receive(&r), 0);
		raw_leave(&r);
	}
	tlobctl_close(ctl);
}

/* ---- sockets in the way */

static void stale_socket_is_replaced(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct tlobctl *ctl;
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/tlob-test-stale-%d", getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd); /* the file stays, nobody listens */
	ctl = open_at(a.sun_path);
	assert_non_null(ctl);
	assert_int_equal(stat(a.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	tlobctl_close(ctl);
	assert_int_equal(stat(a.sun_path, &st), -1);
}

static void live_socket_is_left_alone(void **state)
{
	char path[64];
	struct tlobctl *first, *second;
	struct stat st;

	snprintf(path, sizeof(path), "/tmp/tlob-test-live-%d", getpid());
	first = open_at(path);
	assert_non_null(first);
	second = open_at(path);
	assert_null(second);
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(tlobctl_error(), path));
	assert_int_equal(stat(path, &st), 0);
	tlobctl_close(first);

	assert_null(open_at(name)); /* abstract, held by the session of this test */
	assert_int_equal(errno, EADDRINUSE);
}

/* Who can read the folder can lock it, and nobody waits for that. */
static void locked_folder_is_no_obstacle(void **state)
{
	char folder[64], path[80], lock[96];
	struct tlobctl *ctl;
	struct stat st;
	int fd;

	snprintf(folder, sizeof(folder), "/tmp/tlob-test-folder-%d", getpid());
	snprintf(path, sizeof(path), "%s/a.sock", folder);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	assert_int_equal(mkdir(folder, 0755), 0);
	fd = open(folder, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	alarm(20);
	ctl = open_at(path);
	assert_non_null(ctl);
	assert_int_equal(stat(lock, &st), -1);
	tlobctl_close(ctl);
	close(fd);

	/* by another agent that hangs: for some seconds, then it is named */
	fd = open(lock, O_CREAT | O_RDWR, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_null(open_at(path));
	assert_int_equal(errno, EBUSY);
	assert_non_null(strstr(tlobctl_error(), lock));
	close(fd);
	/* by one that was killed: it is as good as new */
	ctl = open_at(path);
	assert_non_null(ctl);
	tlobctl_close(ctl);
	alarm(0);
	assert_int_equal(stat(lock, &st), -1);
	assert_int_equal(rmdir(folder), 0);
}

static void files_are_left_alone(void **state)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/tmp/tlob-test-file-%d", getpid());
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_null(open_at(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 8);
	unlink(path);

	assert_null(open_at("/nonexistent/folder/below/a.sock"));
	assert_null(open_at(
		"/tmp/a-rather-long-name-that-is-longer-than-the-hundred-and-eight-bytes-that-the-address-"
		"of-a-unix-socket-has-room-for"));
	assert_int_equal(errno, ENAMETOOLONG);
}

/* As on a real-time kernel before Linux 6.12. */
static void sleeping_ring_is_refused(void **state)
{
	struct tlobctl_opts opts = {.size = sizeof(opts), .engine = TLOBCTL_ENGINE_BPF};
	struct tlobctl *ctl = NULL;

	if (geteuid())
		skip(); /* lacks more than that */
	setenv("TLOB_BPF_WITHOUT", "ring", 1);
	assert_int_equal(tlobctl_open(&opts, &ctl), -EOPNOTSUPP);
	unsetenv("TLOB_BPF_WITHOUT");
	assert_null(ctl);
	assert_non_null(strstr(tlobctl_error(), "real-time"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(welcome_is_complete),
		cmocka_unit_test(nonsense_is_dropped),
		cmocka_unit_test(second_hello_is_dropped),
		cmocka_unit_test(nobody_waits_for_the_deaf),
		cmocka_unit_test(crowds_are_turned_away),
		cmocka_unit_test(descriptors_run_out),
		cmocka_unit_test(nothing_is_not_quoted),
		cmocka_unit_test(strangers_stay_outside),
		cmocka_unit_test(stale_socket_is_replaced),
		cmocka_unit_test(live_socket_is_left_alone),
		cmocka_unit_test(locked_folder_is_no_obstacle),
		cmocka_unit_test(files_are_left_alone),
		cmocka_unit_test(sleeping_ring_is_refused),
	};

	return cmocka_run_group_tests(tests, make_session, end_session);
}
