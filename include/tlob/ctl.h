/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libtlobctl: host an engine, add regions from outside, read records and statistics. The tlob command uses nothing else.
 *
 * Calls return 0 or a positive count, or a negative errno with errno set; tlobctl_error() then says in one or two
 * sentences what was tried, on what, why it failed and what to do. Outputs are untouched on failure. A session is
 * used from one thread.
 */
#ifndef TLOB_CTL_H
#define TLOB_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tlob/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct tlobctl;

enum tlobctl_engine {
	TLOBCTL_ENGINE_AUTO = 0,
	TLOBCTL_ENGINE_USER = TLOB_ENGINE_USER,
	TLOBCTL_ENGINE_BPF = TLOB_ENGINE_BPF,
	TLOBCTL_ENGINE_KERNEL = TLOB_ENGINE_KERNEL,
};

/* What is found out about each overrun. */
enum tlobctl_why_mode {
	TLOBCTL_WHY_NONE = 0,
	TLOBCTL_WHY_CULPRIT =
		1, /* from the history of context switches: who, and how long. Engine bpf */
	TLOBCTL_WHY_STACKS = 2, /* and where the code was: at expiry, and in long sleeps */
	TLOBCTL_WHY_SAMPLES =
		3, /* and where it spent its CPU time, of late windows and of some others */
};

#define TLOBCTL_GOOD_NONE UINT32_MAX

struct tlobctl_opts {
	size_t size; /* of this struct; the rest may be zero */
	enum tlobctl_engine engine;
	const char *socket; /* where programs join; "@name": abstract; NULL: they cannot */
	uint32_t ring_bytes; /* bpf, and probes of kernel: record ring, power of two; 0: 1 MiB */
	uint32_t max_threads; /* bpf: threads watched through probes at once; 0: 16,384 */
	uint64_t cgroup_id; /* probes only fire for this cgroup (v2); 0: all */
	pid_t pid; /* probes only fire for this process; 0: all */
	bool children; /* with pid: and for its descendants */
	enum tlobctl_why_mode why; /* an engine that cannot do it leaves it out */
	uint64_t history_bytes; /* switch history of all CPUs, rounded down to what fits; 0: 8 MiB per CPU, at most 256 MiB */
	const char *token; /* only TLOB_AGENT="@name,TOKEN" may join; NULL: anybody */
	uint32_t sample_hz; /* TLOBCTL_WHY_SAMPLES: of each CPU, 10 to 20,000; 0: 999 */
	uint32_t good_share; /* and of one in so many windows in time; 0: 10; TLOBCTL_GOOD_NONE */
	bool interrupts; /* bpf, with why: what interrupts took of a window is told apart from its own running */
	uint64_t history_ns; /* not 0: history_bytes is what holds as long, at TLOBCTL_HISTORY_RATE; at most 256 s */
};

#define TLOBCTL_HISTORY_RATE \
	65536 /* entries a second of a busy CPU: switches, and as many wake-ups */

/* Text of the last failure in this thread; "" if none. */
const char *tlobctl_error(void);

int tlobctl_open(const struct tlobctl_opts *opts, struct tlobctl **out);
/* Detaches everything; open windows end as cancelled. NULL is fine. */
void tlobctl_close(struct tlobctl *ctl);
/* "bpf", "user" or "kernel". */
const char *tlobctl_engine_name(const struct tlobctl *ctl);
/* TLOBCTL_ENGINE_AUTO: why a better engine was not taken, and what to do; "" if this is the best. */
const char *tlobctl_note(const struct tlobctl *ctl);

/* What the first instruction of a probed address makes a hit cost. */
enum tlobctl_probe_kind {
	TLOBCTL_PROBE_NONE, /* region of a linked program: no probe */
	TLOBCTL_PROBE_NOP5, /* 5-byte nop: becomes a call where the kernel can */
	TLOBCTL_PROBE_EMULATED, /* nop, push, jmp, call: the kernel emulates it */
	TLOBCTL_PROBE_STEPPED, /* anything else is single-stepped out of line */
};

