// SPDX-License-Identifier: LGPL-2.1-or-later
/* See process.h. */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tlob/tlob.h>

#include "baseline.h"
#include "calm.h"
#include "connect.h"
#include "engine.h"
#include "log.h"
#include "now.h"
#include "peek.h"
#include "pool.h"
#include "record.h"
#include "thread.h"
#include "watch.h"

#define WAIT_EARLY_NS (200 * TLOB_NS_PER_MS) /* TLOB_AGENT, before main(): it was started for us */
#define WAIT_DEFAULT_NS (5 * TLOB_NS_PER_MS)
#define ANSWERS 4 /* or as many times what the last answer took, if that is more */
#define WAIT_OTHERS_NS (WAIT_EARLY_NS + 100 * TLOB_NS_PER_MS) /* for a thread that is at it */
#define LOOK_NS TLOB_NS_PER_S
#define LOOK_PENDING_NS (10 * TLOB_NS_PER_MS)
#define PENDING_NS TLOB_NS_PER_S /* an agent that has not answered by then is tried anew */

static struct tlob_live before_any_page;
struct tlob_live *tlob_live = &before_any_page;
__u32 tlob_last_epoch;
__u32 tlob_switched_off;

/* Read once; a child inherits what its parent had read. */
static struct {
	__u32 read;
	bool named;
	bool secure; /* setuid and the like: the environment is the caller's, not to be believed */
	char agent[112];
	char token[TLOB_TOKEN_BYTES];
} env;

/*
 * Before main() nothing is measured yet, so that the named agent may be waited for. Later on a
 * start must not take long.
 */
static __u32 early;

/*
 * How long the last agent took to answer; outlives fork. On a slow machine it will not be faster
 * this time.
 */
static __u64 answer_ns;

/* All homes, for the child that has to close them. Outlives fork. */
static struct tlob_home *homes;

/* ---- the page */

static struct tlob_live *map_page(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct tlob_live *was;

	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, bytes, MADV_WIPEONFORK)) { /* Linux < 4.14 */
		munmap(page, bytes);
		return NULL;
	}
	was = tlob_cmpxchg(&tlob_live, &before_any_page, (struct tlob_live *)page);
	if (was == &before_any_page)
		return page;
	munmap(page, bytes);
	return was;
}

/*
 * NULL if there is no page, or this is the child of a vfork: what it would open here is not its
 * parent's.
 */
static struct tlob_live *live_page(void)
{
	struct tlob_live *live = tlob_load_acquire(&tlob_live);
	__u32 pid = (__u32)getpid(), was;

	if (live == &before_any_page)
		live = map_page();
	if (!live)
		return NULL;
	was = tlob_cmpxchg(&live->pid, 0u, pid);
	return !was || was == pid ? live : NULL;
}

/* A path, or "@name" with a token behind the last comma; a path may hold commas. */
static void read_agent(const char *agent)
{
	char *comma;

	env.named = agent && *agent && strlen(agent) < sizeof(env.agent);
	strcpy(env.agent, env.named ? agent : TLOB_AGENT_SOCKET);
	comma = *env.agent == '@' ? strrchr(env.agent, ',') : NULL;
	if (!comma)
		return;
	*comma++ = '\0';
	if (strlen(comma) < sizeof(env.token))
		strcpy(env.token, comma);
}

static void read_environment(void)
{
	const char *off, *log;

	if (tlob_load_acquire(&env.read))
		return;
	env.secure = getauxval(AT_SECURE) != 0;
	off = env.secure ? NULL : getenv("TLOB");
	log = env.secure ? NULL : getenv("TLOB_LOG");
	if (off && !strcmp(off, "0"))
		tlob_store(&tlob_switched_off, 1u);
	read_agent(env.secure ? NULL : getenv("TLOB_AGENT"));
	if (log && *log && !tlob_switched_off)
		tlob_log_open(log);
	tlob_store_release(&env.read, 1u);
}

/* ---- the current home; live->changing is held */

static void publish(struct tlob_live *live, struct tlob_home *home)
{
	home->epoch = __atomic_add_fetch(&tlob_last_epoch, 1, __ATOMIC_RELAXED);
	if (!live->first_epoch)
		live->first_epoch = home->epoch;
	home->older = homes;
	tlob_store_release(&homes, home);
	tlob_store_release(&live->home, home);
	tlob_store_release(&live->epoch, home->epoch);
}

/* Without an agent: with the kernel's module if there is one, else all by itself. */
static struct tlob_home *own_home(void)
{
	struct tlob_home *home = tlob_home_new();

