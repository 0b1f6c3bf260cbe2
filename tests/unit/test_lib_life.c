// SPDX-License-Identifier: GPL-2.0-or-later
/* libtlob: agents that die, come late, close; and being switched off, by whom it may be. */
#include <sys/stat.h>

#include "lib_fake.h"

TLOB_REGION(roomy, "roomy", TLOB_S(100));
TLOB_REGION(tight, "tight", TLOB_MS(1));

/* ---- what a subject and its parent tell each other: bytes over standard input and output */

static void tell(char byte)
{
	CHECK(write(1, &byte, 1) == 1);
}

static void await(void)
{
	char byte;

	CHECK(read(0, &byte, 1) == 1);
}

static bool engine_is(const char *name)
{
	return !strcmp(tlob_engine(), name);
}

static void measure(void)
{
	tlob_window_t w;

	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	w = tlob_start(&tight, 2);
	spin_ns(3000000);
	CHECK_IS(tlob_stop(w), -EOVERFLOW);
}

/* The agent dies while a window is open. */
static void subject_widow(void)
{
	tlob_window_t w;
	int r;

	measure();
	w = tlob_start(&roomy, 3);
	tell('a');
	await();
	r = tlob_stop(w);
	CHECK(r == 0 || r == -ECANCELED);
	w = tlob_start(&roomy, 3);
	for (int i = 0; i < 300; i++) { /* 1.5 s in a loop of 200 Hz */
		r = tlob_stop(tlob_start(&roomy, 0));
		CHECK(r == 0 || r == -ECANCELED);
		sleep_ns(5000000);
	}
	CHECK_IS(tlob_stop(w), -ECANCELED);
	measure();
	CHECK(engine_is("user"));
}

/* The same, without a pause: in engine bpf the very next start finds out. */
static void subject_widow_at_once(void)
{
	tlob_window_t outer, w;

	CHECK(engine_is("bpf"));
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	outer = tlob_start(&roomy, 3);
	tell('a');
	await();
	w = tlob_start(
		&tight,
		4); /* kicks, which fails: another engine, one and the same window for the caller */
	CHECK(w);
	CHECK_IS(tlob_stop(w), 0);
	CHECK(engine_is("user"));
	CHECK_IS(tlob_stop(outer), -ECANCELED);
	CHECK_IS(tlob_stop(w), -EINVAL);
	measure();
}

/* The agent closes in good order: its windows end as cancelled, the next start goes elsewhere. */
static void subject_closed(void)
{
	tlob_window_t open, expired;

	CHECK(engine_is("bpf"));
	open = tlob_start(&roomy, 1);
	expired = tlob_start(&tight, 2);
	tell('a');
	await();
	CHECK_IS(tlob_stop(open), -ECANCELED);
	CHECK_IS(tlob_stop(expired), -EOVERFLOW);
	CHECK_IS(tlob_stop(tlob_start(&roomy, 1)), 0);
	CHECK(engine_is("user"));
}

/*
 * Starts alone. A window that is open when the agent comes ends as it began; the next ones are the
 * agent's.
 */
static void subject_early(void)
{
	tlob_window_t w;
	uint64_t begin;

	CHECK(engine_is("user"));
	measure();
	w = tlob_start(&roomy, 0);
	tell('a');
	await();
	begin = now_ns();
	for (int i = 0; i < 300; i++) { /* 1.5 s, and no start waits for the agent */
		uint64_t before = now_ns();

		CHECK_IS(tlob_stop(tlob_start(&roomy, 0)), 0);
		if (now_ns() - before > 100000000)
			fprintf(stderr, "a start and stop took %llu ns\n",
				(unsigned long long)(now_ns() - before));
		sleep_ns(5000000);
	}
	CHECK(now_ns() - begin < TLOB_S(20));
	CHECK_IS(tlob_stop(w), 0);
	tell('b');
	await();
	measure();
}

