// SPDX-License-Identifier: GPL-2.0-or-later
/* timerlat_fd of the module: errors, cycles, samples, stopping. */
#include "timerlat.h"

#include <sys/stat.h>

static char trace_text[1 << 17];

/* ---- the trace ---- */

/* Samples of a context, in the order in which they came, up to @max; returns how many there are. */
static int traced(const char *context, unsigned long long *ns, int max)
{
	char key[64];
	int n = 0;

	snprintf(key, sizeof(key), " context %8s timer_latency ", context);
	for (char *at = trace_text; (at = strstr(at, key)); at += strlen(key), n++)
		if (n < max)
			ns[n] = strtoull(at + strlen(key), NULL, 10);
	return n;
}

static void trace_read(void)
{
	write_file(TRACE_DIR "events/rv_timerlat/enable", "0");
	read_file(TRACE_DIR "trace", trace_text, sizeof(trace_text));
}

/* ---- files ---- */

static unsigned int mode_of(const char *name)
{
	char path[128];
	struct stat st = {0};

	snprintf(path, sizeof(path), TIMERLAT_DIR "%s", name);
	check(stat(path, &st) == 0, "%s", name);
	return st.st_mode & 0777;
}

static void control_files(void)
{
	static const char *const bad_periods[] = {"99", "1000001", "0", "-1", "x", ""};

	check(strcmp(timerlat_get("enable"), "0") == 0);
	check(strcmp(timerlat_get("timerlat_period_us"), "1000") == 0);
	check(strcmp(timerlat_get("stop_tracing_us"), "0") == 0);
	check(strcmp(timerlat_get("stop_tracing_total_us"), "0") == 0);
	check(strcmp(timerlat_get("max_latency_ns"), "0") == 0);
	check(strcmp(timerlat_get("stopped"), "") == 0);
	check(mode_of("enable") == 0640 && mode_of("timerlat_period_us") == 0640);
	check(mode_of("per_cpu/cpu1/timerlat_fd") == 0440);
	for (size_t i = 0; i < sizeof(bad_periods) / sizeof(bad_periods[0]); i++)
		timerlat_set("timerlat_period_us", bad_periods[i]);
	check(timerlat_set("timerlat_period_us", "99") == -EINVAL);
	check(timerlat_set("timerlat_period_us", "1000001") == -EINVAL);
	check(strcmp(timerlat_get("timerlat_period_us"), "1000") == 0);
	check(timerlat_set("timerlat_period_us", "100") == 0);
	check(strcmp(timerlat_get("timerlat_period_us"), "100") == 0);
	check(timerlat_set("stop_tracing_us", "18446744073709551615") == -EINVAL);
	check(timerlat_set("enable", "2") == -EINVAL);
	check(strcmp(timerlat_get("enable"), "0") == 0);
	check(timerlat_set("enable", "1") == 0 && timerlat_set("enable", "1") == 0);
	check(strcmp(timerlat_get("enable"), "1") == 0);
	check(timerlat_set("enable", "0") == 0 && timerlat_set("enable", "0") == 0);
}

/* ---- open ---- */

