// SPDX-License-Identifier: GPL-2.0-or-later
/* See privilege.h. */
#include "privilege.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

bool tlobctl_capable(int cap)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[cap / 32].effective >> cap % 32 & 1;
}

bool tlobctl_read_line(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

bool tlobctl_in_user_namespace(void)
{
	unsigned int inside, outside, count;
	char line[128];

	if (!tlobctl_read_line("/proc/self/uid_map", line, sizeof(line)) ||
	    sscanf(line, "%u %u %u", &inside, &outside, &count) != 3)
		return false;
	return inside != 0 || outside != 0 || count != UINT32_MAX;
}

int tlobctl_kernel_release(char *text, size_t size)
{
	struct utsname u;
	int major, minor;

	if (uname(&u) || sscanf(u.release, "%d.%d", &major, &minor) != 2) {
		snprintf(text, size, "unknown");
		return 0;
	}
	snprintf(text, size, "%s", u.release);
	return major * 1000 + minor;
}

void tlobctl_lockdown(char *text, size_t size)
{
	char line[128], *start, *end;

	*text = '\0';
	if (!tlobctl_read_line("/sys/kernel/security/lockdown", line, sizeof(line)))
		return;
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (end)
		snprintf(text, size, "%.*s", (int)(end - start - 1), start + 1);
}
