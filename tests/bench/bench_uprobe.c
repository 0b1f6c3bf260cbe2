/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a probed function costs, by its first instruction: tlob's entry-to-return window against the bpftrace script that
 * takes a histogram of the same function's times. Each in turn on the same program.
 */
#include "bench.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 5

#if defined(__x86_64__)
#define FUNCTION(name, first) \
	__asm__(".text\n.globl " #name "\n.type " #name ",@function\n" #name ": " first \
		"\n.size " #name ",.-" #name "\n"); \
	extern void name(void)
FUNCTION(up_nop5, ".byte 0x0f,0x1f,0x44,0,0; ret");
FUNCTION(up_nop, "nop; ret");
FUNCTION(up_push, "push %rbp; pop %rbp; ret");
FUNCTION(up_mov, "mov %rdi,%rax; ret");
#else
#define FUNCTION(name, first) \
	__asm__(".text\n.globl " #name "\n.type " #name ",%function\n" #name ": " first \
		"\n.size " #name ",.-" #name "\n"); \
	extern void name(void)
FUNCTION(up_nop5, "nop; ret");
FUNCTION(up_nop, "nop; ret");
FUNCTION(up_push, "stp x29,x30,[sp,#-16]!; ldp x29,x30,[sp],#16; ret");
FUNCTION(up_mov, "mov x1,x0; ret");
#endif

struct kind {
	const char *name, *what;
	void (*fn)(void);
	long calls;
};

static const struct kind kinds[] = {
	{"up_nop5", "5-byte nop", up_nop5, 20000},
	{"up_nop", "1-byte nop", up_nop, 20000},
	{"up_push", "push", up_push, 20000},
	{"up_mov", "mov, single-stepped", up_mov, 2000},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *now;

static void calls(long n)
{
	while (n--)
		now->fn();
}

static int measured(const char *name)
{
	double ns;

	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			now = &kinds[i];
	if (!now)
		return 1;
	bench_pin(1);
	calls(now->calls / 10);
	ns = bench_time(calls, now->calls);
	return write(3, &ns, sizeof(ns)) != sizeof(ns);
}

static double once(const struct kind *k)
{
	double ns;

	if (bench_again(NULL, (const char *[]){"bench_uprobe", k->name, NULL}, &ns, sizeof(ns)))
		exit(1);
	return ns;
}

static double with_tlob(const char *self, const struct kind *k)
{
	struct tlobctl_opts opts = {.size = sizeof(opts), .engine = TLOBCTL_ENGINE_BPF};
	struct tlobctl *ctl;
	char spec[PATH_MAX + 64];
	double ns;

	snprintf(spec, sizeof(spec), "%s:%s@1s", self, k->name);
	if (tlobctl_open(&opts, &ctl) < 0 || tlobctl_add(ctl, spec, NULL, NULL) != 1) {
		fprintf(stderr, "bench: %s\n", tlobctl_error());
		exit(1);
	}
	ns = once(k);
	tlobctl_close(ctl);
	return ns;
}

/* -1 if bpftrace does not get going. */
static double with_bpftrace(const char *self, const struct kind *k)
{
	char script[2 * PATH_MAX + 256], text[64] = "";
	int out[2];
	struct pollfd p;
	pid_t pid;
	double ns;

	snprintf(script, sizeof(script),
		 "BEGIN { printf(\"up\\n\"); } uprobe:%s:%s { @s[tid] = nsecs; } "
		 "uretprobe:%s:%s /@s[tid]/ { @h = hist(nsecs - @s[tid]); delete(@s[tid]); }",
		 self, k->name, self, k->name);
	if (pipe2(out, O_CLOEXEC))
		exit(1);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		dup2(open("/dev/null", O_WRONLY),
		     2); /* complains of a limit that it does not need */
		execlp("bpftrace", "bpftrace", "-B", "line", "-e", script, NULL);
		_exit(126);
	}
	close(out[1]);
	p = (struct pollfd){.fd = out[0], .events = POLLIN};
	ns = -1;
	while (poll(&p, 1, 20000) == 1 && read(out[0], text, sizeof(text) - 1) > 0) {
		if (strstr(text, "up\n")) {
			ns = once(k);
			break;
		}
		memset(text, 0, sizeof(text));
	}
	kill(pid, SIGINT);
	while (read(out[0], text, sizeof(text)) > 0)
		;
	close(out[0]);
	waitpid(pid, NULL, 0);
	return ns;
}

int main(int argc, char **argv)
{
	char self[PATH_MAX] = "";

	if (argc > 1)
		return measured(argv[1]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	for (size_t i = 0; i < KINDS; i++) {
		double tlob[ROUNDS], other[ROUNDS], ratio[ROUNDS], bare = once(&kinds[i]);
		char what[80];

		for (int r = 0; r < ROUNDS; r++) {
			tlob[r] = with_tlob(self, &kinds[i]) - bare;
			other[r] = with_bpftrace(self, &kinds[i]) - bare;
			if (other[r] < 0) {
				bench_note("uprobe: bpftrace does not run here: not compared");
				return bench_status();
			}
			ratio[r] = tlob[r] / other[r];
		}
		snprintf(what, sizeof(what), "uprobe on %s: tlob window : bpftrace hist",
			 kinds[i].what);
		bench_row(what, bench_median(tlob, ROUNDS), bench_median(other, ROUNDS), "ns",
			  bench_median(ratio, ROUNDS), 1);
	}
	return bench_status();
}
