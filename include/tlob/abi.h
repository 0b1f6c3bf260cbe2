/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an instrumented program, an engine and an agent share: thread clocks, windows, records, and the
 * ledger. Compiled into the library, the BPF programs and the kernel module, so it knows no libc.
 *
 * All times are nanoseconds of CLOCK_MONOTONIC. Each field names its writer; whoever reads a field that an
 * instrumented thread writes treats it as hostile: it is never used as an index or a length unchecked.
 */
#ifndef TLOB_ABI_H
#define TLOB_ABI_H

#if defined(__KERNEL__) || defined(__bpf__)
#ifndef TLOB_ABI_TYPES_DEFINED /* bpf/ and kmod/ bring their own fixed-width types */
#include <linux/types.h>
#endif
#else
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define TLOB_ASSERT(expr, what) static_assert(expr, what)
#else
#define TLOB_ASSERT(expr, what) _Static_assert(expr, what)
#endif

#define TLOB_ABI_MAGIC 0x626f6c74u /* "tlob" in memory, little endian */
#define TLOB_ABI_VERSION 1u

#define TLOB_MAX_DEPTH 8 /* windows a thread may have open at once */
#define TLOB_ARENA_SLOTS 64 /* entries of an arena; entry 0 is its head */
#define TLOB_TRANSIT_ARENAS 8 /* of a process, for windows that belong to no thread */
#define TLOB_MAX_REGIONS 256 /* regions of one process */
#define TLOB_NAME_BYTES 48 /* region name, NUL included */
#define TLOB_FILE_BYTES 64 /* tail of the source path, NUL included */
#define TLOB_COMM_BYTES 16
#define TLOB_NEVER (~0ULL) /* next_wake_ns: no window is waited for */

#define TLOB_BUDGET_MIN_NS 1000ULL /* 1 us */
#define TLOB_BUDGET_MAX_NS 3600000000000ULL /* 1 h */

/* Where a thread is. The numbers are those of model/tlob.dot; core/clock.h asserts it. */
enum tlob_state {
	TLOB_RUNNING = 0,
	TLOB_WAITING = 1, /* runnable, without a CPU */
	TLOB_SLEEPING = 2, /* blocked, stopped or traced */
};

/*
 * Thread clock: one cache line, written by the engine when the thread is switched out or in, and by
 * nobody else. @seq is odd while the engine writes. A thread that reads its own clock is running, so it
 * retries only if it was preempted in between.
 */
struct tlob_clock {
	__u32 seq;
	__u32 state; /* enum tlob_state */
	__u64 since_ns; /* since when in @state */
	__u64 running_ns; /* totals up to since_ns */
	__u64 waiting_ns;
	__u64 sleeping_ns;
	__u32 switches; /* times switched out */
	__u32 cpu;
	/* engine bpf, at the last switch-out: this clock minus the run queue's; waiting by the kernel's books */
	__u64 queue_skew_ns;
	__u64 queue_delay_ns;
};
TLOB_ASSERT(sizeof(struct tlob_clock) == 64, "thread clock is one cache line");

/*
 * Window: one cache line, written by the thread, except that the engine moves @state from ARMED to EXPIRED
 * or CANCELLED by compare-and-swap on the whole word.
 * state = generation << 2 | enum tlob_window_state.
 */
enum tlob_window_state {
	TLOB_IDLE = 0,
	TLOB_ARMED = 1,
	TLOB_EXPIRED = 2, /* the engine emitted the overrun record */
	TLOB_CANCELLED = 3, /* the engine was disabled meanwhile */
};
#define TLOB_WINDOW_STATE(word) ((word)&3)
#define TLOB_WINDOW_GEN(word) ((word) >> 2)

struct tlob_window {
	__u64 state;
	__u64 start_ns;
	__u64 deadline_ns;
	__u64 tag;
	__u32 region; /* index into the ledger's regions, or of the agent's binding */
	__u32 switches; /* thread clock at start_ns, in-progress time included */
	__u64 running_ns;
	__u64 waiting_ns;
	__u64 sleeping_ns;
};
TLOB_ASSERT(sizeof(struct tlob_window) == 64, "window is one cache line");

