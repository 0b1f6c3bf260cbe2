// SPDX-License-Identifier: GPL-2.0-or-later
/* Not under ThreadSanitizer: what the kernel writes and orders it does not see. */
/*
 * Windows that another process may end, seen from clients that speak to engine bpf by hand, and wrongly. Needs the
 * privileges of an agent; is skipped without.
 */
#include "raw_client.h"

#include <time.h>

#include "window.h"

#define ROOM 128 /* in one arena */
#define BUDGET_NS 20000000000ULL

static char name[64];

struct client {
	struct raw raw;
	union tlob_arena_entry *arena;
	uint32_t id, thread_id; /* of the arenas: for windows of no thread, and of a thread */
	uint64_t cookie, thread_cookie;
	int kick;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int make_session(void **state)
{
	struct tlobctl_opts opts = {
		.size = sizeof(opts), .engine = TLOBCTL_ENGINE_BPF, .socket = name};
	struct tlobctl *ctl = NULL;

	snprintf(name, sizeof(name), "@tlob-test-shared-%d", getpid());
	if (tlobctl_open(&opts, &ctl))
		print_message("%s\n", tlobctl_error());
	*state = ctl;
	return 0;
}

static int end_session(void **state)
{
	tlobctl_close(*state);
	return 0;
}

static void get_transit(struct tlobctl *ctl, struct client *c)
{
	struct tlob_msg ask = raw_head(TLOB_MSG_TRANSIT);

	raw_send(c->raw.fd, &ask, sizeof(ask));
	serve(ctl, 50);
	assert_int_equal(raw_receive(&c->raw), sizeof(struct tlob_msg_arena));
	assert_int_equal(c->raw.in.head.type, TLOB_MSG_ARENA);
	c->id = c->raw.in.arena.arena;
	c->cookie = c->raw.in.arena.cookie;
	c->arena =
		mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, c->raw.fds[0], 0);
	assert_ptr_not_equal(c->arena, MAP_FAILED);
}

static struct client join(void **state)
{
	struct client c = {.kick = -1};
	struct tlob_ledger *l;

	if (!*state)
		skip();
	c.raw = raw_join(*state, name);
	assert_int_equal(c.raw.nfds, 3);
	l = mmap(NULL, TLOB_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, c.raw.fds[0], 0);
	assert_ptr_not_equal(l, MAP_FAILED);
	l->regions[5].name[0] = 'r';
	tlob_store_release(&l->regions[5].ready, 1u);
	munmap(l, TLOB_LEDGER_BYTES);
	c.kick = dup(c.raw.fds[1]);
	c.thread_id = c.raw.in.welcome.arena.arena;
	c.thread_cookie = c.raw.in.welcome.arena.cookie;
	get_transit(*state, &c);
	return c;
}

static void leave(struct tlobctl *ctl, struct client *c)
{
	munmap(c->arena, TLOB_ARENA_BYTES);
	close(c->kick);
	raw_leave(&c->raw);
	serve(ctl, 50);
}

static int kick(const struct client *c, struct tlob_kick k)
{
	return raw_kick(c->kick, k);
}

/* Begin region name 77 with @tag in window @n, counted through all slots. */
static int begin(const struct client *c, uint32_t n, uint64_t tag)
{
	uint32_t number = 1 + n / TLOB_MAX_DEPTH, index = n % TLOB_MAX_DEPTH;
	struct tlob_transit *slot = &c->arena[number].transit;
	struct tlob_window *w = &slot->windows[index];

	w->start_ns = now_ns();
	w->deadline_ns = w->start_ns + BUDGET_NS;
	w->tag = tag;
	w->region = 5;
	w->sleeping_ns = 0;
	slot->used |= 1u << index;
	return kick(c, (struct tlob_kick){.op = TLOB_KICK_BEGIN,
					  .arena = c->id,
					  .slot = number,
					  .window = index,
					  .cookie = c->cookie,
					  .now_ns = 77,
					  .deadline_ns = tag});
}

static int end(const struct client *c, uint64_t tag)
{
	return kick(c, (struct tlob_kick){.op = TLOB_KICK_END, .now_ns = 77, .deadline_ns = tag});
}

/* ---- tests */

