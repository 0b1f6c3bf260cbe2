// SPDX-License-Identifier: GPL-2.0-or-later
/* The page ring: what is mapped, who may, what the calls say, and how it is read without a mapping. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "pagering.h"

/* ---- layout ---- */

static void meta_page_describes_itself(void)
{
	struct pagering r = pagering_open(0, "pages=8 order=0 mode=drop", "mark");

	if (pagering_map(&r)) {
		check(r.meta->struct_bytes == sizeof(*r.meta), "%u", r.meta->struct_bytes);
		check(r.meta->meta_bytes == PAGE, " ");
		check(r.meta->page_bytes == PAGE && r.meta->page_order == 0, " ");
		check(r.meta->pages == 9, "%u", r.meta->pages);
		check(r.meta->version == TLOB_PAGE_META_VERSION && r.meta->flags == 0, " ");
		check(r.meta->cpu == 0, " ");
		pagering_unmap(&r);
	}
	close(r.fd);
}

static void pages_are_zeroed_before_they_are_seen(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");

	if (pagering_map(&r)) {
		for (uint32_t page = 0; page < r.meta->pages; page++)
			for (uint32_t i = sizeof(struct tlob_page_head); i < PAGE; i++)
				if (r.pages[page * PAGE + i] != 0) {
					check(0, "page %u byte %u", page, i);
					return;
				}
		for (size_t i = sizeof(*r.meta); i < PAGE; i++)
			if (((char *)r.meta)[i] != 0) {
				check(0, "meta page byte %zu", i);
				return;
			}
		pagering_unmap(&r);
	}
	close(r.fd);
}

static void events_are_read_from_the_mapping(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	const struct tlob_page_event *e;
	unsigned long expected = 100;
	uint64_t last = 0;
	uint32_t at;

	if (!pagering_map(&r))
		return;
	marks(100, 116);
	check(ioctl(r.fd, TLOB_RING_UPDATE_META) == 0, " ");
	check(r.meta->entries == 16 && r.meta->read == 0, "%llu", r.meta->entries);
	check(pagering_get(&r) == 16, "%u", r.meta->reader.events);
	pagering_for_each(&r, e, at)
	{
		check(e->type == TLOB_PAGE_MARK, "type %u", e->type);
		check(strtoul((const char *)(e + 1), NULL, 10) == expected, "%s",
		      (const char *)(e + 1));
		check(e->time_ns >= last && e->time_ns <= now_ns(), " ");
		last = e->time_ns;
		expected++;
	}
	check(expected == 116, "%lu", expected);
	check(pagering_get(&r) == 0, "read twice");
	check(ioctl(r.fd, TLOB_RING_UPDATE_META) == 0, " ");
	check(r.meta->entries == 0 && r.meta->read == 16 && r.meta->written == 16, " ");
	check(r.meta->overrun == 0 && r.meta->lost == 0 && r.meta->reader.lost == 0, " ");
	check(r.meta->pages_touched == 1 && r.meta->head == r.meta->reader.id, " ");
	marks(116, 118); /* into the page that the reader has */
	check(pagering_get(&r) == 2, "%u", r.meta->reader.events);
	pagering_unmap(&r);
	close(r.fd);
}

static void large_pages(void)
{
	struct pagering r = pagering_open(0, "pages=2 order=2 mode=drop", "mark");
	unsigned long all = 0;
	uint32_t n, most = 0;

	if (!pagering_map(&r))
		return;
	check(r.meta->page_bytes == 4 * PAGE && r.meta->pages == 3, " ");
	marks(0, 800);
	while ((n = pagering_get(&r)) > 0) {
		const struct tlob_page_event *e;
		uint32_t at;

		pagering_for_each(&r, e, at)
		{
			check(strtoul((const char *)(e + 1), NULL, 10) == all, "%lu", all);
			all++;
		}
		most = n > most ? n : most;
	}
	check(all == 800, "%lu", all);
	check(most > 4 * PAGE / 40, "%u", most);
	pagering_unmap(&r);
	close(r.fd);
}

/* ---- who may map ---- */

