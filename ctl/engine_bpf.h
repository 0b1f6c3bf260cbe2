/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Engine bpf, the agent's side: parts that its files share. */
#ifndef TLOBCTL_ENGINE_BPF_H
#define TLOBCTL_ENGINE_BPF_H

#include <bpf/libbpf.h>

#include "session.h"

#include "../bpf/shared.h"

struct tlob; /* the skeleton */
struct tlobctl_bpf_time;
struct tlobctl_bpf_samples;

/* What the running kernel's type information says. */
struct tlobctl_bpf_features {
	bool btf;
	bool switch_state; /* sched_switch passes the state: Linux 5.18 */
	bool queue_stamp; /* struct sched_info is kept */
	bool task_from_pid; /* Linux 6.2 */
	bool softirq_raise; /* tracepoints */
	bool local_timer;
	bool irq_work;
	bool timers; /* programs may have timers: not on real-time kernels */
	bool ring_sleeps; /* real-time, and the ring's lock is none for interrupts: not to be used */
	int uprobe_multi; /* attach type: many addresses with one link; 0: not here. Linux 6.6 */
};
void tlobctl_bpf_features(struct tlobctl_bpf_features *out);

/* An arena of a process. */
struct tlobctl_bpf_arena {
	enum {
		TLOBCTL_ARENA_VOID,
		TLOBCTL_ARENA_READY,
		TLOBCTL_ARENA_TAKEN
	} state;
	union tlob_arena_entry *entries; /* mapped here too, to end its windows; NULL: void */
	int fd; /* ready only */
};

struct tlobctl_bpf {
	struct tlob *skel;
	struct ring_buffer *records;
	struct tlobctl_source records_source;
	struct ring_buffer *kicks;
	struct tlobctl_source kicks_source;
	struct tlobctl_bpf_samples *samples; /* NULL: none are taken */
	struct tlobctl_bpf_time *time; /* NULL: programs have timers */
	bool serves_kicks; /* no interrupt to hook: this process sets the timers that probes want */
	struct tlobctl_bpf_arena arenas[TLOB_BPF_ARENAS]; /* 0 is for probes */
	size_t nready;
	uint32_t pieces; /* of arena 0 */
	uint32_t shards;
	int uprobe_multi; /* as in the features */
	bool probes_open; /* arena 0 is there */
	uint64_t passed; /* records handed out */
	uint64_t turn, turn_records, turn_end_ns; /* of the ring: how far it is, when it ends */
	uint64_t slice_ns, slice_passed; /* when a slice of time began, and with how many */
};

static inline struct tlobctl_bpf *tlobctl_bpf_of(const struct tlobctl *ctl)
{
	return ctl->engine_state;
}

/* Load all programs and attach those that are always on. */
int tlobctl_bpf_load(struct tlobctl *ctl, struct tlobctl_bpf *bpf);
/* 0, or a negative errno with tlobctl_error(). Programs that are not loaded are left out. */
int tlobctl_bpf_attach_if_loaded(struct bpf_program *program, struct bpf_link **link);
/* One of the agent's own calls into its program. */
int tlobctl_bpf_call(struct tlobctl_bpf *bpf, struct tlob_bpf_agent *call);
/* Why the load failed with @err and what to do, in tlobctl_error(). Returns @err. */
int tlobctl_bpf_explain(int err, const struct tlobctl_bpf_features *features, const char *log);
/* Before the load: its size and programs. After it: map it. */
void tlobctl_bpf_history_configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf);
int tlobctl_bpf_history_map(struct tlobctl *ctl, struct tlobctl_bpf *bpf);
/* Before the load, after that of the history. After the load: attach them, if they are to be there. */
void tlobctl_bpf_interrupts_configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf);
int tlobctl_bpf_interrupts_attach(struct tlob *skel);
/* Before the load: is there a program for CPU samples? After it: take them. */
void tlobctl_bpf_samples_configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf);
int tlobctl_bpf_samples_open(struct tlobctl *ctl);
void tlobctl_bpf_samples_close(struct tlobctl_bpf *bpf);
/* The same for captured stacks. */
void tlobctl_bpf_stacks_configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf,
				  const struct tlobctl_bpf_features *features);
int tlobctl_bpf_stacks_map(struct tlobctl *ctl, struct tlobctl_bpf *bpf);
/* The thread of @record, whose window has just expired: capture where it is, if that can be done. */
void tlobctl_bpf_look(struct tlobctl *ctl, const struct tlob_record *record);
/* For programs without timers: a thread that keeps the time. */
int tlobctl_bpf_time_start(struct tlobctl_bpf *bpf);
void tlobctl_bpf_time_stop(struct tlobctl_bpf *bpf);
/* Hand out all records that are in the ring now. */
void tlobctl_bpf_drain(struct tlobctl *ctl);

int tlobctl_bpf_join(struct tlobctl *ctl, struct tlobctl_client *client, struct tlob_msg_arena *msg,
		     int *kick, int *arena);
int tlobctl_bpf_grow(struct tlobctl *ctl, struct tlobctl_client *client, struct tlob_msg_arena *msg,
		     int *arena);
/* ns of a begin and end, of an arena and by calls as programs make them; 0: it could not be measured. */
double tlobctl_bpf_shared_cost(struct tlobctl *ctl);
int tlobctl_bpf_transit(struct tlobctl *ctl, struct tlobctl_client *client,
			struct tlob_msg_arena *msg, int *arena);
/* It has gone: what it left open between its threads ends as abandoned, or if it is the session that goes, as cancelled. */
void tlobctl_bpf_transit_leave(struct tlobctl *ctl, struct tlobctl_client *client);
/* The same for the passages that process @tgid has begun. */
void tlobctl_bpf_passages_leave(struct tlobctl *ctl, uint32_t tgid);
void tlobctl_bpf_leave(struct tlobctl *ctl, struct tlobctl_client *client);
/* One more arena map, of @pieces times 64 entries, mapped. */
int tlobctl_bpf_arena_new(struct tlobctl_bpf_arena *arena, uint32_t pieces);
/* End all windows of @arena, @pieces times 64 entries, as cancelled, and give up the mapping. */
void tlobctl_bpf_arena_free(struct tlobctl_bpf_arena *arena, uint32_t pieces);
/* Have some arenas ready. */
void tlobctl_bpf_prepare(struct tlobctl *ctl);
void tlobctl_bpf_arenas_deinit(struct tlobctl_bpf *bpf);

/* Whom probes look at, from the session's options. */
int tlobctl_bpf_filters(struct tlobctl *ctl, struct tlobctl_bpf *bpf);

int tlobctl_bpf_attach(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n);
void tlobctl_bpf_detach(struct tlobctl *ctl, struct tlobctl_binding *binding);
int tlobctl_bpf_update(struct tlobctl *ctl, struct tlobctl_binding **bindings, size_t n);
/* The process that probes are limited to has got another leader, and the kernel goes by that. */
void tlobctl_bpf_reattach(struct tlobctl *ctl);
void tlobctl_bpf_tally(struct tlobctl *ctl, const struct tlobctl_binding *binding,
		       struct tlobctl_stat *stat, struct tlob_hist *hist);

#endif
