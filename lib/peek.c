// SPDX-License-Identifier: LGPL-2.1-or-later
/* See peek.h. */
#include "peek.h"

#include "descriptor.h"

#define THREADS 16

static struct peek {
	__u32 tid; /* 0: none */
	__u64 turn; /* when it was last wanted */
	struct tlob_descriptor stat, schedstat;
} peeks[THREADS];
static __u64 turns;

static void drop(struct peek *p)
{
	if (p->tid) {
		tlob_descriptor_drop(&p->stat);
		tlob_descriptor_drop(&p->schedstat);
	}
	p->tid = 0;
}

/* That of @tid, or the one that was not wanted for longest, with nothing open. */
static struct peek *peek_of(__u32 tid)
{
	struct peek *oldest = &peeks[0];

	for (struct peek *p = peeks; p < peeks + THREADS; p++) {
		if (p->tid == tid) {
			p->turn = ++turns;
			return p;
		}
		if (p->turn < oldest->turn)
			oldest = p;
	}
	drop(oldest);
	oldest->tid = tid;
	oldest->turn = ++turns;
	oldest->stat = oldest->schedstat = TLOB_NO_DESCRIPTOR;
	return oldest;
}

/*
 * The file may be another thread's, that had the same id, or the program's, which has closed what
 * it did not know.
 */
static bool reopen(struct tlob_descriptor *d, __u32 tid, const char *name)
{
	tlob_descriptor_drop(d);
	return !tlob_descriptor_adopt(tlob_procfile_open(tid, name), d);
}

bool tlob_peek_stat(__u32 tid, struct tlob_procfile_stat *out)
{
	struct tlob_descriptor *d = &peek_of(tid)->stat;

	if (d->fd >= 0 && tlob_procfile_stat(d->fd, tid, out))
		return true;
	return reopen(d, tid, "stat") && tlob_procfile_stat(d->fd, tid, out);
}

bool tlob_peek_schedstat(__u32 tid, __u64 values[3])
{
	struct tlob_descriptor *d = &peek_of(tid)->schedstat;

	if (d->fd >= 0 && tlob_procfile_numbers(d->fd, values, 3))
		return true;
	return reopen(d, tid, "schedstat") && tlob_procfile_numbers(d->fd, values, 3);
}

void tlob_peek_close(void)
{
	for (struct peek *p = peeks; p < peeks + THREADS; p++)
		drop(p);
}
