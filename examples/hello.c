// SPDX-License-Identifier: GPL-2.0-or-later
// The smallest program with a latency budget. Try: tlob run -- build/examples/hello
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <tlob/tlob.h>

TLOB_REGION(answer, "answer", TLOB_MS(5));

int main(void)
{
	for (unsigned int i = 1; i <= 5; i++) {
		tlob_window_t window = tlob_start(&answer, i);

		usleep(i * 2000);
		printf("%u: %s\n", i, tlob_stop(window) == -EOVERFLOW ? "too late" : "in time");
	}
	return 0;
}
