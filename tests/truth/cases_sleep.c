/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Late because it slept: until somebody else was done, or a clock, a disk, a signal. */
#include "truth.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static bool produced;
static int ends[2];

/*
 * The part of the measured thread: on CPU 1. All take part with real-time priority, so that nothing else that runs on this
 * machine comes between.
 */
static tlob_window_t begin(struct tlob_region *region, int threads)
{
	tlob_window_t w;

	pin_to(1);
	truth_fifo(20);
	truth_join(region);
	w = tlob_start(region, 1);
	truth_release(threads);
	return w;
}

static void *hold(void *arg)
{
	truth_fifo(20);
	pthread_mutex_lock(&lock);
	truth_wait_go();
	spin_ns(TROUBLE);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static int mutex(void)
{
	tlob_window_t w;

	truth_thread("holder", 0, hold);
	w = begin(truth_late, 1);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	tlob_stop(w);
	return 0;
}

static void *produce(void *arg)
{
	truth_fifo(20);
	truth_wait_go();
	spin_ns(TROUBLE);
	pthread_mutex_lock(&lock);
	produced = true;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static int cond(void)
{
	tlob_window_t w;

	truth_thread("producer", 0, produce);
	w = begin(truth_late, 1);
	pthread_mutex_lock(&lock);
	while (!produced)
		pthread_cond_wait(&condition, &lock);
	pthread_mutex_unlock(&lock);
	tlob_stop(w);
	return 0;
}

static void *drain(void *arg)
{
	char block[65536];

	truth_fifo(20);
	truth_wait_go();
	spin_ns(TROUBLE);
	for (size_t got = 0; got < sizeof(block);) {
		ssize_t n = read(ends[0], block, sizeof(block));

		if (n <= 0)
			exit(1);
		got += (size_t)n;
	}
	return NULL;
}

static int full_pipe(void)
{
	static char block[65536 + 4096];
	tlob_window_t w;

	if (pipe(ends))
		return 77;
	truth_thread("reader", 0, drain);
	w = begin(truth_late, 1);
	if (write(ends[1], block, sizeof(block)) != sizeof(block))
		return 1;
	tlob_stop(w);
	return 0;
}

static void *serve(void *arg)
{
	char byte;

	truth_fifo(20);
	truth_wait_go();
	if (recv(ends[0], &byte, 1, 0) != 1)
		exit(1);
	spin_ns(TROUBLE);
	if (send(ends[0], &byte, 1, 0) != 1)
		exit(1);
	return NULL;
}

static int server(void)
{
	char byte = 'q';
	tlob_window_t w;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return 77;
	truth_thread("server", 0, serve);
	w = begin(truth_late, 1);
	if (send(ends[1], &byte, 1, 0) != 1 || recv(ends[1], &byte, 1, 0) != 1)
		return 1;
	tlob_stop(w);
	return 0;
}

/* Both ends of a connection over the loopback network. */
static bool connect_tcp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&address, &size))
		return false;
	ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ends[1] < 0 || connect(ends[1], (struct sockaddr *)&address, size))
		return false;
	ends[0] = accept(listener, NULL, NULL);
	return ends[0] >= 0;
}

static int tcp(void)
{
	char byte = 'q';
	tlob_window_t w;

	if (!connect_tcp())
		return 77;
	truth_thread("server", 0, serve);
	w = begin(truth_late, 1);
	if (send(ends[1], &byte, 1, 0) != 1 || recv(ends[1], &byte, 1, 0) != 1)
		return 1;
	tlob_stop(w);
	return 0;
}

static void *notify(void *arg)
{
	truth_fifo(20);
	truth_wait_go();
	spin_ns(TROUBLE);
	eventfd_write(ends[0], 1);
	return NULL;
}

static int event(void)
{
	struct pollfd p = {.events = POLLIN};
	tlob_window_t w;

	p.fd = ends[0] = eventfd(0, EFD_CLOEXEC);
	truth_thread("notifier", 0, notify);
	w = begin(truth_late, 1);
	if (poll(&p, 1, -1) != 1)
		return 1;
	tlob_stop(w);
	return 0;
}

/* ---- other processes */

/* Starts a child that is called @name and goes when a byte comes. Returns its id. */
static pid_t child(const char *name, void (*fn)(void))
{
	char byte;
	int ready[2];
	pid_t pid;

	if (pipe(ends) || pipe(ready))
		exit(77);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		truth_fifo(20);
		pin_to(0);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		fn();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	sleep_ns(5 * MS);
	return pid;
}

static void child_go(void)
{
	char byte;

	if (read(ends[0], &byte, 1) != 1)
		_exit(1);
}

static int locked_file;

static void lock_file(void)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", locked_file);
	fd = open(path, O_RDWR);
	if (flock(fd, LOCK_EX))
		_exit(1);
	child_go();
	sleep_ns(TROUBLE);
	flock(fd, LOCK_UN);
}

static int file_lock(void)
{
	tlob_window_t w;

	locked_file = memfd_create("truth", 0);
	child("flocker", lock_file);
	w = begin(truth_late, 0);
	if (write(ends[1], "g", 1) != 1 || flock(locked_file, LOCK_EX))
		return 1;
	tlob_stop(w);
	wait(NULL);
	return 0;
}

static void compute(void)
{
	child_go();
	spin_ns(TROUBLE);
}

static int wait_child(void)
{
	tlob_window_t w;

	child("compiler", compute);
	w = begin(truth_late, 0);
	if (write(ends[1], "g", 1) != 1 || wait(NULL) < 0)
		return 1;
	tlob_stop(w);
	return 0;
}