struct tlobctl_region {
	uint32_t id; /* binding: what a record's region means when TLOB_F_PROBE is set */
	const char *name;
	uint64_t budget_ns;
	const char *path; /* binary; NULL for a region of a linked program */
	const char *start; /* symbol or 0xOFFSET as resolved, with +offset */
	const char *stop; /* NULL: function return */
	enum tlobctl_probe_kind start_kind;
	enum tlobctl_probe_kind stop_kind;
	double cost_ns; /* measured here, one start and stop */
	const char *
		onward; /* a function that it may end in a jump to, whose time is not measured then; NULL: none */
};
typedef int tlobctl_region_fn(const struct tlobctl_region *region, void *arg);

/*
 * Add the region(s) of one specification:
 *	NAME@BUDGET				a region of linked programs: overrides its budget
 *	[NAME=]BINARY:START..STOP@BUDGET	two addresses
 *	[NAME=]BINARY:FUNCTION@BUDGET		entry to return; FUNCTION may be a glob
 *	[NAME=]BINARY:START#argN..STOP#argN@BUDGET	from thread to thread, by an argument
 *	[NAME=]BINARY:START#argN..BINARY:STOP#argN@BUDGET	and from process to process
 * Attaches all or nothing. Calls @fn, if given, for each region added. Returns how many.
 */
int tlobctl_add(struct tlobctl *ctl, const char *spec, tlobctl_region_fn *fn, void *arg);

/*
 * Add a chain: NAME=REGION>REGION[>REGION]...@BUDGET. Its window begins when a window of the first region begins, and ends
 * when the one of the last region with the same tag does. The regions are probed ones with a tag, added before,
 * each in one chain. Calls @fn, if given, for the chain. Returns 1.
 */
int tlobctl_chain(struct tlobctl *ctl, const char *spec, tlobctl_region_fn *fn, void *arg);

/* Why a window was late. What a moment of it went into: */
enum tlobctl_cause {
	TLOBCTL_CAUSE_UNKNOWN = 0, /* the history does not tell */
	TLOBCTL_CAUSE_RUNNING, /* it ran */
	TLOBCTL_CAUSE_BEHIND, /* it waited while @who had the CPU */
	TLOBCTL_CAUSE_THROTTLED, /* it waited: its control group had used up its CPU time */
	TLOBCTL_CAUSE_IDLE, /* it waited although the CPU was idle: held back, or the CPU was late */
	TLOBCTL_CAUSE_WOKEN, /* it slept until @who woke it */
	TLOBCTL_CAUSE_INTERRUPT, /* it slept until an interrupt woke it: a timer or a device */
	TLOBCTL_CAUSE_STOPPED, /* it was stopped by a signal or a debugger, until @who let it go on */
	TLOBCTL_CAUSE_ASLEEP, /* it slept, and nobody has woken it yet */
	TLOBCTL_CAUSE_INTERRUPTED, /* it had the CPU, but interrupts used it: @who names them, as its comm */
};

#define TLOBCTL_NOBODY UINT32_MAX

struct tlobctl_who {
	uint32_t tid; /* of the initial pid namespace */
	uint32_t tgid; /* 0: unknown */
	char comm[TLOB_COMM_BYTES]; /* printable; "" unknown */
	bool kernel; /* a thread of the kernel */
	int priority; /* the kernel's: below 0 deadline, below 100 real-time */
	uint64_t cgroup_id; /* version 2 */
	const char *cgroup; /* its path; "" unknown */
};

/* The window is cut into these, without gap. What interrupts took is part of the running ones. */
struct tlobctl_segment {
	uint64_t start_ns, end_ns;
	enum tlobctl_cause cause;
	uint32_t cpu; /* UINT32_MAX unknown */
	uint32_t who; /* index into the table, or TLOBCTL_NOBODY */
	bool disk; /* it slept for a disk */
	const char *syscall; /* in which it slept; "" unknown or none */
};

