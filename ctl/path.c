// SPDX-License-Identifier: GPL-2.0-or-later
/* See path.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "library.h"
#include "maps.h"
#include "path.h"

/* What execvp() falls back to as well. */
#define USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

typedef void folder_fn(struct tlobctl_search *s, const char *folder);

static void each_program_folder(struct tlobctl_search *s, folder_fn *fn)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path ? path : USUAL_PATH);
	char *rest = copy;

	for (char *folder; (folder = strsep(&rest, ":"));)
		if (folder[0] == '/')
			fn(s, folder);
	free(copy);
}

/* The first folder wins, as it does for the shell. */
static void look_into(struct tlobctl_search *s, const char *folder)
{
	char path[PATH_MAX], *ours;
	struct stat st;

	if (s->count || snprintf(path, sizeof(path), "%s/%s", folder, s->name) >= PATH_MAX ||
	    tlobctl_root_resolve(s->root, path, &ours))
		return;
	if (!stat(ours, &st) && S_ISREG(st.st_mode) && st.st_mode & 0111)
		tlobctl_search_hit(s, s->name, ours);
	free(ours);
}

static void suggest_programs(struct tlobctl_search *s, const char *folder)
{
	struct dirent *entry;
	char *ours;
	DIR *dir;

	if (tlobctl_root_resolve(s->root, folder, &ours))
		return;
	dir = opendir(ours);
	free(ours);
	while (dir && (entry = readdir(dir)))
		tlobctl_search_suggest(s, entry->d_name);
	if (dir)
		closedir(dir);
}

static int not_found(struct tlobctl_search *s, pid_t pid)
{
	char near[3 * TLOBCTL_SUGGEST_BYTES + 64], here[PATH_MAX + 64] = "", who[64] = "";
	char *path = *s->root ? NULL : realpath(s->name, NULL);

	if (path)
		snprintf(here, sizeof(here), " There is %s: give that path.", path);
	free(path);
	each_program_folder(s, suggest_programs);
	if (pid > 0)
		snprintf(who, sizeof(who), "process %d has mapped no file of that name, ", pid);
	return tlobctl_fail(-ENOENT,
			    "cannot find '%s': %sno program in PATH is called so, nor is a shared "
			    "library.%s%s",
			    s->name, who, tlobctl_suggest_text(&s->near, near, sizeof(near)), here);
}

static int fail_lost(const char *name, pid_t pid)
{
	return tlobctl_fail(
		-EPERM,
		"process %d runs a '%s' that has been deleted or replaced on disk since: "
		"it can only be reached as root",
		pid, name);
}

static int find_name(const char *name, pid_t pid, struct tlobctl_file *out)
{
	struct tlobctl_search s;
	int err;

	tlobctl_search_init(&s, name, out->root);
	if (pid > 0)
		tlobctl_maps_search(&s, pid, NULL);
	if (!s.count && !s.lost)
		each_program_folder(&s, look_into);
	if (!s.count && !s.lost)
		tlobctl_library_search(&s);
	err = tlobctl_search_choose(&s, &out->path);
	if (err == -ENOENT)
		err = s.lost ? fail_lost(name, pid) : not_found(&s, pid);
	tlobctl_search_deinit(&s);
	return err;
}

/* @path with the links of its folders followed, and its own too if it exists. Into @buf. */
static const char *canonical(const char *path, char buf[PATH_MAX])
{
	char folder[PATH_MAX], *slash;
	size_t n;

	if (realpath(path, buf) || snprintf(folder, sizeof(folder), "%s", path) >= PATH_MAX)
		return buf;
	slash = strrchr(folder, '/');
	*slash = '\0';
	if (!realpath(*folder ? folder : "/", buf))
		return path;
	n = strlen(buf);
	if (snprintf(buf + n, PATH_MAX - n, "/%s", slash + 1) >= (int)(PATH_MAX - n))
		return path;
	return buf;
}

/*
 * *@instead: the file that @pid has mapped as @path, if that is not the one found there now (@now; NULL:
 * none). The process goes on with the old one when a package is upgraded under it.
 */
static int find_mapped(const char *path, const char *now, pid_t pid, const char *root,
		       char **instead)
{
	char buf[PATH_MAX];
	struct tlobctl_search s;
	const char *real = path;
	struct stat st;
	size_t i;

	tlobctl_search_init(&s, strrchr(path, '/') + 1, root);
	tlobctl_maps_search(&s, pid, path);
	if (!*root)
		real = canonical(path, buf);
	else if (now && !strncmp(now, root, strlen(root)))
		real = now + strlen(root);
	if (strcmp(real, path))
		tlobctl_maps_search(&s, pid, real);
	for (i = 0; i < s.count; i++)
		if (now && !stat(now, &st) && st.st_dev == s.hits[i].dev &&
		    st.st_ino == s.hits[i].ino)
			break;
	if (s.count && i == s.count)
		*instead = strdup(s.hits[0].path);
	tlobctl_search_deinit(&s);
	return !s.count && s.lost ? fail_lost(path, pid) : 0;
}

static int find_absolute(const char *path, pid_t pid, struct tlobctl_file *out)
{
	char *now = NULL, *instead = NULL;
	int err = tlobctl_root_resolve(out->root, path, &now);

	if (pid > 0) {
		int lost = find_mapped(path, now, pid, out->root, &instead);

		if (lost || instead) {
			free(now);
			out->path = instead;
			return lost;
		}
	}
	if (err && pid > 0)
		return tlobctl_fail(err, "cannot open %s as process %d sees it: %s", path, pid,
				    strerror(-err));
	if (err)
		return tlobctl_fail(err, "cannot open %s: %s", path, strerror(-err));
	out->path = now;
	return 0;
}

static int find(const char *binary, pid_t pid, struct tlobctl_file *out)
{
	struct tlobctl_file file = {0};
	int err;

	if (!*binary)
		return tlobctl_fail(-EINVAL, "no binary is named");
	if (pid > 0) {
		err = tlobctl_root_of(pid, file.root);
		if (err)
			return err;
	}
	err = binary[0] == '/' ? find_absolute(binary, pid, &file) : find_name(binary, pid, &file);
	if (!err)
		*out = file;
	return err;
}

int tlobctl_path_find(const char *binary, pid_t pid, struct tlobctl_file *out)
{
	char here[PATH_MAX], path[2 * PATH_MAX];

	if (binary[0] == '/' || !strchr(binary, '/'))
		return find(binary, pid, out);
	if (!getcwd(here, sizeof(here)))
		return tlobctl_fail(-errno,
				    "'%s' is a relative path, and the folder it is relative to is "
				    "not known: %m; give the whole path",
				    binary);
	if (binary[0] == '.' && binary[1] == '/')
		binary += 2;
	snprintf(path, sizeof(path), "%s/%s", strcmp(here, "/") ? here : "", binary);
	return find(path, pid, out);
}

void tlobctl_file_deinit(struct tlobctl_file *file)
{
	free(file->path);
	file->path = NULL;
}
