// SPDX-License-Identifier: GPL-2.0-or-later
/* See source_name.h. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "../why/demangle.h"
#include "source_name.h"

#define MANGLED_BYTES 2048

/* Without blanks, and without the "[abi:cxx11]" that no source has. Fails with false if it does not fit. */
static bool squeeze(const char *from, char to[TLOBCTL_SOURCE_BYTES])
{
	size_t used = 0;

	for (; *from; from++) {
		if (!strncmp(from, "[abi:", 5))
			from += strcspn(from, "]");
		else if (*from != ' ' && used + 1 < TLOBCTL_SOURCE_BYTES)
			to[used++] = *from;
		else if (*from != ' ')
			return false;
		if (!*from)
			break;
	}
	to[used] = '\0';
	return true;
}

/* As the compiler mangled it, without the suffix of a clone. False: it is a part of a function, or too long. */
static bool mangled(const struct tlobctl_symbol *symbol, char buf[MANGLED_BYTES])
{
	size_t bytes = symbol->name_length;
	char *suffix;

	if (bytes >= MANGLED_BYTES || symbol->name[0] != '_')
		return false;
	memcpy(buf, symbol->name, bytes);
	buf[bytes] = '\0';
	suffix = strchr(buf, '.');
	if (suffix && (strstr(suffix, ".cold") || strstr(suffix, ".part")))
		return false;
	if (suffix)
		*suffix = '\0';
	return true;
}

bool tlobctl_source_name_init(struct tlobctl_source_name *wanted, const char *name, bool glob)
{
	wanted->glob = glob;
	if (!squeeze(name, wanted->text))
		return false;
	/* any parameters, of a function that is const too */
	if (glob && strlen(wanted->text) + 1 < sizeof(wanted->text) && strlen(wanted->text) >= 3 &&
	    !strcmp(wanted->text + strlen(wanted->text) - 3, "(*)"))
		strcat(wanted->text, "*");
	return true;
}

bool tlobctl_source_name_matches(const struct tlobctl_source_name *wanted,
				 const struct tlobctl_symbol *symbol)
{
	char name[MANGLED_BYTES], text[TLOBCTL_SOURCE_BYTES], plain[TLOBCTL_SOURCE_BYTES];
	size_t bytes;

	if (!mangled(symbol, name) || !why_demangle(name, false, text, sizeof(text)) ||
	    !squeeze(text, plain))
		return false;
	bytes = strlen(plain);
	if (wanted->glob ? !fnmatch(wanted->text, plain, 0) : !strcmp(wanted->text, plain))
		return true;
	if (wanted->glob ? !strchr(wanted->text, '(') :
			   strncmp(wanted->text, plain, bytes) || wanted->text[bytes] != '(')
		return false;
	if (!why_demangle(name, true, text, sizeof(text)) || !squeeze(text, plain))
		return false;
	return wanted->glob ? !fnmatch(wanted->text, plain, 0) : !strcmp(wanted->text, plain);
}

const char *tlobctl_source_name_of(const struct tlobctl_symbol *symbol, bool parameters, char *buf,
				   size_t size)
{
	char name[MANGLED_BYTES];

	if (!mangled(symbol, name) || !why_demangle(name, parameters, buf, size))
		snprintf(buf, size, "%.*s", (int)symbol->name_length, symbol->name);
	/* no source has it, and its ':' would be taken for that behind a binary */
	for (char *tag; (tag = strstr(buf, "[abi:"));) {
		size_t bytes = strcspn(tag, "]") + 1;

		if (bytes > strlen(tag))
			break;
		memmove(tag, tag + bytes, strlen(tag + bytes) + 1);
	}
	return buf;
}