/* What a thread did while another slept until it was woken by that one. */
struct tlobctl_link {
	uint32_t who;
	uint64_t running_ns, waiting_ns, sleeping_ns;
	enum tlobctl_cause cause; /* where most of that time went */
	uint32_t other; /* behind whom, or woken by whom; the next link is about that one if it woke */
	uint64_t other_ns;
	bool disk;
	const char *syscall;
};

struct tlobctl_culprit {
	enum tlobctl_cause cause;
	uint32_t who;
	bool disk;
	const char *syscall;
	uint64_t ns; /* sum */
	uint32_t times;
	uint64_t longest_ns;
	const struct tlobctl_link *links; /* of the longest: who woke it, who woke that one, ... */
	size_t nlinks;
};

/* Waiting behind the threads of one process or of one control group. */
struct tlobctl_share {
	uint64_t id; /* process, or control group */
	const char *name; /* "" unknown */
	uint64_t ns;
};

/* A place in a program. Functions inlined there come first, as frames of their own, then the function they are in. */
struct tlobctl_frame {
	const char *function; /* demangled; "" unknown */
	const char *object; /* path of the file; "[kernel]", "[vdso]"; "" unknown */
	const char *build_id; /* of the object, hexadecimal; "" none */
	uint64_t offset; /* in the object's file; of the kernel: from _stext */
	const char *file; /* of the source; "" unknown */
	uint32_t line;
	bool inlined;
	bool kernel;
};

struct tlobctl_stack {
	const struct tlobctl_frame
		*frames; /* innermost first, those of the kernel before those of the program */
	size_t nframes;
	bool cut; /* there were more frames, or unwinding came to an end too early */
};

/* Where the thread was at one moment. */
struct tlobctl_snapshot {
	bool asleep; /* a long sleep began there; else the budget expired there */
	uint64_t time_ns;
	uint64_t ns; /* how long it slept there in this window, as far as is known */
	struct tlobctl_stack stack;
};

/* CPU samples with the same stack. */
struct tlobctl_samples {
	uint64_t count;
	uint64_t ns; /* count times the period */
	struct tlobctl_stack stack;
};

struct tlobctl_why {
	bool complete; /* the history reaches back to the start of the window */
	uint64_t unknown_ns; /* if not: that much is missing */
	const struct tlobctl_who *who;
	size_t nwho;
	const struct tlobctl_segment *segments; /* in order of time */
	size_t nsegments;
	const struct tlobctl_culprit *culprits; /* what took most first, its own running included */
	size_t nculprits;
	/* Index of the culprit that made it late: what took most, its own running only if that alone took the budget. */
	size_t blame;
	const struct tlobctl_share *processes, *cgroups;
	size_t nprocesses, ncgroups;
	uint32_t migrations; /* from CPU to CPU */
	uint32_t wakeups;
	uint64_t wakeup_max_ns; /* from wake-up to having a CPU: the longest */
	const struct tlobctl_snapshot *snapshots; /* in order of time */
	size_t nsnapshots;
	const struct tlobctl_samples *samples; /* of this window, most first; closing record only */
	size_t nsamples;
	uint64_t sampled; /* how many in all; the rarest stacks may have been left out */
	uint64_t cost_ns; /* CPU time that this took, of the caller of tlobctl_poll() */
};

/* A region of a chain, as one tag has gone through it. Times are since the chain began. */
struct tlobctl_stage {
	const char *region;
	bool begun, ended;
	uint64_t wait_ns; /* before it: since the one before ended, until it began or so far */
	uint64_t begin_ns;
	uint64_t end_ns; /* so far, if it has not */
};

struct tlobctl_event {
	const struct tlob_record *record;
	const char *region; /* name */
	const char *program; /* of the process; "" if it could not be found out */
	const char *file; /* where the region is defined, or the binary; "" unknown */
	uint32_t line;
	const struct tlobctl_why *
		why; /* window so far, or the whole in a closing record; valid during the call; NULL: none */
	const struct tlobctl_stage *stages; /* of a chain; valid during the call */
	size_t nstages; /* 0: no chain */
};
typedef void tlobctl_event_fn(const struct tlobctl_event *event, void *arg);

