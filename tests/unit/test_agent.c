// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's socket: clients that behave, clients that do not, and sockets that are in the way. */
#include "raw_client.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "ctl/ledger.h"
#include "hist.h"
#include "ring.h"

static char name[64];

static struct tlobctl *open_at(const char *where)
{
	struct tlobctl_opts opts = {
		.size = sizeof(opts), .engine = TLOBCTL_ENGINE_USER, .socket = where};
	struct tlobctl *ctl = NULL;

	if (tlobctl_open(&opts, &ctl))
		print_message("%s\n", tlobctl_error());
	return ctl;
}

static int make_session(void **state)
{
	snprintf(name, sizeof(name), "@tlob-test-agent-%d", getpid());
	*state = open_at(name);
	return *state ? 0 : -1;
}

static int end_session(void **state)
{
	tlobctl_close(*state);
	return 0;
}

/* The agent still serves who behaves. */
static void assert_alive(struct tlobctl *ctl)
{
	struct raw r = raw_join(ctl, name);

	assert_int_equal(r.nfds, 1);
	raw_leave(&r);
	serve(ctl, 10);
}

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

/* ---- what a client puts into its ledger */

struct caught {
	struct tlob_record record;
	char region[64], program[64], file[64];
	int n;
};

static void catch (const struct tlobctl_event *event, void *arg)
{
	struct caught *c = arg;

	c->record = *event->record;
	snprintf(c->region, sizeof(c->region), "%s", event->region);
	snprintf(c->program, sizeof(c->program), "%s", event->program);
	snprintf(c->file, sizeof(c->file), "%s", event->file);
	c->n++;
}

static struct tlob_ledger *map_ledger(const struct raw *r)
{
	void *p = mmap(NULL, TLOB_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, r->fds[0], 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void define_region(struct tlob_ledger *l, uint32_t i, const char *region)
{
	l->regions[i].budget_ns = 1000;
	memcpy(l->regions[i].name, region, strnlen(region, TLOB_NAME_BYTES));
	memset(l->regions[i].file, 'f', TLOB_FILE_BYTES); /* without an end */
	tlob_store_release(&l->regions[i].ready, 1);
}

static void push(struct tlob_ledger *l, const struct tlob_record *record)
{
	struct tlob_ring *ring = (void *)((char *)l + TLOB_LEDGER_RING_OFFSET);

	tlob_ring_push(ring, (struct tlob_ring_cell *)(ring + 1), TLOB_LEDGER_RING_CAPACITY,
		       record);
}

static void wake(const struct raw *r)
{
	struct tlob_msg msg = raw_head(TLOB_MSG_WAKE);

	raw_send(r->fd, &msg, sizeof(msg));
}

static void records_are_vetted(void **state)
{
	struct tlob_record record = {.type = TLOB_REC_OVERRUN,
				     .flags = 0xffff,
				     .client = 77,
				     .tgid = 1,
				     .state = 9,
				     .elapsed_ns = 100,
				     .running_ns = 1,
				     .waiting_ns = ~0ULL,
				     .comm = "esc\033[31m"};
	struct tlob_record none = {.type = 12}, far = {.type = TLOB_REC_CLOSE, .region = 256};
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	struct caught c = {0};

	define_region(l, 0, "red\033[31m\x80\xc3\xa9");
	push(l, &none);
	push(l, &far);
	push(l, &record);
	wake(&r);
	for (int i = 0; i < 10 && !c.n; i++)
		tlobctl_poll(*state, 5, catch, &c);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.region, "red?[31m?\xc3\xa9");
	assert_int_equal(strlen(c.file), TLOB_FILE_BYTES - 1);
	assert_string_equal(c.record.comm, "esc?[31m");
	assert_int_equal(c.record.tgid, getpid());
	assert_int_not_equal(c.record.client, 77);
	assert_in_range(c.record.state, 0, 2);
	assert_int_equal(c.record.flags & TLOB_F_PROBE, 0);
	assert_true(c.record.flags & TLOB_F_SPOILED);
	assert_int_equal(c.record.running_ns + c.record.waiting_ns + c.record.sleeping_ns, 100);
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 10);
}

