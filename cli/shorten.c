// SPDX-License-Identifier: GPL-2.0-or-later
/* See shorten.h. */
#include <stdbool.h>
#include <string.h>

#include "shorten.h"
#include "text.h"

#define NAME_BYTES 1024

static const char operator_word[] = "operator";

/* Behind "operator" a bracket is its name. */
static bool is_operator(const char *name, const char *at)
{
	size_t n = sizeof(operator_word) - 1;

	if (at > name && at[0] == '<' && at[-1] == '<')
		at--;
	return (size_t)(at - name) >= n && !memcmp(at - n, operator_word, n);
}

/* The bracket that closes the one at @at; NULL: none does. */
static char *closing(char *at)
{
	char open = *at, close = open == '<' ? '>' : ')';
	int depth = 0;

	for (; *at; at++) {
		if (*at == close && at[-1] == '-')
			continue; /* "->" */
		depth += (*at == open) - (*at == close);
		if (!depth)
			return at;
	}
	return NULL;
}

/* "f<int, long>" to "f<..>"; short contents stay. */
static void cut_brackets(char *name, char open)
{
	for (char *at = name; (at = strchr(at, open)); at++) {
		/* ".(" is a type of Go */
		char *end = is_operator(name, at) || (at > name && at[-1] == '.') ? NULL :
										    closing(at);

		if (!end)
			continue;
		if (end - at > 3 && strncmp(at, "(anonymous", 10)) {
			memmove(at + 3, end, strlen(end) + 1);
			at[1] = at[2] = '.';
			end = at + 3;
		}
		at = end;
	}
}

/* Behind the first "::" that is in no bracket; NULL: there is none. */
static char *behind_scope(char *name)
{
	for (char *at = name; *at; at++) {
		if (at[0] == ':' && at[1] == ':')
			return at + 2;
		if (!strchr("<({", *at))
			continue;
		at = *at != '{' && !is_operator(name, at) ? closing(at) : NULL;
		if (!at)
			return NULL;
	}
	return NULL;
}

/* As few of them as will do. False: it does not fit even then, and is as it was. */
static bool cut_scopes(char *name, size_t columns)
{
	char *rest = name;

	while (cli_columns(rest) + (rest > name) > columns) {
		rest = behind_scope(rest);
		if (!rest)
			return false;
	}
	if (rest > name) {
		memmove(name + 1, rest, strlen(rest) + 1);
		*name = '~';
	}
	return true;
}

char *cli_shorten(char *buf, size_t size, const char *name, size_t columns)
{
	char text[NAME_BYTES];

	cli_printable(text, sizeof(text), name, 0);
	if (columns && cli_columns(text) > columns) {
		cut_brackets(text, '<');
		if (!cut_scopes(text, columns)) {
			cut_brackets(text, '(');
			cut_scopes(text, columns);
		}
	}
	return cli_printable(buf, size, text, columns);
}