/* One descriptor that becomes readable when tlobctl_poll() has something to do. */
int tlobctl_fd(const struct tlobctl *ctl);
/* Serve programs that join and hand out records. @timeout_ms as poll(2). Returns the records handed out, or -EINTR. */
int tlobctl_poll(struct tlobctl *ctl, int timeout_ms, tlobctl_event_fn *fn, void *arg);
/*
 * To be called at the end. Closing records of which not all names are known yet are held back for some seconds; this serves as
 * tlobctl_poll() does, for @timeout_ms at most, until there are none, and hands out the rest as it is. Returns as that
 * does.
 */
int tlobctl_flush(struct tlobctl *ctl, int timeout_ms, tlobctl_event_fn *fn, void *arg);

struct tlobctl_stat {
	const char *region;
	const char *program;
	uint64_t budget_ns;
	uint64_t windows; /* that ended by their stop */
	uint64_t overruns; /* as counted where they happened */
	uint64_t records; /* overrun records handed out; the rest were lost */
	uint64_t lost; /* overruns - records */
	uint64_t refused; /* starts beyond the nesting depth, or no slot left */
	uint64_t abandoned;
	uint64_t cancelled;
	uint64_t max_ns;
	uint64_t cost_ns; /* windows x measured cost */
	const struct tlob_hist *hist; /* of all windows; valid during the call */
};
typedef int tlobctl_stat_fn(const struct tlobctl_stat *stat, void *arg);

/* One call per region and program, those that have gone included; regions never entered too. */
int tlobctl_stats(struct tlobctl *ctl, tlobctl_stat_fn *fn, void *arg);

/* What finding out why has cost so far. */
struct tlobctl_why_stat {
	enum tlobctl_why_mode mode; /* what is found out; may be less than was asked for */
	uint64_t history_bytes; /* 0: there is no history */
	uint64_t analyses;
	uint64_t skipped; /* records without, because there were too many */
	uint64_t cpu_ns; /* for analyses: of this process, and of those that read files for it */
	uint64_t agent_cpu_ns; /* of the same, for everything since the session was opened, but for adding regions */
	const char *
		note; /* which functions have no names, and what to do; or why there is no history; valid until tlobctl_close(); "" */
	bool interrupts; /* the history has what interrupts took */
};
void tlobctl_why_stats(const struct tlobctl *ctl, struct tlobctl_why_stat *out);

/* Where windows that were in time spend their CPU time: of one in opts.good_share of them. */
struct tlobctl_profile {
	const char *region;
	const char *program;
	uint64_t windows; /* in which samples fell */
	uint64_t sampled;
	const struct tlobctl_samples *samples; /* most first */
	size_t nsamples;
};
typedef int tlobctl_profile_fn(const struct tlobctl_profile *profile, void *arg);
/* One call per region and program of which there are any. */
int tlobctl_profiles(struct tlobctl *ctl, tlobctl_profile_fn *fn, void *arg);

/* What has become of CPU samples. */
struct tlobctl_sample_stat {
	const char *clock; /* "cpu-clock", "cycles"; NULL: none are taken */
	uint32_t hz;
	uint32_t good_share; /* one in so many windows in time was chosen; 0: none */
	const char *note; /* what cannot be had, and why; "" */
	uint64_t taken; /* inside of windows */
	uint64_t late,
		good; /* of these in windows that were late, in windows chosen to compare with */
	/* lost because: */
	uint64_t no_mapping; /* what was running was nowhere in what the process had mapped */
	uint64_t no_process; /* nothing is known of the process */
	uint64_t no_backtrace; /* of those, without even a part in the kernel to show */
	uint64_t full; /* a buffer was full; records of what processes map included */
	uint64_t cut; /* callers only: they lead to an address where nothing was mapped */
	uint64_t crowded; /* too many waited for the end of their windows, or were different */
};
void tlobctl_sample_stats(const struct tlobctl *ctl, struct tlobctl_sample_stat *out);

