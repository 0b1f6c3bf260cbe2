// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Engine kernel, the agent's side. Each program gets a descriptor of /dev/rv of its own, maps its arenas from it, and calls
 * the kernel through it. Its records go to another one, which the program never sees: what both hold, each could make
 * the other wait with. One more descriptor keeps the monitor enabled and has the probes, see engine_kernel_probe.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine_kernel.h"
#include "error.h"

#define RECORDS_AT_ONCE 64
#define GUEST_RECORDS 1024 /* that a program's ring holds */
#define PROBE_RECORDS 8192 /* that the ring of all probes holds */

/* One program. */
struct tlobctl_guest {
	struct tlobctl_source source; /* records; first member */
	struct tlobctl_guest *next;
	struct tlobctl_rv rv; /* where the records come */
	int kick; /* the program's; only kept */
	uint32_t client;
};

/* ---- a descriptor with a ring */

/* With room for @records, a power of two, if possible. 0 or a negative errno, without a text. */
static int rv_open(struct tlobctl_rv *rv, size_t records)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	rv->fd = open(TLOBCTL_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (rv->fd < 0)
		return -errno;
	/* only to choose its size, and to see what it has lost; the records are read() */
	rv->bytes = page + (records * sizeof(struct tlob_record) + page - 1) / page * page;
	rv->page = mmap(NULL, rv->bytes, PROT_READ, MAP_SHARED, rv->fd, 0);
	if (rv->page == MAP_FAILED)
		rv->page =
			NULL; /* beyond the user's share: the ring that comes by itself is small */
	return 0;
}

static void rv_close(struct tlobctl_rv *rv)
{
	if (rv->page)
		munmap((void *)rv->page, rv->bytes);
	if (rv->fd >= 0)
		close(rv->fd);
	*rv = (struct tlobctl_rv){.fd = -1};
}

static uint64_t dropped_of(const struct tlobctl_rv *rv)
{
	return rv->page ? __atomic_load_n(&rv->page->dropped, __ATOMIC_RELAXED) : 0;
}

/* ---- is it there? */

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

static int check_version(void)
{
	int fd = open(TLOBCTL_DEVICE, O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return tlobctl_fail(-errno, "cannot open " TLOBCTL_DEVICE ": %m");
	r = take_slot(fd);
	close(fd);
	if (r == -ENODEV)
		return tlobctl_fail(
			r,
			"the kernel's monitor tlob is not enabled, and enabling it takes root or CAP_PERFMON");
	if (r)
		return tlobctl_fail(r,
				    TLOBCTL_DEVICE
				    " is not the device of this version of tlob (%s); load the "
				    "module that belongs to it: modprobe -r tlob, modprobe tlob",
				    strerror(-r));
	return 0;
}

int tlobctl_rv_missing(int err, const char *else_do)
{
	if (err == -ENOENT)
		return tlobctl_fail(
			err,
			"there is no " TLOBCTL_DEVICE
			": the kernel module is not loaded. Run modprobe tlob; if there is no such module, "
			"build it with make kmod-install%s",
			else_do);
	return tlobctl_fail(err, "cannot open " TLOBCTL_DEVICE ": %s", strerror(-err));
}

static void guest_close(struct tlobctl_guest *g)
{
	rv_close(&g->rv);
	if (g->kick >= 0)
		close(g->kick);
	g->kick = -1;
}

static void bury(struct tlobctl_kernel *k)
{
	while (k->gone) {
		struct tlobctl_guest *g = k->gone;

		k->gone = g->next;
		free(g);
	}
}

static void kernel_close(struct tlobctl *ctl)
{
	struct tlobctl_kernel *k = tlobctl_kernel_of(ctl);

	rv_close(&k->rv); /* its probes go with it */
	while (k->guests) {
		struct tlobctl_guest *g = k->guests;

		k->guests = g->next;
		guest_close(g);
		free(g);
	}
	bury(k);
	tlobctl_kernel_history_close(k);
	free(k);
	ctl->engine_state = NULL;
}

static size_t probe_records(const struct tlobctl_opts *opts)
{
	size_t records = opts->ring_bytes / sizeof(struct tlob_record);

	if (!records)
		return PROBE_RECORDS;
	if (records < TLOB_RING_MIN_CAPACITY)
		return TLOB_RING_MIN_CAPACITY;
	return records < TLOB_RING_MAX_CAPACITY ? records : TLOB_RING_MAX_CAPACITY;
}

static int kernel_open(struct tlobctl *ctl)
{
	struct tlobctl_kernel *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return tlobctl_fail(-ENOMEM, "out of memory for engine kernel");
	ctl->engine_state = k;
	r = rv_open(&k->rv, probe_records(&ctl->opts));
	if (r) {
		r = tlobctl_rv_missing(r, "; or use engine bpf or user");
	} else {
		/* as long as this descriptor is open, however this process ends. Who may not can do without if it is enabled */
		r = ioctl(k->rv.fd, TLOB_IOCTL_HOLD) ? -errno : 0;
		if (r == -EPERM || r == -ENOTTY || !r)
			r = check_version();
		else
			tlobctl_fail(r, "cannot enable the kernel's monitor tlob: %s",
				     strerror(-r));
	}
	if (r)
		kernel_close(ctl);
	if (r)
		return r;
	ctl->programs.foreign = false; /* records have process numbers as this process sees them */
	tlobctl_kernel_history_open(ctl);
	return 0;
}

/* ---- records */

/*
 * @client 0: of probes. The times are the kernel's own; of the rest only the region is used for more than printing. Returns how many.
 */
static size_t drain(struct tlobctl *ctl, int fd, uint32_t client)
{
	struct tlob_record records[RECORDS_AT_ONCE];
	ssize_t n = read(fd, records, sizeof(records));
	size_t count = n > 0 ? (size_t)n / sizeof(records[0]) : 0;

	for (size_t i = 0; i < count; i++) {
		struct tlob_record *r = &records[i];

		if (client && r->region >= TLOB_MAX_REGIONS)
			continue;
		r->client = client;
		tlobctl_deliver(ctl, r);
	}
	return count;
}

static void guest_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	struct tlobctl_guest *g = (struct tlobctl_guest *)self; /* its first member */

	if (g->rv.fd >= 0)
		drain(ctl, g->rv.fd, g->client);
}