static void *try_map(int fd, int prot, int flags, size_t bytes, uint64_t offset)
{
	void *p = (void *)syscall(SYS_mmap, NULL, bytes, prot, flags, fd, offset);

	if (p != MAP_FAILED)
		munmap(p, bytes);
	return p;
}

static void write_exec_and_private_mappings_are_refused(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	int rw = open(pagering_path(0, "raw"), O_RDWR | O_CLOEXEC);

	check(rw >= 0, " ");
	check(try_map(rw, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE, 0) == MAP_FAILED &&
		      errno == EPERM,
	      " ");
	check(try_map(rw, PROT_WRITE, MAP_SHARED, PAGE, 0) == MAP_FAILED && errno == EPERM, " ");
	check(try_map(rw, PROT_READ | PROT_EXEC, MAP_SHARED, PAGE, 0) == MAP_FAILED &&
		      errno == EPERM,
	      " ");
	check(try_map(r.fd, PROT_READ, MAP_PRIVATE, PAGE, 0) == MAP_FAILED && errno == EPERM, " ");
	check(try_map(rw, PROT_READ | PROT_WRITE, MAP_PRIVATE, PAGE, 0) == MAP_FAILED &&
		      errno == EPERM,
	      " ");
	check(try_map(r.fd, PROT_READ, MAP_SHARED, PAGE, 0) != MAP_FAILED, " ");
	close(rw);
	close(r.fd);
}

static void mprotect_cannot_add_anything(void)
{
	int rw = open(pagering_path(0, "raw"), O_RDWR | O_CLOEXEC);
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, rw, 0);

	check(p != MAP_FAILED, " ");
	check(mprotect(p, PAGE, PROT_READ | PROT_WRITE) < 0 && errno == EACCES, " ");
	check(mprotect(p, PAGE, PROT_READ | PROT_EXEC) < 0 && errno == EACCES, " ");
	check(mprotect(p, PAGE, PROT_NONE) == 0, " ");
	check(mprotect(p, PAGE, PROT_READ) == 0, " ");
	check(p[0] == 0, "length %d", p[0]); /* 4096, little endian */
	munmap(p, PAGE);
	close(rw);
}

static void no_part_is_unmapped(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");

	if (!pagering_map(&r))
		return;
	check(munmap(r.pages + PAGE, PAGE) < 0 && errno == EINVAL, " ");
	check(munmap(r.pages, PAGE) < 0 && errno == EINVAL, " ");
	check(mprotect(r.pages, PAGE, PROT_NONE) < 0 && errno == EINVAL, " ");
	check(ioctl(r.fd, TLOB_RING_GET_READER) == 0, " ");
	pagering_unmap(&r);
	close(r.fd);
}

/* The sum of offset and length must not wrap (upstream c58a812c8e49), and each page is mapped or refused, never in part. */
static void offsets_outside_are_refused(void)
{
	static const uint64_t far[] = {0x7ffffffffffff000, 0xfffffffffffff000,
				       0x8000000000000000, 0xffffffff000,
				       0x100000000000,	   0xfffffffffffff000 - 4 * PAGE};
	struct pagering r = pagering_open(0, SMALL, "mark"); /* 1 + 5 pages */

	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		for (size_t pages = 1; pages <= 16; pages *= 2)
			check(try_map(r.fd, PROT_READ, MAP_SHARED, pages * PAGE, far[i]) ==
				      MAP_FAILED,
			      "%zu at %#llx", pages, (unsigned long long)far[i]);
	for (uint64_t at = 0; at <= 7; at++)
		for (size_t pages = 1; pages <= 8; pages++) {
			void *p = try_map(r.fd, PROT_READ, MAP_SHARED, pages * PAGE, at * PAGE);

			check((p != MAP_FAILED) == (at + pages <= 6), "%zu at %llu", pages,
			      (unsigned long long)at);
			check(p != MAP_FAILED || errno == EINVAL, " ");
		}
	/* none of them is counted as mapped */
	check(ioctl(r.fd, TLOB_RING_GET_READER) < 0 && errno == ENODEV, " ");
	close(r.fd);
}