/* What is missing besides overrun records, which tlobctl_stat counts. */
struct tlobctl_loss {
	/* engine bpf: records and notes of any kind that found their ring full, overrun records included */
	uint64_t dropped;
	uint64_t ends; /* engine user: closing records that programs which have gone have lost */
	uint64_t strange; /* not handed out: their program, or its region, does not exist */
};
void tlobctl_losses(const struct tlobctl *ctl, struct tlobctl_loss *out);

/*
 * Standing regions: the kernel module watches them by itself in all processes, until they are removed, its monitor is disabled,
 * or it is unloaded; whoever asked for them may go. Overruns go to its trace events and reactors. Root only.
 */
struct tlobctl_standing {
	const char *path;
	const char *start; /* symbol or 0xOFFSET, with +offset */
	const char *stop; /* NULL: where the function that begins at start is left */
	uint64_t start_offset; /* in the file */
	uint64_t stop_offset; /* not if stop is NULL */
	uint64_t budget_ns;
};
typedef int tlobctl_standing_fn(const struct tlobctl_standing *region, void *arg);

/*
 * Each standing region in turn; @fn may be NULL. Returns how many there are. -ENOENT: the module is not loaded.
 */
int tlobctl_standing_list(tlobctl_standing_fn *fn, void *arg);
/*
 * Add those of one specification of tlobctl_add() that names a binary, and no region name; enables the module's monitor
 * if it is not. All or nothing. Calls @fn, if given, for each. Returns how many.
 */
int tlobctl_standing_add(const char *spec, tlobctl_standing_fn *fn, void *arg);
/*
 * Remove what begins where a specification does, of which BINARY:START is enough, a pattern fine; NULL: all there are.
 * Calls @fn, if given, for each that has gone. Returns how many. -ENOENT: there is none of that kind.
 */
int tlobctl_standing_remove(const char *spec, tlobctl_standing_fn *fn, void *arg);
/* 1: the module's monitor is enabled and *threads, if given, are being watched by it; 0: it is not enabled. */
int tlobctl_standing_enabled(unsigned int *threads);

/* A function of a binary, as a region may name it. */
struct tlobctl_function {
	size_t size;
	const char *path; /* of the binary */
	const char *
		name; /* as the source has it, with parameters or "@0xOFFSET" where several are called so */
	const char *symbol; /* as the linker has it */
	uint64_t offset; /* in the file */
	uint64_t bytes; /* 0: not known */
	enum tlobctl_probe_kind
		kind; /* of its first instruction; NONE: the kernel takes no probe there */
	const char *unfit; /* why its return cannot be waited for; NULL: it can, as far as is known */
	bool complete; /* the binary's own symbols are known, not only those that it exports */
};
typedef int tlobctl_function_fn(const struct tlobctl_function *function, void *arg);

/*
 * Calls @fn for each function of "BINARY" or "BINARY:PATTERN", by name, until that returns non-zero, which is
 * returned then. A PATTERN without * ? or [ is a part of the name. @pid > 0: BINARY as that process sees it. Needs no
 * session and no privilege. Returns how many.
 */
int tlobctl_functions(const char *binary, pid_t pid, tlobctl_function_fn *fn, void *arg);

/* What is usable on this machine. */
struct tlobctl_check {
	const char *engine; /* "bpf", ... */
	const char *what; /* "BTF", "CAP_BPF", ... */
	bool ok;
	const char *found; /* what was seen */
	const char *remedy; /* "" if ok */
	bool needed; /* the engine does not work without; else it works less well */
};
typedef int tlobctl_check_fn(const struct tlobctl_check *check, void *arg);
int tlobctl_doctor(tlobctl_check_fn *fn, void *arg);