static int *volatile nowhere;

static void crash(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	child_go();
	spin_ns(TROUBLE);
	*nowhere = 0;
}

static int crashed_child(void)
{
	tlob_window_t w;

	child("faulty", crash);
	w = begin(truth_late, 0);
	if (write(ends[1], "g", 1) != 1 || wait(NULL) < 0)
		return 1;
	tlob_stop(w);
	return 0;
}

static void stop_parent(void)
{
	child_go();
	kill(getppid(), SIGSTOP);
	sleep_ns(TROUBLE);
	kill(getppid(), SIGCONT);
}

static int stopped(void)
{
	tlob_window_t w;

	child("stopper", stop_parent);
	w = begin(truth_late, 0);
	if (write(ends[1], "g", 1) != 1)
		return 1;
	truth_burn(5 * MS);
	tlob_stop(w);
	wait(NULL);
	return 0;
}

/* ---- clocks and disks */

static int nap(void)
{
	tlob_window_t w;

	w = begin(truth_late, 0);
	sleep_ns(TROUBLE);
	tlob_stop(w);
	return 0;
}

static int sync_file(void)
{
	int fd = truth_cold_file(1u << 20);
	static char block[1 << 20];
	tlob_window_t w;

	if (fd < 0)
		return 77;
	for (int i = 0; i < 32; i++)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			return 77;
	w = begin(truth_quick, 0);
	fsync(fd);
	return tlob_stop(w) == -EOVERFLOW ? 0 : 77; /* a disk faster than 1 ms */
}

static int read_disk(void)
{
	int fd = truth_cold_file(16u << 20);
	char page[4096];
	tlob_window_t w;

	if (fd < 0)
		return 77;
	w = begin(truth_quick, 0);
	for (int i = 0; i < 64; i++)
		if (pread(fd, page, sizeof(page), i * (off_t)262144) != sizeof(page))
			return 1;
	return tlob_stop(w) == -EOVERFLOW ? 0 : 77;
}

static int major_faults(void)
{
	const size_t bytes = 16u << 20;
	int fd = truth_cold_file(bytes);
	volatile char *file;
	tlob_window_t w;

	file = fd < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		return 77;
	madvise((void *)file, bytes, MADV_RANDOM);
	w = begin(truth_quick, 0);
	for (size_t i = 0; i < bytes; i += 262144)
		(void)file[i];
	return tlob_stop(w) == -EOVERFLOW ? 0 : 77;
}

const struct truth_case truth_sleep[] = {
	{.name = "mutex",
	 .what = "a thread computes while it holds the mutex",
	 .fn = mutex,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "holder",
	 .syscall = "futex",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_RUNNING, "holder", NULL}}},
	{.name = "condition",
	 .what = "a thread computes before it signals the condition",
	 .fn = cond,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "producer",
	 .syscall = "futex",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_RUNNING, "producer", NULL}}},
	{.name = "pipe",
	 .what = "the pipe is full, its reader computes",
	 .fn = full_pipe,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "reader",
	 .syscall = "write",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_RUNNING, "reader", NULL}}},
	{.name = "server",
	 .what = "a server computes before it answers over a socket",
	 .fn = server,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "server",
	 .syscall = "recvfrom",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_RUNNING, "server", NULL}}},
	{.name = "tcp",
	 .what = "the same over the loopback network",
	 .fn = tcp,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "server",
	 .syscall = "recvfrom",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_RUNNING, "server", NULL}}},
	{.name = "poll",
	 .what = "poll for what a thread says only after 40 ms",
	 .fn = event,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "notifier",
	 .syscall = "poll",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_RUNNING, "notifier", NULL}}},
	{.name = "flock",
	 .what = "another process sleeps while it has the file locked",
	 .fn = file_lock,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "flocker",
	 .syscall = "flock",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_INTERRUPT, "flocker", NULL}}},
	{.name = "child",
	 .what = "it waits for a child that computes",
	 .fn = wait_child,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "compiler",
	 .syscall = "wait4",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_RUNNING, "compiler", NULL}}},
	{.name = "crash",
	 .what = "it waits for a child that computes, and crashes",
	 .fn = crashed_child,
	 .cause = TLOBCTL_CAUSE_WOKEN,
	 .who = "faulty",
	 .syscall = "wait4",
	 .least_ns = 35 * MS,
	 .links = {{TLOBCTL_CAUSE_RUNNING, "faulty", NULL}}},
	{.name = "stopped",
	 .what = "SIGSTOP, and SIGCONT after 40 ms",
	 .fn = stopped,
	 .cause = TLOBCTL_CAUSE_STOPPED,
	 .who = "stopper",
	 .least_ns = 35 * MS},
	{.name = "nap",
	 .what = "it sleeps by the clock",
	 .fn = nap,
	 .cause = TLOBCTL_CAUSE_INTERRUPT,
	 .syscall = "clock_nanosleep",
	 .least_ns = 39 * MS},
	{.name = "fsync",
	 .what = "fsync of 32 MiB",
	 .fn = sync_file,
	 .syscall = "fsync",
	 .least_ns = MS / 2},
	{.name = "read",
	 .what = "reads that the disk has to answer",
	 .fn = read_disk,
	 .syscall = "pread64",
	 .disk = true,
	 .least_ns = MS / 2},
	{.name = "major-faults",
	 .what = "a mapped file that is not in memory",
	 .fn = major_faults,
	 .syscall = "",
	 .disk = true,
	 .least_ns = MS / 2},
	{.name = NULL},
};
