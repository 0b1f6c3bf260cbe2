// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recordings of rings, as ring_save.c makes them. They may come from anywhere: each page is looked through before anything is taken
 * from it, and an event of the kernel's is copied to where zeros follow it, as libtraceevent believes the lengths in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <traceevent/event-parse.h>
#include <tlob/page_ring.h>

#include "error.h"
#include "rings.h"

#define HEAD_FILE_MAX (256u << 20)
/* Where a field may lie: an offset in an event has 16 bits, and so has a length; relative ones are added to that of their field. */
#define FIELD_END_MAX 0x10000
#define EVENT_ROOM 0x40000u
#define NAMES_SHOWN 8

/* ---- pages ---- */

/* NULL, or what is wrong at *@at. *@end: where its events end; *@events: how many there are. */
typedef const char *check_page(char *page, uint32_t bytes, uint32_t *at, uint32_t *end,
			       uint64_t *events);

static const char beyond_page[] = "the page says that it is larger than it is";
static const char beyond_end[] = "an event goes beyond the end of its page";
static const char no_event[] = "an event has a length that there is not";

static const char *check_module_page(char *page, uint32_t bytes, uint32_t *at, uint32_t *end,
				     uint64_t *events)
{
	const struct tlob_page_head *head = (const void *)page;

	*at = sizeof(*head);
	*end = TLOB_PAGE_BYTES(head->readable);
	if (*end == 0)
		*end = *at; /* nothing was written to it before the end */
	if (*end < *at || *end > bytes)
		return beyond_page;
	while (*at < *end) {
		const struct tlob_page_event *e = (const void *)(page + *at);

		if (e->bytes % 8 || e->bytes < (e->type == TLOB_PAGE_PADDING ? 8 : sizeof(*e)))
			return no_event;
		if (e->bytes > *end - *at)
			return beyond_end;
		*events += e->type != TLOB_PAGE_PADDING;
		*at += e->bytes;
	}
	return NULL;
}

/* Heads of the kernel's events: 5 bits of type, or of length in words, then 27 of time. */
enum {
	MAX_DATA_TYPE = 28,
	PADDING = 29
};

static const char *check_kernel_page(char *page, uint32_t bytes, uint32_t *at, uint32_t *end,
				     uint64_t *events)
{
	uint64_t commit;

	memcpy(&commit, page + 8, sizeof(commit));
	*at = *end = 16;
	if (commit > bytes - 16)
		return beyond_page;
	*end += (uint32_t)commit;
	while (*at < *end) {
		uint32_t words[2] = {0}, type, length;
		uint32_t left = *end - *at;

		memcpy(words, page + *at, left < sizeof(words) ? left : sizeof(words));
		type = words[0] & 31;
		if (type == PADDING && words[0] >> 5 == 0) { /* the rest of the page is empty */
			commit = *at - 16;
			memcpy(page + 8, &commit, sizeof(commit));
			*end = *at;
			break;
		}
		length = type == 0 || type == PADDING ? words[1] : 4 * type;
		if (type > PADDING)
			length = 4;
		if (length % 4 ||
		    length < (type == 0 ? 8 : 4)) /* of what it is takes a word at least */
			return no_event;
		if (left < 8 || length > left - 4)
			return beyond_end;
		*events += type <= MAX_DATA_TYPE;
		*at += 4 + length;
	}
	return NULL;
}

static int corrupt(const struct tlobctl_ring *ring, const struct tlobctl_ring_cpu *c, uint64_t at,
		   const char *why)
{
	return tlobctl_fail(-EBADMSG, "'%s.cpu%u' is corrupt: at byte %llu, %s", ring->recording,
			    c->cpu, (unsigned long long)at, why);
}

