// SPDX-License-Identifier: GPL-2.0-or-later
/* See demangle.h. */
#include <setjmp.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "demangle.h"

struct plain {
	char *text;
	size_t used, size;
	jmp_buf too_long;
};

static void add(const char *piece, size_t bytes, void *arg)
{
	struct plain *p = arg;

	if (bytes >= p->size - p->used)
		longjmp(p->too_long, 1);
	memcpy(p->text + p->used, piece, bytes);
	p->used += bytes;
}

/*
 * A mangled name of a few hundred characters can unfold to more than there is memory, and a call cannot say
 * that it has enough: it is left.
 */
bool why_demangle(const char *name, bool parameters, char *text, size_t size)
{
	const int options = DMGL_AUTO | DMGL_RET_DROP | (parameters ? DMGL_PARAMS | DMGL_ANSI : 0);
	struct plain p = {.text = text, .size = size};

	if (name[0] != '_' || !size)
		return false;
	if (setjmp(p.too_long))
		return false;
	if (!rust_demangle_callback(name, options, add, &p)) {
		p.used = 0;
		if (!cplus_demangle_v3_callback(name, options, add, &p))
			return false;
	}
	text[p.used] = '\0';
	return true;
}