/* One thread. The second line and the windows belong to the thread, the first to the engine. */
struct tlob_slot {
	struct tlob_clock clock;
	__u32 used; /* bit i: windows[i] is open; what a scan looks at */
	__u32 tid; /* as the thread sees itself; informative */
	__u32 refused; /* starts beyond TLOB_MAX_DEPTH */
	__u32 flags;
	/* engine user: the last sample of the kernel's own books, see lib/baseline.c */
	__u64 sample_ns;
	__u64 sample_running_ns;
	__u64 sample_waiting_ns;
	__u64 sample_switches;
	__u64 reserved[2];
	struct tlob_window windows[TLOB_MAX_DEPTH];
};
TLOB_ASSERT(sizeof(struct tlob_slot) == 640, "slot");

/*
 * A slot that belongs to no thread: windows that begin in one thread and end in any other, found by region and
 * tag, see core/transit_table.h. It lies in an arena that has only such slots. All of it is written by the process, but
 * for the windows' states as above. What a window keeps in place of a thread clock: who began it.
 */
struct tlob_transit {
	__u64 key[TLOB_MAX_DEPTH]; /* of the window with the same index; 0: none */
	__u32 used; /* bit i: windows[i] is taken; what a scan looks at */
	__u32 reserved32;
	__u64 reserved[7];
	struct tlob_window windows[TLOB_MAX_DEPTH];
};
TLOB_ASSERT(sizeof(struct tlob_transit) == sizeof(struct tlob_slot), "transit slot");
TLOB_ASSERT(__builtin_offsetof(struct tlob_transit, used) ==
		    __builtin_offsetof(struct tlob_slot, used),
	    "a scan finds both");
TLOB_ASSERT(__builtin_offsetof(struct tlob_transit, windows) ==
		    __builtin_offsetof(struct tlob_slot, windows),
	    "a scan finds both");

/* Entry 0 of an arena. */
struct tlob_arena_head {
	__u32 magic;
	__u32 version;
	__u64 next_wake_ns; /* engine and thread, by compare-and-swap; earliest deadline waited for */
	__u32 closed; /* engine: arena is being torn down, start nothing here */
	__u32 reserved32;
	__u64 reserved[77];
};
TLOB_ASSERT(sizeof(struct tlob_arena_head) == sizeof(struct tlob_slot), "head takes one entry");

union tlob_arena_entry {
	struct tlob_arena_head head;
	struct tlob_slot slot;
	struct tlob_transit transit;
};
#define TLOB_ARENA_BYTES (sizeof(union tlob_arena_entry) * TLOB_ARENA_SLOTS)

/* ---- records -------------------------------------------------------------------------------------- */

enum tlob_record_type {
	TLOB_REC_OVERRUN = 1, /* the budget has expired; once per window */
	TLOB_REC_CLOSE = 2, /* the overrun window ended; final times; once per overrun */
	TLOB_REC_STAGES = 3, /* struct tlob_stages; comes before either of a chain's records */
};

enum tlob_record_flags {
	TLOB_F_AT_STOP = 1 << 0, /* late, but its stop won the race: reported by the stop */
	TLOB_F_ABANDONED = 1 << 1, /* close only: ended by thread exit or exec, not by a stop */
	TLOB_F_ESTIMATED = 1 << 2, /* split is estimated, to uncertain_ns (engine user) */
	TLOB_F_SPOILED = 1 << 3, /* the program overwrote its clock; split is a guess, sum holds */
	TLOB_F_CANCELLED = 1 << 4, /* close only: the engine was disabled meanwhile */
	TLOB_F_PROBE = 1 << 5, /* from a uprobe pair; region is the agent's binding */
	TLOB_F_TRANSIT =
		1 << 6, /* of no single thread, so without split; @tid and @comm began it */
};

