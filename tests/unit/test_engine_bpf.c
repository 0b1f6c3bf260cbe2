// SPDX-License-Identifier: GPL-2.0-or-later
/* Not under ThreadSanitizer: what the kernel writes and orders it does not see. */
/*
 * Engine bpf seen from a client that speaks to it by hand: this process hosts the session and joins it too. Needs the
 * privileges of an agent; is skipped without.
 */
#include "raw_client.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "window.h"

#define NS_PER_MS 1000000ULL

static char name[64];

struct client {
	struct raw raw;
	union tlob_arena_entry *arena;
	uint32_t id; /* of the arena */
	uint64_t cookie;
	int kick;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

/* ---- session */

struct catcher {
	struct tlob_record records[64];
	int n;
};

static void catch (const struct tlobctl_event *event, void *arg)
{
	struct catcher *c = arg;

	if (c->n < 64)
		c->records[c->n++] = *event->record;
}

static void drain(struct tlobctl *ctl, struct catcher *c)
{
	while (tlobctl_poll(ctl, 20, catch, c) > 0)
		;
}

static struct tlobctl *open_session(void)
{
	struct tlobctl_opts opts = {
		.size = sizeof(opts), .engine = TLOBCTL_ENGINE_BPF, .socket = name};
	struct tlobctl *ctl;

	if (!tlobctl_open(&opts, &ctl))
		return ctl;
	print_message("%s\n", tlobctl_error());
	return NULL;
}

static int make_session(void **state)
{
	snprintf(name, sizeof(name), "@tlob-test-bpf-%d", getpid());
	*state = open_session();
	return 0;
}

static int end_session(void **state)
{
	tlobctl_close(*state);
	return 0;
}

/* Records of regions that are not defined are not handed out. */
static void define_regions(const struct raw *r)
{
	struct tlob_ledger *l =
		mmap(NULL, TLOB_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, r->fds[0], 0);

	assert_ptr_not_equal(l, MAP_FAILED);
	for (int i = 0; i < TLOB_MAX_REGIONS; i++) {
		l->regions[i].name[0] = 'r';
		tlob_store_release(&l->regions[i].ready, 1u);
	}
	munmap(l, TLOB_LEDGER_BYTES);
}

static struct client join(void **state)
{
	struct client c = {.raw = {.fd = -1}};

	if (!*state)
		skip();
	c.raw = raw_join(*state, name);
	assert_int_equal(c.raw.in.welcome.engine, TLOB_ENGINE_BPF);
	assert_int_equal(c.raw.nfds, 3);
	define_regions(&c.raw);
	c.kick = c.raw.fds[1];
	c.id = c.raw.in.welcome.arena.arena;
	c.cookie = c.raw.in.welcome.arena.cookie;
	c.arena = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, c.raw.fds[2], 0);
	assert_ptr_not_equal(c.arena, MAP_FAILED);
	assert_int_equal(c.arena[0].head.magic, TLOB_ABI_MAGIC);
	assert_int_equal(c.arena[0].head.next_wake_ns, TLOB_NEVER);
	return c;
}

static void leave(struct client *c)
{
	munmap(c->arena, TLOB_ARENA_BYTES);
	raw_leave(&c->raw);
}

/* ---- the thread's side */

static int kick(const struct client *c, struct tlob_kick k)
{
	return raw_kick(c->kick, k);
}

static int take_slot(const struct client *c, uint32_t slot)
{
	return kick(c, (struct tlob_kick){.op = TLOB_KICK_REGISTER,
					  .arena = c->id,
					  .slot = slot,
					  .cookie = c->cookie});
}

static int give_slot_back(const struct client *c)
{
	return kick(c, (struct tlob_kick){.op = TLOB_KICK_UNREGISTER});
}