static void mapping_moves_but_does_not_grow(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	char *hole = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;

	if (!pagering_map(&r))
		return;
	check(mremap(r.pages, r.bytes, r.bytes + PAGE, MREMAP_MAYMOVE) == MAP_FAILED, " ");
	check(mremap(r.pages, 0, r.bytes, MREMAP_MAYMOVE) == MAP_FAILED, " ");
	p = mremap(r.pages, r.bytes, r.bytes, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	check(p == hole, " ");
	r.pages = p;
	marks(7, 8);
	check(pagering_get(&r) == 1, " ");
	check(strcmp((const char *)(pagering_at(&r, r.meta->reader.begin) + 1), "7") == 0, " ");
	pagering_unmap(&r);
	check(ioctl(r.fd, TLOB_RING_GET_READER) < 0 && errno == ENODEV, "still counted");
	munmap(hole + r.bytes, 16 * PAGE - r.bytes);
	close(r.fd);
}

/* A child with the mapping keeps it mapped, and takes nobody else's count with it. */
static void inherit(const struct pagering *r)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		munmap(r->meta, PAGE);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "status %x", status);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	check(ioctl(r->fd, TLOB_RING_GET_READER) == 0, " ");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	check(ioctl(r->fd, TLOB_RING_GET_READER) == 0, " ");
}

static void fork_does_not_inherit(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	int status;
	pid_t pid;

	if (!pagering_map(&r))
		return;
	pid = fork();
	if (pid == 0)
		_exit(((volatile char *)r.meta)[0]); /* faults */
	check(waitpid(pid, &status, 0) == pid, " ");
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x", status);
	/* who asks for it may get it, and then it counts (upstream b042fdf18e89) */
	if (madvise(r.meta, PAGE, MADV_DOFORK) == 0)
		inherit(&r);
	else
		check(errno == EINVAL, " ");
	pagering_unmap(&r);
	check(write_file(pagering_path(0, "config"), SMALL) == 0, "counted too often");
	close(r.fd);
}

static void not_dumped(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	char line[512], flags[512] = "";
	unsigned long from = 0;
	FILE *f;

	if (!pagering_map(&r))
		return;
	f = fopen("/proc/self/smaps", "r");
	check(f || errno == ENOENT, "smaps"); /* not every kernel has it */
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long at;
		char dash;

		if (sscanf(line, "%lx%c", &at, &dash) == 2 && dash == '-')
			from = at;
		if (from == (unsigned long)r.pages && strncmp(line, "VmFlags:", 8) == 0)
			strcpy(flags, line);
	}
	if (f)
		fclose(f);
	else
		strcpy(flags, " dd dc de ");
	check(strstr(flags, " dd "), "no dontdump: %s", flags);
	check(strstr(flags, " dc "), "no dontcopy: %s", flags);
	check(strstr(flags, " de "), "no dontexpand: %s", flags);
	check(!strstr(flags, " mw "), "maywrite: %s", flags);
	check(!strstr(flags, " me "), "mayexec: %s", flags);
	pagering_unmap(&r);
	close(r.fd);
}

/* ---- the calls ---- */

static void unmapped_is_nodev(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");

	check(ioctl(r.fd, TLOB_RING_GET_READER) < 0 && errno == ENODEV, " ");
	check(ioctl(r.fd, TLOB_RING_UPDATE_META) < 0 && errno == ENODEV, " ");
	if (pagering_map(&r)) {
		check(ioctl(r.fd, TLOB_RING_GET_READER) == 0, " ");
		munmap(r.meta, PAGE);
		check(ioctl(r.fd, TLOB_RING_GET_READER) == 0, "one mapping is left");
		munmap(r.pages, r.bytes);
		check(ioctl(r.fd, TLOB_RING_GET_READER) < 0 && errno == ENODEV, " ");
	}
	close(r.fd);
}

static void empty_is_0_and_unchanged(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	struct tlob_page_meta before;

	if (!pagering_map(&r))
		return;
	for (int i = 0; i < 3; i++) {
		before = *r.meta;
		check(ioctl(r.fd, TLOB_RING_GET_READER) == 0, " ");
		check(memcmp(&before, r.meta, sizeof(before)) == 0, "changed");
		if (i == 1) {
			marks(0, 3);
			check(pagering_get(&r) == 3, " ");
		}
	}
	pagering_unmap(&r);
	close(r.fd);
}