static int open_from(void *arg)
{
	const int *cpus = arg; /* pinned to, opened */
	int fd;

	pin_thread(0, cpus[0]);
	fd = timerlat_open(cpus[1]);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void open_errors_in_order(void) /* I2, I3 */
{
	int anywhere[] = {ALL_CPUS, CPU}, other[] = {0, CPU}, right[] = {CPU, CPU},
	    from_busy[] = {CPU, 0};
	int fd;

	timerlat_begin();
	timerlat_set("enable", "0");
	check(in_thread(open_from, right) == -EINVAL);
	check(in_thread(open_from, anywhere) == -EINVAL);
	timerlat_set("enable", "1");
	check(in_thread(open_from, anywhere) == -EPERM);
	check(in_thread(open_from, other) == -EPERM);
	check(in_thread(open_from, right) == 0);
	fd = timerlat_open_pinned();
	check(in_thread(open_from, right) == -EBUSY);
	/* the slot that counts is the file's, not that of the CPU one happens to be on */
	check(in_thread(open_from, other) == -EBUSY);
	check(in_thread(open_from, anywhere) == -EBUSY);
	check(in_thread(open_from, from_busy) == -EPERM);
	check(timerlat_read(fd) == 0);
	close(fd);
	check(in_thread(open_from, right) == 0);
}

static void close_without_read(void) /* I11 */
{
	timerlat_begin();
	for (int i = 0; i < 50; i++)
		close(timerlat_open_pinned());
	trace_read();
	check(traced("irq", NULL, 0) == 0);
}

/* ---- cycles ---- */

static void first_read(void) /* I4, I6 */
{
	unsigned long long ns[4];
	struct tlob_timerlat_sample s;
	char buf[64], before[64];
	uint64_t begin, end;
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "20000");
	fd = timerlat_open_pinned();
	check(timerlat_sample(fd, &s) == -ENODATA);
	memset(buf, 0x5a, sizeof(buf));
	memcpy(before, buf, sizeof(buf));
	sleep_ns(50 * MS); /* periods count from the first read, not from open */
	begin = now_ns();
	check(read(fd, buf, sizeof(buf)) == 0);
	end = now_ns();
	check(memcmp(buf, before, sizeof(buf)) == 0, "read() touched the buffer");
	check(end - begin >= 20 * MS, "%lu ns", end - begin);
	check(timerlat_sample(fd, &s) == 0);
	check(s.seq == 1 && s.missed == 0 && s.flags == 0);
	check(s.expected_ns >= begin + 20 * MS && s.expected_ns <= end);
	close(fd);
	trace_read();
	check(traced("irq", ns, 4) == 1 && traced("thread", ns, 4) == 1);
	check(traced("user-ret", ns, 4) == 1 && ns[0] == s.user_ns, "%llu %llu", ns[0],
	      (unsigned long long)s.user_ns);
}

static void three_samples_per_cycle(void) /* I5 */
{
	enum {
		N = 20
	};
	unsigned long long irq[N + 1], thread[N + 1], user[N + 1];
	uint64_t largest = 0;
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "5000");
	fd = timerlat_open_pinned();
	for (int i = 0; i <= N; i++)
		check(timerlat_read(fd) == 0);
	close(fd);
	trace_read();
	/* the return of the last one has not been seen */
	check(traced("irq", irq, N + 1) == N + 1 && traced("thread", thread, N + 1) == N + 1 &&
	      traced("user-ret", user, N) == N);
	for (int i = 0; i < N; i++)
		check(irq[i] < thread[i] && thread[i] < user[i], "%d: %llu %llu %llu", i, irq[i],
		      thread[i], user[i]);
	for (int i = 0; i <= N; i++) {
		largest = irq[i] > largest ? irq[i] : largest;
		largest = thread[i] > largest ? thread[i] : largest;
		if (i < N)
			largest = user[i] > largest ? user[i] : largest;
	}
	check(strtoull(timerlat_get("max_latency_ns"), NULL, 10) == largest);
}

/* The sample without a trace is that of the trace, and asking for it is the thread's return. */
static void samples_without_trace(void)
{
	enum {
		N = 10
	};
	unsigned long long irq[N], thread[N], user[N];
	struct tlob_timerlat_sample s[N], again;
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "10000");
	fd = timerlat_open_pinned();
	for (int i = 0; i < N; i++) {
		check(timerlat_read(fd) == 0);
		check(timerlat_sample(fd, &s[i]) == 0);
		sleep_ns(MS);
		check(timerlat_sample(fd, &again) == 0);
		check(memcmp(&again, &s[i], sizeof(again)) == 0, "a second sample of one cycle");
	}
	check(ioctl(fd, TLOB_TIMERLAT_SAMPLE, 8) == -1 && errno == EFAULT);
	check(ioctl(fd, _IO(0xB9, 0x21), 0) == -1 && errno == ENOTTY);
	close(fd);
	trace_read();
	check(traced("irq", irq, N) == N && traced("thread", thread, N) == N &&
	      traced("user-ret", user, N) == N);
	for (int i = 0; i < N; i++) {
		check(s[i].irq_ns == irq[i] && s[i].thread_ns == thread[i] &&
		      s[i].user_ns == user[i]);
		check(s[i].seq == (uint64_t)i + 1);
		/* late by what was missed, and by nothing else */
		check(i == 0 || s[i].expected_ns - s[0].expected_ns ==
					(i + s[i].missed - s[0].missed) * 10 * MS);
	}
}