/* Start window @index of @slot as the library does. Returns its generation. */
static uint64_t start(const struct client *c, uint32_t slot, uint32_t index, uint64_t budget_ns)
{
	struct tlob_slot *s = &c->arena[slot].slot;
	struct tlob_window *w = &s->windows[index];
	struct tlob_split split;
	uint64_t gen, now;

	do
		now = now_ns();
	while (!tlob_clock_try_read(&s->clock, now, &split));
	w->start_ns = now;
	w->deadline_ns = now + budget_ns;
	w->tag = 40 + index;
	w->region = 5;
	w->running_ns = split.running_ns;
	w->waiting_ns = split.waiting_ns;
	w->sleeping_ns = split.sleeping_ns;
	w->switches = split.switches;
	s->used |= 1u << index;
	gen = tlob_window_arm(w);
	if (tlob_window_wants_kick(&c->arena[0].head, now, w->deadline_ns))
		assert_int_equal(kick(c, (struct tlob_kick){.op = TLOB_KICK_ARM,
							    .deadline_ns = w->deadline_ns}),
				 0);
	return gen;
}

static uint32_t stop(const struct client *c, uint32_t slot, uint32_t index, uint64_t gen)
{
	uint32_t was = tlob_window_end(&c->arena[slot].slot.windows[index], gen);

	if (was == TLOB_EXPIRED)
		assert_int_equal(kick(c, (struct tlob_kick){.op = TLOB_KICK_CLOSE,
							    .window = index,
							    .now_ns = now_ns()}),
				 0);
	c->arena[slot].slot.used &= ~(1u << index);
	return was;
}

/* ---- tests */

static void registration_is_checked(void **state)
{
	struct client c = join(state);
	struct tlob_kick k = {
		.op = TLOB_KICK_REGISTER, .arena = c.id, .slot = 1, .cookie = c.cookie + 1};

	assert_int_equal(kick(&c, (struct tlob_kick){.op = TLOB_KICK_ARM}), ESRCH);
	assert_int_equal(kick(&c, (struct tlob_kick){.op = TLOB_KICK_UNREGISTER}), ESRCH);
	assert_int_equal(kick(&c, k), EACCES);
	k.cookie = 0;
	assert_int_equal(kick(&c, k), EACCES);
	k.cookie = c.cookie;
	k.arena = c.id + 1; /* somebody else's, or nobody's yet */
	assert_int_equal(kick(&c, k), EACCES);
	for (uint32_t bad = 0; bad < 3; bad++) {
		k.arena = (const uint32_t[]){0, 1024, ~0u}[bad];
		assert_int_equal(kick(&c, k), EINVAL);
		k.arena = c.id;
		k.slot = (const uint32_t[]){0, 64, ~0u}[bad];
		assert_int_equal(kick(&c, k), EINVAL);
		k.slot = 1;
	}
	assert_int_equal(take_slot(&c, 1), 0);
	assert_int_equal(kick(&c, (struct tlob_kick){.op = 99}), EINVAL);
	assert_int_equal(kick(&c, (struct tlob_kick){.op = TLOB_KICK_CLOSE, .window = 8}), EINVAL);
	assert_int_equal(give_slot_back(&c), 0);
	assert_int_equal(kick(&c, (struct tlob_kick){.op = TLOB_KICK_ARM}), ESRCH);
	leave(&c);
}

static void clock_runs_and_starts_anew(void **state)
{
	struct client c = join(state);
	struct tlob_clock *clock = &c.arena[7].slot.clock;
	struct tlob_split s;

	assert_int_equal(take_slot(&c, 7), 0);
	sleep_ms(30);
	while (!tlob_clock_try_read(clock, now_ns(), &s))
		;
	assert_in_range(s.sleeping_ns, 29 * NS_PER_MS, 1000 * NS_PER_MS);
	assert_int_equal(s.state, TLOB_RUNNING);
	assert_true(s.switches >= 1);
	assert_int_equal(take_slot(&c, 8), 0); /* moves over: the old slot stands still */
	s.sleeping_ns = clock->sleeping_ns;
	sleep_ms(10);
	assert_int_equal(clock->sleeping_ns, s.sleeping_ns);
	while (!tlob_clock_try_read(&c.arena[8].slot.clock, now_ns(), &s))
		;
	assert_in_range(s.sleeping_ns, 9 * NS_PER_MS, 29 * NS_PER_MS);
	assert_int_equal(give_slot_back(&c), 0);
	leave(&c);
}

