// SPDX-License-Identifier: GPL-2.0-or-later
/* See text.h. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

int cli_utf8(const char *s, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c = p[0];
	int n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;

	if (!c || !n)
		return 0;
	if (n > 1)
		c &= 0x7f >> n;
	for (int i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	if (code)
		*code = c;
	return n;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

char *cli_printable(char *buf, size_t size, const char *s, size_t columns)
{
	size_t used = 0, column = 0, last = 0;

	while (*s) {
		uint32_t c = 0;
		int n = cli_utf8(s, &c);
		size_t take = n ? (size_t)n : 1;

		if (columns && column == columns) {
			used = last;
			buf[used++] = '~';
			break;
		}
		if (used + take >= size)
			break;
		last = used;
		if (n && !is_control(c))
			memcpy(buf + used, s, take);
		else
			memset(buf + used, '?', take = 1);
		used += take;
		s += n ? n : 1;
		column++;
	}
	buf[used] = '\0';
	return buf;
}

size_t cli_columns(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

char *cli_count(char *buf, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *out = buf;

	for (int i = 0; i < len; i++) {
		*out++ = digits[i];
		if (i + 1 < len && (len - 1 - i) % 3 == 0)
			*out++ = ',';
	}
	*out = '\0';
	return buf;
}
