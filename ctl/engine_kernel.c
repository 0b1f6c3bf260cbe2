// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Engine kernel, the agent's side. Each program gets a descriptor of /dev/rv of its own, maps its arenas from it, and calls
 * the kernel through it. Its records go to another one, which the program never sees: what both hold, each could make
 * the other wait with.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tlob/rv.h>

#include "error.h"
#include "session.h"

#define DEVICE "/dev/rv"
#define ENABLE "/sys/kernel/debug/rv/monitors/tlob/enable"
#define RECORDS_AT_ONCE 64

/* One program. */
struct guest {
	struct tlobctl_source source; /* records; first member */
	struct guest *next;
	int ring; /* where the records come */
	int kick; /* the program's; only kept */
	uint32_t client;
};

struct kernel {
	struct guest *guests;
	struct guest *gone; /* an event of theirs may still be on its way; freed at the next poll */
	bool enabled; /* by this session, which disables it again */
};

static struct kernel *kernel_of(struct tlobctl *ctl)
{
	return ctl->engine_state;
}

/* ---- is it there? */

static int write_enable(const char *text)
{
	int fd = open(ENABLE, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* Whether the monitor is enabled shows when a slot is taken. */
static int take_slot(int fd)
{
	void *arena = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   (off_t)TLOB_ARENA_MMAP_OFFSET);
	struct tlob_kick kick = {.op = TLOB_KICK_REGISTER, .slot = 1};
	int r;

	if (arena == MAP_FAILED)
		return -errno;
	r = ioctl(fd, TLOB_IOCTL_KICK, &kick) ? -errno : 0;
	kick.op = TLOB_KICK_UNREGISTER;
	if (!r)
		ioctl(fd, TLOB_IOCTL_KICK, &kick);
	munmap(arena, TLOB_ARENA_BYTES);
	return r;
}

static int check_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC), r;

	if (fd < 0 && errno == ENOENT)
		return tlobctl_fail(
			-ENOENT,
			"there is no " DEVICE
			": the module is not loaded; modprobe tlob, or use engine bpf or user");
	if (fd < 0)
		return tlobctl_fail(-errno, "cannot open " DEVICE ": %m");
	r = take_slot(fd);
	close(fd);
	if (r && r != -ENODEV)
		return tlobctl_fail(r, DEVICE " is not the device of this version of tlob (%s)",
				    strerror(-r));
	return r;
}

static int kernel_open(struct tlobctl *ctl)
{
	struct kernel *k;
	int r = check_device();
	bool enabled = false;

	if (r == -ENODEV) {
		r = write_enable("1");
		if (r)
			return tlobctl_fail(
				r,
				"the monitor tlob is not enabled, and enabling it through " ENABLE
				" failed (%s); run as root with debugfs mounted",
				strerror(-r));
		enabled = true;
	} else if (r) {
		return r;
	}
	k = calloc(1, sizeof(*k));
	if (!k) {
		if (enabled)
			write_enable("0");
		return tlobctl_fail(-ENOMEM, "out of memory for engine kernel");
	}
	k->enabled = enabled;
	ctl->engine_state = k;
	return 0;
}

/* ---- records */

/* The times are the kernel's own; of the rest only the region is used for more than printing. */
static void hand_out(struct tlobctl *ctl, const struct guest *g, struct tlob_record *r)
{
	if (r->region >= TLOB_MAX_REGIONS)
		return;
	r->client = g->client;
	tlobctl_deliver(ctl, r);
}

static void drain(struct tlobctl *ctl, const struct guest *g)
{
	struct tlob_record records[RECORDS_AT_ONCE];
	ssize_t n = read(g->ring, records, sizeof(records));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(records[0]); i++)
		hand_out(ctl, g, &records[i]);
}

static void guest_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	struct guest *g = (struct guest *)self; /* its first member */

	if (g->ring >= 0)
		drain(ctl, g);
}

/* ---- programs */

static void guest_close(struct guest *g)
{
	if (g->ring >= 0)
		close(g->ring);
	if (g->kick >= 0)
		close(g->kick);
	g->ring = g->kick = -1;
}

static int guest_open(struct tlobctl *ctl, struct guest *g, int *arena)
{
	g->ring = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	g->kick = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (g->ring < 0 || g->kick < 0)
		return tlobctl_fail(-errno, "cannot open " DEVICE " for a program: %m");
	if (ioctl(g->kick, TLOB_IOCTL_NOTIFY, &g->ring))
		return tlobctl_fail(-errno, "cannot direct the records of a program here: %m");
	*arena = fcntl(g->kick, F_DUPFD_CLOEXEC, 0);
	if (*arena < 0)
		return tlobctl_fail(-errno, "cannot pass " DEVICE " to a program: %m");
	return tlobctl_source_add(ctl, g->ring, &g->source);
}

static int kernel_join(struct tlobctl *ctl, struct tlobctl_client *client,
		       struct tlob_msg_arena *msg, int *kick, int *arena)
{
	struct kernel *k = kernel_of(ctl);
	struct guest *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return tlobctl_fail(-ENOMEM, "out of memory for a program");
	g->source.ready = guest_ready;
	g->client = client->id;
	r = guest_open(ctl, g, arena);
	if (r) {
		guest_close(g);
		free(g);
		return r;
	}
	msg->arena = 0;
	*kick = g->kick;
	g->next = k->guests;
	k->guests = g;
	return 0;
}

static void bury(struct kernel *k)
{
	while (k->gone) {
		struct guest *g = k->gone;

		k->gone = g->next;
		free(g);
	}
}

static void kernel_leave(struct tlobctl *ctl, struct tlobctl_client *client)
{
	struct kernel *k = kernel_of(ctl);

	for (struct guest **at = &k->guests; *at; at = &(*at)->next) {
		struct guest *g = *at;

		if (g->client != client->id)
			continue;
		for (int i = 0; i < TLOB_RING_DEFAULT_CAPACITY / RECORDS_AT_ONCE + 1; i++)
			drain(ctl, g);
		tlobctl_source_remove(ctl, g->ring);
		guest_close(g);
		*at = g->next;
		g->next = k->gone;
		k->gone = g;
		return;
	}
}

static void kernel_prepare(struct tlobctl *ctl)
{
	bury(kernel_of(ctl));
}

static void kernel_close(struct tlobctl *ctl)
{
	struct kernel *k = kernel_of(ctl);

	if (k->enabled)
		write_enable("0");
	while (k->guests) {
		struct guest *g = k->guests;

		k->guests = g->next;
		guest_close(g);
		free(g);
	}
	bury(k);
	free(k);
	ctl->engine_state = NULL;
}

const struct tlobctl_engine_ops tlobctl_engine_kernel = {
	.name = "kernel",
	.kind = TLOB_ENGINE_KERNEL,
	.open = kernel_open,
	.close = kernel_close,
	.join = kernel_join,
	.prepare = kernel_prepare,
	.leave = kernel_leave,
};
