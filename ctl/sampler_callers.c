// SPDX-License-Identifier: GPL-2.0-or-later
/* Who called the function a sample found running: by the call frame information of what was mapped, from a copy of its stack. */
#include <stddef.h>

#include "../why/unwind.h"
#include "names.h"
#include "now.h"
#include "sampler.h"
#include "session.h"

#define SPEND_NS \
	(TLOBCTL_NS_PER_S / 20) /* CPU time in each second; beyond it, frame pointers must do */
#define MAX_CALLERS 64

/* As the end of struct tlob_bpf_sample, of which this is a part. */
struct copied {
	uint64_t regs[TLOB_CAPTURE_REGS];
	uint64_t stack_start;
	uint64_t stack_bytes;
	unsigned char stack[];
};
_Static_assert(offsetof(struct tlob_bpf_sample, stack) - offsetof(struct tlob_bpf_sample, regs) ==
		       offsetof(struct copied, stack),
	       "a part of the sample");

struct finder {
	struct tlobctl *ctl;
	const struct why_space *space;
	uint64_t time_ns;
};

static bool find_code(void *arg, uint64_t pc, struct why_code *out)
{
	const struct finder *f = arg;
	const struct why_mapping *m = why_space_find(f->space, f->time_ns, pc);

	*out = (struct why_code){0};
	if (!m)
		return false;
	if (!m->object)
		return true;
	if (!tlobctl_names_want_code(f->ctl, f->space->tgid, m->object, pc))
		tlobctl_names_wait(f->ctl);
	why_code_of(&f->ctl->stacks.codes, m->object, why_mapping_offset(m, pc), pc, out);
	return true;
}

static bool may_spend(struct tlobctl_sampler *s, uint64_t now)
{
	if (now - s->unwinding_second_ns >= TLOBCTL_NS_PER_S) {
		s->unwinding_second_ns = now;
		s->unwinding_ns = 0;
	}
	return s->unwinding_ns < SPEND_NS;
}

size_t tlobctl_sampler_callers(const struct why_raw *raw, const struct why_space *space,
			       uint64_t *chain, size_t room, bool *cut, void *arg)
{
	struct finder f = {.ctl = arg, .space = space, .time_ns = raw->time_ns};
	struct tlobctl_sampler *s = f.ctl->sampler;
	const struct copied *c = raw->sample.copy;
	uint64_t since = tlobctl_cpu_ns();
	struct why_pc pcs[MAX_CALLERS];
	struct why_copy stack;
	struct why_regs regs;
	size_t n;

	if (raw->sample.copy_bytes < sizeof(*c) || !may_spend(s, raw->time_ns) ||
	    !why_regs_init(&regs, (const unsigned long long *)c->regs))
		return 0;
	stack = (struct why_copy){.start = c->stack_start,
				  .bytes = c->stack,
				  .size = raw->sample.copy_bytes - sizeof(*c)};
	n = why_unwind(&regs, &stack, find_code, &f, pcs, room < MAX_CALLERS ? room : MAX_CALLERS,
		       cut);
	for (size_t i = 0; i < n; i++)
		chain[i] = pcs[i].address;
	s->unwinding_ns += tlobctl_cpu_ns() - since;
	return n;
}