static void subject_off(void)
{
	int fds = open_fds();
	struct tlob_times times;
	tlob_window_t w;

	for (int i = 0; i < 1000; i++) {
		w = tlob_start(&tight, 1);
		CHECK_IS(w, TLOB_NO_WINDOW);
		CHECK_IS(tlob_stop(w), -ECANCELED);
	}
	CHECK(engine_is("off"));
	CHECK_IS(tlob_thread_clock(&times), -ENODATA);
	CHECK_IS(errno, ENODATA);
	CHECK_IS(open_fds(), fds);
}

/* Setuid: the environment says off, and names an agent and a log; none of it counts. */
static void subject_secure(void)
{
	CHECK(getuid() != geteuid());
	CHECK(!engine_is("off"));
	measure();
	_exit(0); /* a sanitizer's last checks may not be made here */
}

/* The environment in its odd forms. */
static void subject_user(void)
{
	CHECK(engine_is("user"));
	measure();
}

static const struct subject subjects[] = {
	{"widow", subject_widow},   {"widow-at-once", subject_widow_at_once},
	{"closed", subject_closed}, {"early", subject_early},
	{"off", subject_off},	    {"secure", subject_secure},
	{"user", subject_user},	    {NULL, NULL},
};

/* ---- the agent's side */

struct talk {
	pid_t pid;
	int to, from;
};

static struct talk talk_to(const char *name, const char *agent)
{
	int in[2], out[2], saved_in = dup(0), saved_out = dup(1);
	struct talk t;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	dup2(in[0], 0);
	dup2(out[1], 1);
	t = (struct talk){.pid = subject_spawn(name, agent, NULL), .to = in[1], .from = out[0]};
	dup2(saved_in, 0);
	dup2(saved_out, 1);
	close(saved_in);
	close(saved_out);
	close(in[0]);
	close(out[1]);
	return t;
}

static bool hear(const struct talk *t)
{
	struct pollfd p = {.fd = t->from, .events = POLLIN};
	char byte;

	return poll(&p, 1, 30000) == 1 && read(t->from, &byte, 1) == 1;
}

static void say(const struct talk *t)
{
	assert_int_equal(write(t->to, "x", 1), 1);
}

static void talk_end(const struct talk *t)
{
	assert_int_equal(subject_wait(t->pid), 0);
	close(t->to);
	close(t->from);
}

static void test_widow(void **state)
{
	struct fake f = {0};
	struct talk t;

	fake_open(&f, FAKE_HONEST, NULL);
	t = talk_to("widow", f.name);
	assert_true(hear(&t));
	fake_kill(&f);
	say(&t);
	talk_end(&t);
	assert_true(fake_windows(&f, "roomy") > 0);
	fake_close(&f);
}

static void test_widow_bpf(void **state)
{
	struct fake f = {0};
	struct talk t;

	if (!fake_make_bpf(&f))
		skip();
	fake_open(&f, FAKE_BPF, NULL);
	t = talk_to("widow-at-once", f.name);
	assert_true(hear(&t));
	fake_kill(&f);
	fake_verdict(&f, EINVAL); /* as a program whose timers have gone */
	say(&t);
	talk_end(&t);
	fake_close(&f);
}

static void take_windows(struct fake *f, const char *region, enum tlob_window_state to)
{
	for (uint32_t slot = 1; slot < TLOB_ARENA_SLOTS; slot++) {
		for (int i = 0; i < TLOB_MAX_DEPTH; i++) {
			struct tlob_window *w = &f->arenas[0][slot].slot.windows[i];
			uint64_t word = tlob_load_acquire(&w->state);

			if (TLOB_WINDOW_STATE(word) == TLOB_ARMED &&
			    (int)tlob_load(&w->region) == fake_region(f, region))
				tlob_store_release(&w->state, (word & ~3ULL) | to);
		}
	}
}

