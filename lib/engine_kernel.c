// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Engine kernel, seen from the program: the module keeps the clocks and notices expiry in arenas
 * mapped from /dev/rv, whose descriptor stands where an agent's kick program would. Nobody else is
 * needed, so this is also what a process without an agent gets where the module is loaded and
 * enabled.
 *
 * Records come to the ring of the descriptor. An agent that has passed the descriptor reads them.
 * Without one the watcher tells them when they come, if there is anybody to tell; and the thread
 * that stops a late window those that are there, so that its own two have been told then.
 */
#include "engine_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tlob/rv.h>

#include "engine.h"
#include "ledger.h"
#include "now.h"
#include "process.h"
#include "record.h"
#include "watch.h"
#include "window.h"

#define DEVICE "/dev/rv"
#define SETTLE_NS (2 * TLOB_NS_PER_MS)

static int kick_fd(int fd, const struct tlob_kick *k)
{
	return ioctl(fd, TLOB_IOCTL_KICK, k) ? -errno : 0;
}

/* A descriptor that means another file now is -ENOTTY. */
static int kick(const struct tlob_seat *seat, const struct tlob_kick *k)
{
	return tlob_engine_result(seat, kick_fd(seat->home->kick.fd, k));
}

static union tlob_arena_entry *map_arena(int fd, __u32 number)
{
	void *p;

	if (number >= TLOB_MAX_FILE_ARENAS)
		return NULL;
	p = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 (off_t)(TLOB_ARENA_MMAP_OFFSET + number * TLOB_ARENA_STRIDE));
	return p == MAP_FAILED ? NULL : p;
}

/*
 * Whether the monitor is enabled only shows when a slot is taken: slot 1 of arena 0, for a moment.
 */
static int try_it(int fd)
{
	union tlob_arena_entry *entries = map_arena(fd, 0);
	struct tlob_kick k = {.op = TLOB_KICK_REGISTER, .slot = 1};
	int r;

	if (!entries)
		return -ENODEV;
	r = entries->head.magic == TLOB_ABI_MAGIC && entries->head.version == TLOB_ABI_VERSION ?
		    kick_fd(fd, &k) :
		    -EPROTO;
	if (!r) {
		k.op = TLOB_KICK_UNREGISTER;
		r = kick_fd(fd, &k);
	}
	munmap(entries, TLOB_ARENA_BYTES);
	return r;
}

int tlob_kernel_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = try_it(fd);
	if (!r)
		return fd;
	close(fd);
	return r;
}

int tlob_kernel_grow(struct tlob_home *home, __u32 number)
{
	union tlob_arena_entry *entries;

	if (number >= TLOB_MAX_ARENAS)
		return -ENOSPC;
	entries = map_arena(home->kick.fd, number);
	return entries ? tlob_arena_place(home, entries, number) : -ENOSPC;
}

static int enroll(struct tlob_seat *seat)
{
	struct tlob_kick k = {.op = TLOB_KICK_REGISTER};
	const struct tlob_arena *arena = tlob_arena_of(seat, &k.slot);

	if (!arena)
		return -EINVAL;
	k.arena = arena->id;
	return kick(seat, &k);
}

/*
 * One at a time, so that a closing record is told after its overrun. Who gets the lock is told all
 * there is; who does not, as in a callback, leaves it to whoever has it.
 */
static void hear(struct tlob_home *home, __u64 wait_ns)
{
	struct tlob_record records[4];
	ssize_t n;

	if (home->agent || tlob_lock_take(&home->hearing, wait_ns))
		return;
	/* also if nobody hears them: whoever sets a callback later on is not to be told old ones */
	while ((n = read(home->kick.fd, records, sizeof(records))) > 0)
		for (size_t i = 0; i < (size_t)n / sizeof(records[0]); i++)
			tlob_record_tell(home, &records[i]);
	tlob_lock_release(&home->hearing);
}

/* The kernel closes what is open; only the sum of overruns is kept here. */
static int leave(struct tlob_seat *seat)
{
	struct tlob_kick k = {.op = TLOB_KICK_UNREGISTER, .now_ns = tlob_now()};
	struct tlob_slot *slot = seat->slot;

	for (__u32 i = 0; i < TLOB_MAX_DEPTH; i++)
		if ((tlob_load(&slot->used) & 1u << i) &&
		    TLOB_WINDOW_STATE(tlob_load(&slot->windows[i].state)) == TLOB_EXPIRED)
			tlob_ledger_count(seat, slot->windows[i].region, overruns);
	return kick(seat, &k);
}

/*
 * Without an agent the kernel is given no more than a second: then a start has to call it again, and
 * looks for an agent, as other engines do.
 */
static int arm(struct tlob_seat *seat, __u64 now_ns, __u64 deadline_ns)
{
	__u64 soon = now_ns + TLOB_NS_PER_S;
	struct tlob_kick k = {.op = TLOB_KICK_ARM, .now_ns = now_ns, .deadline_ns = deadline_ns};
	int r;

	if (!seat->home->agent && soon < deadline_ns)
		k.deadline_ns = soon;
	r = kick(seat, &k);
	if (r)
		return r;
	if (!seat->home->agent)
		tlob_watch_ensure(seat->home);
	tlob_process_look(now_ns);
	return 0;
}

static int finish(const struct tlob_ending *end, bool expired)
{
	struct tlob_kick k = {.op = expired ? TLOB_KICK_CLOSE : TLOB_KICK_REPORT,
			      .window = end->index,
			      .now_ns = end->now_ns};
	int r = kick(end->seat, &k);

	if (tlob_engine_gone(r)) {
		if (expired)
			tlob_engine_tell(end, true);
	} else if (end->seat->home->agent) {
		tlob_engine_tell(end, false); /* the agent reads the ring */
	} else {
		hear(end->seat->home, SETTLE_NS);
		tlob_process_look(end->now_ns);
	}
	return r;
}

const struct tlob_engine tlob_engine_kernel = {
	.name = "kernel",
	.clocked = true,
	.enroll = enroll,
	.leave = leave,
	.arm = arm,
	.finish = finish,
	.hear = hear,
	.grow = tlob_kernel_grow,
};
