// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A window by system call, on a machine with the module loaded: no library, no agent, no privilege.
 *
 *	# modprobe tlob && echo 1 > /sys/kernel/debug/rv/monitors/tlob/enable
 *	$ cc rv_ioctl.c && ./a.out
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <tlob/rv.h>

static void work(long ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

static int measure(int rv, long ms)
{
	struct tlob_start_args args = {
		.threshold_ns = 5000000, /* 5 ms */
		.tag = (uint64_t)ms,
		.notify_fd = rv, /* records come to this descriptor */
	};

	if (ioctl(rv, TLOB_IOCTL_TRACE_START, &args))
		return -errno;
	work(ms);
	return ioctl(rv, TLOB_IOCTL_TRACE_STOP) ? -errno : 0;
}

int main(void)
{
	int rv = open("/dev/rv", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct tlob_record r;
	int early, late;

	if (rv < 0) {
		perror("rv_ioctl: /dev/rv (is the module tlob loaded?)");
		return 1;
	}
	early = measure(rv, 0);
	if (early == -ENODEV)
		fputs("rv_ioctl: the monitor tlob is not enabled\n", stderr);
	late = measure(rv, 20);
	printf("0 ms of work: %d, 20 ms: %d (EOVERFLOW is %d)\n", early, late, EOVERFLOW);
	while (read(rv, &r, sizeof(r)) == sizeof(r))
		printf("tag %" PRIu64 ": budget %" PRIu64 " ns, noticed after %" PRIu64
		       " ns: running %" PRIu64 ", waiting %" PRIu64 ", sleeping %" PRIu64 "\n",
		       (uint64_t)r.tag, (uint64_t)r.budget_ns, (uint64_t)r.elapsed_ns,
		       (uint64_t)r.running_ns, (uint64_t)r.waiting_ns, (uint64_t)r.sleeping_ns);
	close(rv);
	return late == -EOVERFLOW ? 0 : 2;
}
