/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text into a fixed buffer, as snprintf() would but with nothing of libc: for core/ only. */
#ifndef TLOB_CORE_TEXT_H
#define TLOB_CORE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "atomic.h"

/* @length counts on when @buf is full. */
struct tlob_text {
	char *buf;
	size_t size;
	size_t length;
};

tlob_inline void tlob_text_char(struct tlob_text *t, char c)
{
	if (t->length + 1 < t->size)
		t->buf[t->length] = c;
	t->length++;
}

tlob_inline void tlob_text_string(struct tlob_text *t, const char *s)
{
	while (*s)
		tlob_text_char(t, *s++);
}

/* @value / 10^@decimals with all its decimals, right-aligned in @width columns. */
tlob_inline void tlob_text_decimal(struct tlob_text *t, uint64_t value, unsigned int decimals,
				   unsigned int width)
{
	char digits[48];
	unsigned int n = 0;

	do {
		if (decimals && n == decimals)
			digits[n++] = '.';
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value || (decimals && n <= decimals + 1));
	for (; width > n; width--)
		tlob_text_char(t, ' ');
	while (n)
		tlob_text_char(t, digits[--n]);
}

/* Terminates the text; returns the length it would have had in a buffer without end. */
tlob_inline size_t tlob_text_end(struct tlob_text *t)
{
	if (t->size)
		t->buf[t->length < t->size ? t->length : t->size - 1] = '\0';
	return t->length;
}

#endif
