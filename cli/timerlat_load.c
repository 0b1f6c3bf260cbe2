// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See timerlat_load.h. The threads are named load-KIND, so that --total and --irq can name them. They never end by
 * themselves; their process is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "nearest.h"
#include "timerlat_load.h"
#include "when.h"

#define MEMORY_BYTES (32u << 20)
#define FILE_BYTES (16u << 20)
#define CHUNK_BYTES (1u << 20)
#define TIMER_NS 50000
#define RT_PRIORITY 98
#define RT_BUSY_NS 2000000
#define RT_IDLE_NS 100000000

static void spin(uint64_t ns)
{
	uint64_t end = cli_now_ns() + ns;

	while (cli_now_ns() < end)
		;
}

static void make_cpu(void)
{
	for (;;)
		spin(CLI_NS_PER_S);
}

static void make_timers(void)
{
	struct itimerspec every = {.it_interval.tv_nsec = TIMER_NS, .it_value.tv_nsec = TIMER_NS};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t times;

	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL))
		return;
	while (read(fd, &times, sizeof(times)) > 0)
		;
}

static void make_processes(void)
{
	for (;;) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		else
			sched_yield();
	}
}

/* Pages that are asked for, touched and given back: faults, and other CPUs are told to forget them. */
static void make_faults(void)
{
	for (;;) {
		char *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			return;
		for (size_t i = 0; i < MEMORY_BYTES; i += 4096)
			memory[i] = 1;
		munmap(memory, MEMORY_BYTES);
	}
}

/* Written, brought to the disk, and written again, in a file that has no name. */
static void make_io(void)
{
	const char *folder = getenv("TMPDIR");
	char *chunk = calloc(1, CHUNK_BYTES);
	int fd =
		open(folder && *folder ? folder : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (!chunk || fd < 0)
		return;
	for (;;) {
		for (off_t at = 0; at < FILE_BYTES; at += CHUNK_BYTES)
			if (pwrite(fd, chunk, CHUNK_BYTES, at) < 0)
				return;
		fdatasync(fd);
	}
}

static void make_rt(void)
{
	const struct timespec idle = {.tv_nsec = RT_IDLE_NS};
	const struct sched_param param = {.sched_priority = RT_PRIORITY};

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		return;
	for (;;) {
		nanosleep(&idle, NULL);
		spin(RT_BUSY_NS);
	}
}

static const struct kind {
	const char *name;
	void (*make)(void);
} kinds[] = {
	{"cpu", make_cpu},	 {"timer", make_timers}, {"fork", make_processes},
	{"memory", make_faults}, {"io", make_io},	 {"rt", make_rt},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

int timerlat_load_parse(const char *text, unsigned int *out)
{
	unsigned int all = (1u << KINDS) - 1, found = 0;
	struct cli_nearest near;

	for (;; text++) {
		size_t length = strcspn(text, ","), i = 0;
		char word[32];

		snprintf(word, sizeof(word), "%.*s", (int)length, text);
		cli_nearest_init(&near, word);
		while (i < KINDS && strcmp(kinds[i].name, word))
			cli_nearest_offer(&near, kinds[i++].name);
		if (i < KINDS)
			found |= 1u << i;
		else if (!strcmp(word, "all"))
			found = all;
		else if (near.word)
			return cli_usage("unknown load '%s'; did you mean %s?", word, near.word);
		else
			return cli_usage(
				"unknown load '%s'; there are cpu, timer, fork, memory, io, rt and all",
				word);
		text += length;
		if (!*text)
			break;
	}
	*out = found;
	return 0;
}

struct worker {
	const struct kind *kind;
	int cpu; /* -1: any */
};

static void *work(void *arg)
{
	struct worker w = *(struct worker *)arg;
	char name[16];
	cpu_set_t set;

	free(arg);
	snprintf(name, sizeof(name), "load-%s", w.kind->name);
	prctl(PR_SET_NAME, name);
	if (w.cpu >= 0 && w.cpu < CPU_SETSIZE) {
		CPU_ZERO(&set);
		CPU_SET(w.cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	w.kind->make();
	/* it cannot: that no noise is made is worth a word */
	fprintf(stderr, "tlob timerlat: cannot make load %s: %s\n", w.kind->name, strerror(errno));
	return NULL;
}

static void start_worker(const struct kind *kind, int cpu)
{
	struct worker *w = malloc(sizeof(*w));
	pthread_t thread;

	if (!w)
		return;
	*w = (struct worker){kind, cpu};
	if (pthread_create(&thread, NULL, work, w))
		free(w);
}

static void __attribute__((noreturn))
be_load(const struct timerlat_load *load, const uint32_t *cpus, size_t ncpus, pid_t parent)
{
	size_t copies = cpus ? ncpus : (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* too late for that */
		_exit(0);
	/* Ctrl-C is for the other one */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t k = 0; k < KINDS; k++)
		for (size_t i = 0; load->kinds >> k & 1 && i < copies; i++)
			start_worker(&kinds[k], cpus ? (int)cpus[i] : -1);
	for (;;)
		pause();
}

int timerlat_load_start(struct timerlat_load *load, const uint32_t *cpus, size_t ncpus)
{
	pid_t parent = getpid();

	if (!load->kinds)
		return 0;
	fflush(NULL);
	load->pid = fork();
	if (!load->pid)
		be_load(load, cpus, ncpus, parent);
	if (load->pid > 0)
		return 0;
	load->pid = 0;
	return cli_error(CLI_ERROR, "cannot start a process to make load: %m");
}

void timerlat_load_stop(struct timerlat_load *load)
{
	if (!load->pid)
		return;
	kill(load->pid, SIGKILL);
	waitpid(load->pid, NULL, 0);
	load->pid = 0;
}
