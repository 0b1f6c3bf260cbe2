/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libtlob: mark a region of your own code and give it a latency budget.
 *
 *	TLOB_REGION(decode, "decode", TLOB_MS(5));
 *
 *	tlob_window_t w = tlob_start(&decode, frame_number);
 *	...
 *	if (tlob_stop(w) == -EOVERFLOW)
 *		skip_next_frame();
 *
 * or, to the end of the enclosing block, TLOB_SCOPE(decode, frame_number); in C++ also tlob::scope.
 *
 * A start/stop pair costs about its two clock reads and makes no system call. Compile with
 * -DTLOB_DISABLE and nothing is left of it; run with TLOB=0 and nothing happens. See tlob(7).
 */
#ifndef TLOB_TLOB_H
#define TLOB_TLOB_H

#include <stddef.h>
#include <stdint.h>

#include <tlob/abi.h>

#define TLOB_US(n) ((uint64_t)(n)*1000u)
#define TLOB_MS(n) ((uint64_t)(n)*1000000u)
#define TLOB_S(n) ((uint64_t)(n)*1000000000u)

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * A region: define it with TLOB_REGION(), static storage. The members from @internal_id on are the
 * library's. A process has up to TLOB_MAX_REGIONS; starts of any more open no window.
 */
struct tlob_region {
	const char *name; /* up to TLOB_NAME_BYTES - 1 bytes are kept */
	uint64_t budget_ns; /* TLOB_BUDGET_MIN_NS .. _MAX_NS; beyond: the nearer end */
	const char *file;
	uint32_t line;
	uint32_t internal_id;
	uint32_t internal_epoch;
	uint32_t internal_interval_ns;
	uint64_t internal_budget_ns;
	uint32_t internal_chain;
	uint32_t internal_shared;
};

#define TLOB_REGION(var, name, budget_ns) \
	static struct tlob_region var = {(name), (budget_ns), __FILE__, __LINE__, 0, 0, 0, 0, 0, 0}

/*
 * The same for a region that several processes have: what one of them begins any of them may end, see
 * tlob_begin(). They agree by the name alone.
 */
#define TLOB_SHARED_REGION(var, name, budget_ns) \
	static struct tlob_region var = {(name), (budget_ns), __FILE__, __LINE__, 0, 0, 0, 0, 0, 1}

/* A window, as returned by tlob_start(). TLOB_NO_WINDOW: nothing is measured; it may be stopped. */
typedef uint64_t tlob_window_t;
#define TLOB_NO_WINDOW ((tlob_window_t)0)

/* A thread's three clocks since it was first seen by the engine. */
struct tlob_times {
	uint64_t running_ns;
	uint64_t waiting_ns;
	uint64_t sleeping_ns;
	uint32_t switches;
	uint32_t flags; /* TLOB_F_ESTIMATED */
};

/*
 * Called for each overrun record and then for its closing record. Without an agent the first comes
 * from the library's watcher thread while the window is still open, or at the stop if that was
 * faster, and the second from the thread that stops it. With an agent both come from that thread,
 * at the stop; the first then says TLOB_F_AT_STOP. It may run in several threads at once, and,
 * where windows are stopped in signal handlers, in those. Must not call tlob_start().
 */
typedef void tlob_overrun_fn(const struct tlob_record *record, const struct tlob_region *region,
			     void *arg);

#ifndef TLOB_DISABLE

/*
 * Open a window on @region for the calling thread. @tag is echoed in every record of the window.
 * Async-signal-safe; errno is left alone. Never blocks, except for at most a few milliseconds at
 * the process's, and the thread's, first use. Returns TLOB_NO_WINDOW if switched off, or if the
 * thread has TLOB_MAX_DEPTH windows open (counted as refused).
 */
tlob_window_t tlob_start(struct tlob_region *region, uint64_t tag);

/*
 * Close a window opened by the calling thread, in any order among its windows. Async-signal-safe.
 * 0: within budget. -EOVERFLOW: over budget. -ECANCELED: not measured to the end (switched off,
 * refused, the agent vanished, the process forked). -EINVAL: not a window of this thread, or
 * stopped already. errno is set when the result is negative, and left alone when it is 0.
 */
int tlob_stop(tlob_window_t window);

