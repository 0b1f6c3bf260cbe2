// SPDX-License-Identifier: LGPL-2.1-or-later
/* See record.h. */
#include "record.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <tlob/tlob.h>

#include "calm.h"
#include "chains.h"
#include "connect.h"
#include "ledger.h"
#include "log.h"
#include "process.h"
#include "procfile.h"
#include "region.h"
#include "watch.h"

/*
 * Function and argument change together, so each pair is an object of its own; a handful in a
 * program's life.
 */
struct callback {
	tlob_overrun_fn *fn;
	void *arg;
	struct callback *before; /* whoever calls it now still may; nothing is freed */
};
static struct callback *callback;

void tlob_record_begin(struct tlob_record *r, const struct tlob_slot *slot,
		       const struct tlob_window *w, __u64 word, __u32 index, __u64 now_ns)
{
	memset(r, 0, sizeof(*r));
	r->region = w->region;
	r->tgid = (__u32)getpid();
	r->tid = slot->tid;
	r->time_ns = now_ns;
	r->start_ns = w->start_ns;
	r->budget_ns = w->deadline_ns - w->start_ns;
	r->elapsed_ns = now_ns - w->start_ns;
	r->tag = w->tag;
	r->window = TLOB_WINDOW_GEN(word) << 3 | index;
}

void tlob_record_begin_own(struct tlob_record *r, const struct tlob_ending *end)
{
	const struct tlob_window *w = end->window;
	int cpu = sched_getcpu();

	tlob_record_begin(r, end->seat->slot, w, tlob_load(&w->state), end->index, end->now_ns);
	r->state = TLOB_RUNNING;
	r->cpu = cpu < 0 ? 0 : (__u32)cpu;
	prctl(PR_GET_NAME, r->comm);
}

/* Opening files is not cheap, but this is only done where a window was late. */
static void name_thread(__u32 tid, char *comm)
{
	struct tlob_procfile_stat stat;
	int fd;

	if (tid == tlob_gettid()) {
		prctl(PR_GET_NAME, comm);
		return;
	}
	fd = tlob_procfile_open(tid, "stat");
	if (fd < 0)
		return;
	if (tlob_procfile_stat(fd, tid, &stat))
		memcpy(comm, stat.comm, sizeof(stat.comm));
	close(fd);
}

void tlob_record_begin_transit(struct tlob_record *r, const struct tlob_window *w,
			       const struct tlob_place *place, __u64 word, __u64 now_ns)
{
	memset(r, 0, sizeof(*r));
	r->flags = TLOB_F_TRANSIT;
	r->region = w->region;
	r->tgid = (__u32)getpid();
	r->tid = w->switches;
	r->time_ns = now_ns;
	r->start_ns = w->start_ns;
	r->budget_ns = w->deadline_ns - w->start_ns;
	r->elapsed_ns = now_ns - w->start_ns;
	r->tag = w->tag;
	r->window = tlob_transit_window(word, place->arena, place->number, place->index);
	name_thread(r->tid, r->comm);
}

void tlob_record_of_ended(struct tlob_record *r, const struct tlob_kick *k, __u64 tag)
{
	memset(r, 0, sizeof(*r));
	r->flags = TLOB_F_TRANSIT | (__u16)(k->window & TLOB_F_AT_STOP);
	r->tgid = k->arena;
	r->tid = k->slot;
	r->end_tid = tlob_gettid();
	r->end_tgid = (__u32)getpid();
	r->time_ns = k->now_ns;
	r->start_ns = k->cookie;
	r->budget_ns = k->deadline_ns - k->cookie;
	r->elapsed_ns = k->now_ns - k->cookie;
	r->tag = tag;
	if (r->tgid == (__u32)getpid())
		name_thread(r->tid, r->comm);
}

bool tlob_record_has_callback(void)
{
	struct callback *c = tlob_load_acquire(&callback);

	return c && c->fn;
}

bool tlob_record_heard(void)
{
	return tlob_record_has_callback() || tlob_log_is_open();
}

static void call(const struct tlob_record *r, const struct tlob_region *region)
{
	struct callback *c = tlob_load_acquire(&callback);

	if (c && c->fn)
		c->fn(r, region, c->arg);
}

void tlob_record_tell(const struct tlob_home *home, const struct tlob_record *r)
{
	if (tlob_log_is_open() && r->region < TLOB_MAX_REGIONS)
		tlob_log_record(r, &home->ledger->regions[r->region]);
	call(r, tlob_region_at(r->region));
}

struct tlob_record tlob_record_overrun_of(const struct tlob_record *close)
{
	struct tlob_record r = *close;

	r.type = TLOB_REC_OVERRUN;
	r.flags |= TLOB_F_AT_STOP;
	if (r.flags & TLOB_F_TRANSIT)
		r.end_tid = r.end_tgid = 0;
	return r;
}

void tlob_record_call_both(struct tlob_record *close, const struct tlob_region *region)
{
	struct tlob_record overrun = tlob_record_overrun_of(close);

	close->type = TLOB_REC_CLOSE;
	call(&overrun, region);
	call(close, region);
}

void tlob_record_tell_both(const struct tlob_home *home, struct tlob_record *close,
			   bool callback_only)
{
	struct tlob_record overrun = tlob_record_overrun_of(close);

	if (callback_only) {
		tlob_record_call_both(close, tlob_region_at(close->region));
		return;
	}
	close->type = TLOB_REC_CLOSE;
	tlob_record_tell(home, &overrun);
	tlob_record_tell(home, close);
}

void tlob_record_deliver(struct tlob_home *home, const struct tlob_record *r)
{
	if (home->agent && !tlob_load(&home->dead)) {
		if (tlob_connect_alive(&home->socket)) {
			tlob_ledger_push(home->ledger, r);
			/* -EAGAIN: it has not even read what it was told before */
			(void)tlob_connect_ask(&home->socket, TLOB_MSG_WAKE);
			return;
		}
		tlob_process_lost(home);
	}
	tlob_record_tell(home, r);
}

void tlob_record_deliver_stages(struct tlob_home *home, const struct tlob_record *r,
				const struct tlob_window *w, const struct tlob_place *place)
{
	union {
		struct tlob_stages stages;
		struct tlob_record record;
	} u;

	if (!w->sleeping_ns || !home->agent || tlob_load(&home->dead))
		return;
	tlob_log_stages(place, r, &u.stages);
	tlob_ledger_push(home->ledger, &u.record);
}

int tlob_on_overrun(tlob_overrun_fn *fn, void *arg)
{
	struct callback *c = malloc(sizeof(*c));
	struct tlob_home *home;

	if (!c) {
		errno = ENOMEM;
		return -ENOMEM;
	}
	c->fn = fn;
	c->arg = arg;
	c->before = tlob_load(&callback);
	for (;;) {
		struct callback *was = tlob_cmpxchg(&callback, c->before, c);

		if (was == c->before)
			break;
		c->before = was;
	}
	if (fn) {
		TLOB_CALM;

		/*
		 * the watcher, if there has to be one, starts here: in a signal handler it could
		 * not
		 */
		home = tlob_process_home();
		if (home && tlob_watch_serves(home))
			tlob_watch_start();
	}
	return 0;
}
