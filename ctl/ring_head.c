// SPDX-License-Identifier: GPL-2.0-or-later
/* See ring_head.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ring_head.h"

#define LINE_BYTES 256
#define FORMAT_MAX (1u << 20)
#define CPU_MAX (1u << 16)

void tlobctl_ring_head_deinit(struct tlobctl_ring_head *head)
{
	for (size_t i = 0; i < head->nformats; i++) {
		free(head->formats[i].system);
		free(head->formats[i].text);
	}
	free(head->formats);
	free(head->cpus);
	memset(head, 0, sizeof(*head));
}

int tlobctl_ring_head_add_format(struct tlobctl_ring_head *head, const char *system,
				 const char *text, size_t bytes)
{
	struct tlobctl_ring_format *formats =
		reallocarray(head->formats, head->nformats + 1, sizeof(*formats));
	struct tlobctl_ring_format *f;

	if (!formats)
		return -ENOMEM;
	head->formats = formats;
	f = &formats[head->nformats];
	f->system = strdup(system);
	f->text = malloc(bytes + 1);
	f->bytes = bytes;
	if (!f->system || !f->text) {
		free(f->system);
		free(f->text);
		return -ENOMEM;
	}
	memcpy(f->text, text, bytes);
	f->text[bytes] = '\0';
	head->nformats++;
	return 0;
}

int tlobctl_ring_head_add_cpu(struct tlobctl_ring_head *head,
			      const struct tlobctl_ring_head_cpu *cpu)
{
	struct tlobctl_ring_head_cpu *cpus =
		reallocarray(head->cpus, head->ncpus + 1, sizeof(*cpus));

	if (!cpus)
		return -ENOMEM;
	head->cpus = cpus;
	cpus[head->ncpus++] = *cpu;
	return 0;
}

/* ---- writing ---- */

static uint32_t sum_of(const char *text, size_t bytes)
{
	return (uint32_t)crc32(0, (const Bytef *)text, (uInt)bytes);
}

char *tlobctl_ring_head_print(const struct tlobctl_ring_head *head, size_t *bytes)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, bytes);

	if (!f)
		return NULL;
	fprintf(f, TLOBCTL_RING_HEAD_MAGIC "%u\nsource %s %u\nmachine %s %u %u\nkernel %s %s\n",
		TLOBCTL_RING_HEAD_FORMAT, head->kernel ? "kernel" : "module", TLOBCTL_RING_LAYOUT,
		head->big_endian ? "big" : "little", head->long_bytes, head->memory_page_bytes,
		head->release, head->machine);
	fprintf(f, "clock %" PRIu64 " %" PRId64 "\n", head->unix_ns, head->unix_offset_ns);
	for (size_t i = 0; i < head->ncpus; i++) {
		const struct tlobctl_ring_head_cpu *c = &head->cpus[i];

		fprintf(f, "cpu %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", c->cpu, c->page_bytes,
			c->pages, c->read, c->lost);
	}
	for (size_t i = 0; i < head->nformats; i++) {
		fprintf(f, "format %s %zu\n", head->formats[i].system, head->formats[i].bytes);
		fwrite(head->formats[i].text, 1, head->formats[i].bytes, f);
		fputc('\n', f);
	}
	if (head->ended)
		fputs("ended\n", f);
	if (fflush(f) == 0)
		fprintf(f, "crc32 %08x\n", sum_of(text, *bytes));
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- reading ---- */

struct cursor {
	const char *at, *end;
	char line[LINE_BYTES]; /* the one last taken, without its end */
};

static bool take_line(struct cursor *c)
{
	const char *newline = memchr(c->at, '\n', (size_t)(c->end - c->at));
	size_t length;

	if (!newline)
		return false;
	length = (size_t)(newline - c->at);
	if (length >= sizeof(c->line) || memchr(c->at, '\0', length))
		return false;
	memcpy(c->line, c->at, length);
	c->line[length] = '\0';
	c->at = newline + 1;
	return true;
}

static bool whole(const struct cursor *c, int n)
{
	return n > 0 && c->line[n] == '\0';
}

static const char *parse_source(struct cursor *c, struct tlobctl_ring_head *head)
{
	char source[8];
	unsigned int layout;
	int n = 0;

	if (!take_line(c) || sscanf(c->line, "source %7s %u%n", source, &layout, &n) != 2 ||
	    !whole(c, n))
		return "is corrupt: it does not say where its events come from";
	head->kernel = !strcmp(source, "kernel");
	if ((!head->kernel && strcmp(source, "module") != 0) || layout != TLOBCTL_RING_LAYOUT)
		return "has pages of a layout that this tlob does not know; read it with the one that wrote it";
	return NULL;
}