static void periods_gone_by_are_skipped(void)
{
	struct tlob_timerlat_sample a, b;
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "10000");
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0 && timerlat_sample(fd, &a) == 0);
	spin_ns(55 * MS);
	check(timerlat_read(fd) == 0 && timerlat_sample(fd, &b) == 0);
	check(b.seq == 2 && b.missed - a.missed >= 5, "%lu missed", (long)(b.missed - a.missed));
	check(b.expected_ns - a.expected_ns == (1 + b.missed - a.missed) * 10 * MS);
	/* a new period counts from the cycle before */
	timerlat_set("timerlat_period_us", "200000");
	check(timerlat_read(fd) == 0 && timerlat_sample(fd, &a) == 0);
	check(a.expected_ns - b.expected_ns == 200 * MS);
	close(fd);
}

/* ---- signals ---- */

static volatile int handled;

static void handler(int sig)
{
	(void)sig;
	handled++;
}

static void *signal_soon(void *arg)
{
	sleep_ns(30 * MS);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static int read_with_signal(int fd, int flags)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = flags};
	pthread_t self = pthread_self(), thread;
	int ret;

	handled = 0;
	sigaction(SIGUSR1, &act, NULL);
	pthread_create(&thread, NULL, signal_soon, &self);
	ret = timerlat_read(fd);
	pthread_join(thread, NULL);
	check(handled == 1);
	return ret;
}

static void signals(void)
{
	struct tlob_timerlat_sample a, b;
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "150000");
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0 && timerlat_sample(fd, &a) == 0);
	check(read_with_signal(fd, 0) == -EINTR);
	check(timerlat_sample(fd, &b) == 0 && b.seq == a.seq);
	/* the next read waits for the rest of the same period */
	check(timerlat_read(fd) == 0 && timerlat_sample(fd, &b) == 0);
	check(b.seq == 2 && b.expected_ns - a.expected_ns == 150 * MS);
	check(read_with_signal(fd, SA_RESTART) == 0);
	check(timerlat_sample(fd, &a) == 0 && a.seq == 3 &&
	      a.expected_ns - b.expected_ns == 150 * MS);
	/* the timer fires while nobody waits */
	check(read_with_signal(fd, 0) == -EINTR);
	spin_ns(200 * MS);
	check(timerlat_read(fd) == 0 && timerlat_sample(fd, &b) == 0);
	check(b.seq == 4 && b.expected_ns - a.expected_ns == 150 * MS);
	check(b.thread_ns >= 50 * MS && b.irq_ns < b.thread_ns, "%lu %lu", (long)b.thread_ns,
	      (long)b.irq_ns);
	close(fd);
}

/* ---- stopping ---- */

static bool is_tracing(void)
{
	char text[8];

	return *read_file(TRACE_DIR "tracing_on", text, sizeof(text)) == '1';
}

static void stop_by_irq(void)
{
	struct tlob_timerlat_sample s;
	char first[512], comm[17] = "";
	struct pollfd p;
	unsigned long long lat, limit, expected, time;
	int fd, cpu, pid;

	timerlat_begin();
	p = (struct pollfd){open(TIMERLAT_DIR "stopped", O_RDONLY), POLLIN, 0};
	check(poll(&p, 1, 0) == 0);
	timerlat_set("stop_tracing_us", "1"); /* no emulated timer is as good */
	timerlat_set("timerlat_period_us", "10000");
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0);
	check(poll(&p, 1, 1000) == 1 && (p.revents & POLLIN));
	close(p.fd);
	check(timerlat_sample(fd, &s) == 0 && s.flags == TLOB_TIMERLAT_STOPPED);
	strcpy(first, timerlat_get("stopped"));
	check(sscanf(first,
		     "cpu=%d context=irq latency_ns=%llu limit_ns=%llu expected_ns=%llu time_ns=%llu pid=%d comm=%16[^\n]",
		     &cpu, &lat, &limit, &expected, &time, &pid, comm) == 7,
	      "%s", first);
	check(cpu == CPU && lat == s.irq_ns && limit == 1000 && expected == s.expected_ns &&
	      time == expected + lat && pid == s.pid && strcmp(comm, s.comm) == 0);
	check(!is_tracing());
	/* goes on pacing, but neither records nor stops again */
	for (int i = 0; i < 3; i++)
		check(timerlat_read(fd) == 0);
	check(strcmp(first, timerlat_get("stopped")) == 0);
	trace_read();
	check(traced("irq", NULL, 0) == 1 && traced("thread", NULL, 0) == 0);
	check(strstr(trace_text, "tlob_timerlat_stop: cpu=1 context=irq latency_ns="), "%s", first);
	check(strstr(trace_text, first), "the event and the file differ: %s", first);
	/* until told to go on */
	timerlat_set("stop_tracing_us", "0");
	check(timerlat_set("stopped", "0") == 0 && timerlat_get("stopped")[0] == '\0');
	check(timerlat_read(fd) == 0 && timerlat_sample(fd, &s) == 0 && s.flags == 0);
	close(fd);
	write_file(TRACE_DIR "tracing_on", "1");
}

