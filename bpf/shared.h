/* SPDX-License-Identifier: GPL-2.0-only */
/* What the BPF programs and the agent that loads them have in common; nobody else sees any of it. */
#ifndef TLOB_BPF_SHARED_H
#define TLOB_BPF_SHARED_H

#include <tlob/abi.h>

#include <capture.h>

/*
 * An arena is 64 entries of memory. Arena 0 stands for all the arenas of threads seen through probes: one map,
 * of as many pieces of 64 entries as threads may be watched, so that each piece is an arena with a head. Arenas
 * from 1 on belong to one process each. In the tables by arena below, the pieces come after the others.
 */
#define TLOB_BPF_ARENAS 1024
#define TLOB_BPF_PIECE(n) (TLOB_BPF_ARENAS + (n))
#define TLOB_BPF_SLOTS_PER_ARENA (TLOB_ARENA_SLOTS - 1)
#define TLOB_BPF_MAX_PIECES 4096

#define TLOB_BPF_TRANSIT_PIECES 16 /* of arena 0, after those of threads: for passages */
#define TLOB_BPF_PASSAGES (TLOB_BPF_TRANSIT_PIECES * TLOB_BPF_SLOTS_PER_ARENA * TLOB_MAX_DEPTH)

#define TLOB_BPF_SHARED_EACH 128 /* windows in one arena that other processes may end */

#define TLOB_BPF_BINDINGS 4096
#define TLOB_BPF_MAX_SHARDS 16
#define TLOB_BPF_WANTS 8
#define TLOB_BPF_SHARES 1024 /* clients that are told apart when the record ring is crowded */

/* Who sits in a slot, as the kernel says; tgid 0: nobody. */
struct tlob_bpf_owner {
	__u32 tgid;
	__u32 tid;
	__u64 wanted; /* a window that has expired, of which nobody knows yet where it was, plus 1; 0: none */
};

/* How the stop of a region tells which start it belongs to. */
enum tlob_bpf_form {
	TLOB_BPF_PAIR, /* two addresses: the latest start */
	TLOB_BPF_RETURN, /* a function with a probe on its return: the one with the same stack frame */
	TLOB_BPF_EXITS, /* a function with probes where it is left: the same */
	TLOB_BPF_TAGGED, /* two addresses: the one with the same tag, whatever thread that was */
};

/* One pair of probes. */
struct tlob_bpf_binding {
	__u64 budget_ns;
	__u32 anyone; /* filters do not apply */
	__u32 form; /* enum tlob_bpf_form */
	/* TLOB_BPF_TAGGED: which argument is the tag, at the start and at the stop */
	__u8 argument[2];
	__u8 anywhere; /* the stop may be in another process */
	__u8 stage; /* of @chain */
	__u8 stages; /* of a chain: how many it has; 0: it is none */
	__u8 reserved[3];
	__u32 chain; /* binding of the chain that this is a stage of; 0: of none */
};

/* Statistics of one binding; an array of one per shard. */
struct tlob_bpf_tally {
	struct tlob_hist hist;
	__u64 overruns;
	__u64 refused; /* deeper than TLOB_MAX_DEPTH, or no slot left */
	__u64 unmatched; /* stops without a start */
	__u64 abandoned; /* in time, and their frame has gone without a stop */
	__u64 pad[4];
};

/*
 * A passage: a window that begins at a probe and ends at another one, in whatever thread. Its key is what the window has
 * in its members tag, region and switches.
 */
struct tlob_bpf_passage_key {
	__u64 tag;
	__u32 binding;
	__u32 tgid; /* 0: any process may end it */
};

struct tlob_bpf_passage {
	__u64 gen; /* of the window */
	__u32 entry; /* of arena 0 */
	__u32 index;
};

/* What comes through the record ring besides records; told apart by its size. */
enum tlob_bpf_note_kind {
	TLOB_BPF_NOTE_ABANDONED = 1, /* a window in time was ended by thread exit or exec */
	TLOB_BPF_NOTE_DRAIN = 2, /* the kick ring fills up */
	TLOB_BPF_NOTE_GONE =
		4, /* process @client, which has begun passages, has exited, or is another program */
	TLOB_BPF_NOTE_LEADER = 3, /* exec made another thread the leader of a process looked at */
};

struct tlob_bpf_note {
	__u32 kind;
	__u32 client;
	__u32 region;
	__u32 probe;
};

/* A window has been ended by a client, not always the one that began it and has it in its statistics. */
struct tlob_bpf_ended {
	__u32 client; /* began it */
	__u32 region;
	__u32 over;
	__u32 reserved;
	__u64 elapsed_ns;
};

/* Where programs may have no timers: what they ask of the agent. */
struct tlob_bpf_wakeup {
	__u32 arena;
	__u32 reserved;
	__u64 deadline_ns;
};

/* One CPU sample of a thread inside of windows. */
#define TLOB_BPF_SAMPLE_KERNEL 48 /* frames at most */
#define TLOB_BPF_SAMPLE_USER 127 /* what the kernel's own limit is by default */

#define TLOB_BPF_SAMPLE_STACK 4096 /* bytes: whole chunks */

struct tlob_bpf_sampled {
	__u64 window; /* as in records */
	__u64 start_ns;
	__u64 deadline_ns;
	__u32 client; /* 0: probes */
	__u32 region;
};

struct tlob_bpf_sample {
	__u64 time_ns;
	__u32 tid; /* of the initial pid namespace, as in records */
	__u32 tgid; /* as the agent sees it; 0: it does not */
	__u32 cpu;
	__u16 nwindows;
	__u16 nkernel; /* addresses; then come those of the program */
	__u16 nuser;
	__u16 reserved[3];
	char comm[TLOB_COMM_BYTES];
	struct tlob_bpf_sampled windows[TLOB_MAX_DEPTH];
	/* as in a capture, for code without frame pointers; of the stack less */
	__u64 regs[TLOB_CAPTURE_REGS];
	__u64 stack_start;
	__u64 stack_bytes;
	__u8 stack[TLOB_BPF_SAMPLE_STACK];
	__u64 chain[TLOB_BPF_SAMPLE_KERNEL + TLOB_BPF_SAMPLE_USER]; /* as many as there are */
};

/* Context of the agent's own calls. */
enum tlob_bpf_agent_op {
	TLOB_BPF_OPEN = 1, /* arena @arena gets @cookie and @client, and its timer */
	TLOB_BPF_CLOSE = 2, /* nobody registers there any more, and its timer stops */
	TLOB_BPF_SERVE = 3, /* look after every arena that a probe wants served */
	/* where the agent keeps the time: */
	TLOB_BPF_EXPECT =
		4, /* this CPU's next timer interrupt may be for @arena, at @deadline_ns */
	TLOB_BPF_WAKE = 5, /* it is time for @arena; @deadline_ns becomes its next, or TLOB_NEVER */
	TLOB_BPF_HERE = 6, /* whoever calls is the agent: from which pid namespace it looks */
};

struct tlob_bpf_agent {
	__u32 op;
	__u32 arena;
	__u64 cookie;
	__u64 deadline_ns;
	__u32 client;
	__u32 transit; /* OPEN: for windows of no thread */
};

/* Context of look(): where is the thread whose window has expired? */
struct tlob_bpf_look {
	__u32 tid;
	__u32 client;
	__u64 window;
	__u64 now_ns;
	__u32 cpu; /* answer, with EAGAIN: it runs there */
	__u32 reserved;
};

#endif
