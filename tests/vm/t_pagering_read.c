// SPDX-License-Identifier: GPL-2.0-or-later
/* The page ring without a mapping, or beside one: read, spliced, swapped; and what is written to it. */
#include <sys/syscall.h>

#include "pagering.h"

/* ---- without a mapping, or beside it ---- */

static unsigned long events_in(const char *buf, ssize_t bytes, unsigned long expected)
{
	unsigned long n = 0;

	for (ssize_t at = 0; at < bytes; n++) {
		const struct tlob_page_event *e = (const void *)(buf + at);

		check(e->type == TLOB_PAGE_MARK && e->bytes >= 24, " ");
		check(strtoul((const char *)(e + 1), NULL, 10) == expected + n, "%s, not %lu",
		      (const char *)(e + 1), expected + n);
		at += e->bytes;
	}
	return n;
}

static void reading_copies(void)
{
	char buf[3000];

	for (int mapped = 0; mapped < 2; mapped++) {
		struct pagering r = pagering_open(0, "pages=64 mode=drop", "mark");
		unsigned long all = 0;
		ssize_t n;

		if (mapped && !pagering_map(&r))
			return;
		check(read(r.fd, buf, sizeof(buf)) < 0 && errno == EAGAIN, " ");
		marks(0, 1000);
		check(read(r.fd, buf, 8) < 0 && errno == EINVAL, "an event is larger");
		check(read(r.fd, (void *)PAGE, 100) < 0 && errno == EFAULT, " ");
		while ((n = read(r.fd, buf, sizeof(buf))) > 0)
			all += events_in(buf, n, all);
		check(all == 1000, "%lu", all);
		if (mapped) {
			check(ioctl(r.fd, TLOB_RING_UPDATE_META) == 0 && r.meta->read == 1000, " ");
			pagering_unmap(&r);
		}
		close(r.fd);
	}
}

static void splicing_copies(void)
{
	static char buf[65536];
	int p[2];

	check(pipe2(p, O_NONBLOCK) == 0, " ");
	for (int mapped = 0; mapped < 2; mapped++) {
		struct pagering r = pagering_open(0, "pages=64 mode=drop", "mark");
		unsigned long all = 0;
		ssize_t n;

		if (mapped && !pagering_map(&r))
			return;
		marks(0, 1000);
		while ((n = splice(r.fd, NULL, p[1], NULL, 10000, SPLICE_F_NONBLOCK)) > 0) {
			check(read(p[0], buf, sizeof(buf)) == n, "%zd", n);
			all += events_in(buf, n, all);
		}
		check(all == 1000, "%lu, then errno %d", all, errno);
		if (mapped)
			pagering_unmap(&r);
		close(r.fd);
	}
	close(p[0]);
	close(p[1]);
}

static void snapshot_is_what_was_there(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	static char buf[65536];
	int fd;
	ssize_t n;

	marks(0, 10);
	check(write_file(pagering_path(0, "snapshot"), "1") == 0, " ");
	marks(10, 15);
	fd = open(pagering_path(0, "snapshot_raw"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	check(fd >= 0, " ");
	n = read(fd, buf, sizeof(buf));
	check(n > 0 && events_in(buf, n, 0) == 10, " ");
	n = read(r.fd, buf, sizeof(buf));
	check(n > 0 && events_in(buf, n, 10) == 5, " ");
	close(fd);
	close(r.fd);
}

static void nobody_listens_nothing_is_written(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	int fd = mark_open();

	check(mark_number(fd, 1) == 0, " ");
	close(r.fd);
	check(mark_number(fd, 2) == -ENODEV, " ");
	r = pagering_open(0, SMALL, "switch");
	check(mark_number(fd, 3) == -ENODEV, "an event that is not wanted");
	close(fd);
	close(r.fd);
}

static void module_stays_while_it_is_mapped(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");

	if (!pagering_map(&r))
		return;
	close(r.fd); /* the mapping is enough */
	check(syscall(SYS_delete_module, "tlob", O_NONBLOCK) < 0, "unloaded");
	check(r.meta->pages == 5, " ");
	pagering_unmap(&r);
}

/* ---- what is written ---- */

static void history_of_switches(void)
{
	struct pagering r = pagering_open(0, "pages=64 mode=overwrite", "switch wake");
	int out = 0, in = 0, woken = 0;
	pid_t me = getpid();

	if (!pagering_map(&r))
		return;
	for (int i = 0; i < 20; i++)
		sleep_ns(MS);
	while (pagering_get(&r) > 0) {
		const struct tlob_page_event *e;
		uint32_t at;

		pagering_for_each(&r, e, at)
		{
			const struct tlob_page_switch *s = (const void *)(e + 1);
			const struct tlob_page_wake *w = (const void *)(e + 1);

			if (e->type == TLOB_PAGE_SWITCH && s->prev_tid == (uint32_t)me)
				out += s->prev_state == 1;
			if (e->type == TLOB_PAGE_SWITCH && s->tid == (uint32_t)me)
				in += s->tgid == (uint32_t)me && s->priority == 120 &&
				      strncmp(s->comm, "t_pagering", 10) == 0;
			if (e->type == TLOB_PAGE_WAKE && w->tid == (uint32_t)me)
				woken += (w->flags & TLOB_PAGE_WAKE_INTERRUPT) != 0;
		}
	}
	check(out >= 19, "%d", out);
	check(in >= 19, "%d", in);
	check(woken >= 19 || woken == 0, "%d", woken); /* on a real-time kernel a thread wakes */
	pagering_unmap(&r);
	close(r.fd);
}

static void overruns_arrive(void)
{
	struct pagering r = pagering_open(0, SMALL, "record");
	const struct tlob_page_event *e;
	int rv = rv_open(), records = 0;
	uint32_t at;

	if (!pagering_map(&r))
		return;
	tlob_set_enabled(true);
	check(rv_start(rv, MS, -1, 0xabc) == 0, " ");
	spin_ns(3 * MS);
	check(rv_stop(rv) == -EOVERFLOW, " ");
	check(pagering_get(&r) >= 1, " ");
	pagering_for_each(&r, e, at)
	{
		const struct tlob_record *record = (const void *)(e + 1);

		check(e->type == TLOB_PAGE_RECORD && record->tag == 0xabc, " ");
		check(record->elapsed_ns >= MS && sum_holds(record), " ");
		records++;
	}
	check(records >= 1, "%d", records);
	tlob_set_enabled(false);
	close(rv);
	pagering_unmap(&r);
	close(r.fd);
}

int main(void)
{
	static const struct tap_test tests[] = {
		ALSO(reading_copies, "H8"),
		ALSO(splicing_copies, "H8"),
		T(snapshot_is_what_was_there),
		T(nobody_listens_nothing_is_written),
		T(module_stays_while_it_is_mapped),
		T(history_of_switches),
		T(overruns_arrive),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