/*
 * Timer latency: how late the platform itself is, whatever the program. On each CPU a thread sleeps until an absolute
 * time, again and again, and looks at the clock. What it is late by is cut, without gap, into the parts below; what
 * a part is not known for is not in it.
 */
enum tlobctl_timerlat_part {
	TLOBCTL_TIMERLAT_IRQ, /* from the time that was set to the timer's interrupt */
	TLOBCTL_TIMERLAT_THREAD, /* on to the thread having the CPU */
	TLOBCTL_TIMERLAT_USER_RET, /* on to its code going on */
	TLOBCTL_TIMERLAT_TOTAL, /* all of it */
	TLOBCTL_TIMERLAT_PARTS,
};

/* Who tells the parts, the best first. */
enum tlobctl_timerlat_backend {
	TLOBCTL_TIMERLAT_AUTO = 0,
	TLOBCTL_TIMERLAT_KERNEL, /* the kernel's own timerlat tracer */
	TLOBCTL_TIMERLAT_MODULE, /* tlob.ko */
	TLOBCTL_TIMERLAT_BPF,
	TLOBCTL_TIMERLAT_PLAIN, /* nobody: total only. Needs no privilege */
	TLOBCTL_TIMERLAT_BACKENDS,
};

enum tlobctl_timerlat_policy {
	TLOBCTL_TIMERLAT_FIFO = 0, /* as far as this process may; else, and @note says so, OTHER */
	TLOBCTL_TIMERLAT_RR,
	TLOBCTL_TIMERLAT_OTHER,
};

#define TLOBCTL_TIMERLAT_MIN_PERIOD_NS 100000
#define TLOBCTL_TIMERLAT_MAX_PERIOD_NS 10000000000
#define TLOBCTL_TIMERLAT_PERIOD_NS 1000000
#define TLOBCTL_TIMERLAT_PRIORITY 95

struct tlobctl_timerlat_opts {
	size_t size; /* of this struct; the rest may be zero */
	enum tlobctl_timerlat_backend backend;
	const uint32_t *cpus; /* NULL: all that this process may use */
	size_t ncpus;
	uint64_t period_ns; /* 0: 1 ms */
	enum tlobctl_timerlat_policy policy;
	int priority; /* FIFO, RR: 1 to 99, 0: 95; OTHER: nice level */
	uint64_t stop_irq_ns,
		stop_total_ns; /* longer than that: the first to be ends the measuring. 0: no limit */
	enum tlobctl_why_mode
		why; /* what is to be found out about that one; needs what engine bpf needs */
	uint64_t history_bytes; /* as in tlobctl_opts */
	bool deep_idle; /* leave /dev/cpu_dma_latency alone; else idle CPUs stay ready */
	uint64_t history_ns; /* as in tlobctl_opts */
};

struct tlobctl_timerlat;

/* Measuring begins. The process's memory is locked meanwhile, as far as it may be. */
int tlobctl_timerlat_open(const struct tlobctl_timerlat_opts *opts, struct tlobctl_timerlat **out);
/* Ends it. NULL is fine. */
void tlobctl_timerlat_close(struct tlobctl_timerlat *t);
/* "kernel", "module", "bpf" or "plain". */
const char *tlobctl_timerlat_backend_name(const struct tlobctl_timerlat *t);
/* What could not be had, a line each: better backends and what they lack, real-time priority, ... "" nothing. */
const char *tlobctl_timerlat_note(const struct tlobctl_timerlat *t);
/* The scheduling that the threads have: "fifo:95", "rr:10", "other:0". */
const char *tlobctl_timerlat_scheduling(const struct tlobctl_timerlat *t);
/* Becomes readable when a limit was passed, or measuring has ended for another reason. */
int tlobctl_timerlat_fd(const struct tlobctl_timerlat *t);
/* End the measuring; what was measured stays. A thread's failure is returned. */
int tlobctl_timerlat_stop(struct tlobctl_timerlat *t);

