/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library that is closed again before anybody asks what was in it. */
#include <time.h>

void closed_nap(long ns);

static volatile int after;

__attribute__((noinline)) static void nap_in_library(long ns)
{
	const struct timespec t = {0, ns};

	nanosleep(&t, NULL);
	after++;
}

void closed_nap(long ns)
{
	nap_in_library(ns);
	after++;
}