	if (home && !tlob_home_make_kernel(home))
		return home;
	if (home)
		tlob_home_free(home);
	home = tlob_home_new();
	if (home && !tlob_home_make_local(home))
		return home;
	if (home)
		tlob_home_free(home);
	return NULL;
}

static void publish_local(struct tlob_live *live)
{
	struct tlob_home *home = own_home();

	if (home) {
		publish(live, home);
		return;
	}
	/* out of memory: off until the next look */
	tlob_store(&live->epoch, 0u);
	tlob_store(&live->home, (struct tlob_home *)NULL);
}

static int hello(void)
{
	return tlob_connect_hello(env.agent, env.token,
				  env.secure ? TLOB_TRUST_ROOT : TLOB_TRUST_OWN);
}

static void forget_pending(struct tlob_live *live)
{
	if (live->pending)
		close(live->pending - 1);
	live->pending = 0;
}

/* See whether the pending agent has answered, and move in with it. 0, -EAGAIN, or the failure. */
static int take_answer(struct tlob_live *live, __u64 wait_ns)
{
	struct tlob_home *home = tlob_home_new();
	int fds[TLOB_MAX_FDS], nfds;
	int r;

	if (!home)
		return -EAGAIN;
	r = tlob_connect_welcome(live->pending - 1, wait_ns, home, fds, &nfds);
	if (!r) {
		r = tlob_home_make_guest(home, fds, nfds);
		if (!r)
			r = tlob_descriptor_adopt(live->pending - 1, &home->socket);
		else
			close(live->pending - 1);
		live->pending = 0;
	}
	if (!r) {
		tlob_store(&answer_ns, tlob_now() - live->pending_ns);
		publish(live, home);
		return 0;
	}
	tlob_home_free(home);
	if (r != -EAGAIN)
		forget_pending(live);
	return r;
}

static __u64 patience_ns(void)
{
	__u64 usual = ANSWERS * tlob_load(&answer_ns);

	if (usual > WAIT_EARLY_NS || (tlob_load(&early) && env.named))
		return WAIT_EARLY_NS;
	return usual > WAIT_DEFAULT_NS ? usual : WAIT_DEFAULT_NS;
}

/* At first use: an agent if it is quick, else none for now. */
static void move_in(struct tlob_live *live)
{
	__u64 wait_ns = patience_ns();
	__u64 now = tlob_now();
	__u64 until = now + wait_ns;
	int fd;

	while ((fd = hello()) == -EAGAIN && now < until) { /* it has not accepted those before us */
		struct timespec ms = {.tv_nsec = TLOB_NS_PER_MS};

		nanosleep(&ms, NULL);
		now = tlob_now();
	}
	tlob_store(&live->look_ns, now + LOOK_NS);
	if (fd >= 0) {
		live->pending = fd + 1;
		live->pending_ns = now;
		if (!take_answer(live, now < until ? until - now : 0))
			return;
		if (live->pending)
			tlob_store(&live->look_ns, now + LOOK_PENDING_NS);
	}
	publish_local(live);
}

/* In a child: close what is its parent's. */
static void forget_parent(void)
{
	tlob_peek_close();
	for (struct tlob_home *home = tlob_load(&homes); home; home = home->older)
		tlob_home_forget(home);
}

struct tlob_home *tlob_process_home(void)
{
	struct tlob_live *live = live_page();

	if (!live || tlob_load(&tlob_switched_off))
		return NULL;
	if (tlob_load_acquire(&live->epoch))
		return tlob_load(&live->home);
	if (tlob_lock_take(&live->changing, WAIT_OTHERS_NS))
		return NULL;
	read_environment();
	if (!tlob_switched_off && !live->epoch && tlob_now() >= tlob_load(&live->look_ns)) {
		if (!live->first_epoch && homes) /* forked, perhaps without a call of in_child() */
			forget_parent();
		move_in(live);
	}
	tlob_lock_release(&live->changing);
	return tlob_load(&live->home);
}

void tlob_process_lost(struct tlob_home *home)
{
	struct tlob_live *live = live_page();

	if (!live || tlob_load(&home->dead) || tlob_lock_take(&live->changing, WAIT_DEFAULT_NS))
		return;
	if (!tlob_load(&home->dead)) {
		if (live->home == home)
			publish_local(live);
		tlob_home_bury(home);
		if (live->buried)
			tlob_home_close(live->buried);
		live->buried = home;
		live->buried_ns = tlob_now();
	}
	tlob_lock_release(&live->changing);
}