struct tlobctl_timerlat_values {
	uint64_t count;
	uint64_t min_ns, avg_ns, max_ns, last_ns;
	const struct tlob_hist *hist; /* valid during the call */
};

struct tlobctl_timerlat_stat {
	int cpu; /* -1: all together */
	uint64_t cycles; /* periods at whose end the thread looked at the clock */
	uint64_t skipped; /* periods that had passed before it could sleep again */
	uint64_t unsplit; /* cycles of which only the total is known */
	struct tlobctl_timerlat_values parts[TLOBCTL_TIMERLAT_PARTS];
};
typedef int tlobctl_timerlat_stat_fn(const struct tlobctl_timerlat_stat *stat, void *arg);

/* One call for each CPU, then one for all; also while it is measured. */
int tlobctl_timerlat_stats(struct tlobctl_timerlat *t, tlobctl_timerlat_stat_fn *fn, void *arg);

/* The cycle that passed a limit. */
struct tlobctl_timerlat_hit {
	uint32_t cpu;
	enum tlobctl_timerlat_part part; /* whose limit it was */
	uint64_t limit_ns;
	bool split; /* the parts are known, not only the total */
	uint64_t parts_ns[TLOBCTL_TIMERLAT_PARTS];
	/* What is known of the cause; without engine bpf, or without @why in the options, nothing is. */
	const struct tlob_record
		*record; /* the cycle as a window of its thread; NULL: nobody asked */
	const struct tlobctl_why *why; /* of that window; NULL: not known */
	/* Index in why->who: who had the CPU when a timer's interrupt came, its own or a later one; or TLOBCTL_NOBODY. */
	uint32_t interrupted;
	/* Who had it at its own, where the backend tells without engine bpf (module): tid, 0 idle, and comm. NULL: not known */
	const struct tlobctl_who *found;
	bool in_user; /* whose own code was interrupted, not the kernel */
	struct tlobctl_stack stack; /* else what of the kernel was; no frames: not known */
};
/* 1 and *@out, valid until @t is closed; 0: no limit was passed. After tlobctl_timerlat_stop(). */
int tlobctl_timerlat_hit(struct tlobctl_timerlat *t, struct tlobctl_timerlat_hit *out);

/*
 * The floor: what this machine itself is late by, as tlob timerlat found out last. A budget that is close to it will be
 * exceeded whatever the program does.
 */
struct tlobctl_floor {
	char kernel[192]; /* release and version, and */
	char boot_id[40]; /* the boot; both are filled in when it is written */
	char cpus[256]; /* a list such as 0-3,6 */
	char backend[16];
	char scheduling[32];
	uint64_t time_unix_ns; /* when */
	uint64_t cycles;
	uint64_t p50_ns, p99_9_ns, max_ns; /* of the total */
};
#define TLOBCTL_FLOOR_TIMES 3 /* a budget below that many times p99_9_ns is close to it */

/* Kept for this user, or if root writes it for all, until the next one. */
int tlobctl_floor_write(const struct tlobctl_floor *floor);
/* -ENOENT: there is none; -ESTALE: it is of another kernel or boot. */
int tlobctl_floor_read(struct tlobctl_floor *out);

/* ---- rings: what happens on each CPU, event by event; no session is needed ---- */

struct tlobctl_ring;

enum tlobctl_ring_source {
	TLOBCTL_RING_AUTO = 0, /* the module's if it is loaded, else the kernel's */
	TLOBCTL_RING_MODULE = 1, /* page rings of tlob.ko: see tlob/page_ring.h */
	TLOBCTL_RING_KERNEL =
		2, /* trace buffers, of an instance of its own that goes with the caller, however that ends */
};

