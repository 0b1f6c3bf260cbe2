// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which file is meant, where its debug file is, and what is said of files that cannot be probed: by name, by
 * process, in another root, deleted, damaged.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lab.h"

#include "ctl/ldcache.h"

static const char lib_c[] = "__attribute__((noinline)) static int inner(int x)\n"
			    "{ __asm__ volatile(\"\" ::: \"memory\"); return x * 7; }\n"
			    "int outer(int x) { return inner(x) + 1; }\n";
static const char main_c[] =
	"#include <stdio.h>\n"
	"#include <unistd.h>\n"
	"int outer(int);\n"
	"int main(int argc, char **argv)\n"
	"{ (void)argv; puts(\"\"); fflush(stdout); pause(); return outer(argc); }\n";

static int make_lab(void **state)
{
	if (lab_make(state))
		return -1;
	lab_write("lib.c", lib_c, strlen(lib_c));
	lab_write("main.c", main_c, strlen(main_c));
	lab_run("cc -O1 -g -shared -fPIC -Wl,-soname,libouter.so.1 -o libouter.so.1.0 lib.c");
	lab_run("ln -s libouter.so.1.0 libouter.so.1");
	lab_run("cc -O1 -o user main.c ./libouter.so.1.0 -Wl,-rpath,%s", lab);
	lab_run("objcopy --only-keep-debug libouter.so.1.0 whole.debug");
	lab_run("strip -o bare.so libouter.so.1.0");
	return 0;
}

/* ---- processes */

