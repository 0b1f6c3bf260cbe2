// SPDX-License-Identifier: GPL-2.0-or-later
/* See calibrate.h. */
#include "calibrate.h"

#include <link.h>
#include <string.h>

#include "hist.h"
#include "now.h"
#include "session.h"
#include "window.h"

/* ---- slots: the same steps as in libtlob, on memory of our own */

#define SLOT_ROUNDS 5
#define SLOT_PAIRS 2000

static struct {
	struct tlob_arena_head head;
	struct tlob_slot slot;
	struct tlob_hist hist;
	unsigned int kicks;
} bench;

static void one_pair(void)
{
	struct tlob_window *w = &bench.slot.windows[0];
	struct tlob_split split;
	uint64_t now, gen;

	do
		now = tlobctl_now_ns();
	while (!tlob_clock_try_read(&bench.slot.clock, now, &split));
	w->start_ns = now;
	w->deadline_ns = now + TLOBCTL_NS_PER_S;
	w->region = 1;
	w->switches = split.switches;
	w->running_ns = split.running_ns;
	w->waiting_ns = split.waiting_ns;
	w->sleeping_ns = split.sleeping_ns;
	bench.slot.used |= 1;
	gen = tlob_window_arm(w);
	if (tlob_window_wants_kick(&bench.head, now, w->deadline_ns))
		bench.kicks++; /* only if this thread was away for long */

	now = tlobctl_now_ns();
	tlob_window_end(w, gen);
	bench.slot.used &= ~1u;
	tlob_hist_add(&bench.hist, now - w->start_ns);
}

double tlobctl_calibrate_slot(void)
{
	uint64_t best = UINT64_MAX;

	memset(&bench, 0, sizeof(bench));
	for (int round = 0; round < SLOT_ROUNDS; round++) {
		uint64_t begin = tlobctl_now_ns(), took;

		bench.head.next_wake_ns = begin + TLOBCTL_NS_PER_S / 2;
		for (int i = 0; i < SLOT_PAIRS; i++)
			one_pair();
		took = tlobctl_now_ns() - begin;
		best = took < best ? took : best;
	}
	return (double)best / SLOT_PAIRS;
}

/* ---- probes */

#define PROBE_ROUNDS 5
#define PROBE_PAIRS 40

#if defined(__x86_64__)
#define DUMMY(name, code) \
	void name(void) __attribute__((visibility("hidden"))); \
	__asm__(".pushsection .text\n.balign 64\n.globl " #name "\n.hidden " #name \
		"\n.type " #name ",@function\n" #name ":\n" code "\nret\n.size " #name ",.-" #name \
		"\n.popsection\n")
DUMMY(tlobctl_nop5_a, ".byte 0x0f,0x1f,0x44,0x00,0x00");
DUMMY(tlobctl_nop5_b, ".byte 0x0f,0x1f,0x44,0x00,0x00");
DUMMY(tlobctl_push_a, "push %rbp\npop %rbp");
DUMMY(tlobctl_push_b, "push %rbp\npop %rbp");
DUMMY(tlobctl_step_a, "mov %rdi,%rax");
DUMMY(tlobctl_step_b, "mov %rdi,%rax");
#else
/* elsewhere all kinds cost about the same */
__attribute__((noinline, noclone)) static void tlobctl_step_a(void)
{
	__asm__ volatile("" ::: "memory");
}
__attribute__((noinline, noclone)) static void tlobctl_step_b(void)
{
	__asm__ volatile("nop" ::: "memory");
}
#define tlobctl_nop5_a tlobctl_step_a
#define tlobctl_nop5_b tlobctl_step_b
#define tlobctl_push_a tlobctl_step_a
#define tlobctl_push_b tlobctl_step_b
#endif

static void (*const dummies[][2])(void) = {
	[TLOBCTL_PROBE_NOP5] = {tlobctl_nop5_a, tlobctl_nop5_b},
	[TLOBCTL_PROBE_EMULATED] = {tlobctl_push_a, tlobctl_push_b},
	[TLOBCTL_PROBE_STEPPED] = {tlobctl_step_a, tlobctl_step_b},
};

/* Where in which file code of this process lies. */
struct origin {
	uintptr_t address;
	char path[4096];
	uint64_t offset;
};

static int find_origin(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct origin *o = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || o->address < start || o->address - start >= p->p_filesz)
			continue;
		strncpy(o->path, *info->dlpi_name ? info->dlpi_name : "/proc/self/exe",
			sizeof(o->path) - 1);
		o->offset = o->address - start + p->p_offset;
		return 1;
	}
	return 0;
}

static double time_pairs(void (*start)(void), void (*stop)(void))
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < PROBE_ROUNDS; round++) {
		uint64_t begin = tlobctl_now_ns(), took;

		for (int i = 0; i < PROBE_PAIRS; i++) {
			start();
			if (stop)
				stop();
		}
		took = tlobctl_now_ns() - begin;
		best = took < best ? took : best;
	}
	return (double)best / PROBE_PAIRS;
}

/* Negative: could not be measured. */
static double measure(struct tlobctl *ctl, enum tlobctl_probe_kind kind, bool to_return)
{
	struct origin start = {.address = (uintptr_t)dummies[kind][0]},
		      stop = {.address = (uintptr_t)dummies[kind][1]};
	struct tlobctl_binding b = {.id = TLOBCTL_CALIBRATION_ID,
				    .budget_ns = TLOB_BUDGET_MAX_NS,
				    .name = "(calibration)",
				    .path = start.path,
				    .start = "start",
				    .stop = to_return ? NULL : "stop",
				    .anyone = true,
				    .multi_fds = {-1, -1},
				    .tally_fd = -1};
	struct tlobctl_binding *list = &b;
	double cost = -1;

	if (!dl_iterate_phdr(find_origin, &start) || !dl_iterate_phdr(find_origin, &stop))
		return -1;
	b.start_offset = start.offset;
	b.stop_offset = stop.offset;
	if (!ctl->engine->attach(ctl, &list, 1)) {
		cost = time_pairs(dummies[kind][0], to_return ? NULL : dummies[kind][1]);
		ctl->engine->detach(ctl, &b);
	}
	tlobctl_binding_deinit(&b);
	return cost;
}

static double cost_of(struct tlobctl *ctl, enum tlobctl_probe_kind kind, bool to_return)
{
	double *cost = &ctl->probe_cost_ns[kind][to_return];

	if (kind <= TLOBCTL_PROBE_NONE || kind > TLOBCTL_PROBE_STEPPED)
		return 0;
	if (*cost == 0)
		*cost = measure(ctl, kind, to_return);
	return *cost > 0 ? *cost : 0;
}

double tlobctl_calibrate_binding(struct tlobctl *ctl, const struct tlobctl_binding *b)
{
	if (!b->stop && !b->nexits)
		return cost_of(ctl, b->start_kind, true);
	return (cost_of(ctl, b->start_kind, false) + cost_of(ctl, b->stop_kind, false)) / 2;
}