/*
 * running_ns + waiting_ns + sleeping_ns == elapsed_ns, always; but with TLOB_F_TRANSIT all three are 0: between the thread
 * that begins such a window and the one that ends it there may be none that could run, wait or sleep.
 */
struct tlob_record {
	__u16 type; /* enum tlob_record_type */
	__u16 flags; /* enum tlob_record_flags */
	__u32 region;
	__u32 client; /* agent's number of the process connection; 0 for probes */
	__u32 tgid; /* as the engine sees them: initial pid namespace for bpf and kernel */
	__u32 tid;
	__u32 cpu;
	union {
		__u32 state; /* enum tlob_state at time_ns */
		__u32 end_tgid; /* TLOB_F_TRANSIT, closing record: the process of @end_tid, from engine bpf */
	};
	union {
		__u32 switches;
		__u32 end_tid; /* TLOB_F_TRANSIT, closing record: the thread that ended it */
	};
	__u64 time_ns; /* when this was noticed */
	__u64 start_ns;
	__u64 budget_ns;
	__u64 elapsed_ns; /* time_ns - start_ns */
	__u64 running_ns;
	__u64 waiting_ns;
	__u64 sleeping_ns;
	__u64 uncertain_ns;
	__u64 tag;
	__u64 window; /* same in both records of one window; unique per thread */
	char comm[TLOB_COMM_BYTES]; /* the thread's */
};
TLOB_ASSERT(sizeof(struct tlob_record) == 128, "record is two cache lines");

/*
 * A chain: one window that begins with the first of several regions and ends with the last, all for one tag. What it
 * keeps beside it, in a window that is never armed, and a record as long as all others, with what is common in the
 * same place. mark[2 * n] and [2 * n + 1]: when stage n began and ended, see core/chain.h.
 */
#define TLOB_MAX_STAGES 6

struct tlob_chain_log {
	__u64 state; /* as a window's, always IDLE */
	__u32 mark[2 * TLOB_MAX_STAGES];
	__u64 reserved;
};
TLOB_ASSERT(sizeof(struct tlob_chain_log) == sizeof(struct tlob_window), "lies in a window");

struct tlob_stages {
	__u16 type;
	__u16 flags;
	__u32 region;
	__u32 client;
	__u32 tgid;
	__u32 reserved32[4];
	__u64 time_ns;
	__u64 start_ns;
	__u32 mark[2 * TLOB_MAX_STAGES];
	__u64 tag;
	__u64 window;
	__u64 reserved[2];
};
TLOB_ASSERT(sizeof(struct tlob_stages) == sizeof(struct tlob_record), "stages");
TLOB_ASSERT(__builtin_offsetof(struct tlob_stages, start_ns) ==
			    __builtin_offsetof(struct tlob_record, start_ns) &&
		    __builtin_offsetof(struct tlob_stages, window) ==
			    __builtin_offsetof(struct tlob_record, window),
	    "what is common is in the same place");

/*
 * Bounded ring of records: any number of producers of one process, one consumer. A cell is free for the
 * producer of position p when cell.turn == p, and ready for the consumer when cell.turn == p + 1. Full: the
 * new record is dropped and counted. See core/ring.h.
 */
struct tlob_ring_cell {
	__u64 turn;
	__u64 reserved[7];
	struct tlob_record record;
};

struct tlob_ring {
	__u64 head; /* producers */
	__u64 dropped;
	__u64 pad0[6];
	__u64 tail; /* consumer */
	__u64 pad1[7];
	__u32 capacity; /* power of two; each side keeps its own copy and never reads it back */
	__u32 pad2[15];
};
TLOB_ASSERT(sizeof(struct tlob_ring) == 192, "ring head");

/* ---- ledger: what a process tells about its regions, in a memfd made by the agent (or by itself) ------ */