/* Runs "LAB/user" until killed. */
static pid_t start_user(void)
{
	char path[64], byte;
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	snprintf(path, sizeof(path), "%s/user", lab);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing */
		dup2(ready[1], 1);
		execl(path, path, NULL);
		_exit(127);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void by_process(void **state)
{
	pid_t pid = start_user();
	struct tlobctl_site *s = lab_site(pid, "libouter.so:outer");
	char path[64];

	snprintf(path, sizeof(path), "%s/libouter.so.1.0", lab);
	assert_string_equal(s->path, path);
	tlobctl_sites_free(s, 1);
	tlobctl_sites_free(lab_site(pid, "libouter.so.1:outer"), 1);
	tlobctl_sites_free(lab_site(pid, "user:main"), 1);
	tlobctl_sites_free(lab_site(pid, lab_spec("libouter.so.1", "outer")), 1);
	lab_refuses(pid, "user:outer", -ENOENT, "only called from", "libouter.so.1:outer", NULL);
	lab_refuses(pid, "liboutre.so:outer", -ENOENT, "has mapped no file",
		    "Did you mean libouter.so", NULL);
	/* what another process has mapped is not found without it */
	lab_refuses(0, "libouter.so:outer", -ENOENT, "cannot find", NULL);
	stop(pid);
	lab_refuses(pid, "libouter.so:outer", -ESRCH, "no process", NULL);
}

static void replaced_under_a_process(void **state)
{
	struct tlobctl_site *s;
	char old[64], link[64];
	pid_t pid;

	if (geteuid())
		skip();
	lab_run("cp libouter.so.1.0 saved && ln -f libouter.so.1.0 other-name");
	pid = start_user();
	lab_run("echo 'int more(void) { return 1; }' > more.c && "
		"cc -O0 -shared -fPIC -o new.so more.c lib.c && mv new.so libouter.so.1.0");
	snprintf(old, sizeof(old), "%s/other-name", lab);
	snprintf(link, sizeof(link), "/proc/%d/map_files/", pid);

	/* by name, by path and by a link to it, the process's own file is meant */
	s = lab_site(pid, "libouter.so:outer");
	assert_true(same_file(s->path, old));
	assert_int_equal(strncmp(s->path, link, strlen(link)), 0);
	tlobctl_sites_free(s, 1);
	s = lab_site(pid, lab_spec("libouter.so.1.0", "outer"));
	assert_true(same_file(s->path, old));
	tlobctl_sites_free(s, 1);
	s = lab_site(pid, lab_spec("libouter.so.1", "outer"));
	assert_true(same_file(s->path, old));
	tlobctl_sites_free(s, 1);

	/* also when there is no file any more */
	lab_run("rm libouter.so.1.0");
	s = lab_site(pid, lab_spec("libouter.so.1.0", "outer"));
	assert_true(same_file(s->path, old));
	tlobctl_sites_free(s, 1);
	stop(pid);
	lab_run("mv saved libouter.so.1.0");
}

/* A process in a root of its own, and that in a mount that nobody else sees. */
static pid_t start_inside(const char *root, bool own_mount)
{
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (own_mount &&
		    (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		     mount("tmpfs", root, "tmpfs", 0, NULL)))
			_exit(1);
		if (chdir(lab) || (own_mount && system("cp -a seed/. root/")) || chroot(root) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void in_another_root(void **state)
{
	char root[64], command[128], build_id[128] = "", proc[64];
	FILE *f;

	if (geteuid())
		skip();
	/* an absolute link that only means something inside, and debug files where only that world has them */
	lab_run("mkdir -p seed/opt root && cp bare.so seed/opt/real.so && ln -s /opt/real.so seed/link.so");
	lab_run("mkdir -p seed/usr/lib && cp bare.so seed/usr/lib/libinside.so.3");
	snprintf(command, sizeof(command), "readelf -n %s/bare.so | awk '/Build ID/ { print $3 }'",
		 lab);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%127s", build_id), 1);
	pclose(f);
	lab_run("mkdir -p seed/usr/lib/debug/.build-id/%.2s && "
		"cp whole.debug seed/usr/lib/debug/.build-id/%.2s/%s.debug",
		build_id, build_id, build_id + 2);
	lab_refuses(0, lab_spec("seed/opt/real.so", "inner"), -ENOENT, "stripped", NULL);
	snprintf(root, sizeof(root), "%s/root", lab);

	for (int own_mount = 0; own_mount < 2; own_mount++) {
		struct tlobctl_site *s;
		pid_t pid;

		if (!own_mount)
			lab_run("cp -a seed/. root/");
		else
			lab_run("rm -rf root && mkdir root");
		pid = start_inside(root, own_mount);
		s = lab_site(pid, "/link.so:inner");
		snprintf(proc, sizeof(proc), "/proc/%d/root%s", pid, "/opt/real.so");
		assert_true(same_file(s->path, proc));
		tlobctl_sites_free(s, 1);
		tlobctl_sites_free(lab_site(pid, "/opt/real.so:outer"), 1);
		lab_refuses(pid, "/etc/passwd:outer", -ENOENT, "as process", NULL);
		/* libraries by name: from its own folders, and not from ours */
		tlobctl_sites_free(lab_site(pid, "libinside.so:outer"), 1);
		lab_refuses(pid, "libsqlite3.so.0:sqlite3_step", -ENOENT, "cannot find", NULL);
		stop(pid);
	}
}

static void by_name(void **state)
{
	static const char script[] = "#!/usr/bin/env python3\n";
	char old[4096], text[4200];

	lab_write("tool", script, strlen(script));
	lab_run("cp user tlob-test-tool && mkdir -p first && cp tool first/tlob-test-tool");
	snprintf(old, sizeof(old), "%s", getenv("PATH"));
	snprintf(text, sizeof(text), "%s:%s", lab, old);
	setenv("PATH", text, 1);
	tlobctl_sites_free(lab_site(0, "tlob-test-tool:main"), 1);
	lab_refuses(0, "tlob-test-toll:main", -ENOENT, "Did you mean tlob-test-tool", NULL);

	/* the first folder counts, but only if the file may be run */
	snprintf(text, sizeof(text), "%s/first:%s:%s", lab, lab, old);
	setenv("PATH", text, 1);
	tlobctl_sites_free(lab_site(0, "tlob-test-tool:main"), 1);
	lab_run("chmod +x first/tlob-test-tool");
	lab_refuses(0, "tlob-test-tool:main", -ENOEXEC, "script", "python3", NULL);
	setenv("PATH", old, 1);

	setenv("LD_LIBRARY_PATH", lab, 1);
	tlobctl_sites_free(lab_site(0, "libouter.so:outer"), 1);
	lab_run("cp libouter.so.1.0 libouter.so.2");
	lab_refuses(0, "libouter.so:outer", -EEXIST, "more than one file", "libouter.so.2", NULL);
	tlobctl_sites_free(lab_site(0, "libouter.so.2:outer"), 1);
	unsetenv("LD_LIBRARY_PATH");
	lab_run("rm libouter.so.2");
}

/* ---- debug files */

static void debug_file_by_link(void **state)
{
	lab_run("mkdir -p linked/.debug && objcopy --remove-section .note.gnu.build-id bare.so linked/a.so");
	lab_run("cd linked && cp ../whole.debug a.debug && objcopy --add-gnu-debuglink=a.debug a.so");
	tlobctl_sites_free(lab_site(0, lab_spec("linked/a.so", "inner")), 1);
	lab_run("mv linked/a.debug linked/.debug");
	tlobctl_sites_free(lab_site(0, lab_spec("linked/a.so", "inner")), 1);
	/* of another build: the checksum tells */
	lab_run("printf x >> linked/.debug/a.debug");
	lab_refuses(0, lab_spec("linked/a.so", "inner"), -ENOENT, "stripped", NULL);
	lab_run("rm linked/.debug/a.debug");
	lab_refuses(0, lab_spec("linked/a.so", "inner"), -ENOENT, "stripped", NULL);
}

static void mini_debuginfo(void **state)
{
	lab_run("objcopy -g whole.debug mini && xz -k mini && "
		"objcopy --add-section .gnu_debugdata=mini.xz bare.so packed.so");
	lab_refuses(0, lab_spec("bare.so", "inner"), -ENOENT, "stripped", NULL);
	tlobctl_sites_free(lab_site(0, lab_spec("packed.so", "inner")), 1);
	tlobctl_sites_free(lab_site(0, lab_spec("packed.so", "outer")), 1);
}

/* ---- what cannot be probed */

static void other_files(void **state)
{
	static const uint16_t arm = EM_ARM, core = ET_CORE;
	char path[64];
	int fd;

	lab_run(": > empty; echo text > text; mkdir -p folder; mkfifo pipe; ln -s loop loop");
	lab_run("cc -c lib.c -o lib.o && ar rc lib.a lib.o && cp user arm && cp user core");
	snprintf(path, sizeof(path), "%s/arm", lab);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, &arm, 2, offsetof(Elf64_Ehdr, e_machine)), 2);
	close(fd);
	snprintf(path, sizeof(path), "%s/core", lab);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, &core, 2, offsetof(Elf64_Ehdr, e_type)), 2);
	close(fd);

	lab_refuses(0, lab_spec("absent", "f"), -ENOENT, "cannot open", "No such file", NULL);
	lab_refuses(0, lab_spec("loop", "f"), -ELOOP, "cannot open", NULL);
	lab_refuses(0, lab_spec("text/more", "f"), -ENOTDIR, "cannot open", NULL);
	lab_refuses(0, lab_spec("folder", "f"), -EISDIR, "a directory", NULL);
	lab_refuses(0, lab_spec("pipe", "f"), -ENOEXEC, "a pipe", NULL);
	lab_refuses(0, "/dev/null:f", -ENOEXEC, "a device", NULL);
	lab_refuses(0, lab_spec("empty", "f"), -ENOEXEC, "empty", NULL);
	lab_refuses(0, lab_spec("text", "f"), -ENOEXEC, "not an ELF file", NULL);
	lab_refuses(0, lab_spec("lib.o", "outer"), -ENOEXEC, "object file", NULL);
	lab_refuses(0, lab_spec("lib.a", "outer"), -ENOEXEC, "static library", NULL);
	lab_refuses(0, lab_spec("core", "main"), -ENOEXEC, "core dump", NULL);
	lab_refuses(0, lab_spec("whole.debug", "outer"), -ENOEXEC, "no segment with code", NULL);