struct refill {
	struct tlob_ledger *ledger;
	int n;
};

#define REFILLS (3 * (int)TLOB_LEDGER_RING_CAPACITY)

/* For each record that is taken, until there were enough, there is another at once. */
static void refill(const struct tlobctl_event *event, void *arg)
{
	struct refill *f = arg;

	if (++f->n + 100 <= REFILLS)
		push(f->ledger, event->record);
}

/* A ring that does not get empty: each turn ends, the others have theirs, and all comes without another word. */
static void full_ring_takes_turns(void **state)
{
	struct tlob_record record = {.type = TLOB_REC_OVERRUN};
	struct raw r = raw_join(*state, name);
	struct refill f = {.ledger = map_ledger(&r)};
	struct pollfd p = {.fd = tlobctl_fd(*state), .events = POLLIN};

	define_region(f.ledger, 0, "refilled");
	for (int i = 0; i < 100; i++)
		push(f.ledger, &record);
	wake(&r);
	while (poll(&p, 1, 100) > 0)
		assert_in_range(tlobctl_poll(*state, 0, refill, &f), 0, TLOB_LEDGER_RING_CAPACITY);
	assert_int_equal(f.n, REFILLS);
	munmap(f.ledger, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 10);
}

/* What a client holds of its agent is a socket and a file: nothing that an operation of the agent's could wait for. */
static void storm_of_wakes(void **state)
{
	struct tlob_msg msg = raw_head(TLOB_MSG_WAKE);
	struct raw r = raw_join(*state, name);

	for (int round = 0; round < 20; round++) {
		while (send(r.fd, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		assert_true(tlobctl_poll(*state, 5, NULL, NULL) >= 0);
	}
	assert_alive(*state);
	raw_leave(&r);
	serve(*state, 10);
}

/* What nobody can make sense of is counted, and does not reach the reader. */
static void strange_records_are_counted(void **state)
{
	struct tlob_record record = {.type = TLOB_REC_OVERRUN, .region = 9};
	struct tlobctl_loss before, after;
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	struct caught c = {0};

	tlobctl_losses(*state, &before);
	push(l, &record);
	push(l, &record);
	define_region(l, 8, "sane");
	record.region = 8;
	push(l, &record);
	wake(&r);
	for (int i = 0; i < 10 && !c.n; i++)
		tlobctl_poll(*state, 5, catch, &c);
	tlobctl_losses(*state, &after);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.region, "sane");
	assert_int_equal(after.strange - before.strange, 2);
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 10);
}

struct sum {
	struct tlobctl_stat s;
	int rows;
};

static int add_up(const struct tlobctl_stat *s, void *arg)
{
	struct sum *sum = arg;

	if (strcmp(s->region, "kept") && strcmp(s->region, "solid"))
		return 0;
	sum->s.windows += s->windows;
	sum->s.overruns += s->overruns;
	sum->s.records += s->records;
	sum->s.lost += s->lost;
	sum->s.max_ns = s->max_ns;
	sum->rows++;
	return 0;
}

/* Two processes' worth of one program, both gone: one row, nothing forgotten, lost is what has no record. */
static void statistics_survive(void **state)
{
	struct sum sum = {0};

	for (int i = 0; i < 2; i++) {
		struct raw r = raw_join(*state, name);
		struct tlob_ledger *l = map_ledger(&r);
		struct tlob_record record = {.region = 3};

		define_region(l, 3, "kept");
		l->regions[3].overruns = 4;
		for (int k = 0; k < 10; k++)
			tlob_hist_add((void *)((char *)l + TLOB_LEDGER_HIST(3, k % 8)),
				      (uint64_t)(1000 * k));
		for (int k = 0; k < 3;
		     k++) { /* and no wake: it is found when the client has gone */
			record.window = (uint64_t)k;
			record.type = TLOB_REC_OVERRUN;
			push(l, &record);
			record.type = TLOB_REC_CLOSE;
			push(l, &record);
		}
		munmap(l, TLOB_LEDGER_BYTES);
		raw_leave(&r);
		serve(*state, 20);
	}
	assert_int_equal(tlobctl_stats(*state, add_up, &sum), 0);
	assert_int_equal(sum.rows, 1);
	assert_int_equal(sum.s.windows, 20);
	assert_int_equal(sum.s.overruns, 8);
	assert_int_equal(sum.s.records, 6);
	assert_int_equal(sum.s.lost, 2);
	assert_int_equal(sum.s.max_ns, 9000);
}

