/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Late because interrupts had the CPU: soft ones of the network. A thread on CPU 0 sends packets over a loopback device whose
 * packets are received on CPU 1, where a filter of the receiving socket takes long and drops each of them. The
 * device is in a network namespace that only that thread has, so that nothing is to be restored.
 */
#include "truth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#define FILTER_LENGTH 4000
#define TRIED 64 /* packets, to find out how long one takes */
#define STEERING "/sys/class/net/lo/queues/rx-0/rps_cpus"
#define GAP_NS 2000 /* between two looks at the clock, beyond which something else had the CPU */
#define SLICE (4 * MS)
#define SLICES 40

static const char *impossible; /* what could not be done; NULL: nothing */
static int impossible_errno;
static atomic_bool enough;
static _Atomic uint64_t each_ns; /* from one packet to the next */

static bool done(bool good, const char *what)
{
	if (!good) {
		impossible_errno = errno;
		impossible = what;
	}
	return good;
}

static bool own_network(void)
{
	return done(!unshare(CLONE_NEWNET | CLONE_NEWNS), "a network of its own") &&
	       done(!mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
			    !mount("sysfs", "/sys", "sysfs", 0, NULL),
		    "to mount that network's /sys");
}

static bool steer_to_cpu_1(void)
{
	int fd = open(STEERING, O_WRONLY | O_CLOEXEC);
	bool good = done(fd >= 0 && write(fd, "2", 1) == 1,
			 "to write 2 to " STEERING " (kernel built without CONFIG_RPS?)");

	if (fd >= 0)
		close(fd);
	return good;
}

static bool bring_up(int fd)
{
	struct ifreq device = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return done(!ioctl(fd, SIOCSIFFLAGS, &device), "to bring up the loopback device");
}

/* Divisions, one after the other, and then the packet is dropped. */
static bool drop_slowly(int fd)
{
	static struct sock_filter code[FILTER_LENGTH];
	const struct sock_fprog program = {.len = FILTER_LENGTH, .filter = code};

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, UINT32_MAX);
	for (size_t i = 1; i < FILTER_LENGTH - 1; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 1);
	code[FILTER_LENGTH - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return done(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)),
		    "a socket filter of 4000 instructions");
}

static void send_one(int fd)
{
	(void)!send(fd, "x", 1, 0);
}

/* Sends and receives on this CPU, and says how long each packet takes. */
static uint64_t try_packets(int fd)
{
	uint64_t begun = now_ns();

	for (int i = 0; i < TRIED; i++)
		send_one(fd);
	return (now_ns() - begun) / TRIED;
}

/* Sockets of the own network, each packet to @out being received at @in. Their device steers to CPU 1. */
static bool connect_both(int in, int out)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(9),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct sockaddr *address = (const struct sockaddr *)&to;

	if (!done(in >= 0 && out >= 0, "two UDP sockets") || !bring_up(in) || !drop_slowly(in) ||
	    !done(!bind(in, address, sizeof(to)) && !connect(out, address, sizeof(to)),
		  "to bind and connect these sockets"))
		return false;
	each_ns = try_packets(out);
	return steer_to_cpu_1();
}

static void *flood(void *arg)
{
	bool apart = own_network();
	int in = apart ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	int out = apart ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	bool good = apart && connect_both(in, out);
	uint64_t next;

	truth_fifo(20);
	truth_wait_go();
	for (next = now_ns(); !enough && good; next += each_ns) {
		send_one(out);
		while (now_ns() < next + each_ns)
			;
	}
	close(in);
	close(out);
	return NULL;
}

/* For @ns. How much of that time this thread was kept from looking at the clock. */
static uint64_t watch_clock(uint64_t ns)
{
	uint64_t begun = now_ns(), last = begun, now, gaps = 0;

	do {
		now = now_ns();
		if (now - last > GAP_NS)
			gaps += now - last;
		last = now;
	} while (now - begun < ns);
	return gaps;
}

/*
 * As fast as it takes for most of the time, and no faster: what cannot be received at once the kernel leaves to a thread,
 * ksoftirqd.
 */
static void find_pace(void)
{
	int good = 0;

	for (int i = 0; i < SLICES && good < 2; i++) {
		bool fast = watch_clock(SLICE) >= SLICE * 7 / 8;

		good = fast ? good + 1 : 0;
		if (!fast)
			each_ns = each_ns * 15 / 16;
	}
}

static int interrupts(void)
{
	pthread_t flooder;
	tlob_window_t w;
	uint64_t gaps;

	pin_to(1);
	truth_fifo(20);
	truth_join(truth_late);
	flooder = truth_thread("flooder", 0, flood);
	if (impossible) {
		fprintf(stderr, "# interrupts: packets cannot be steered here; it takes %s: %s\n",
			impossible, strerror(impossible_errno));
		return 77;
	}
	truth_release(1);
	find_pace();
	w = tlob_start(truth_late, 1);
	gaps = watch_clock(TROUBLE);
	tlob_stop(w);
	enough = true;
	pthread_join(flooder, NULL);
	fprintf(stderr, "# gaps of %.1f ms between looks at the clock\n", (double)gaps / 1e6);
	return 0;
}

/* Without interrupts in the history they are the thread's own running, as for the scheduler. */
const struct truth_case truth_uninterrupted[] = {
	{.name = "unseen",
	 .what = "soft interrupts take the CPU, and tlob does not look at them",
	 .fn = interrupts,
	 .cause = TLOBCTL_CAUSE_RUNNING,
	 .least_ns = TROUBLE * 8 / 10},
	{.name = NULL},
};

const struct truth_case truth_interrupt[] = {
	{.name = "interrupts",
	 .what = "the network's soft interrupts take the CPU",
	 .fn = interrupts,
	 .cause = TLOBCTL_CAUSE_INTERRUPTED,
	 .who = "net_rx",
	 .least_ns = TROUBLE * 6 / 10},
	{.name = NULL},
};