#ifdef __x86_64__
	lab_refuses(0, lab_spec("arm", "main"), -ENOEXEC, "32-bit ARM", "x86-64", NULL);
	lab_run("echo '.globl f; .type f, @function; f: push %%ebp; ret; .size f, . - f' > f.s && "
		"as --32 f.s -o f.o && ld -m elf_i386 -shared f.o -o f32.so");
	tlobctl_sites_free(lab_site(0, lab_spec("f32.so", "f")), 1);
#endif
}

static void no_permission(void **state)
{
	lab_run("cp user locked && chmod 0 locked && chmod 711 .");
	if (!geteuid() && seteuid(65534))
		skip();
	lab_refuses(0, lab_spec("locked", "main"), -EACCES, "cannot open", "Permission denied",
		    NULL);
	lab_refuses(1, "/etc/passwd:main", -EACCES, "process 1", "run as root", NULL);
	if (!getuid())
		assert_int_equal(seteuid(0), 0);
}

/* Any answer will do, as long as there is one. */
static void try_damaged(const char *data, size_t size)
{
	static const char *const points[] = {"main", "main*", "0x1139", "main+0x1..0x1200"};
	struct tlobctl_site *sites;
	size_t count;

	lab_write("damaged", data, size);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		if (!lab_resolve(0, lab_spec("damaged", points[i]), &sites, &count))
			tlobctl_sites_free(sites, count);
}