static void other_calls_are_notty(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	static const unsigned long calls[] = {0x5401, 0x5402, 0x5220, 0xb932, 0xb901, 0xffffffff};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		check(ioctl(r.fd, calls[i], 0) < 0 && errno == ENOTTY, "%#lx", calls[i]);
	check(ioctl(r.fd, TLOB_RING_WAKE) == 0, " ");
	close(r.fd);
}

struct waiter {
	struct pagering *r;
	int ret, error;
	volatile bool back;
	volatile pid_t tid;
};

static void *wait_for_events(void *arg)
{
	struct waiter *w = arg;

	w->tid = syscall(SYS_gettid);
	w->ret = ioctl(w->r->fd, TLOB_RING_GET_READER);
	w->error = errno;
	w->back = true;
	return NULL;
}

static bool comes_back(struct waiter *w)
{
	for (int i = 0; i < 300 && !w->back; i++)
		sleep_ns(10 * MS);
	return w->back;
}

static void nothing(int signo)
{
	(void)signo;
}

static void blocks_until_there_is_something(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	struct sigaction act = {.sa_handler = nothing};
	uint32_t read_before;

	if (!pagering_map(&r))
		return;
	sigaction(SIGUSR1, &act, NULL);
	fcntl(r.fd, F_SETFL, 0);
	for (int how = 0; how < 3; how++) {
		struct waiter w = {.r = &r};
		pthread_t t;

		read_before = r.meta->reader.read;
		pthread_create(&t, NULL, wait_for_events, &w);
		sleep_ns(150 * MS);
		check(!w.back, "did not wait (%d)", how);
		if (how == 0)
			marks(0, 1);
		else if (how == 1)
			ioctl(r.fd, TLOB_RING_WAKE);
		else
			pthread_kill(t, SIGUSR1);
		check(comes_back(&w), "still waits (%d)", how);
		if (!w.back)
			ioctl(r.fd, TLOB_RING_WAKE);
		pthread_join(t, NULL);
		check(w.ret == (how == 2 ? -1 : 0), "%d", w.ret);
		check(how != 2 || w.error == EINTR, "%d", w.error);
		check((r.meta->reader.read != read_before) == (how == 0), "%d", how);
	}
	pagering_unmap(&r);
	close(r.fd);
}

static void poll_tells(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	struct pollfd p = {r.fd, POLLIN, 0};
	char buf[256];

	check(poll(&p, 1, 100) == 0, " ");
	marks(0, 1);
	check(poll(&p, 1, 1000) == 1 && p.revents & POLLIN, " ");
	check(read(r.fd, buf, sizeof(buf)) > 0, " ");
	check(poll(&p, 1, 100) == 0, " ");
	close(r.fd);
}

/* ---- while it is mapped ---- */

static void mapped_is_not_resized_or_swapped(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	char text[128];

	if (!pagering_map(&r))
		return;
	check(write_file(pagering_path(0, "config"), "pages=8") == -EBUSY, " ");
	check(write_file(pagering_path(0, "snapshot"), "1") == -EBUSY, " ");
	munmap(r.meta, PAGE);
	check(write_file(pagering_path(0, "config"), "mode=drop") == -EBUSY, " ");
	munmap(r.pages, r.bytes);
	check(write_file(pagering_path(0, "snapshot"), "1") == 0, " ");
	check(write_file(pagering_path(0, "config"), "pages=8 mode=drop") == 0, " ");
	check(strcmp(read_file(pagering_path(0, "config"), text, sizeof(text)),
		     "pages=8 order=0 mode=drop\n") == 0,
	      "%s", text);
	close(r.fd);
}