/* Log-linear histogram: 64 buckets per power of two, error below 0.8 %. See core/hist.h. */
#define TLOB_HIST_SUB_BITS 6
#define TLOB_HIST_MAX_BITS 42 /* 2^42 ns = 73 min */
#define TLOB_HIST_BUCKETS ((TLOB_HIST_MAX_BITS - TLOB_HIST_SUB_BITS + 1) << TLOB_HIST_SUB_BITS)
#define TLOB_HIST_SHARDS 8

struct tlob_hist {
	__u64 max_ns;
	__u64 reserved[7];
	__u64 count[TLOB_HIST_BUCKETS];
};

struct tlob_ledger_region {
	__u32 ready; /* last written, release */
	__u32 line;
	__u64 budget_ns;
	__u64 overruns; /* windows that ended late: records lost = overruns - records seen */
	__u64 refused;
	__u64 cancelled;
	__u64 abandoned; /* engine user: in time, ended by thread exit; engine bpf knows by itself */
	char name[TLOB_NAME_BYTES];
	char file[TLOB_FILE_BYTES];
	__u8 nstages; /* of a chain; 0: it is none */
	__u8 stages[TLOB_MAX_STAGES]; /* indices of its regions */
	__u8 reserved[25];
};
TLOB_ASSERT(sizeof(struct tlob_ledger_region) == 192, "ledger region");

struct tlob_ledger {
	__u32 magic;
	__u32 version;
	__u32 nregions; /* claimed */
	__u32 pid; /* as the process sees itself */
	__u32 ring_capacity; /* informative; the agent made the file and knows */
	__u32 turned_away; /* regions beyond TLOB_MAX_REGIONS */
	__u64 unmeasured; /* starts in them */
	__u64 reserved[4];
	struct tlob_ledger_region regions[TLOB_MAX_REGIONS];
};
TLOB_ASSERT(sizeof(struct tlob_ledger) == 64 + 192 * TLOB_MAX_REGIONS, "ledger");

/* Offsets in the memfd: ledger, ring with its cells, then hist[region][shard], page by page as touched. */
#define TLOB_LEDGER_RING_OFFSET 65536ULL
#define TLOB_LEDGER_RING_CAPACITY 1024ULL
#define TLOB_HIST_STRIDE 20480ULL /* of one struct tlob_hist: whole pages */
#define TLOB_LEDGER_HIST_OFFSET \
	(TLOB_LEDGER_RING_OFFSET + sizeof(struct tlob_ring) + \
	 TLOB_LEDGER_RING_CAPACITY * sizeof(struct tlob_ring_cell) + 4096ULL - \
	 (sizeof(struct tlob_ring) + TLOB_LEDGER_RING_CAPACITY * sizeof(struct tlob_ring_cell)) % \
		 4096ULL)
#define TLOB_LEDGER_HIST(region, shard) \
	(TLOB_LEDGER_HIST_OFFSET + ((__u64)(region)*TLOB_HIST_SHARDS + (shard)) * TLOB_HIST_STRIDE)
#define TLOB_LEDGER_BYTES TLOB_LEDGER_HIST(TLOB_MAX_REGIONS, 0)
TLOB_ASSERT(sizeof(struct tlob_ledger) <= TLOB_LEDGER_RING_OFFSET, "ledger before ring");
TLOB_ASSERT(sizeof(struct tlob_hist) <= TLOB_HIST_STRIDE, "histogram fits its stride");

/* ---- kick: the one call from a thread to its engine (bpf: BPF_PROG_TEST_RUN of a syscall program) ------
 * Returns 0 or a positive errno. ESRCH: the calling task has not registered, as in the child of a vfork; any other is
 * taken to mean that the engine has gone.
 */