/* Overruns that nobody closed are closed when the client has gone, unless their ends may be among what was lost. */
static void the_gone_are_closed(void **state)
{
	struct tlobctl_loss loss;

	for (uint64_t lost = 0; lost < 2; lost++) {
		struct raw r = raw_join(*state, name);
		struct tlob_ledger *l = map_ledger(&r);
		struct tlob_ring *ring = (void *)((char *)l + TLOB_LEDGER_RING_OFFSET);
		struct tlob_record record = {.type = TLOB_REC_OVERRUN,
					     .state = TLOB_SLEEPING,
					     .time_ns = 5000,
					     .start_ns = 3000,
					     .elapsed_ns = 2000,
					     .running_ns = 2000};
		struct caught c = {0};

		define_region(l, 0, "left");
		for (record.tid = 1; record.tid <= 3000; record.tid++) {
			push(l, &record); /* more than are remembered */
			if (record.tid % 500 == 0) {
				wake(&r);
				for (int i = 0; i < 4; i++)
					tlobctl_poll(*state, 5, catch, &c);
			}
		}
		assert_int_equal(c.n, 3000);
		c.n = 0;
		tlob_store(&ring->dropped, lost);
		munmap(l, TLOB_LEDGER_BYTES);
		raw_leave(&r);
		for (int i = 0; i < 20; i++)
			tlobctl_poll(*state, 5, catch, &c);
		assert_int_equal(c.n, lost ? 0 : 1024);
		tlobctl_losses(*state, &loss);
		assert_int_equal(loss.ends, lost ? 1024 : 0);
		if (lost)
			continue;
		assert_int_equal(c.record.type, TLOB_REC_CLOSE);
		assert_true(c.record.flags & TLOB_F_ABANDONED);
		assert_true(c.record.flags & TLOB_F_ESTIMATED);
		assert_int_equal(c.record.time_ns - c.record.start_ns, c.record.elapsed_ns);
		assert_int_equal(c.record.sleeping_ns, c.record.time_ns - 5000);
		assert_int_equal(c.record.running_ns, 2000);
	}
}

/* Asking for statistics takes no memory for histograms that nobody has written. */
static void holes_stay_holes(void **state)
{
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	struct stat before, after;
	struct sum sum = {0};

	for (uint32_t i = 0; i < TLOB_MAX_REGIONS; i++)
		define_region(l, i, i == 200 ? "solid" : "hollow");
	tlob_hist_add((void *)((char *)l + TLOB_LEDGER_HIST(200, 7)), 1234);
	assert_int_equal(fstat(r.fds[0], &before), 0);
	assert_int_equal(tlobctl_stats(*state, add_up, &sum), 0);
	assert_int_equal(fstat(r.fds[0], &after), 0);
	assert_int_equal(after.st_blocks, before.st_blocks);
	assert_int_equal(sum.s.windows, 1);
	assert_int_equal(sum.s.max_ns, 1234);
	memset(l->regions, 0, sizeof(l->regions));
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 20);
}

static int find_unmeasured(const struct tlobctl_stat *s, void *arg)
{
	if (!strcmp(s->region, "(regions beyond 256)"))
		*(uint64_t *)arg += s->refused;
	return 0;
}

