// SPDX-License-Identifier: GPL-2.0-or-later
/* The rings of all CPUs as one stream of events. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cpulist.h"
#include "error.h"
#include "rings.h"

int tlobctl_ring_open_cpu(struct tlobctl_ring *ring, uint32_t cpu, const char *path,
			  struct tlobctl_ring_cpu **out)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct tlobctl_ring_cpu *cpus, *c;

	if (fd < 0)
		return tlobctl_fail(-errno, "cannot open %s: %s", path, strerror(errno));
	cpus = reallocarray(ring->cpus, ring->ncpus + 1, sizeof(*cpus));
	if (!cpus) {
		close(fd);
		return tlobctl_fail(-ENOMEM, "out of memory");
	}
	ring->cpus = cpus;
	c = &cpus[ring->ncpus++];
	memset(c, 0, sizeof(*c));
	c->cpu = cpu;
	c->fd = fd;
	c->id = UINT32_MAX;
	*out = c;
	return 0;
}

#define ONLINE "/sys/devices/system/cpu/online"

int tlobctl_ring_each_cpu(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts,
			  int (*fn)(struct tlobctl_ring *ring, uint32_t cpu,
				    const struct tlobctl_ring_opts *opts))
{
	uint32_t *cpus = calloc(TLOB_CPULIST_MAX, sizeof(*cpus));
	FILE *f = fopen(ONLINE, "re");
	char text[4096] = "";
	int n, r = 0;

	if (f && fgets(text, sizeof(text), f))
		text[strcspn(text, "\n")] = '\0';
	if (f)
		fclose(f);
	n = cpus ? tlob_cpulist_parse(text, cpus, TLOB_CPULIST_MAX, NULL) : -ENOMEM;
	if (n <= 0)
		r = tlobctl_fail(n < 0 ? n : -ENOENT, "cannot tell from %s which CPUs there are",
				 ONLINE);
	for (int i = 0; r == 0 && i < n; i++)
		r = fn(ring, cpus[i], opts);
	free(cpus);
	return r;
}

int tlobctl_ring_want(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts)
{
	ring->wanted = calloc(opts->nevents + 1, sizeof(*ring->wanted));
	for (size_t i = 0; ring->wanted && i < opts->nevents; i++) {
		ring->wanted[i] = strdup(opts->events[i]);
		if (!ring->wanted[i])
			return tlobctl_fail(-ENOMEM, "out of memory");
		ring->nwanted++;
	}
	return ring->wanted ? 0 : tlobctl_fail(-ENOMEM, "out of memory");
}

void tlobctl_ring_noted(struct tlobctl_ring *ring, const char *fmt, ...)
{
	char *line = NULL, *all = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&line, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	if (!ring->note || !strstr(ring->note, line)) { /* the same of each CPU is said once */
		n = asprintf(&all, "%s%s%s", ring->note ? ring->note : "", ring->note ? "\n" : "",
			     line);
		if (n >= 0) {
			free(ring->note);
			ring->note = all;
		}
	}
	free(line);
}

int tlobctl_ring_control(const char *text, const char *fmt, ...)
{
	char path[512];
	va_list args;
	ssize_t n;
	int fd;

	va_start(args, fmt);
	vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? (int)n : 0;
}

static int watch_all(struct tlobctl_ring *ring)
{
	ring->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ring->epoll < 0)
		return tlobctl_fail(-errno, "cannot make an epoll descriptor: %s", strerror(errno));
	for (size_t i = 0; i < ring->ncpus; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

		if (epoll_ctl(ring->epoll, EPOLL_CTL_ADD, ring->cpus[i].fd, &event))
			return tlobctl_fail(-errno, "cannot wait for the ring of CPU %u: %s",
					    ring->cpus[i].cpu, strerror(errno));
	}
	return 0;
}

static int open_source(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts)
{
	int r;

	if (opts->recording)
		return tlobctl_ring_file_open(ring, opts);
	ring->ops = &tlobctl_ring_module;
	if (opts->source == TLOBCTL_RING_KERNEL)
		ring->ops = &tlobctl_ring_kernel;
	if (opts->source == TLOBCTL_RING_AUTO && tlobctl_ring_module_probe() < 0) {
		tlobctl_ring_noted(ring, "not the module's rings: %s", tlobctl_error());
		ring->ops = &tlobctl_ring_kernel;
	}
	r = ring->ops->open(ring, opts);
	return r ? r : watch_all(ring);
}

int tlobctl_ring_open(const struct tlobctl_ring_opts *given, struct tlobctl_ring **out)
{
	struct tlobctl_ring_opts opts = {0};
	struct tlobctl_ring *ring;
	int r;

	if (given && given->size > sizeof(opts))
		return tlobctl_fail(-EINVAL, "the options' size %zu is not one of this library's",
				    given->size);
	if (given)
		memcpy(&opts, given, given->size);
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return tlobctl_fail(-ENOMEM, "out of memory");
	ring->epoll = ring->reaper = -1;
	ring->stale = true;
	r = open_source(ring, &opts);
	if (r < 0) {
		tlobctl_ring_close(ring);
		errno = -r;
		return r;
	}
	*out = ring;
	return 0;
}

