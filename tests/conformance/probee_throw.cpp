// SPDX-License-Identifier: GPL-2.0-or-later
// A C++ program that knows nothing of tlob, for the probe tests: probee_throw COUNT MS. Waits for a byte on descriptor 4 first.
#include <cstdlib>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>

#define PROBED extern "C" __attribute__((noinline, used, visibility("default")))

static volatile int sink;

PROBED void throws(int far, unsigned ms)
{
	usleep(ms * 1000);
	if (far)
		throw std::runtime_error("far");
	sink = far;
}

PROBED int caught(int far, unsigned ms)
{
	try {
		throws(far, ms);
	} catch (const std::runtime_error &) {
		return 1;
	}
	return 0;
}

// Left in many places, also by a jump to another function, and by way of a table.
PROBED int leaves(int where, unsigned ms)
{
	switch (where % 8) {
	case 0:
		return caught(0, ms);
	case 1:
		return sink + 3;
	case 2:
		throws(0, ms);
		return sink * 5;
	case 3:
		throw std::logic_error("three");
	case 4:
		usleep(1);
		return 7;
	case 5:
		return caught(1, ms);
	case 6:
		sink = 9;
		return where;
	default:
		usleep(ms);
		return sink;
	}
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? std::atoi(argv[1]) : 1, ms = argc > 2 ? std::atoi(argv[2]) : 1;
	struct pollfd p = {4, POLLIN, 0};
	int errors = 0;
	char byte;

	if (poll(&p, 1, 20000) != 1 || read(4, &byte, 1) != 1)
		return 99;
	for (unsigned i = 0; i < count; i++)
		errors += caught(i % 2, i == count - 1 ? ms : 1);
	for (unsigned i = 0; i < 8; i++) {
		try {
			leaves(i, 1);
		} catch (const std::logic_error &) {
			errors++;
		}
	}
	usleep(ms * 1000);
	return errors == int(count / 2) + 1 ? 0 : 97;
}