/* What a program could not enter any more is in the statistics while it lives, and after. */
static void unmeasured_is_told(void **state)
{
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	uint64_t starts = 0;

	l->unmeasured = 123;
	munmap(l, TLOB_LEDGER_BYTES);
	assert_int_equal(tlobctl_stats(*state, find_unmeasured, &starts), 0);
	assert_int_equal(starts, 123);
	raw_leave(&r);
	serve(*state, 20);
	assert_int_equal(tlobctl_stats(*state, find_unmeasured, &starts), 0);
	assert_int_equal(starts, 246);
}

static void scribbled_ledger_is_survived(void **state)
{
	struct raw r = raw_join(*state, name);
	struct tlob_ledger *l = map_ledger(&r);
	struct caught c = {0};
	struct sum sum = {0};

	memset(l, 0xa5, TLOB_LEDGER_HIST_OFFSET + 3 * TLOB_HIST_STRIDE);
	for (int i = 0; i < 20; i++) {
		wake(&r);
		assert_true(tlobctl_poll(*state, 5, catch, &c) <= (int)TLOB_LEDGER_RING_CAPACITY);
	}
	assert_int_equal(tlobctl_stats(*state, add_up, &sum), 0);
	munmap(l, TLOB_LEDGER_BYTES);
	raw_leave(&r);
	serve(*state, 20);
	assert_alive(*state);
}

static void *flip(void *arg)
{
	struct {
		char *letter;
		uint32_t stop;
	} *f = arg;

	while (!tlob_load(&f->stop)) {
		tlob_store(f->letter, 'A');
		tlob_store(f->letter, '\033');
	}
	return NULL;
}

/* Text that changes while it is looked at never gets through unprintable. */
static void text_is_copied_first(void **state)
{
	static struct tlob_ledger l;
	struct {
		char *letter;
		uint32_t stop;
	} f = {.letter = &l.regions[0].name[5]};
	struct tlobctl_ledger_region out;
	pthread_t thread;
	int bad = 0;

	(void)state;
	memset(l.regions[0].name, 'A', 40);
	l.regions[0].ready = 1;
	assert_int_equal(pthread_create(&thread, NULL, flip, &f), 0);
	for (int i = 0; i < 1000000; i++)
		bad += tlobctl_ledger_region(&l, 0, &out) && strchr(out.name, '\033');
	tlob_store(&f.stop, 1u);
	pthread_join(thread, NULL);
	assert_int_equal(bad, 0);
}

static void nothing_is_not_quoted(void **state)
{
	assert_int_equal(tlobctl_add(*state, "decode@5", NULL, NULL), -EINVAL);
	assert_non_null(strstr(tlobctl_error(), "needs a unit"));
	assert_null(strstr(tlobctl_error(), "at ''"));
}

/* ---- sockets in the way */

static void stale_socket_is_replaced(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct tlobctl *ctl;
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)state;
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

	(void)state;
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

	(void)state;
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

	(void)state;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(welcome_is_complete),
		cmocka_unit_test(nonsense_is_dropped),
		cmocka_unit_test(second_hello_is_dropped),
		cmocka_unit_test(nobody_waits_for_the_deaf),
		cmocka_unit_test(crowds_are_turned_away),
		cmocka_unit_test(descriptors_run_out),
		cmocka_unit_test(records_are_vetted),
		cmocka_unit_test(full_ring_takes_turns),
		cmocka_unit_test(storm_of_wakes),
		cmocka_unit_test(strange_records_are_counted),
		cmocka_unit_test(holes_stay_holes),
		cmocka_unit_test(statistics_survive),
		cmocka_unit_test(the_gone_are_closed),
		cmocka_unit_test(unmeasured_is_told),
		cmocka_unit_test(scribbled_ledger_is_survived),
		cmocka_unit_test(text_is_copied_first),
		cmocka_unit_test(nothing_is_not_quoted),
		cmocka_unit_test(stale_socket_is_replaced),
		cmocka_unit_test(live_socket_is_left_alone),
		cmocka_unit_test(locked_folder_is_no_obstacle),
		cmocka_unit_test(files_are_left_alone),
	};

	return cmocka_run_group_tests(tests, make_session, end_session);
}