struct tlobctl_ring_opts {
	size_t size; /* of this struct */
	enum tlobctl_ring_source source;
	/*
	 * Module: switch wake record mark migrate; NULL: what is set. Kernel: SYSTEM:EVENT, SYSTEM or an EVENT of any system;
	 * NULL: sched:sched_switch and sched:sched_waking.
	 */
	const char *const *events;
	size_t nevents;
	uint64_t bytes; /* of each CPU's ring; 0: as it is (module), 1 MiB (kernel) */
	bool copy; /* by read(), even where the ring can be mapped */
	/*
	 * A recording that tlobctl_ring_save() made, on whatever machine, instead of rings; NULL: none. Of the others only events
	 * count then: those to return, SYSTEM:EVENT, SYSTEM or EVENT, patterns; NULL: all.
	 */
	const char *recording;
};

/* Opens every CPU's; events are recorded from here on. */
int tlobctl_ring_open(const struct tlobctl_ring_opts *opts, struct tlobctl_ring **out);
/* NULL is fine. */
void tlobctl_ring_close(struct tlobctl_ring *ring);
/* "module" or "kernel", and whether it is read from a mapping. */
const char *tlobctl_ring_source_name(const struct tlobctl_ring *ring);
bool tlobctl_ring_is_mapped(const struct tlobctl_ring *ring);
/* What could not be had, and why, a line each; "" nothing. */
const char *tlobctl_ring_note(const struct tlobctl_ring *ring);
/* Readable when there are events; for poll(). Of a recording -1: all are there. */
int tlobctl_ring_fd(const struct tlobctl_ring *ring);

struct tlobctl_ring_event {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t cpu;
	const char *name; /* "switch", "sched_switch" */
	const void *
		data; /* of the module: what follows struct tlob_page_event; of the kernel: as its format file says */
	size_t bytes;
};

/*
 * The next event: 1, and valid until the next call; 0: none is there now. In order of time on each CPU, and among CPUs as far as
 * they were written when a page was fetched.
 */
int tlobctl_ring_next(struct tlobctl_ring *ring, struct tlobctl_ring_event *event);
/* @event, just returned by tlobctl_ring_next(), for people: "123 prog -> 0 idle". */
int tlobctl_ring_text(struct tlobctl_ring *ring, const struct tlobctl_ring_event *event, char *buf,
		      size_t bytes);

/* A time of an event, or of any of then, in ns since 1970. */
uint64_t tlobctl_ring_unix_ns(const struct tlobctl_ring *ring, uint64_t time_ns);

/* One CPU's, or of all with @cpu -1. Lost: overwritten or dropped before it was read. */
struct tlobctl_ring_counts {
	uint64_t read;
	uint64_t lost;
	uint64_t fetches; /* calls of the kernel that brought events */
};
int tlobctl_ring_counts(struct tlobctl_ring *ring, int cpu, struct tlobctl_ring_counts *counts);

/*
 * What of a CPU's ring was not returned yet, page by page, straight from the mapping: 1 and a part of a page; 0: nothing. @page
 * counts pages; parts of one page come one after the other, the first with its head, unless another reader had the page before. Not to be mixed with tlobctl_ring_next().
 */
struct tlobctl_ring_part {
	uint32_t cpu;
	uint64_t page;
	uint32_t page_bytes;
	uint32_t at; /* byte of the page where it begins; 0: with the head */
	const void *data;
	size_t bytes;
	/* the head's own count of bytes includes what is not yet returned: these are the right ones, to be put at byte 0 */
	const void *head;
	size_t head_bytes;
};
int tlobctl_ring_next_part(struct tlobctl_ring *ring, struct tlobctl_ring_part *part);

/*
 * The same parts into files: @path.cpu0, @path.cpu1 and so on, the pages as they are, and @path, which says how to read them. They are
 * made, or made empty, by the first; the second is to be called until it returns 0, again and again; the last says that all is there.
 */
int tlobctl_ring_save(struct tlobctl_ring *ring, const char *path);
int tlobctl_ring_save_next(struct tlobctl_ring *ring);
int tlobctl_ring_save_end(struct tlobctl_ring *ring);

/* Histogram arithmetic for those who read statistics; @percent 0..100. */
uint64_t tlobctl_hist_percentile(const struct tlob_hist *hist, double percent);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
