// SPDX-License-Identifier: GPL-2.0-or-later
// C++: a window lasts as long as its scope, whichever way the scope is left.
// Try: tlob run -- build/examples/scope
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <thread>

#include <tlob/tlob.h>

using namespace std::chrono_literals;

TLOB_REGION(request, "request", TLOB_MS(10));
TLOB_REGION(lookup, "lookup", TLOB_MS(4));

static int find(int key)
{
	TLOB_SCOPE(lookup, static_cast<uint64_t>(key));

	std::this_thread::sleep_for(key * 2ms);
	if (key == 3)
		throw std::out_of_range("no such key");
	return key * key;
}

int main()
{
	for (int key = 1; key <= 4; key++) {
		tlob::scope window(request, static_cast<uint64_t>(key));

		try {
			std::cout << key << ": " << find(key) << '\n';
		} catch (const std::out_of_range &e) {
			std::cout << key << ": " << e.what() << '\n';
		}
	}
}