void tlobctl_ring_close(struct tlobctl_ring *ring)
{
	if (!ring)
		return;
	for (size_t i = 0; i < ring->ncpus; i++) {
		struct tlobctl_ring_cpu *c = &ring->cpus[i];

		if (c->meta)
			munmap(c->meta, c->meta_bytes);
		if (c->pages)
			munmap(c->pages, c->pages_bytes);
		free(c->copy);
		free(c->event_copy);
		close(c->fd);
	}
	if (ring->ops && ring->ops->close)
		ring->ops->close(ring);
	if (ring->epoll >= 0)
		close(ring->epoll);
	free(ring->cpus);
	tlobctl_ring_saving_free(ring->saving);
	tlobctl_ring_head_deinit(&ring->file);
	for (size_t i = 0; i < ring->nwanted; i++)
		free(ring->wanted[i]);
	free(ring->wanted);
	free(ring->recording);
	free(ring->note);
	free(ring);
}

const char *tlobctl_ring_source_name(const struct tlobctl_ring *ring)
{
	return ring->ops->name;
}

bool tlobctl_ring_is_mapped(const struct tlobctl_ring *ring)
{
	for (size_t i = 0; i < ring->ncpus; i++)
		if (!ring->cpus[i].meta)
			return false;
	return true;
}

const char *tlobctl_ring_note(const struct tlobctl_ring *ring)
{
	return ring->note ? ring->note : "";
}

uint64_t tlobctl_ring_unix_ns(const struct tlobctl_ring *ring, uint64_t time_ns)
{
	struct timespec unix_time, now;

	if (ring->recording)
		return time_ns + (uint64_t)ring->file.unix_offset_ns;
	clock_gettime(CLOCK_REALTIME, &unix_time);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return time_ns + (uint64_t)(unix_time.tv_sec - now.tv_sec) * 1000000000 +
	       (uint64_t)(unix_time.tv_nsec - now.tv_nsec);
}

int tlobctl_ring_fd(const struct tlobctl_ring *ring)
{
	return ring->epoll;
}

/* Of the module's, whose events may be more than were asked for. Recordings look for themselves: they have patterns. */
static bool is_wanted(const struct tlobctl_ring *ring, const struct tlobctl_ring_event *event)
{
	bool found = ring->recording || !ring->nwanted;

	for (size_t i = 0; !found && i < ring->nwanted; i++)
		found = !strcmp(ring->wanted[i], event->name);
	return found;
}

/* An event, from what is there or from what can be fetched. */
static int fill(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c, bool fetch)
{
	while (!c->has) {
		int r;

		c->has = c->page && ring->ops->next(ring, c);
		if (c->has && !is_wanted(ring, &c->event)) {
			c->has = false;
			continue;
		}
		if (c->has)
			break;
		c->page = NULL;
		ring->stale = true;
		if (!fetch)
			return 0;
		r = ring->ops->fetch(ring, c);
		if (r <= 0)
			return r;
		c->counts.fetches++;
	}
	return 0;
}

/*
 * CPUs without events are asked again only when one with events has used up its part of a page: else an idle CPU would
 * cost a call for each event of a busy one.
 */
int tlobctl_ring_next(struct tlobctl_ring *ring, struct tlobctl_ring_event *event)
{
	struct tlobctl_ring_cpu *first = NULL;
	bool fetch = ring->stale;

	ring->stale = false;
	for (size_t i = 0; i < ring->ncpus; i++) {
		struct tlobctl_ring_cpu *c = &ring->cpus[i];
		int r = fetch || c->page ? fill(ring, c, fetch) : 0;

		if (r < 0)
			return r;
		if (c->has && (!first || c->event.time_ns < first->event.time_ns))
			first = c;
	}
	if (!fetch && ring->stale)
		return tlobctl_ring_next(ring, event);
	if (fetch)
		ring->stale = !first;
	if (!first)
		return 0;
	*event = first->event;
	first->has = false;
	first->counts.read++;
	return 1;
}

int tlobctl_ring_text(struct tlobctl_ring *ring, const struct tlobctl_ring_event *event, char *buf,
		      size_t bytes)
{
	return ring->ops->text(ring, event, buf, bytes);
}

int tlobctl_ring_counts(struct tlobctl_ring *ring, int cpu, struct tlobctl_ring_counts *counts)
{
	struct tlobctl_ring_counts all = {0};
	bool found = cpu < 0;

	for (size_t i = 0; i < ring->ncpus; i++) {
		const struct tlobctl_ring_cpu *c = &ring->cpus[i];

		if (cpu >= 0 && c->cpu != (uint32_t)cpu)
			continue;
		found = true;
		all.read += c->counts.read;
		all.lost += c->counts.lost;
		all.fetches += c->counts.fetches;
	}
	if (!found)
		return tlobctl_fail(-EINVAL, "there is no ring of CPU %d", cpu);
	*counts = all;
	return 0;
}

int tlobctl_ring_next_part(struct tlobctl_ring *ring, struct tlobctl_ring_part *part)
{
	if (ring->recording)
		return tlobctl_fail(-EINVAL, "the pages of a recording are in its files");
	for (size_t tried = 0; tried < ring->ncpus; tried++) {
		struct tlobctl_ring_cpu *c = &ring->cpus[ring->next_part++ % ring->ncpus];
		int r = ring->ops->fetch(ring, c);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		c->counts.fetches++;
		while (ring->ops->next(ring, c))
			c->counts.read++;
		ring->ops->head(c, ring->head);
		*part = (struct tlobctl_ring_part){
			.cpu = c->cpu,
			.page = c->page_count,
			.page_bytes = c->page_bytes,
			.at = c->begin > ring->head_bytes ? c->begin : 0,
			.head = ring->head,
			.head_bytes = ring->head_bytes,
		};
		part->data = c->page + part->at;
		part->bytes = c->end - part->at;
		return 1;
	}
	return 0;
}
