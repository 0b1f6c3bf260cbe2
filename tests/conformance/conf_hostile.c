/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Those who do not play by the rules: a reader that does not read, a program that scribbles, a client that lies. */
#include "harness.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

TLOB_REGION(flood, "flood", TLOB_US(1));
TLOB_REGION(honest, "honest", TLOB_MS(5));
TLOB_REGION(scribble, "scribble", TLOB_MS(1));

#define FLOOD 30000

static int subject_flood(void)
{
	int64_t over = 0;

	tell_result(3, 0);
	for (int i = 0; i < FLOOD; i++) {
		tlob_window_t w = tlob_start(&flood, (uint64_t)i);

		spin_ns(2000);
		over += tlob_stop(w) == -EOVERFLOW;
	}
	tell_result(1, over);
	return 0;
}

/* Overwrites every writable page it shares with anyone, again and again, its windows open meanwhile. */
static int subject_scribble(void)
{
	struct {
		unsigned char *from, *to;
	} maps[64];
	uint64_t state = 88172645463325252u, end;
	char line[512], perms[8];
	int n = 0;
	FILE *f;

	(void)tlob_stop(tlob_start(&scribble, 1));
	f = fopen("/proc/self/maps", "re");
	while (f && fgets(line, sizeof(line), f) && n < 64) {
		if (sscanf(line, "%p-%p %7s", (void **)&maps[n].from, (void **)&maps[n].to,
			   perms) == 3 &&
		    perms[1] == 'w' && perms[3] == 's')
			n++;
	}
	if (f)
		fclose(f);
	tell_result(2, n);
	if (!n)
		return 1;
	end = now_ns() + 2000000000u;
	(void)tlob_start(&scribble, 2);
	while (now_ns() < end) {
		for (int m = 0; m < n; m++) {
			size_t bytes = (size_t)(maps[m].to - maps[m].from);

			if (bytes > 2u << 20)
				bytes = 2u << 20;
			for (size_t i = 0; i + 8 <= bytes; i += 8) {
				state ^= state << 13;
				state ^= state >> 7;
				state ^= state << 17;
				*(volatile uint64_t *)(maps[m].from + i) = state & 3 ? state :
										       state & 7;
			}
		}
	}
	_exit(0);
}

static int subject_honest(void)
{
	for (uint64_t tag = 1; tag <= 20; tag++)
		one_window(&honest, tag, tag % 2 ? spin_ns : sleep_ns,
			   tag % 4 < 2 ? 1000 : 20000000u);
	return 0;
}

const struct conf_subject conf_subjects[] = {
	{"flood", subject_flood},
	{"scribble", subject_scribble},
	{"honest", subject_honest},
	{NULL, NULL},
};

static bool is_ready(struct conf *c)
{
	return conf_truth(c, 3) != NULL;
}

static void check_flood(struct conf *c)
{
	struct tlobctl_stat s = {0};

	conf_reset(c);
	CONF_SPAWN(c, "flood");
	/* until it has joined; then nobody reads until the subject is done */
	conf_pump(c, 10000, is_ready);
	waitpid(c->pid, &c->status, 0);
	conf_pump(c, 20000, NULL);
	tap_ok(conf_result(c, 1) == FLOOD,
	       "reader asleep: the program goes on, each stop says -EOVERFLOW");
	tap_ok(conf_stat(c, "flood", &s) && s.windows == FLOOD && s.overruns == FLOOD,
	       "reader asleep: every window and overrun is counted (%lu, %lu)", s.windows,
	       s.overruns);
	tap_ok(s.lost > 0 && s.lost == s.overruns - s.records &&
		       s.records == conf_count(c, TLOB_REC_OVERRUN, "flood"),
	       "reader asleep: %lu records kept, %lu counted as lost", s.records, s.lost);
}

static bool honest_right(struct conf *c)
{
	size_t seen = 0;

	for (uint64_t tag = 1; tag <= 20; tag++) {
		const struct truth *t = conf_truth(c, tag);
		const struct conf_event *e = conf_find(c, TLOB_REC_OVERRUN, "honest", tag);

		if (!t || (t->result == -EOVERFLOW) != (e != NULL))
			return false;
		if (tag % 4 >= 2 && !e)
			return false;
		seen += e != NULL;
	}
	return seen == conf_count(c, TLOB_REC_OVERRUN, "honest");
}

/* The honest subject's records only: the scribbler's are its own affair. */
static void check_scribble(struct conf *c)
{
	struct conf other = *c;

	memset(&other.events, 0, sizeof(other) - offsetof(struct conf, events));
	other.truth_fd = other.command_fd = -1;
	conf_reset(c);
	CONF_SPAWN(&other, "scribble");
	conf_pump(c, 300, NULL);
	conf_spawn(c, (const char *const[]){"honest", NULL});
	tap_ok(conf_pump(c, 30000, NULL) && honest_right(c),
	       "beside a program that scribbles over all it shares, another is measured right");
	conf_pump(&other, 10000, NULL);
	tap_ok(conf_result(&other, 2) > 0, "it did share memory and did scribble");
	CONF_RUN(c, "honest");
	tap_ok(honest_right(c), "and after it has gone, the next one too");
}

static void lie(const struct conf *c, unsigned seed)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(c->socket);
	unsigned char junk[2048];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval quick = {.tv_usec = 1000};

	memcpy(a.sun_path, c->socket, n);
	a.sun_path[0] = '\0';
	if (fd < 0 ||
	    connect(fd, (void *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n))) {
		if (fd >= 0)
			close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &quick, sizeof(quick));
	srand(seed);
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (unsigned char)rand();
	if (seed % 3) { /* a right head, then nonsense */
		struct tlob_msg head = {TLOB_ABI_MAGIC, TLOB_ABI_VERSION, (__u16)(seed % 7)};

		memcpy(junk, &head, sizeof(head));
	}
	for (unsigned i = 0; i < seed % 5; i++)
		if (send(fd, junk, (size_t)rand() % sizeof(junk), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	if (seed % 2) /* the others vanish without a word */
		shutdown(fd, SHUT_WR);
	if (seed % 11)
		close(fd); /* and some stay for ever */
}

static void check_liars(struct conf *c)
{
	pid_t liar = fork();

	if (!liar) {
		for (unsigned i = 0; i < 1500; i++)
			lie(c, i);
		_exit(0);
	}
	conf_pump(c, 1000, NULL);
	CONF_RUN(c, "honest");
	tap_ok(honest_right(c), "beside a client that sends nonsense, another is measured right");
	kill(liar, SIGKILL);
	waitpid(liar, NULL, 0);
	CONF_RUN(c, "honest");
	tap_ok(honest_right(c), "and after it");
}

int conf_main(struct conf *c)
{
	tap_plan(3 + 3 + 2);
	conf_open(c);
	check_flood(c);
	check_scribble(c);
	check_liars(c);
	conf_close(c);
	return tap_done();
}
