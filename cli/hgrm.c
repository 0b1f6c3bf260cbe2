// SPDX-License-Identifier: GPL-2.0-or-later
/* See hgrm.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "hgrm.h"
#include "hist.h"

int cli_hgrm_prepare(const char *folder)
{
	if ((mkdir(folder, 0777) && errno != EEXIST) || access(folder, W_OK | X_OK))
		return cli_error(CLI_ERROR, "cannot write distributions to '%s': %m", folder);
	return 0;
}

/* Names come from watched programs: nothing in them may leave the folder or hide the file. */
static void add_name(char *path, size_t size, const char *name)
{
	size_t n = strlen(path);

	for (size_t i = 0; name[i] && n + 1 < size; i++) {
		unsigned char c = (unsigned char)name[i];

		path[n++] = c <= ' ' || c == '/' || c == 0x7f || (i == 0 && c == '.') ? '_' :
											(char)c;
	}
	path[n] = '\0';
}

static int write_text(void *arg, const char *text, __u64 bytes)
{
	return fwrite(text, 1, bytes, arg) == bytes ? 0 : -EIO;
}

int cli_hgrm_write(const char *folder, const struct tlobctl_stat *stat)
{
	char path[4096];
	FILE *out;
	int err = 0;

	snprintf(path, sizeof(path) - 256, "%s/", folder);
	add_name(path, sizeof(path) - 8, stat->region);
	if (*stat->program) {
		strcat(path, "-");
		add_name(path, sizeof(path) - 8, stat->program);
	}
	strcat(path, ".hgrm");
	out = fopen(path, "we");
	if (!out || tlob_hist_write_hgrm(stat->hist, write_text, out) < 0)
		err = -errno;
	if (out && fclose(out))
		err = -errno;
	if (err) {
		errno = -err;
		cli_error(CLI_ERROR, "cannot write '%s': %m", path);
	}
	return err;
}