/* There a thread does not know its number in the initial pid namespace, which is what the engine sees. */
static bool in_container(void)
{
	struct stat ns;

	return !stat("/proc/self/ns/pid", &ns) && ns.st_ino != 0xeffffffcu;
}

static void window_expires_once(void **state)
{
	struct client c = join(state);
	struct catcher caught = {0};
	uint64_t gen, roomy;

	assert_int_equal(take_slot(&c, 3), 0);
	roomy = start(&c, 3, 0, 10000 * NS_PER_MS);
	gen = start(&c, 3, 1, 5 * NS_PER_MS);
	sleep_ms(10);
	drain(*state, &caught);
	assert_int_equal(caught.n, 1);
	assert_int_equal(caught.records[0].type, TLOB_REC_OVERRUN);
	assert_int_equal(caught.records[0].state, TLOB_SLEEPING);
	assert_int_equal(caught.records[0].budget_ns, 5 * NS_PER_MS);
	assert_int_equal(caught.records[0].tag, 41);
	if (!in_container())
		assert_int_equal(caught.records[0].tid, syscall(SYS_gettid));
	assert_int_equal(stop(&c, 3, 1, gen), TLOB_EXPIRED);
	assert_int_equal(stop(&c, 3, 0, roomy), TLOB_ARMED);
	drain(*state, &caught);
	assert_int_equal(caught.n, 2);
	assert_int_equal(caught.records[1].type, TLOB_REC_CLOSE);
	assert_int_equal(caught.records[1].window, caught.records[0].window);
	assert_int_equal(give_slot_back(&c), 0);
	leave(&c);
}

/* The later deadline is set first, the earlier one second; a third comes with the first wake-up. */
static void deadlines_in_any_order(void **state)
{
	struct client c = join(state);
	struct catcher caught = {0};
	uint64_t gen[3];

	assert_int_equal(take_slot(&c, 9), 0);
	gen[0] = start(&c, 9, 0, 40 * NS_PER_MS);
	gen[1] = start(&c, 9, 1, 20 * NS_PER_MS);
	gen[2] = start(&c, 9, 2, 30 * NS_PER_MS);
	sleep_ms(60);
	drain(*state, &caught);
	assert_int_equal(caught.n, 3);
	assert_int_equal(caught.records[0].tag, 41);
	assert_int_equal(caught.records[1].tag, 42);
	assert_int_equal(caught.records[2].tag, 40);
	for (int i = 0; i < 3; i++)
		assert_in_range(caught.records[i].elapsed_ns - caught.records[i].budget_ns, 0,
				10 * NS_PER_MS);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(stop(&c, 9, i, gen[i]), TLOB_EXPIRED);
	assert_int_equal(give_slot_back(&c), 0);
	leave(&c);
}

/* next_wake_ns says that the timer is set, but it was lost. */
static void lost_timer_is_set_again(void **state)
{
	struct client c = join(state);
	struct catcher caught = {0};
	uint64_t gen;

	assert_int_equal(take_slot(&c, 4), 0);
	c.arena[0].head.next_wake_ns = now_ns() - 1;
	gen = start(&c, 4, 0, 5 * NS_PER_MS);
	assert_int_equal(kick(&c, (struct tlob_kick){.op = TLOB_KICK_ARM,
						     .deadline_ns = now_ns() + 1000 * NS_PER_MS}),
			 0);
	sleep_ms(20);
	drain(*state, &caught);
	assert_int_equal(caught.n, 1);
	assert_int_equal(stop(&c, 4, 0, gen), TLOB_EXPIRED);
	assert_int_equal(give_slot_back(&c), 0);
	leave(&c);
}