void tlobctl_kernel_ready(struct tlobctl *ctl, struct tlobctl_source *self)
{
	(void)self;
	drain(ctl, tlobctl_kernel_of(ctl)->rv.fd, 0);
}

static uint64_t kernel_dropped(const struct tlobctl *ctl)
{
	const struct tlobctl_kernel *k = ctl->engine_state;
	uint64_t n = k->dropped + dropped_of(&k->rv);

	for (const struct tlobctl_guest *g = k->guests; g; g = g->next)
		n += dropped_of(&g->rv);
	return n;
}

/* ---- programs */

static int guest_open(struct tlobctl *ctl, struct tlobctl_guest *g, int *arena)
{
	int r = rv_open(&g->rv, GUEST_RECORDS);

	g->kick = open(TLOBCTL_DEVICE, O_RDWR | O_CLOEXEC);
	if (r || g->kick < 0)
		return tlobctl_fail(r ? r : -errno,
				    "cannot open " TLOBCTL_DEVICE " for a program: %s",
				    strerror(r ? -r : errno));
	if (ioctl(g->kick, TLOB_IOCTL_NOTIFY, &g->rv.fd))
		return tlobctl_fail(-errno, "cannot direct the records of a program here: %m");
	*arena = fcntl(g->kick, F_DUPFD_CLOEXEC, 0);
	if (*arena < 0)
		return tlobctl_fail(-errno, "cannot pass " TLOBCTL_DEVICE " to a program: %m");
	return tlobctl_source_add(ctl, g->rv.fd, &g->source);
}

static int kernel_join(struct tlobctl *ctl, struct tlobctl_client *client,
		       struct tlob_msg_arena *msg, int *kick, int *arena)
{
	struct tlobctl_kernel *k = tlobctl_kernel_of(ctl);
	struct tlobctl_guest *g = calloc(1, sizeof(*g));
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

static void kernel_leave(struct tlobctl *ctl, struct tlobctl_client *client)
{
	struct tlobctl_kernel *k = tlobctl_kernel_of(ctl);

	for (struct tlobctl_guest **at = &k->guests; *at; at = &(*at)->next) {
		struct tlobctl_guest *g = *at;

		if (g->client != client->id)
			continue;
		for (int i = 0; i < GUEST_RECORDS / RECORDS_AT_ONCE + 1; i++)
			if (!drain(ctl, g->rv.fd, g->client))
				break;
		k->dropped += dropped_of(&g->rv);
		tlobctl_source_remove(ctl, g->rv.fd);
		guest_close(g);
		*at = g->next;
		g->next = k->gone;
		k->gone = g;
		return;
	}
}

static void kernel_prepare(struct tlobctl *ctl)
{
	bury(tlobctl_kernel_of(ctl));
}

const struct tlobctl_engine_ops tlobctl_engine_kernel = {
	.name = "kernel",
	.kind = TLOB_ENGINE_KERNEL,
	.open = kernel_open,
	.close = kernel_close,
	.join = kernel_join,
	.prepare = kernel_prepare,
	.leave = kernel_leave,
	.dropped = kernel_dropped,
	.refresh = tlobctl_kernel_refresh,
	.attach = tlobctl_kernel_attach,
	.detach = tlobctl_kernel_detach,
	.tally = tlobctl_kernel_tally,
};