static void bad_configurations_are_refused(void)
{
	static const char *const bad[] = {"pages=0",	"pages=1",  "pages=3",	  "pages=65536",
					  "order=7",	"order=-1", "mode=maybe", "pages",
					  "colour=red", "pages=4x"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(write_file(pagering_path(0, "config"), bad[i]) == -EINVAL, "%s", bad[i]);
	check(write_file(PAGE_RING_DIR "events", "switch sneeze") == -EINVAL, " ");
}

/* Whom the kernel would kill first, if it had to. */
static void be_a_victim(void)
{
	size_t bytes = 16u << 20;
	char *memory = malloc(bytes);

	write_file("/proc/self/oom_score_adj", "1000");
	if (memory)
		memset(memory, 1, bytes);
	for (;;)
		pause();
}

/* A size that the machine has not: that is said, and nobody is killed for it. */
static void more_than_there_is_fails(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	pid_t victim = fork();
	char text[64];

	if (victim == 0)
		be_a_victim();
	sleep_ns(200 * MS);
	check(write_file(pagering_path(0, "config"), "pages=32768 order=3") == -ENOMEM, " ");
	check(waitpid(victim, NULL, WNOHANG) == 0, "another process was killed");
	check(strstr(read_file(pagering_path(0, "config"), text, sizeof(text)), "pages=4 order=0"),
	      "%s", text);
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	close(r.fd);
}

static uint64_t written_in(const char *stats, const char *name)
{
	const char *at = strstr(stats, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : ~0ULL;
}

static void overwrites_the_oldest_and_counts(void)
{
	struct pagering r = pagering_open(0, SMALL, "mark");
	uint64_t read = 0, lost = 0;
	char stats[256];

	marks(1000, 3000);
	if (!pagering_map(&r))
		return;
	check(ioctl(r.fd, TLOB_RING_UPDATE_META) == 0, " ");
	check(r.meta->written == 2000 && r.meta->overrun > 0, " ");
	check(r.meta->overrun + r.meta->entries == 2000, " ");
	check(r.meta->pages_lost > 0 && r.meta->pages_touched == r.meta->pages_lost + 4, " ");
	for (uint32_t n; (n = pagering_get(&r)) > 0; lost += r.meta->reader.lost)
		read += n;
	check(read + r.meta->overrun == 2000, "%llu", (unsigned long long)read);
	check(lost == r.meta->overrun, "%llu", (unsigned long long)lost);
	read_file(pagering_path(0, "stats"), stats, sizeof(stats));
	check(written_in(stats, "read ") == read && written_in(stats, "written ") == 2000, "%s",
	      stats);
	pagering_unmap(&r);
	close(r.fd);
}

static void drops_the_newest_and_counts(void)
{
	struct pagering r = pagering_open(0, "pages=2 mode=drop", "mark");
	int fd = mark_open(), ret = 0;
	unsigned long n = 0;
	uint64_t read = 0;

	while (ret == 0 && n < 10000)
		ret = mark_number(fd, n++);
	check(ret == -ENOSPC, "%d after %lu", ret, n);
	check(mark_number(fd, n++) == -ENOSPC, " ");
	if (pagering_map(&r)) {
		for (uint32_t got; (got = pagering_get(&r)) > 0;)
			read += got;
		check(read == n - 2 && r.meta->lost == 2, "%llu", (unsigned long long)read);
		check(mark_number(fd, n) == 0, "no room was made");
		pagering_unmap(&r);
	}
	close(fd);
	close(r.fd);
}

int main(void)
{
	static const struct tap_test tests[] = {
		T(meta_page_describes_itself),
		T(pages_are_zeroed_before_they_are_seen),
		T(events_are_read_from_the_mapping),
		T(large_pages),
		ALSO(write_exec_and_private_mappings_are_refused, "H4"),
		ALSO(mprotect_cannot_add_anything, "H4"),
		T(no_part_is_unmapped),
		ALSO(offsets_outside_are_refused, "H5, H11"),
		T(mapping_moves_but_does_not_grow),
		ALSO(fork_does_not_inherit, "H4, H7"),
		ALSO(not_dumped, "H4"),
		ALSO(unmapped_is_nodev, "H6, H7"),
		ALSO(empty_is_0_and_unchanged, "H6"),
		ALSO(other_calls_are_notty, "H2"),
		T(blocks_until_there_is_something),
		T(poll_tells),
		ALSO(mapped_is_not_resized_or_swapped, "H8"),
		T(bad_configurations_are_refused),
		T(more_than_there_is_fails),
		ALSO(overwrites_the_oldest_and_counts, "H9, H10"),
		T(drops_the_newest_and_counts),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
