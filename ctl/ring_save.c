// SPDX-License-Identifier: GPL-2.0-or-later
/* Recordings of rings: the pages as they are, a file for each CPU, and a head that says how to read them (ring_head.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <tlob/page_ring.h>

#include "error.h"
#include "rings.h"

struct page_file {
	int fd;
	uint64_t page; /* the one last written to */
	uint64_t pages; /* in the file */
	uint32_t end; /* of what is in the last of them */
};

struct tlobctl_ring_saving {
	char *path;
	struct page_file *files; /* as many as CPUs, in their order */
	size_t nfiles;
};

void tlobctl_ring_saving_free(struct tlobctl_ring_saving *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nfiles; i++)
		close(s->files[i].fd);
	free(s->files);
	free(s->path);
	free(s);
}

static int failed_cpu(const struct tlobctl_ring_saving *s, uint32_t cpu)
{
	int error = errno;

	return tlobctl_fail(-error, "cannot write '%s.cpu%u': %s", s->path, cpu, strerror(error));
}

static bool write_at(int fd, const void *data, size_t bytes, uint64_t at)
{
	while (bytes > 0) {
		ssize_t n = pwrite(fd, data, bytes, (off_t)at);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			data = (const char *)data + n;
			bytes -= (size_t)n;
			at += (uint64_t)n;
		}
	}
	return true;
}

/* ---- the head ---- */

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int fill_head(const struct tlobctl_ring *ring, struct tlobctl_ring_head *head)
{
	const struct tlobctl_ring_saving *s = ring->saving;
	struct utsname name;
	int r = 0;

	uname(&name);
	head->kernel = ring->ops == &tlobctl_ring_kernel;
	head->big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	head->long_bytes = sizeof(long);
	head->memory_page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	snprintf(head->release, sizeof(head->release), "%s", name.release);
	snprintf(head->machine, sizeof(head->machine), "%s", name.machine);
	head->unix_ns = read_clock(CLOCK_REALTIME);
	head->unix_offset_ns = (int64_t)(head->unix_ns - read_clock(CLOCK_MONOTONIC));
	head->ncpus = 0;
	for (size_t i = 0; r == 0 && i < ring->ncpus; i++) {
		const struct tlobctl_ring_cpu *c = &ring->cpus[i];
		const struct tlobctl_ring_head_cpu cpu = {
			.cpu = c->cpu,
			.page_bytes = c->page_bytes,
			.pages = s->files[i].pages,
			.read = c->counts.read,
			.lost = c->counts.lost,
		};

		r = tlobctl_ring_head_add_cpu(head, &cpu);
	}
	return r;
}

/* In place: one that is cut off has no checksum. */
static int write_head(struct tlobctl_ring *ring, bool ended)
{
	const char *path = ring->saving->path;
	struct tlobctl_ring_head *head = &ring->file;
	size_t bytes;
	char *text;
	int fd, r = 0;

	head->ended = ended;
	text = fill_head(ring, head) ? NULL : tlobctl_ring_head_print(head, &bytes);
	if (!text)
		return tlobctl_fail(-ENOMEM, "out of memory");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || !write_at(fd, text, bytes, 0) || ftruncate(fd, (off_t)bytes))
		r = tlobctl_fail(-errno, "cannot write '%s': %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(text);
	return r;
}

/* ---- the pages ---- */

static int open_files(struct tlobctl_ring *ring, struct tlobctl_ring_saving *s)
{
	char *path;

	s->files = calloc(ring->ncpus, sizeof(*s->files));
	if (!s->files)
		return tlobctl_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; i < ring->ncpus; i++) {
		if (asprintf(&path, "%s.cpu%u", s->path, ring->cpus[i].cpu) < 0)
			return tlobctl_fail(-ENOMEM, "out of memory");
		s->files[i].fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		free(path);
		if (s->files[i].fd < 0)
			return failed_cpu(s, ring->cpus[i].cpu);
		s->nfiles++;
	}
	return 0;
}

int tlobctl_ring_save(struct tlobctl_ring *ring, const char *path)
{
	struct tlobctl_ring_saving *s;
	int r;

	if (ring->saving || ring->recording)
		return tlobctl_fail(-EINVAL, "a ring is saved once, and a recording not again");
	s = calloc(1, sizeof(*s));
	if (!s || !(s->path = strdup(path))) {
		free(s);
		return tlobctl_fail(-ENOMEM, "out of memory");
	}
	r = open_files(ring, s);
	ring->saving = s;
	if (r == 0)
		r = write_head(ring, false);
	if (r) {
		tlobctl_ring_saving_free(s);
		ring->saving = NULL;
	}
	return r;
}

/* Another reader of the module's page has events of it: what is not ours is passed over. */
static bool fill_gap(const struct page_file *f, uint64_t at, uint32_t part_at)
{
	const struct tlob_page_event gap = {.bytes = part_at - f->end, .type = TLOB_PAGE_PADDING};

	return part_at <= f->end || write_at(f->fd, &gap, 8, at + f->end); /* padding has no time */
}

int tlobctl_ring_save_next(struct tlobctl_ring *ring)
{
	struct tlobctl_ring_saving *s = ring->saving;
	struct tlobctl_ring_part part;
	struct page_file *f;
	uint64_t at;
	int r;

	if (!s)
		return tlobctl_fail(-EINVAL, "tlobctl_ring_save() was not called");
	r = tlobctl_ring_next_part(ring, &part);
	if (r <= 0)
		return r;
	f = &s->files[0];
	for (size_t i = 0; ring->cpus[i].cpu != part.cpu; i++)
		f = &s->files[i + 1];
	if (f->page != part.page) {
		f->page = part.page;
		f->pages++;
		f->end = ring->head_bytes;
	}
	at = (f->pages - 1) * part.page_bytes;
	/* the head last: what is killed in between leaves a page that says less than there is */
	if (!fill_gap(f, at, part.at) || !write_at(f->fd, part.data, part.bytes, at + part.at) ||
	    ftruncate(f->fd, (off_t)(at + part.page_bytes)) ||
	    !write_at(f->fd, part.head, part.head_bytes, at))
		return failed_cpu(s, part.cpu);
	f->end = part.at + (uint32_t)part.bytes;
	return 1;
}

int tlobctl_ring_save_end(struct tlobctl_ring *ring)
{
	int r = ring->saving ? write_head(ring, true) :
			       tlobctl_fail(-EINVAL, "tlobctl_ring_save() was not called");

	tlobctl_ring_saving_free(ring->saving);
	ring->saving = NULL;
	return r;
}