static void child_has_no_window(void **state)
{
	struct client c = join(state);
	int status = -1;
	pid_t pid;

	assert_int_equal(take_slot(&c, 1), 0);
	pid = fork();
	if (!pid) {
		int unregistered = kick(&c, (struct tlob_kick){.op = TLOB_KICK_ARM});
		int stolen = take_slot(&c, 2);

		_exit(unregistered == ESRCH && stolen == EACCES ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(give_slot_back(&c), 0);
	leave(&c);
}

static void *leave_window_open(void *arg)
{
	struct client *c = arg;

	if (take_slot(c, 5))
		return c;
	start(c, 5, 0, 50 * NS_PER_MS);
	start(c, 5, 1, 1 * NS_PER_MS);
	sleep_ms(10);
	return NULL;
}

static void exit_ends_windows(void **state)
{
	struct client c = join(state);
	struct catcher caught = {0};
	pthread_t t;
	void *failed;

	pthread_create(&t, NULL, leave_window_open, &c);
	pthread_join(t, &failed);
	assert_null(failed);
	sleep_ms(80);
	drain(*state, &caught);
	assert_int_equal(caught.n, 2); /* not the one that was in time */
	assert_int_equal(caught.records[1].type, TLOB_REC_CLOSE);
	assert_true(caught.records[1].flags & TLOB_F_ABANDONED);
	assert_int_equal(caught.records[1].tag, 41);
	assert_int_equal(TLOB_WINDOW_STATE(c.arena[5].slot.windows[0].state), TLOB_IDLE);
	assert_int_equal(c.arena[5].slot.used, 0);
	leave(&c);
}

/* The connection ends but the thread lives on: its windows are cancelled, and it reaches nobody else's arena. */
static void departed_client_is_cut_off(void **state)
{
	struct client c = join(state), other;
	struct catcher caught = {0};
	uint64_t gen;

	assert_int_equal(take_slot(&c, 1), 0);
	gen = start(&c, 1, 0, 30 * NS_PER_MS);
	shutdown(c.raw.fd, SHUT_RDWR);
	serve(*state, 20);
	assert_int_equal(c.arena[0].head.closed, 1);
	assert_int_equal(tlob_window_end(&c.arena[1].slot.windows[0], gen), TLOB_CANCELLED);
	assert_int_equal(kick(&c, (struct tlob_kick){.op = TLOB_KICK_ARM}), ESRCH);
	assert_int_equal(take_slot(&c, 1), EACCES);
	for (int i = 0; i < 64; i++) { /* until the same place in the table has a new arena */
		other = join(state);
		if (other.id == c.id)
			break;
		leave(&other);
		serve(*state, 5);
	}
	assert_int_equal(other.id, c.id);
	sleep_ms(20); /* this thread, which is not registered in it, is switched */
	assert_int_equal(other.arena[1].slot.clock.switches, 0);
	drain(*state, &caught);
	assert_int_equal(caught.n, 0);
	leave(&other);
	leave(&c);
}

/* Anything may be written into an arena. It ends in time, and others are measured as if nothing were. */
static void scribbler_hurts_nobody(void **state)
{
	struct client bad = join(state), good;
	struct catcher caught = {0};
	unsigned int seed = 1;
	uint64_t gen, until = now_ns() + 300 * NS_PER_MS;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (take_slot(&bad, 1))
			_exit(1);
		while (now_ns() < until) {
			for (size_t i = 0; i < TLOB_ARENA_BYTES / 4; i++)
				((volatile uint32_t *)bad.arena)[i] =
					(uint32_t)rand_r(&seed) * (uint32_t)rand_r(&seed);
			for (int i = 1; i < 64; i++) /* many that expire at once */
				for (int w = 0; w < 8; w++) {
					bad.arena[i].slot.used = ~0u;
					bad.arena[i].slot.windows[w].deadline_ns = (uint64_t)w;
					bad.arena[i].slot.windows[w].state = TLOB_ARMED;
				}
			bad.arena[0].head.next_wake_ns = (uint64_t)rand_r(&seed) << 40;
			for (uint32_t op = 3; op < 6; op++)
				kick(&bad,
				     (struct tlob_kick){.op = op,
							.window = (uint32_t)rand_r(&seed) % 9,
							.now_ns = (uint64_t)rand_r(&seed) << 33,
							.deadline_ns = 1});
		}
		_exit(0);
	}
	good = join(state);
	assert_int_equal(take_slot(&good, 1), 0);
	while (now_ns() < until) {
		gen = start(&good, 1, 0, 5 * NS_PER_MS);
		sleep_ms(10);
		assert_int_equal(stop(&good, 1, 0, gen), TLOB_EXPIRED);
		gen = start(&good, 1, 1, 5000 * NS_PER_MS);
		assert_int_equal(stop(&good, 1, 1, gen), TLOB_ARMED);
		serve(*state, 5);
	}
	waitpid(pid, NULL, 0);
	drain(*state, &caught);
	assert_int_equal(give_slot_back(&good), 0);
	leave(&good);
	leave(&bad);
}

/* Records without end do not keep the session from its sockets: they are handed out a turn at a time. */
static void a_turn_has_an_end(void **state)
{
	struct client c = join(state);
	int n, most = 0, all = 0;

	assert_int_equal(take_slot(&c, 1), 0);
	for (int i = 0; i < 1500; i++) /* two records each */
		assert_int_equal(
			kick(&c, (struct tlob_kick){.op = TLOB_KICK_REPORT, .now_ns = now_ns()}),
			0);
	while ((n = tlobctl_poll(*state, 20, NULL, NULL)) > 0) {
		most = n > most ? n : most;
		all += n;
	}
	assert_int_equal(all, 3000);
	assert_in_range(most, 1, 300);
	assert_int_equal(give_slot_back(&c), 0);
	leave(&c);
}

enum {
	SITTERS = 16
};

struct sitter {
	const struct client *client;
	uint32_t slot;
	int err;
	pthread_barrier_t *seated, *over;
	pthread_t thread;
};

static void *sit(void *arg)
{
	struct sitter *s = arg;

	s->err = take_slot(s->client, s->slot);
	pthread_barrier_wait(s->seated);
	pthread_barrier_wait(s->over);
	return NULL;
}

static void seat(struct sitter *sitters, const struct client *c, pthread_barrier_t *over)
{
	pthread_barrier_t seated;

	pthread_barrier_init(&seated, NULL, SITTERS + 1);
	for (uint32_t i = 0; i < SITTERS; i++) {
		sitters[i] = (struct sitter){c, i + 1, 0, &seated, over, 0};
		assert_int_equal(pthread_create(&sitters[i].thread, NULL, sit, &sitters[i]), 0);
	}
	pthread_barrier_wait(&seated);
	for (int i = 0; i < SITTERS; i++)
		assert_int_equal(sitters[i].err, 0);
}

static uint16_t ask_for_more(void **state, struct client *c)
{
	struct tlob_msg grow = raw_head(TLOB_MSG_GROW);
	ssize_t n;

	raw_send(c->raw.fd, &grow, sizeof(grow));
	serve(*state, 20);
	n = raw_receive(&c->raw);
	assert_true(n >= (ssize_t)sizeof(struct tlob_msg));
	if (c->raw.in.head.type == TLOB_MSG_ARENA) {
		assert_int_equal(n, sizeof(struct tlob_msg_arena));
		assert_int_equal(c->raw.nfds, 1);
	}
	return c->raw.in.head.type;
}

/* But only by those whose threads sit in what they have. */
static void count_honest(const struct tlobctl_event *event, void *arg)
{
	*(int *)arg += event->record->tag == 4711;
}

/* Nobody reads, and one client has more to tell than the ring holds: there is room left for what another tells. */
static void flood_leaves_room(void **state)
{
	enum {
		HONEST = 100
	};
	struct client bad = join(state), good = join(state);
	struct tlob_kick report = {.op = TLOB_KICK_REPORT};
	int honest = 0;

	assert_int_equal(take_slot(&bad, 1), 0);
	bad.arena[1].slot.windows[0].region = 5;
	for (int i = 0; i < 10000; i++)
		kick(&bad, report);
	assert_int_equal(give_slot_back(&bad), 0);
	assert_int_equal(take_slot(&good, 1), 0);
	good.arena[1].slot.windows[0].region = 5;
	good.arena[1].slot.windows[0].tag = 4711;
	for (int i = 0; i < HONEST; i++)
		assert_int_equal(kick(&good, report), 0);
	assert_int_equal(give_slot_back(&good), 0);
	for (int i = 0; i < 100 && honest < 2 * HONEST; i++)
		tlobctl_poll(*state, 20, count_honest, &honest);
	assert_int_equal(honest, 2 * HONEST);
	leave(&good);
	leave(&bad);
}

static void more_arenas_when_asked(void **state)
{
	enum {
		N = 4
	};
	struct client c = join(state), arenas[N] = {c};
	static struct sitter sitters[N][SITTERS];
	pthread_barrier_t over;

	pthread_barrier_init(&over, NULL, N * SITTERS + 1);
	arenas[0].kick = dup(c.kick); /* the next message takes the place of the descriptors */
	for (int i = 0; i < N; i++) {
		assert_int_equal(ask_for_more(state, &c), TLOB_MSG_REFUSED);
		seat(sitters[i], &arenas[i], &over);
		if (i == N - 1)
			break;
		assert_int_equal(ask_for_more(state, &c), TLOB_MSG_ARENA);
		arenas[i + 1] = arenas[0];
		arenas[i + 1].id = c.raw.in.arena.arena;
		arenas[i + 1].cookie = c.raw.in.arena.cookie;
		for (int k = 0; k <= i; k++)
			assert_int_not_equal(arenas[k].id, arenas[i + 1].id);
	}
	pthread_barrier_wait(&over);
	for (int i = 0; i < N * SITTERS; i++)
		pthread_join(sitters[i / SITTERS][i % SITTERS].thread, NULL);
	assert_int_equal(ask_for_more(state, &c), TLOB_MSG_REFUSED);
	close(arenas[0].kick);
	leave(&c);
}

/* One user, many processes: it does not get everything. */
static void arenas_are_shared_out(void **state)
{
	enum {
		MAX = 256
	};
	int fds[MAX], n = 0;
	struct raw r;
	pid_t pid;

	if (!*state)
		skip();
	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(1);
		for (n = 0; n < MAX; n++) {
			fds[n] = raw_connect(name);
			if (fds[n] < 0)
				_exit(2);
			raw_hello(fds[n]);
		}
		r = (struct raw){.fd = fds[MAX - 1]};
		for (int i = 0; i < 1000 && raw_receive(&r) < 0; i++)
			sleep_ms(20);
		if (r.in.head.type != TLOB_MSG_REFUSED)
			_exit(3);
		r.fd = fds[MAX - 2];
		if (raw_receive(&r) <= 0 || r.in.head.type != TLOB_MSG_WELCOME)
			_exit(4);
		_exit(0);
	}
	while (waitpid(pid, &n, WNOHANG) == 0)
		serve(*state, 20);
	assert_true(WIFEXITED(n));
	assert_int_equal(WEXITSTATUS(n), 0);
	serve(*state, 100);
}