static void *hog(void *arg)
{
	struct sched_param param = {.sched_priority = 50};
	uint64_t end = now_ns() + 400 * MS;

	(void)arg;
	pthread_setname_np(pthread_self(), "hog");
	pin(CPU);
	check(sched_setscheduler(0, SCHED_FIFO, &param) == 0);
	/* in pieces, so that the case can get at its own thread */
	while (now_ns() < end) {
		spin_ns(60 * MS);
		sleep_ns(3 * MS);
	}
	return NULL;
}

/* Who kept the CPU from the thread is named: it ran when the timer fired. */
static void stop_by_thread_names_the_hog(void)
{
	pthread_t thread;
	char *text;
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "5000");
	timerlat_set("stop_tracing_total_us", "25000");
	fd = timerlat_open_pinned();
	pthread_create(&thread, NULL, hog, NULL);
	for (int i = 0; i < 100 && timerlat_get("stopped")[0] == '\0'; i++)
		check(timerlat_read(fd) == 0);
	text = timerlat_get("stopped");
	check(strstr(text, "context=thread ") && strstr(text, "comm=hog") &&
		      !strstr(text, "pid=0 "),
	      "%s", text);
	check(strstr(text, "limit_ns=25000000 "), "%s", text);
	pthread_join(thread, NULL);
	close(fd);
}

static void stop_by_return(void) /* I7 */
{
	int fd;

	timerlat_begin();
	timerlat_set("timerlat_period_us", "10000");
	timerlat_set("stop_tracing_total_us", "300000");
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0);
	check(timerlat_get("stopped")[0] == '\0', "%s", timerlat_get("stopped"));
	spin_ns(310 * MS);
	check(timerlat_read(fd) == 0);
	check(strstr(timerlat_get("stopped"), "cpu=1 context=user-ret latency_ns=3"), "%s",
	      timerlat_get("stopped"));
	check(!is_tracing());
	close(fd);
	/* enabling it afresh goes on too */
	timerlat_begin();
	check(timerlat_get("stopped")[0] == '\0');
}

static void new_maximum_is_told(void)
{
	struct pollfd p;
	char text[32];
	int fd;

	timerlat_begin();
	p = (struct pollfd){open(TIMERLAT_DIR "max_latency_ns", O_RDWR), POLLIN, 0};
	check(poll(&p, 1, 0) == 0);
	fd = timerlat_open_pinned();
	check(timerlat_read(fd) == 0);
	check(poll(&p, 1, 1000) == 1 && (p.revents & POLLIN));
	check(pread(p.fd, text, sizeof(text), 0) > 0 && atoll(text) > 0);
	check(pwrite(p.fd, "3000000000", 10, 0) == 10);
	check(pread(p.fd, text, sizeof(text), 0) == 11 && atoll(text) == 3000000000LL);
	check(timerlat_read(fd) == 0 && timerlat_read(fd) == 0);
	check(poll(&p, 1, 0) == 0, "a sample below the largest is no news");
	check(pwrite(p.fd, "x", 1, 0) == -1 && errno == EINVAL);
	check(pwrite(p.fd, "0", 1, 0) == 1);
	check(timerlat_read(fd) == 0);
	check(poll(&p, 1, 1000) == 1);
	close(p.fd);
	close(fd);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(control_files),
		T(open_errors_in_order),
		T(close_without_read),
		T(first_read),
		T(three_samples_per_cycle),
		T(samples_without_trace),
		T(periods_gone_by_are_skipped),
		T(signals),
		T(stop_by_irq),
		T(stop_by_thread_names_the_hog),
		T(stop_by_return),
		T(new_maximum_is_told),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
