// SPDX-License-Identifier: GPL-2.0-or-later
/* See signals.h. */
#include <sys/signalfd.h>
#include <unistd.h>

#include "signals.h"
#include "when.h"

/*
 * One press may arrive twice: timeout(1) signals its child and then the whole group. Nobody presses
 * Ctrl-C twice within this time.
 */
#define SAME_PRESS_NS 100000000ULL

int cli_signals_init(struct cli_signals *s)
{
	static const int wanted[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction hangup;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		sigaddset(&set, wanted[i]);
	sigaction(SIGHUP, NULL, &hangup);
	if (hangup.sa_handler == SIG_IGN) /* nohup: a blocked signal would be read all the same */
		sigdelset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, &s->before))
		return -1;
	sigaction(SIGPIPE, &ignore,
		  &s->pipe_before); /* a reader that leaves is an error of that file */
	s->first_ns = 0;
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd >= 0)
		return 0;
	cli_signals_restore(s);
	return -1;
}

void cli_signals_deinit(struct cli_signals *s)
{
	close(s->fd);
	cli_signals_restore(s);
}

void cli_signals_restore(const struct cli_signals *s)
{
	sigaction(SIGPIPE, &s->pipe_before, NULL);
	sigprocmask(SIG_SETMASK, &s->before, NULL);
}

static enum cli_signal interrupted(struct cli_signals *s)
{
	uint64_t now = cli_now_ns();

	if (!s->first_ns) {
		s->first_ns = now;
		return CLI_SIGNAL_STOP;
	}
	return now - s->first_ns < SAME_PRESS_NS ? CLI_SIGNAL_NONE : CLI_SIGNAL_QUIT;
}

enum cli_signal cli_signals_next(struct cli_signals *s, pid_t forward)
{
	struct signalfd_siginfo info;

	if (read(s->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return CLI_SIGNAL_NONE;
	if (info.ssi_signo == SIGCHLD)
		return CLI_SIGNAL_CHILD;
	/* what a terminal sends (SI_KERNEL) has reached the whole foreground group already */
	if (forward > 0 && info.ssi_code != SI_KERNEL)
		kill(forward, (int)info.ssi_signo);
	if (info.ssi_signo == SIGINT || info.ssi_signo == SIGQUIT || !forward)
		return interrupted(s);
	return CLI_SIGNAL_STOP;
}