enum tlob_kick_op {
	TLOB_KICK_REGISTER = 1, /* this thread takes @slot of @arena; @cookie must match */
	TLOB_KICK_UNREGISTER =
		2, /* this thread gives its slot back; open windows end as abandoned */
	TLOB_KICK_ARM = 3, /* @deadline_ns lies before the arena's next_wake_ns */
	TLOB_KICK_CLOSE = 4, /* windows[@window] had expired and has now been stopped */
	TLOB_KICK_REPORT = 5, /* windows[@window] was late and its stop won: emit both records */
	/* the same three for windows of no thread, in @slot of @arena; @cookie must match */
	TLOB_KICK_TRANSIT_ARM = 6,
	TLOB_KICK_TRANSIT_CLOSE = 7,
	TLOB_KICK_TRANSIT_REPORT = 8,
	/*
	 * Windows that any client may end, by @now_ns, a hash of the region's name, and @deadline_ns, the tag.
	 * BEGIN: windows[@window] as TRANSIT_..., filled in and not armed; EEXIST, ENOSPC. END: ESRCH: there is none;
	 * EOVERFLOW, ECANCELED.
	 */
	TLOB_KICK_BEGIN = 9,
	TLOB_KICK_END = 10,
	TLOB_KICK_ENDED = 11, /* never asked for: what is left in struct tlob_kick, see there */
};

struct tlob_kick {
	__u32 op;
	__u32 arena; /* REGISTER, TRANSIT_...; other ops take the slot from the calling task */
	__u32 slot;
	__u32 window;
	__u64 cookie;
	__u64 now_ns; /* CLOSE, REPORT: the stop's clock read */
	__u64 deadline_ns;
};
/*
 * What END leaves there if it returns EOVERFLOW: @op TLOB_KICK_ENDED, @arena and @slot process and thread that began the window,
 * @window TLOB_F_AT_STOP or 0, @cookie when it began, @now_ns when it ended, @deadline_ns as it was.
 */
TLOB_ASSERT(sizeof(struct tlob_kick) == 40, "kick");

/* ---- socket between library and agent: SOCK_SEQPACKET, one message a packet ---------------------------- */

enum tlob_msg_type {
	TLOB_MSG_HELLO = 1, /* library: struct tlob_msg_hello */
	TLOB_MSG_WELCOME = 2, /* agent: its struct; fds: ledger, [kick, arena] */
	TLOB_MSG_GROW = 3, /* library: struct tlob_msg, wants one more arena */
	TLOB_MSG_ARENA = 4, /* agent: struct tlob_msg_arena; fd: arena */
	TLOB_MSG_REFUSED = 5, /* agent: struct tlob_msg */
	TLOB_MSG_WAKE =
		6, /* library, engine user: struct tlob_msg, there are records in the ring */
	TLOB_MSG_TRANSIT =
		7, /* library: struct tlob_msg, wants an arena for windows of no thread */
};

enum tlob_engine_kind {
	TLOB_ENGINE_NONE = 0,
	TLOB_ENGINE_USER = 1,
	TLOB_ENGINE_BPF = 2,
	TLOB_ENGINE_KERNEL = 3,
};

struct tlob_msg {
	__u32 magic;
	__u16 version;
	__u16 type;
};

#define TLOB_TOKEN_BYTES 32 /* NUL included */

struct tlob_msg_hello {
	struct tlob_msg head;
	__u32 pid;
	__u32 reserved;
	char program[TLOB_COMM_BYTES];
	char token[TLOB_TOKEN_BYTES]; /* from TLOB_AGENT="@name,TOKEN"; empty if there is none */
};

struct tlob_msg_arena {
	struct tlob_msg head;
	__u32 arena;
	__u32 transit; /* an answer to TLOB_MSG_TRANSIT, not to TLOB_MSG_GROW */
	__u64 cookie; /* proves to the kick program that @arena is the caller's */
};

#define TLOB_MAX_OVERRIDES 64
struct tlob_override {
	char name[TLOB_NAME_BYTES];
	__u64 budget_ns;
};

struct tlob_msg_welcome {
	struct tlob_msg head;
	__u32 engine; /* enum tlob_engine_kind */
	__u32 noverrides; /* budgets given on the agent's command line */
	struct tlob_msg_arena arena; /* bpf only */
	struct tlob_override overrides[TLOB_MAX_OVERRIDES];
};

#endif
