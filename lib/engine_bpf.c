// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Engine bpf, seen from the program: one system call on the descriptor that the agent passed. The
 * kernel part keeps the clocks, notices expiry and writes the records.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "engine.h"
#include "now.h"
#include "ownclock.h"
#include "process.h"
#include "record.h"
#include "window.h"

/*
 * What the program returned, a positive errno, or why it could not be run. A descriptor that means
 * another file now is -EBADF or -EINVAL.
 */
static int call(const struct tlob_home *home, struct tlob_kick *k)
{
	union bpf_attr attr;

	if (tlob_is_filtered())
		return -ESHUTDOWN;
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (__u32)home->kick.fd;
	attr.test.ctx_in = (__u64)(uintptr_t)k;
	attr.test.ctx_size_in = sizeof(*k);
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr,
		    offsetof(union bpf_attr, test.batch_size) + sizeof(attr.test.batch_size)))
		return -errno;
	return -(int)attr.test.retval;
}

static int kick(const struct tlob_seat *seat, struct tlob_kick *k)
{
	return tlob_engine_result(seat, call(seat->home, k));
}

static int enroll(struct tlob_seat *seat)
{
	struct tlob_kick k = {.op = TLOB_KICK_REGISTER};
	const struct tlob_arena *arena = tlob_arena_of(seat, &k.slot);

	if (!arena)
		return -EINVAL;
	k.arena = arena->id;
	k.cookie = arena->cookie;
	/* by which windows of no thread say who began them */
	tlob_store(&seat->slot->flags, k.arena * TLOB_ARENA_SLOTS + k.slot);
	return kick(seat, &k);
}

/* The kernel part closes what is open. */
static int leave(struct tlob_seat *seat)
{
	struct tlob_kick k = {.op = TLOB_KICK_UNREGISTER, .now_ns = tlob_now()};

	return kick(seat, &k);
}

static int arm(struct tlob_seat *seat, __u64 now_ns, __u64 deadline_ns)
{
	struct tlob_kick k = {.op = TLOB_KICK_ARM, .now_ns = now_ns, .deadline_ns = deadline_ns};

	return kick(seat, &k);
}

static bool is_heard(bool engine_gone)
{
	return engine_gone ? tlob_record_heard() : tlob_record_has_callback();
}

/*
 * Both records as this thread sees them, for the callback, or for everybody if the engine has gone
 * since the first.
 */
void tlob_engine_tell(const struct tlob_ending *end, bool engine_gone)
{
	struct tlob_split now;
	struct tlob_record r;

	if (!is_heard(engine_gone))
		return;
	tlob_record_begin_own(&r, end);
	(void)tlob_own_clock(end->seat->slot, &now);
	r.flags = tlob_window_split(end->window, &now, r.elapsed_ns, &r);
	tlob_record_tell_both(end->seat->home, &r, !engine_gone);
}

static int finish(const struct tlob_ending *end, bool expired)
{
	struct tlob_kick k = {.op = expired ? TLOB_KICK_CLOSE : TLOB_KICK_REPORT,
			      .window = end->index,
			      .now_ns = end->now_ns,
			      .deadline_ns = end->window->deadline_ns};
	int r = kick(end->seat, &k);

	if (expired || !tlob_engine_gone(r))
		tlob_engine_tell(end, tlob_engine_gone(r));
	return r;
}

/* ---- windows of no thread */

static int call_transit(struct tlob_home *home, struct tlob_kick *k, __u32 arena)
{
	k->arena = home->pool_ids[arena];
	k->cookie = home->pool_cookies[arena];
	return call(home, k);
}

static int arm_transit(struct tlob_home *home, __u32 arena, __u64 now_ns, __u64 deadline_ns)
{
	struct tlob_kick k = {
		.op = TLOB_KICK_TRANSIT_ARM, .now_ns = now_ns, .deadline_ns = deadline_ns};

	return call_transit(home, &k, arena);
}

static void tell_transit(const struct tlob_transit_ending *end, bool engine_gone)
{
	struct tlob_record r;

	if (!is_heard(engine_gone))
		return;
	tlob_record_begin_transit(&r, end->window, &end->place, end->word, end->now_ns);
	r.end_tid = tlob_gettid();
	tlob_record_tell_both(end->home, &r, !engine_gone);
}

static int finish_transit(const struct tlob_transit_ending *end, bool expired)
{
	struct tlob_kick k = {.op = expired ? TLOB_KICK_TRANSIT_CLOSE : TLOB_KICK_TRANSIT_REPORT,
			      .slot = end->place.number,
			      .window = end->place.index,
			      .now_ns = end->now_ns};
	int r = call_transit(end->home, &k, end->place.arena);

	if (expired || !tlob_engine_gone(r))
		tell_transit(end, tlob_engine_gone(r));
	return r;
}

/* ---- of no process */

static int begin_shared(struct tlob_home *home, const struct tlob_place *p, __u64 name, __u64 tag)
{
	struct tlob_kick k = {.op = TLOB_KICK_BEGIN,
			      .slot = p->number,
			      .window = p->index,
			      .now_ns = name,
			      .deadline_ns = tag};

	return call_transit(home, &k, p->arena);
}

static int end_shared(struct tlob_home *home, __u64 name, __u64 tag, struct tlob_record *late)
{
	struct tlob_kick k = {.op = TLOB_KICK_END, .now_ns = name, .deadline_ns = tag};
	int r = call(home, &k);

	memset(late, 0, sizeof(*late));
	if (r == -EOVERFLOW && k.op == TLOB_KICK_ENDED)
		tlob_record_of_ended(late, &k, tag);
	return r;
}

const struct tlob_engine tlob_engine_bpf = {
	.name = "bpf",
	.clocked = true,
	.enroll = enroll,
	.leave = leave,
	.arm = arm,
	.finish = finish,
	.transit_arm = arm_transit,
	.transit_finish = finish_transit,
	.shared_begin = begin_shared,
	.shared_end = end_shared,
};
