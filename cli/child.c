// SPDX-License-Identifier: GPL-2.0-or-later
/* See child.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"

/* 0 if @path can be executed, else an errno. */
static int check_file(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? EISDIR : EACCES;
	return access(path, X_OK) ? errno : 0;
}

/*
 * The search of execvp(3): the first that can be executed; else what was wrong with the first that
 * exists.
 */
static int search(const char *program)
{
	const char *dirs = getenv("PATH");
	int result = ENOENT;

	for (dirs = dirs ? dirs : "/bin:/usr/bin"; dirs;) {
		const char *end = strchrnul(dirs, ':');
		char path[4096];
		int err;

		snprintf(path, sizeof(path), "%.*s%s%s", (int)(end - dirs), dirs,
			 end > dirs ? "/" : "", program);
		err = check_file(path);
		if (!err)
			return 0;
		if (err != ENOENT && err != ENOTDIR && result == ENOENT)
			result = err;
		dirs = *end ? end + 1 : NULL;
	}
	return result;
}

int cli_child_check(const char *program)
{
	int err = strchr(program, '/') ? check_file(program) : search(program);

	if (!err)
		return 0;
	if (err == ENOENT && !strchr(program, '/'))
		return cli_error(CLI_NOT_FOUND, "no program '%s' in PATH%s", program,
				 strchr(program, '@') ? "; a region is given with -r" : "");
	return cli_error(err == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE,
			 "cannot execute '%s': %s", program, strerror(err));
}

static void child_main(char **argv, const char *agent, const struct cli_signals *signals, int gate,
		       int verdict)
{
	char go = 0; /* stays so if the gate is closed unwritten */
	int err;

	cli_signals_restore(signals);
	while (read(gate, &go, 1) < 0)
		if (errno != EINTR)
			_exit(CLI_ERROR);
	if (go != 'x')
		_exit(CLI_ERROR);
	if (!setenv("TLOB_AGENT", agent, 1))
		execvp(argv[0], argv);
	err = errno;
	if (write(verdict, &err, sizeof(err)) < 0)
		_exit(CLI_ERROR);
	_exit(err == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE);
}

int cli_child_fork(struct cli_child *c, char **argv, const char *agent,
		   const struct cli_signals *signals)
{
	int gate[2], verdict[2];
	pid_t pid;

	if (pipe2(gate, O_CLOEXEC))
		return -1;
	if (pipe2(verdict, O_CLOEXEC))
		goto close_gate;
	pid = fork();
	if (pid < 0)
		goto close_verdict;
	if (pid == 0) {
		close(gate[1]); /* else the child would keep its own gate from closing */
		child_main(argv, agent, signals, gate[0], verdict[1]);
	}
	close(gate[0]);
	close(verdict[1]);
	*c = (struct cli_child){.pid = pid, .gate = gate[1], .verdict = verdict[0]};
	return 0;

close_verdict:
	close(verdict[0]);
	close(verdict[1]);
close_gate:
	close(gate[0]);
	close(gate[1]);
	return -1;
}

static void close_pipes(struct cli_child *c)
{
	if (c->gate >= 0)
		close(c->gate);
	if (c->verdict >= 0)
		close(c->verdict);
	c->gate = c->verdict = -1;
}

static void wait_for(struct cli_child *c)
{
	while (!c->ended && waitpid(c->pid, &c->status, 0) < 0)
		if (errno != EINTR)
			break;
	c->ended = true;
}

int cli_child_release(struct cli_child *c)
{
	int err = 0;
	ssize_t n;

	/* fails only if the child was killed meanwhile, which reaping it will tell */
	if (write(c->gate, "x", 1) == 1) {
		do {
			n = read(c->verdict, &err,
				 sizeof(err)); /* ends empty when exec closes it */
		} while (n < 0 && errno == EINTR);
		if (n != (ssize_t)sizeof(err))
			err = 0;
	}
	close_pipes(c);
	if (err)
		wait_for(c);
	return err;
}

bool cli_child_reap(struct cli_child *c)
{
	if (!c->ended && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
		c->ended = true;
	return c->ended;
}

int cli_child_exit_status(const struct cli_child *c)
{
	if (WIFSIGNALED(c->status))
		return CLI_SIGNALLED + WTERMSIG(c->status);
	return WEXITSTATUS(c->status);
}

void cli_child_deinit(struct cli_child *c)
{
	bool waiting = c->pid > 0 && c->gate >= 0;

	if (c->pid <= 0)
		return;
	close_pipes(c);
	if (waiting)
		wait_for(c);
}
