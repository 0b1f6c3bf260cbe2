/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library that comes and goes: some CPU time in a function with a name of its own. Knows nothing of tlob. */
unsigned int visitor_work(unsigned int n);

unsigned int visitor_work(unsigned int n)
{
	unsigned int x = n;

	for (unsigned int i = 0; i < n; i++)
		x = x * 1664525u + 1013904223u + (x >> 16);
	return x;
}