/* The next page, which is not empty: 1; 0: that was all. */
static int fetch(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c, check_page *check)
{
	const struct tlobctl_ring_head_cpu *head = &ring->file.cpus[c - ring->cpus];
	uint32_t at, end;
	const char *why;

	do {
		uint64_t where = c->page_count * c->page_bytes;
		ssize_t n;

		if (c->page_count == c->npages) {
			if (ring->file.ended && c->found != head->read)
				return tlobctl_fail(
					-EBADMSG,
					"'%s.cpu%u' is corrupt: there are %llu events in it, and %llu were recorded",
					ring->recording, c->cpu, (unsigned long long)c->found,
					(unsigned long long)head->read);
			return 0;
		}
		n = pread(c->fd, c->copy, c->page_bytes, (off_t)where);
		if (n < 0)
			return tlobctl_fail(-errno, "cannot read '%s.cpu%u': %s", ring->recording,
					    c->cpu, strerror(errno));
		if ((size_t)n < c->page_bytes)
			return corrupt(ring, c, where + (uint64_t)n, "it ends");
		why = check(c->copy, c->page_bytes, &at, &end, &c->found);
		if (why)
			return corrupt(ring, c, where + at, why);
		c->page_count++;
		c->begin = ring->head_bytes;
		c->end = end;
	} while (c->begin == c->end);
	c->page = c->copy;
	return 1;
}

static int module_fetch(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	int r = fetch(ring, c, check_module_page);

	c->at = c->begin;
	return r;
}

static int kernel_fetch(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	int r = fetch(ring, c, check_kernel_page);

	if (r > 0)
		tlobctl_ring_kernel_load(c);
	return r;
}

/* ---- events by name ---- */

/* SYSTEM:EVENT, SYSTEM, EVENT; the last is all that the module's have. */
static bool matches(const char *pattern, const char *system, const char *name)
{
	const char *colon = strchr(pattern, ':');
	char full[512];

	if (!colon)
		return !fnmatch(pattern, name, 0) || !fnmatch(pattern, system, 0);
	snprintf(full, sizeof(full), "%s:%s", system, name);
	return !fnmatch(pattern, full, 0) ||
	       (!colon[1] && !strncmp(pattern, full, strlen(pattern)));
}

static bool is_wanted(const struct tlobctl_ring *ring, const char *system, const char *name)
{
	bool found = !ring->nwanted;

	for (size_t i = 0; !found && i < ring->nwanted; i++)
		found = matches(ring->wanted[i], system, name);
	return found;
}

static bool module_next(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	while (tlobctl_ring_module.next(ring, c))
		if (is_wanted(ring, "", c->event.name))
			return true;
	return false;
}

/* What the last event left is zero again when the next one, which is shorter, is there. */
static void copy_event(struct tlobctl_ring_cpu *c)
{
	size_t bytes = c->event.bytes;

	memcpy(c->event_copy, c->event.data, bytes);
	if (bytes < c->event_bytes)
		memset(c->event_copy + bytes, 0, c->event_bytes - bytes);
	c->event_bytes = bytes;
	c->event.data = c->event_copy;
}

static bool kernel_next(struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c)
{
	const char *system;

	while (tlobctl_ring_kernel_take(c)) {
		copy_event(c);
		system = tlobctl_ring_kernel_name(ring, &c->event);
		if (is_wanted(ring, system, c->event.name))
			return true;
	}
	return false;
}

/* Calls @fn for each event that there may be. */
static void each_name(const struct tlobctl_ring *ring,
		      void (*fn)(const char *system, const char *name, void *arg), void *arg)
{
	struct tep_event **all = ring->tep ? tep_list_events(ring->tep, TEP_EVENT_SORT_NAME) : NULL;

	if (!ring->file.kernel)
		for (uint32_t type = TLOB_PAGE_PADDING + 1; type < TLOB_PAGE_TYPES; type++)
			fn("", tlobctl_ring_module_names[type], arg);
	for (size_t i = 0; all && all[i]; i++)
		fn(all[i]->system, all[i]->name, arg);
}

struct name_search {
	const char *pattern;
	bool found;
	unsigned int seen;
	char names[512];
};

static void look_at_name(const char *system, const char *name, void *arg)
{
	struct name_search *s = arg;
	size_t used = strlen(s->names);

	s->found = s->found || matches(s->pattern, system, name);
	if (s->seen++ < NAMES_SHOWN)
		snprintf(s->names + used, sizeof(s->names) - used, "%s%s", used ? ", " : "", name);
}