/* The session ends under a client's feet. */
static void dead_engine_says_so(void **state)
{
	struct tlobctl *ctl;
	struct client c;
	uint64_t gen;

	if (!*state)
		skip();
	strcat(name, "-dead");
	ctl = open_session();
	assert_non_null(ctl);
	c = join((void **)&ctl);
	assert_int_equal(take_slot(&c, 1), 0);
	gen = start(&c, 1, 0, 1000 * NS_PER_MS);
	tlobctl_close(ctl);
	assert_int_equal(tlob_window_end(&c.arena[1].slot.windows[0], gen), TLOB_CANCELLED);
	assert_int_not_equal(kick(&c, (struct tlob_kick){.op = TLOB_KICK_ARM, .deadline_ns = 1}),
			     0);
	assert_int_not_equal(take_slot(&c, 2), 0);
	leave(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registration_is_checked),
		cmocka_unit_test(clock_runs_and_starts_anew),
		cmocka_unit_test(window_expires_once),
		cmocka_unit_test(deadlines_in_any_order),
		cmocka_unit_test(lost_timer_is_set_again),
		cmocka_unit_test(child_has_no_window),
		cmocka_unit_test(exit_ends_windows),
		cmocka_unit_test(departed_client_is_cut_off),
		cmocka_unit_test(scribbler_hurts_nobody),
		cmocka_unit_test(a_turn_has_an_end),
		cmocka_unit_test(flood_leaves_room),
		cmocka_unit_test(more_arenas_when_asked),
		cmocka_unit_test(arenas_are_shared_out),
		cmocka_unit_test(dead_engine_says_so),
	};

	return cmocka_run_group_tests(tests, make_session, end_session);
}
