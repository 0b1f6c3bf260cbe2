// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request goes from one process to another, through a pipe. Each is begun where it is sent and ended
 * where it has been answered; now and then the receiver is away, and what waits in the pipe is late:
 *
 *	tlob run -- relay [-n REQUESTS]
 *
 * The two need not be related: what they agree on is the region's name, and the number of the request.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tlob/tlob.h>

TLOB_SHARED_REGION(relay, "relay", TLOB_MS(10));

static void pass_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static int receive(int from)
{
	int late = 0, other = 0, r;
	uint64_t number;

	while (read(from, &number, sizeof(number)) == sizeof(number)) {
		if (number % 20 == 0)
			pass_ms(30); /* away: nobody works on this request now */
		r = tlob_end(&relay, number);
		late += r == -EOVERFLOW;
		other += r && r != -EOVERFLOW;
	}
	printf("%d requests were late, %d not measured\n", late, other);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t requests = 40;
	int pipes[2];
	pid_t child;

	if (argc == 3 && !strcmp(argv[1], "-n"))
		requests = strtoull(argv[2], NULL, 10);
	else if (argc > 1)
		return fprintf(stderr, "usage: %s [-n REQUESTS]\n", argv[0]), 64;
	if (pipe(pipes))
		return perror("pipe"), 1;
	child = fork();
	if (child < 0)
		return perror("fork"), 1;
	if (!child) {
		close(pipes[1]);
		return receive(pipes[0]);
	}
	close(pipes[0]);
	for (uint64_t number = 1; number <= requests; number++) {
		if (tlob_begin(&relay, number) == -EOPNOTSUPP && number == 1)
			fprintf(stderr,
				"windows between processes need an agent with engine bpf\n");
		if (write(pipes[1], &number, sizeof(number)) != sizeof(number))
			return perror("write"), 1;
		pass_ms(4);
	}
	close(pipes[1]);
	return waitpid(child, NULL, 0) == child ? 0 : 1;
}
