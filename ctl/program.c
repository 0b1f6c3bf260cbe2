// SPDX-License-Identifier: GPL-2.0-or-later
/* See program.h. */
#include "program.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlob/abi.h>

#include "now.h"

#define INITIAL_PID_NAMESPACE 0xeffffffcU /* inode of /proc/PID/ns/pid; fixed since Linux 3.8 */
#define FRESH_NS \
	1000000000ULL /* after that long an id is looked up anew: another program may have it */

/* Length of the UTF-8 character at @s, of @max bytes; 0 if it is none. */
static size_t utf8_length(const unsigned char *s, size_t max)
{
	static const unsigned char first[] = {0, 0, 0xc2, 0xe0, 0xf0};
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (!n || n > max || s[0] < first[n])
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, too long forms, surrogates */
	if ((n == 2 && s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) ||
	    (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90))
		return 0;
	return n;
}

void tlobctl_printable(char *buf, size_t size, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length = strnlen(text, max), out = 0;

	for (size_t i = 0, n; i < length && out + 1 < size; i += n) {
		n = utf8_length(s + i, length - i);
		if (!n || s[i] < 0x20 || s[i] == 0x7f) {
			buf[out++] = '?';
			n = 1;
		} else if (out + n < size) {
			memcpy(buf + out, s + i, n);
			out += n;
		} else {
			break;
		}
	}
	buf[out] = '\0';
}

bool tlobctl_program_of(pid_t pid, char *buf, size_t size)
{
	static const char gone[] = " (deleted)";
	char link[32], path[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	if ((size_t)n > sizeof(gone) && !strcmp(path + n - (sizeof(gone) - 1), gone))
		path[n - (ssize_t)(sizeof(gone) - 1)] = '\0';
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	tlobctl_printable(buf, size, base, strlen(base));
	return *buf != '\0';
}

void tlobctl_programs_init(struct tlobctl_programs *programs)
{
	struct stat st;

	programs->foreign = stat("/proc/self/ns/pid", &st) || st.st_ino != INITIAL_PID_NAMESPACE;
}

const char *tlobctl_program_name(struct tlobctl_programs *programs, pid_t tgid, const char *comm)
{
	struct tlobctl_program *p = &programs->cache[(uint32_t)tgid % TLOBCTL_PROGRAM_CACHE];
	uint64_t now = tlobctl_now_ns();
	bool known = p->tgid == tgid && p->name[0];

	if (known && now - p->asked_ns < FRESH_NS)
		return p->name;
	p->tgid = tgid;
	p->asked_ns = now;
	if (!programs->foreign && tlobctl_program_of(tgid, p->name, sizeof(p->name)))
		return p->name;
	if (!known) /* otherwise it has just ended, and was what it was */
		tlobctl_printable(p->name, sizeof(p->name), comm, TLOB_COMM_BYTES);
	return p->name;
}
