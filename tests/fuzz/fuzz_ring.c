// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recordings of rings, however senseless. The input's first byte says what the rest is: a head, whose checksum is made right, or pages
 * of the module's or of the kernel's. A head that is taken reads as the same one when it is written again. What is taken from pages
 * lies in them, in words too.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "ctl/rings.h"
#include "fuzz.h"

enum {
	HEAD,
	MODULE,
	KERNEL,
	KINDS
};

#define CPUS 2
#define EVENT_ROOM 0x140000 /* as recordings have it */

#define COMMON \
	"format:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n" \
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n" \
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n" \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"

static const char *const formats[] = {
	"name: sched_waking\nID: 1\n" COMMON
	"\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
	"\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;\n"
	"\tfield:int prio;\toffset:28;\tsize:4;\tsigned:1;\n"
	"\tfield:int target_cpu;\toffset:32;\tsize:4;\tsigned:1;\n\n"
	"print fmt: \"comm=%s pid=%d prio=%d target_cpu=%03d\", REC->comm, REC->pid, REC->prio, "
	"REC->target_cpu\n",
	"name: sched_process_exec\nID: 2\n" COMMON
	"\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n"
	"\tfield:pid_t old_pid;\toffset:16;\tsize:4;\tsigned:1;\n\n"
	"print fmt: \"filename=%s pid=%d old_pid=%d\", __get_str(filename), REC->pid, REC->old_pid\n",
};

/* ---- heads ---- */

static void check_head(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 16), *first, *second;
	struct tlobctl_ring_head head;
	size_t bytes, again;
	const char *why;
	int r;

	CHECK(text);
	memcpy(text, data, size);
	sprintf(text + size, "crc32 %08lx\n", crc32(0, data, (uInt)size));
	r = tlobctl_ring_head_parse(text, size + 15, &head, &why);
	CHECK(r == 0 || r == -EINVAL);
	CHECK(!why == !r);
	if (r == 0) {
		first = tlobctl_ring_head_print(&head, &bytes);
		tlobctl_ring_head_deinit(&head);
		CHECK(first && tlobctl_ring_head_parse(first, bytes, &head, &why) == 0);
		second = tlobctl_ring_head_print(&head, &again);
		CHECK(second && again == bytes && !memcmp(first, second, bytes));
		tlobctl_ring_head_deinit(&head);
		free(first);
		free(second);
	}
	CHECK(head.ncpus == 0 && head.nformats == 0);
	free(text);
}

/* ---- pages ---- */

static struct tlobctl_ring ring;
static struct tlobctl_ring_cpu cpus[CPUS];
static struct tlobctl_ring_head_cpu head_cpus[CPUS];

static void set_up(void)
{
	ring.recording = (char *)"r";
	ring.cpus = cpus;
	ring.file.cpus = head_cpus;
	ring.ncpus = CPUS;
	ring.head_bytes = 16;
	CHECK(tlobctl_ring_kernel_set_up(&ring, 4096) == 0);
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		const struct tlobctl_ring_format format = {(char *)"sched", (char *)formats[i],
							   strlen(formats[i])};

		tlobctl_ring_kernel_learn(&ring, &format);
	}
	CHECK(!ring.note);
	for (uint32_t i = 0; i < CPUS; i++) {
		cpus[i].cpu = i;
		cpus[i].fd = memfd_create("pages", 0);
		CHECK(cpus[i].fd >= 0);
		CHECK(tlobctl_ring_kernel_decoder(&cpus[i]) == 0);
		cpus[i].event_copy = calloc(1, EVENT_ROOM);
		CHECK(cpus[i].event_copy);
	}
}

static void begin(struct tlobctl_ring_cpu *c, const uint8_t *data, size_t size, uint32_t page_bytes)
{
	c->page_bytes = page_bytes;
	c->npages = (size + page_bytes - 1) / page_bytes;
	CHECK(pwrite(c->fd, data, size, 0) == (ssize_t)size);
	/* what is left of the last input is cut off first */
	CHECK(ftruncate(c->fd, (off_t)size) == 0);
	CHECK(ftruncate(c->fd, (off_t)(c->npages * page_bytes)) == 0);
	c->copy = malloc(page_bytes); /* of that size: what is read beyond it is seen */
	CHECK(c->copy);
	c->page = NULL;
	c->page_count = c->found = 0;
	c->has = false;
	memset(&c->counts, 0, sizeof(c->counts));
}

static void check_event(const struct tlobctl_ring_event *e)
{
	const struct tlobctl_ring_cpu *c = &cpus[e->cpu];
	const char *data = e->data, *room = ring.file.kernel ? c->event_copy : c->copy;
	char text[512];

	CHECK(e->bytes <= c->page_bytes);
	CHECK(data >= room &&
	      data + e->bytes <= room + (ring.file.kernel ? EVENT_ROOM : c->page_bytes));
	CHECK(tlobctl_ring_text(&ring, e, text, sizeof(text)) == 0);
	CHECK(strlen(text) < sizeof(text));
}

static void check_pages(const uint8_t *data, size_t size, bool kernel)
{
	uint32_t page_bytes = 64u << (data[0] & 3);
	size_t half = (size - 1) / 2 / page_bytes * page_bytes;
	struct tlobctl_ring_event event;
	uint64_t taken = 0;
	int r;

	if (!cpus[0].event_copy)
		set_up();
	ring.file.kernel = kernel;
	ring.ops = kernel ? &tlobctl_ring_kernel_file : &tlobctl_ring_module_file;
	ring.stale = true;
	begin(&cpus[0], data + 1, half, page_bytes);
	begin(&cpus[1], data + 1 + half, size - 1 - half, page_bytes);
	while ((r = tlobctl_ring_next(&ring, &event)) > 0) {
		check_event(&event);
		taken++;
	}
	CHECK(r == 0 || r == -EBADMSG);
	CHECK(r || taken == cpus[0].found + cpus[1].found);
	free(cpus[0].copy);
	free(cpus[1].copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] % KINDS == HEAD)
		check_head(data + 1, size - 1);
	else
		check_pages(data + 1, size - 1, data[0] % KINDS == KERNEL);
	return 0;
}
