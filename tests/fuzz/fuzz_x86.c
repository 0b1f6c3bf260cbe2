// SPDX-License-Identifier: GPL-2.0-or-later
/* Code bytes of any binary, as instructions: never past the end, and decoding is a function of the bytes. */
#include "ctl/x86.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int mode64 = 0; mode64 < 2; mode64++) {
		struct tlobctl_x86 x, again;

		memset(&x, 0, sizeof(x));
		if (!tlobctl_x86_decode(mode64, data, size, &x))
			continue;
		CHECK(x.length && x.length <= size && x.length <= MAX_LENGTH);
		/* what follows an instruction does not matter, and all of it does */
		memset(&again, 0, sizeof(again));
		CHECK(tlobctl_x86_decode(mode64, data, x.length, &again));
		CHECK(!memcmp(&x, &again, sizeof(x)));
		CHECK(!tlobctl_x86_decode(mode64, data, x.length - 1u, &again));
	}
	return 0;
}