static void damaged_files(void **state)
{
	static char whole[1 << 18], spoilt[sizeof(whole)];
	Elf64_Ehdr head;
	char path[64];
	ssize_t n;
	int fd;

	lab_run("cp user damaged");
	snprintf(path, sizeof(path), "%s/user", lab);
	fd = open(path, O_RDONLY);
	n = read(fd, whole, sizeof(whole));
	close(fd);
	assert_in_range(n, 4096, sizeof(whole) - 1);
	for (ssize_t size = 1; size < n; size += 1 + n / 97)
		try_damaged(whole, (size_t)size);
	memcpy(&head, whole, sizeof(head));
	srandom(2);
	for (int i = 0; i < 300; i++) {
		memcpy(spoilt, whole, sizeof(whole));
		/* most of it where it hurts: file header, segments, sections */
		for (int k = 0; k < 4; k++) {
			size_t in_headers = 16 + (size_t)random() % 600;
			size_t in_sections =
				head.e_shoff + (size_t)random() % ((size_t)n - head.e_shoff);
			size_t anywhere = (size_t)random() % (size_t)n;
			long where = random() % 3;

			spoilt[where == 0 ? in_headers :
			       where == 1 ? in_sections :
					    anywhere] = (char)random();
		}
		try_damaged(spoilt, (size_t)n);
	}
}

/* ---- the library cache */

static void note(const char *name, const char *path, void *arg)
{
	char *list = arg;

	snprintf(list + strlen(list), 256 - strlen(list), "%s=%s ", name, path);
}

static void library_cache(void **state)
{
	struct {
		char old[32]; /* what glibc wrote in front before 2.32 */
		char magic[20];
		uint32_t count, bytes, reserved[5];
		struct {
			int32_t flags;
			uint32_t name, path, os;
			uint64_t hwcap;
		} __attribute__((packed)) entries[3];
		char strings[32];
	} __attribute__((packed)) cache = {
		.old = "ld.so-1.7.0",
		.magic = "glibc-ld.so.cache1.1",
		.count = 3,
		.entries = {{0, 120, 126, 0, 0}, {0, 4000000, 126, 0, 0}, {0, 126, 120, 0, 0}},
		.strings = "liba\0\0/lib/a",
	};
	char list[256] = "";

	assert_int_equal(tlobctl_ldcache_each(&cache, sizeof(cache), note, list), 2);
	assert_string_equal(list, "liba=/lib/a /lib/a=liba ");
	/* a string without an end is none */
	assert_int_equal(tlobctl_ldcache_each(&cache, sizeof(cache) - 32 + 8, note, list), 0);
	cache.count = 4;
	assert_int_equal(tlobctl_ldcache_each(&cache, sizeof(cache), note, list), 2);
	cache.count = 1000;
	assert_int_equal(tlobctl_ldcache_each(&cache, sizeof(cache), note, list), -EINVAL);
	assert_int_equal(tlobctl_ldcache_each(&cache, 60, note, list), -EINVAL);
	assert_int_equal(tlobctl_ldcache_each("", 0, note, list), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_process),	      cmocka_unit_test(replaced_under_a_process),
		cmocka_unit_test(in_another_root),    cmocka_unit_test(by_name),
		cmocka_unit_test(debug_file_by_link), cmocka_unit_test(mini_debuginfo),
		cmocka_unit_test(other_files),	      cmocka_unit_test(no_permission),
		cmocka_unit_test(damaged_files),      cmocka_unit_test(library_cache),
	};

	return cmocka_run_group_tests(tests, make_lab, lab_remove);
}