static const char *parse_machine(struct cursor *c, struct tlobctl_ring_head *head)
{
	char order[8];
	int n = 0;

	if (!take_line(c) ||
	    sscanf(c->line, "machine %7s %u %u%n", order, &head->long_bytes,
		   &head->memory_page_bytes, &n) != 3 ||
	    !whole(c, n))
		return "is corrupt: it does not say of what machine it is";
	head->big_endian = !strcmp(order, "big");
	if ((!head->big_endian && strcmp(order, "little") != 0) ||
	    head->memory_page_bytes > TLOBCTL_RING_PAGE_MAX)
		return "is corrupt: there is no such machine";
	if (head->big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
		return head->big_endian ?
			       "was made on a big-endian machine; read it on one of these" :
			       "was made on a little-endian machine; read it on one of these";
	if (head->long_bytes != 8)
		return "was made on a 32-bit machine, whose pages this tlob cannot read";
	n = 0;
	if (!take_line(c) ||
	    sscanf(c->line, "kernel %64s %64s%n", head->release, head->machine, &n) != 2 ||
	    !whole(c, n))
		return "is corrupt: it does not say of what kernel it is";
	n = 0;
	if (!take_line(c) ||
	    sscanf(c->line, "clock %" SCNu64 " %" SCNd64 "%n", &head->unix_ns,
		   &head->unix_offset_ns, &n) != 2 ||
	    !whole(c, n))
		return "is corrupt: it does not say when it was made";
	return NULL;
}

static const char *parse_cpu(struct cursor *c, struct tlobctl_ring_head *head)
{
	struct tlobctl_ring_head_cpu cpu;
	int n = 0;

	if (sscanf(c->line, "cpu %u %u %" SCNu64 " %" SCNu64 " %" SCNu64 "%n", &cpu.cpu,
		   &cpu.page_bytes, &cpu.pages, &cpu.read, &cpu.lost, &n) != 5 ||
	    !whole(c, n) || cpu.cpu >= CPU_MAX || cpu.page_bytes < 64 ||
	    cpu.page_bytes > TLOBCTL_RING_PAGE_MAX || cpu.page_bytes % 8 ||
	    cpu.pages > INT64_MAX / TLOBCTL_RING_PAGE_MAX)
		return "is corrupt: a CPU is none";
	if (head->ncpus && cpu.cpu <= head->cpus[head->ncpus - 1].cpu)
		return "is corrupt: its CPUs are not in order";
	return tlobctl_ring_head_add_cpu(head, &cpu) ? "" : NULL;
}

static const char *parse_format(struct cursor *c, struct tlobctl_ring_head *head)
{
	char system[LINE_BYTES];
	size_t bytes;
	int n = 0;

	if (!head->kernel || sscanf(c->line, "format %255s %zu%n", system, &bytes, &n) != 2 ||
	    !whole(c, n) || bytes > FORMAT_MAX || bytes >= (size_t)(c->end - c->at) ||
	    c->at[bytes] != '\n')
		return "is corrupt: the format of an event is none";
	if (tlobctl_ring_head_add_format(head, system, c->at, bytes))
		return "";
	c->at += bytes + 1;
	return NULL;
}

static const char *parse_rest(struct cursor *c, struct tlobctl_ring_head *head)
{
	const char *why = NULL;

	while (!why && c->at < c->end) {
		if (!take_line(c) || head->ended)
			why = "is corrupt: something does not belong there";
		else if (!strncmp(c->line, "cpu ", 4))
			why = parse_cpu(c, head);
		else if (!strncmp(c->line, "format ", 7))
			why = parse_format(c, head);
		else if (!strcmp(c->line, "ended"))
			head->ended = true;
		else
			why = "is corrupt: something does not belong there";
	}
	if (!why && !head->ncpus)
		why = "is corrupt: it names no CPU";
	return why;
}

/* The last line, which is cut off. */
static const char *check_sum(struct cursor *c)
{
	static const char name[] = "crc32 ";
	const size_t length = sizeof(name) - 1 + 8 + 1;
	char digits[9], *end;

	if ((size_t)(c->end - c->at) < length || memcmp(c->end - length, name, sizeof(name) - 1) ||
	    c->end[-1] != '\n')
		return "is truncated: its last line is missing";
	memcpy(digits, c->end - 9, 8);
	digits[8] = '\0';
	c->end -= length;
	if (strtoul(digits, &end, 16) != sum_of(c->at, (size_t)(c->end - c->at)) || *end)
		return "is corrupt: its checksum is another";
	return NULL;
}

static const char *parse(struct cursor *c, struct tlobctl_ring_head *head)
{
	const size_t magic = strlen(TLOBCTL_RING_HEAD_MAGIC);
	const char *why;
	unsigned int format;
	int n = 0;

	if ((size_t)(c->end - c->at) < magic || memcmp(c->at, TLOBCTL_RING_HEAD_MAGIC, magic) != 0)
		return "is no recording of tlob ring";
	why = check_sum(c);
	if (why)
		return why;
	if (!take_line(c) || sscanf(c->line, TLOBCTL_RING_HEAD_MAGIC "%u%n", &format, &n) != 1 ||
	    !whole(c, n))
		return "is corrupt: it does not say of what format it is";
	if (format != TLOBCTL_RING_HEAD_FORMAT)
		return "has a format that this tlob does not know; read it with the one that wrote it";
	why = parse_source(c, head);
	if (!why)
		why = parse_machine(c, head);
	return why ? why : parse_rest(c, head);
}

int tlobctl_ring_head_parse(const char *text, size_t bytes, struct tlobctl_ring_head *head,
			    const char **why)
{
	struct cursor c = {.at = text, .end = text + bytes};

	memset(head, 0, sizeof(*head));
	*why = parse(&c, head);
	if (!*why)
		return 0;
	tlobctl_ring_head_deinit(head);
	return **why ? -EINVAL : -ENOMEM;
}
