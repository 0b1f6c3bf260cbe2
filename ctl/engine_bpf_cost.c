// SPDX-License-Identifier: GPL-2.0-or-later
/* What windows cost that another process may end: begun and ended as a program does, in an arena of this process. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "agent.h"
#include "engine_bpf.h"
#include "now.h"
#include "session.h"
#include "tlob.skel.h"

#define ROUNDS 5
#define PAIRS 40
#define NAME 0x746c6f62u /* no program's: theirs are 64 bits of a hash */

struct bench {
	int kick, arena;
	struct tlob_msg_arena msg;
	union tlob_arena_entry *entries;
};

static bool call(const struct bench *b, struct tlob_kick kick)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &kick, .ctx_size_in = sizeof(kick));

	return !bpf_prog_test_run_opts(b->kick, &opts) && !opts.retval;
}

static bool one_pair(const struct bench *b)
{
	struct tlob_transit *t = &b->entries[1].transit;
	struct tlob_window *w = &t->windows[0];

	t->used = 1;
	w->start_ns = tlobctl_now_ns();
	w->deadline_ns = w->start_ns + 60 * TLOBCTL_NS_PER_S;
	w->tag = (uint64_t)(uintptr_t)b; /* and nobody else's */
	w->region = 0;
	return call(b, (struct tlob_kick){.op = TLOB_KICK_BEGIN,
					  .arena = b->msg.arena,
					  .slot = 1,
					  .cookie = b->msg.cookie,
					  .now_ns = NAME,
					  .deadline_ns = w->tag}) &&
	       call(b,
		    (struct tlob_kick){.op = TLOB_KICK_END, .now_ns = NAME, .deadline_ns = w->tag});
}

static double measure(const struct bench *b)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t begin = tlobctl_now_ns(), took;

		for (int i = 0; i < PAIRS; i++)
			if (!one_pair(b))
				return 0;
		took = tlobctl_now_ns() - begin;
		best = took < best ? took : best;
	}
	return (double)best / PAIRS;
}

double tlobctl_bpf_shared_cost(struct tlobctl *ctl)
{
	struct tlobctl_client *client = calloc(1, sizeof(*client)); /* of id 0, which none has */
	struct bench b = {.kick = bpf_program__fd(tlobctl_bpf_of(ctl)->skel->progs.kick)};
	double cost = 0;

	if (!client || tlobctl_bpf_transit(ctl, client, &b.msg, &b.arena)) {
		free(client);
		return 0;
	}
	b.entries = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b.arena, 0);
	if (b.entries != MAP_FAILED) {
		cost = measure(&b);
		munmap(b.entries, TLOB_ARENA_BYTES);
	}
	close(b.arena);
	tlobctl_bpf_leave(ctl, client);
	free(client);
	return cost;
}