/*
 * A window that any thread may end: it is known by @region and @tag, so that what is begun before a
 * request, frame or message goes into a queue is ended where it comes out. As many may be open as
 * differ in one of the two, up to 4032 in a process. Its records have no split into running, waiting
 * and sleeping, as there need be no thread that does. Async-signal-safe; no system call and no lock.
 * 0. -EEXIST: it is open already. -ENOSPC: no room (counted as refused). -ECANCELED: nothing is
 * measured. -EOPNOTSUPP: engine kernel has no such windows. errno is set when the result is
 * negative, and left alone when it is 0.
 *
 * Of a TLOB_SHARED_REGION() any thread of any process under the same agent may end it, if it has a
 * shared region of that name; the window is in the books of the process that began it, and abandoned
 * when that goes. One system call each; at least 128 open in a process. -EOPNOTSUPP unless measured
 * by an agent with engine bpf: nothing else sees both processes.
 */
int tlob_begin(struct tlob_region *region, uint64_t tag);

/*
 * End it, in any thread. 0: within budget. -EOVERFLOW: over budget. -ESRCH: there is no such
 * window, or it has been ended. -ECANCELED: not measured to the end. errno as above.
 */
int tlob_end(struct tlob_region *region, uint64_t tag);

/*
 * Declare @chain: what one tag takes on its way through 2 to 6 regions, in this order, by
 * tlob_begin() and tlob_end(). Its window begins and ends with those of the first and the last, so
 * it is not begun itself; its records tell how long the tag was in each region and how long it
 * waited before each. tlob_end() of the last region also says whether the chain was over. For the
 * life of the process; before the first window of any of them. 0. -EINVAL: too few or too many, one
 * of them twice, or a shared one. -EBUSY: one of them is in a chain already. -ENOSPC: there are 32 chains.
 */
int tlob_chain(struct tlob_region *chain, struct tlob_region *const *regions, size_t n);

/*
 * The calling thread's clocks. 0, or -ENODATA when switched off. With an engine in the kernel: tens
 * of ns, no system call; otherwise a few of them, a microsecond or two.
 */
int tlob_thread_clock(struct tlob_times *times);

/*
 * One callback per process; NULL removes it. 0, or -ENOMEM. Not async-signal-safe: without an agent
 * it starts the watcher thread.
 */
int tlob_on_overrun(tlob_overrun_fn *fn, void *arg);

/* "bpf", "kernel", "user" or "off": what measures this process now. Connects if nothing has yet. */
const char *tlob_engine(void);

#else /* TLOB_DISABLE */

static inline tlob_window_t tlob_start(struct tlob_region *region, uint64_t tag)
{
	(void)region;
	(void)tag;
	return TLOB_NO_WINDOW;
}

static inline int tlob_stop(tlob_window_t window)
{
	(void)window;
	return 0;
}

static inline int tlob_begin(struct tlob_region *region, uint64_t tag)
{
	(void)region;
	(void)tag;
	return 0;
}

static inline int tlob_end(struct tlob_region *region, uint64_t tag)
{
	(void)region;
	(void)tag;
	return 0;
}

static inline int tlob_chain(struct tlob_region *chain, struct tlob_region *const *regions,
			     size_t n)
{
	(void)chain;
	(void)regions;
	(void)n;
	return 0;
}

static inline int tlob_thread_clock(struct tlob_times *times)
{
	(void)times;
	return -61; /* -ENODATA */
}

static inline int tlob_on_overrun(tlob_overrun_fn *fn, void *arg)
{
	(void)fn;
	(void)arg;
	return 0;
}

static inline const char *tlob_engine(void)
{
	return "off";
}

#endif /* TLOB_DISABLE */

#pragma GCC visibility pop

#ifdef __cplusplus
} /* extern "C" */

namespace tlob
{
/* The rest of the enclosing block is one window. */
class scope {
    public:
	explicit scope(struct tlob_region &region, uint64_t tag = 0)
		: window_(tlob_start(&region, tag))
	{
	}
	~scope()
	{
		(void)tlob_stop(window_);
	}
	scope(const scope &) = delete;
	scope &operator=(const scope &) = delete;

    private:
	tlob_window_t window_;
};
} // namespace tlob

#define TLOB_SCOPE(region, tag) ::tlob::scope TLOB_CAT_(tlob_scope_, __LINE__)(region, tag)
#else
static inline void tlob_scope_end_(tlob_window_t *window)
{
	(void)tlob_stop(*window);
}
#define TLOB_SCOPE(region, tag) \
	tlob_window_t TLOB_CAT_(tlob_scope_, __LINE__) \
		__attribute__((cleanup(tlob_scope_end_), unused)) = tlob_start(&(region), (tag))
#endif
#define TLOB_CAT_(a, b) TLOB_CAT2_(a, b)
#define TLOB_CAT2_(a, b) a##b

#endif