static void begin_is_checked(void **state)
{
	struct client c = join(state), other = join(state);
	struct tlob_kick good = {.op = TLOB_KICK_BEGIN,
				 .arena = c.id,
				 .slot = 1,
				 .cookie = c.cookie,
				 .now_ns = 77,
				 .deadline_ns = 1},
			 k;

	k = good, k.cookie = other.cookie;
	assert_int_equal(kick(&c, k), EACCES);
	k = good, k.cookie = 0;
	assert_int_equal(kick(&c, k), EACCES);
	k = good, k.arena = other.id;
	assert_int_equal(kick(&c, k), EACCES);
	k = good, k.arena = c.thread_id, k.cookie = c.thread_cookie;
	assert_int_equal(kick(&c, k), EACCES);
	k = good, k.arena = 0;
	assert_int_equal(kick(&c, k), EINVAL);
	k = good, k.arena = ~0u;
	assert_int_equal(kick(&c, k), EINVAL);
	k = good, k.slot = 0;
	assert_int_equal(kick(&c, k), EINVAL);
	k = good, k.slot = TLOB_ARENA_SLOTS;
	assert_int_equal(kick(&c, k), EINVAL);
	k = good, k.window = TLOB_MAX_DEPTH;
	assert_int_equal(kick(&c, k), EINVAL);
	assert_int_equal(end(&c, 1), ESRCH);
	assert_int_equal(begin(&c, 0, 1), 0);
	assert_int_equal(end(&other, 1), 0);
	assert_int_equal(c.arena[1].transit.used & 1, 0);
	leave(*state, &c);
	leave(*state, &other);
}

/* However often it begins, others have room; when it leaves nothing is left. */
static void room_is_bounded(void **state)
{
	struct client greedy = join(state), other = join(state);
	int begun = 0, refused = 0;

	for (uint64_t tag = 1; tag <= 3 * ROOM; tag++) { /* all in one window */
		int r = begin(&greedy, 0, tag);

		begun += r == 0;
		refused += r == ENOSPC;
	}
	assert_int_equal(begun, ROOM);
	assert_int_equal(refused, 2 * ROOM);
	for (uint32_t n = 0; n < ROOM; n++)
		assert_int_equal(begin(&other, n, 10000 + n), 0);
	/* those whose window has been used again are gone, and make no room for others' harm */
	assert_int_equal(end(&other, 1), ESRCH);
	assert_int_equal(begin(&greedy, 1, 1), 0);
	leave(*state, &greedy);
	for (uint32_t n = 0; n < ROOM; n++)
		assert_int_equal(end(&other, 10000 + n), 0);
	for (uint32_t n = 0; n < ROOM; n++)
		assert_int_equal(begin(&other, n, 1 + n), 0);
	leave(*state, &other);
}

/* Its own windows are all that it can spoil. */
static void scribbling_spoils_its_own(void **state)
{
	struct client bad = join(state), other = join(state);
	struct tlob_window *w = &bad.arena[1].transit.windows[0];

	assert_int_equal(begin(&bad, 0, 1), 0);
	assert_int_equal(begin(&other, 0, 1), EEXIST);
	w->state = 0;
	assert_int_equal(end(&other, 1), ESRCH);
	assert_int_equal(begin(&other, 0, 1), 0); /* what is not open is not in its way */
	assert_int_equal(end(&bad, 1), 0);

	assert_int_equal(begin(&bad, 0, 2), 0);
	w->region = ~0u;
	w->start_ns = ~0ULL;
	w->deadline_ns = 0;
	w->running_ns = ~0ULL;
	w->sleeping_ns = 1; /* a chain, which the last window of a slot has no room for */
	assert_int_equal(end(&other, 2), EOVERFLOW);
	assert_int_equal(begin(&bad, TLOB_MAX_DEPTH - 1, 3), 0);
	bad.arena[1].transit.windows[TLOB_MAX_DEPTH - 1].sleeping_ns = 1;
	bad.arena[1].transit.windows[TLOB_MAX_DEPTH - 1].deadline_ns = 0;
	assert_int_equal(end(&other, 3), EOVERFLOW);
	serve(*state, 50);
	assert_int_equal(begin(&other, 0, 4), 0);
	assert_int_equal(end(&bad, 4), 0);
	leave(*state, &bad);
	leave(*state, &other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(begin_is_checked, make_session, end_session),
		cmocka_unit_test_setup_teardown(room_is_bounded, make_session, end_session),
		cmocka_unit_test_setup_teardown(scribbling_spoils_its_own, make_session,
						end_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