static int check_names(const struct tlobctl_ring *ring)
{
	for (size_t i = 0; i < ring->nwanted; i++) {
		struct name_search s = {.pattern = ring->wanted[i]};

		each_name(ring, look_at_name, &s);
		if (!s.found)
			return tlobctl_fail(-ENOENT, "'%s' has no event '%s'; there are %s%s",
					    ring->recording, s.pattern, s.names,
					    s.seen > NAMES_SHOWN ? " and more" : "");
	}
	return 0;
}

/* ---- opening ---- */

/* @path, whole, to be freed. */
static char *read_head(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	ssize_t n = 1;

	*bytes = 0;
	if (fd < 0 || fstat(fd, &st)) {
		tlobctl_fail(-errno, "cannot open '%s': %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || st.st_size > HEAD_FILE_MAX) {
		tlobctl_fail(-EINVAL, "'%s' is no recording of tlob ring", path);
	} else if (!(text = malloc((size_t)st.st_size + 1))) {
		tlobctl_fail(-ENOMEM, "out of memory");
	} else {
		while (n > 0 && *bytes < (size_t)st.st_size) {
			n = read(fd, text + *bytes, (size_t)st.st_size - *bytes);
			*bytes += n > 0 ? (size_t)n : 0;
		}
		if (n < 0) {
			tlobctl_fail(-errno, "cannot read '%s': %s", path, strerror(errno));
			free(text);
			text = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* Of one CPU's pages: what they belong to. */
static int is_pages(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (!dot || strncmp(dot, ".cpu", 4) != 0 || !dot[4] ||
	    dot[4 + strspn(dot + 4, "0123456789")])
		return 0;
	return (int)(dot - path);
}

static int load_head(struct tlobctl_ring *ring, const char *path)
{
	size_t bytes;
	char *text = read_head(path, &bytes);
	const char *why;
	int r, length = is_pages(path);

	if (!text)
		return -errno;
	r = tlobctl_ring_head_parse(text, bytes, &ring->file, &why);
	free(text);
	if (r == -ENOMEM)
		return tlobctl_fail(r, "out of memory");
	if (r && length)
		return tlobctl_fail(r, "'%s' has pages of one CPU; the recording is '%.*s'", path,
				    length, path);
	return r ? tlobctl_fail(r, "'%s' %s", path, why) : 0;
}

static int check_size(const struct tlobctl_ring *ring, struct tlobctl_ring_cpu *c,
		      const struct tlobctl_ring_head_cpu *head)
{
	struct stat st;

	if (fstat(c->fd, &st))
		return tlobctl_fail(-errno, "cannot look at '%s.cpu%u': %s", ring->recording,
				    c->cpu, strerror(errno));
	c->npages = (uint64_t)st.st_size / head->page_bytes;
	if (!ring->file.ended)
		return 0;
	if ((uint64_t)st.st_size != head->pages * head->page_bytes)
		return tlobctl_fail(
			-EBADMSG, "'%s.cpu%u' is %s: %llu bytes of it are here, %llu were recorded",
			ring->recording, c->cpu, c->npages < head->pages ? "truncated" : "corrupt",
			(unsigned long long)st.st_size,
			(unsigned long long)(head->pages * head->page_bytes));
	return 0;
}

static int open_pages(struct tlobctl_ring *ring, const struct tlobctl_ring_head_cpu *head)
{
	struct tlobctl_ring_cpu *c;
	char *path;
	int r;

	if (asprintf(&path, "%s.cpu%u", ring->recording, head->cpu) < 0)
		return tlobctl_fail(-ENOMEM, "out of memory");
	r = tlobctl_ring_open_cpu(ring, head->cpu, path, &c);
	free(path);
	if (r == -ENOENT)
		return tlobctl_fail(
			r, "'%s.cpu%u' is missing: the pages of a recording belong beside it",
			ring->recording, head->cpu);
	if (r)
		return r;
	c->page_bytes = head->page_bytes;
	c->counts.lost = head->lost;
	c->copy = malloc(c->page_bytes);
	if (!c->copy)
		return tlobctl_fail(-ENOMEM, "out of memory");
	if (ring->file.kernel) {
		c->event_copy = calloc(1, EVENT_ROOM + TLOBCTL_RING_PAGE_MAX);
		if (!c->event_copy)
			return tlobctl_fail(-ENOMEM, "out of memory");
		r = tlobctl_ring_kernel_decoder(c);
	}
	return r ? r : check_size(ring, c, head);
}

static bool in_bounds(const struct tep_format_field *f)
{
	for (; f; f = f->next)
		if (f->offset < 0 || f->size < 0 || f->offset > FIELD_END_MAX ||
		    f->size > FIELD_END_MAX)
			return false;
	return true;
}

static int learn_formats(struct tlobctl_ring *ring)
{
	const struct tlobctl_ring_head *h = &ring->file;
	struct tep_event **all;
	int r = tlobctl_ring_kernel_set_up(ring, h->memory_page_bytes);

	for (size_t i = 0; r == 0 && i < h->nformats; i++)
		tlobctl_ring_kernel_learn(ring, &h->formats[i]);
	all = r ? NULL : tep_list_events(ring->tep, TEP_EVENT_SORT_ID);
	for (size_t i = 0; all && all[i]; i++)
		if (!in_bounds(all[i]->format.common_fields) || !in_bounds(all[i]->format.fields))
			return tlobctl_fail(
				-EBADMSG,
				"'%s' is corrupt: the format of %s has fields out of bounds",
				ring->recording, all[i]->name);
	return r;
}

static void say_what_it_is(struct tlobctl_ring *ring)
{
	const struct tlobctl_ring_head *h = &ring->file;
	time_t seconds = (time_t)(h->unix_ns / 1000000000);
	char when[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	tlobctl_ring_noted(ring, "recorded %s on Linux %s, %s, %zu CPU%s", when, h->release,
			   h->machine, h->ncpus, h->ncpus == 1 ? "" : "s");
	if (!h->ended)
		tlobctl_ring_noted(
			ring,
			"the recording was not ended: what was lost is not known, and its last events may be missing");
}

int tlobctl_ring_file_open(struct tlobctl_ring *ring, const struct tlobctl_ring_opts *opts)
{
	int r;

	ring->recording = strdup(opts->recording);
	if (!ring->recording)
		return tlobctl_fail(-ENOMEM, "out of memory");
	r = load_head(ring, opts->recording);
	if (r)
		return r;
	ring->ops = ring->file.kernel ? &tlobctl_ring_kernel_file : &tlobctl_ring_module_file;
	ring->head_bytes = 16; /* of both */
	r = tlobctl_ring_want(ring, opts);
	if (r == 0 && ring->file.kernel)
		r = learn_formats(ring);
	if (r == 0)
		r = check_names(ring);
	for (size_t i = 0; r == 0 && i < ring->file.ncpus; i++)
		r = open_pages(ring, &ring->file.cpus[i]);
	if (r == 0)
		say_what_it_is(ring);
	return r;
}

static int module_text(struct tlobctl_ring *ring, const struct tlobctl_ring_event *event, char *buf,
		       size_t bytes)
{
	return tlobctl_ring_module.text(ring, event, buf, bytes);
}

static int kernel_text(struct tlobctl_ring *ring, const struct tlobctl_ring_event *event, char *buf,
		       size_t bytes)
{
	return tlobctl_ring_kernel.text(ring, event, buf, bytes);
}

static void kernel_close(struct tlobctl_ring *ring)
{
	tlobctl_ring_kernel.close(ring);
}

const struct tlobctl_ring_ops tlobctl_ring_module_file = {
	.name = "module",
	.fetch = module_fetch,
	.next = module_next,
	.text = module_text,
};

const struct tlobctl_ring_ops tlobctl_ring_kernel_file = {
	.name = "kernel",
	.fetch = kernel_fetch,
	.next = kernel_next,
	.text = kernel_text,
	.close = kernel_close,
};