/* ---- looking for an agent later on */

static void look_for_agent(struct tlob_live *live, __u64 now_ns)
{
	if (!live->pending) {
		int fd = hello();

		if (fd < 0)
			return;
		live->pending = fd + 1;
		live->pending_ns = now_ns;
	}
	if (take_answer(live, 0) != -EAGAIN)
		return;
	if (now_ns - live->pending_ns > PENDING_NS)
		forget_pending(live);
	else
		tlob_store(&live->look_ns, now_ns + LOOK_PENDING_NS);
}

/*
 * Other threads may have been in the middle of a call to the agent that was lost: a second later
 * none is.
 */
static void close_buried(struct tlob_live *live, __u64 now_ns)
{
	if (!live->buried || now_ns - live->buried_ns < LOOK_NS)
		return;
	tlob_home_close(live->buried);
	live->buried = NULL;
}

void tlob_process_look(__u64 now_ns)
{
	struct tlob_live *live = tlob_live;
	struct tlob_home *home = tlob_load(&live->home);
	TLOB_CALM;

	if (now_ns < tlob_load(&live->look_ns) || !home || !live_page())
		return;
	if (home->agent) {
		tlob_store(&live->look_ns, now_ns + LOOK_NS);
		if (!tlob_connect_alive(&home->socket))
			tlob_process_lost(home);
		return;
	}
	if (tlob_lock_take(&live->changing, 0))
		return;
	close_buried(live, now_ns);
	if (live->home == home && now_ns >= tlob_load(&live->look_ns)) {
		tlob_store(&live->look_ns, now_ns + LOOK_NS);
		look_for_agent(live, now_ns);
	}
	tlob_lock_release(&live->changing);
}

bool tlob_process_listens(const struct tlob_home *home)
{
	return home->agent || tlob_record_heard();
}

/* ---- beginning and end */

static void in_child(void)
{
	tlob_watch_note_signals();
	forget_parent();
}

/*
 * Before main(): what may not be done in a signal handler later on, and the handshake with an agent
 * that was named. Threads are started here, or where a callback is set, rather than inside the
 * first window, which may be one of a handler's.
 */
static __attribute__((constructor)) void begin(void)
{
	struct tlob_live *live = live_page();
	struct tlob_home *home;
	TLOB_CALM;

	tlob_vdso_init();
	if (!live)
		return;
	pthread_atfork(NULL, NULL, in_child);
	tlob_watch_note_signals();
	tlob_thread_init();
	tlob_thread_hold();
	read_environment();
	if (tlob_switched_off || !(env.named || tlob_log_is_open()))
		return;
	tlob_store(&early, 1u);
	home = tlob_process_home();
	tlob_store(&early, 0u);
	if (home && tlob_watch_serves(home) && tlob_process_listens(home))
		tlob_watch_start();
}

/* Where no engine outside sees that the process ends. */
static void leave_transit(struct tlob_live *live)
{
	struct tlob_home *home = tlob_load_acquire(&live->home);

	for (; home && home->epoch >= tlob_load(&live->first_epoch); home = home->older)
		if (!home->engine->clocked && !tlob_load(&home->dead))
			tlob_transit_leave(home);
}

static __attribute__((destructor)) void end(void)
{
	struct tlob_live *live = tlob_live;
	struct tlob_home *home;
	TLOB_CALM;

	if (live == &before_any_page || tlob_load(&live->pid) != (__u32)getpid())
		return;
	tlob_store(&tlob_switched_off, 1u);
	tlob_watch_stop();
	tlob_thread_leave_windows();
	leave_transit(live);
	tlob_thread_deinit();
	if (tlob_lock_take(&live->changing, WAIT_DEFAULT_NS))
		return;
	home = live->home;
	tlob_store(&live->epoch, 0u);
	tlob_store(&live->home, (struct tlob_home *)NULL);
	forget_pending(live);
	/*
	 * where other threads are left it is an exit, and the rest is the kernel's; else it may be
	 * an unloading
	 */
	if (tlob_load(&live->holders) <= 1) {
		if (home && home->agent)
			tlob_home_bury(home);
		for (home = homes; home; home = home->older)
			tlob_home_close(home);
	}
	tlob_lock_release(&live->changing);
}

const char *tlob_engine(void)
{
	struct tlob_home *home;
	TLOB_CALM;

	home = tlob_process_home();
	if (home) {
		tlob_process_look(tlob_now());
		home = tlob_process_home();
	}
	return home ? home->engine->name : "off";
}