static void test_closed(void **state)
{
	struct fake f = {0};
	struct talk t;

	if (!fake_make_bpf(&f))
		skip();
	fake_open(&f, FAKE_BPF, NULL);
	t = talk_to("closed", f.name);
	assert_true(hear(&t));
	assert_int_equal(__atomic_load_n(&f.narenas, __ATOMIC_ACQUIRE), 1);
	take_windows(&f, "tight", TLOB_EXPIRED);
	__atomic_store_n(&f.arenas[0]->head.closed, 1, __ATOMIC_SEQ_CST);
	take_windows(&f, "roomy", TLOB_CANCELLED);
	fake_kill(&f);
	fake_verdict(&f, ESRCH); /* what the real one says then */
	say(&t);
	talk_end(&t);
	assert_int_equal(f.ledger->regions[fake_region(&f, "roomy")].cancelled, 1);
	assert_int_equal(f.ledger->regions[fake_region(&f, "tight")].overruns, 1);
	fake_close(&f);
}

static void run_early(enum fake_manner manner)
{
	char name[64];
	struct fake f = {0};
	struct talk t;

	if (manner == FAKE_BPF && !fake_make_bpf(&f))
		return;
	snprintf(name, sizeof(name), "/tmp/tlob-early-%d.sock", getpid());
	t = talk_to("early", name);
	assert_true(hear(&t));
	fake_open(&f, manner, name);
	say(&t);
	assert_true(hear(&t));
	assert_true(fake_windows(&f, "roomy") > 0);
	say(&t);
	talk_end(&t);
	assert_int_equal(f.ledger->regions[fake_region(&f, "tight")].overruns, 1);
	fake_close(&f);
}

static void test_early(void **state)
{
	run_early(FAKE_HONEST);
	run_early(FAKE_SLOW);
	run_early(FAKE_BPF);
}

static void test_off(void **state)
{
	struct fake f = {0};

	fake_open(&f, FAKE_HONEST, NULL);
	assert_int_equal(subject_run("off", f.name, "TLOB=0"), 0);
	assert_int_equal(__atomic_load_n(&f.hellos, __ATOMIC_SEQ_CST), 0);
	assert_int_equal(subject_run("user", NOBODY, "TLOB="), 0);
	assert_int_equal(subject_run("user", NOBODY, "TLOB=1"), 0);
	assert_int_equal(subject_run("user", NOBODY, "TLOB_LOG=/no/such/folder/log"), 0);
	assert_int_equal(subject_run("user", NOBODY, "TLOB_LOG=/"), 0);
	assert_int_equal(subject_run("user", NOBODY, "TLOB_LOG=987654"), 0);
	fake_close(&f);
}

/* A copy of this program that belongs to somebody else and takes his place. */
static void test_secure(void **state)
{
	char path[] = "/var/tmp/tlob-secure-XXXXXX", log[] = "/var/tmp/tlob-secure-log-XXXXXX",
	     command[256], more[64];
	struct fake f = {0};
	struct stat st;
	int fd, r;

	if (geteuid() != 0)
		skip();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	fd = mkstemp(log);
	close(fd);
	chmod(log, 0666);
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s && chown 65534 %s && chmod 4755 %s",
		 getpid(), path, path, path);
	assert_int_equal(system(command), 0);
	snprintf(more, sizeof(more), "TLOB_LOG=%s", log);
	fake_open(&f, FAKE_HONEST, NULL);
	r = subject_wait(subject_spawn_path(path, "secure", f.name, more));
	r |= subject_wait(subject_spawn_path(path, "secure", f.name, "TLOB=0"));
	assert_int_equal(stat(log, &st), 0);
	unlink(path);
	unlink(log);
	assert_int_equal(r, 0);
	assert_int_equal(__atomic_load_n(&f.hellos, __ATOMIC_SEQ_CST), 0);
	assert_int_equal(st.st_size, 0);
	fake_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widow),  cmocka_unit_test(test_widow_bpf),
		cmocka_unit_test(test_closed), cmocka_unit_test(test_early),
		cmocka_unit_test(test_off),    cmocka_unit_test(test_secure),
	};

	subject_main(argc, argv, subjects);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
