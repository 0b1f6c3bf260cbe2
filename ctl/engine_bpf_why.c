// SPDX-License-Identifier: GPL-2.0-or-later
/* Why engine bpf does not start here: the first cause that explains it, and its remedy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine_bpf.h"
#include "error.h"
#include "privilege.h"

#define ALTERNATIVE "; or use engine user, which needs nothing"

static const char *missing_capability(void)
{
	if (tlobctl_capable(CAP_SYS_ADMIN))
		return NULL;
	if (!tlobctl_capable(CAP_BPF))
		return tlobctl_capable(CAP_PERFMON) ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
	return tlobctl_capable(CAP_PERFMON) ? NULL : "CAP_PERFMON";
}

/* A line of @log, without libbpf's name before it. */
static void copy_line(char *buf, size_t size, const char *line)
{
	static const char prefix[] = "libbpf: ";

	if (!strncmp(line, prefix, sizeof(prefix) - 1))
		line += sizeof(prefix) - 1;
	snprintf(buf, size, "%.*s", (int)strcspn(line, "\n"), line);
}

/* What went wrong first, and if that was a program, what the verifier said last. */
static void summarize(char *buf, size_t size, const char *log)
{
	const char *verdict = strstr(log, "\nprocessed "), *line = verdict;
	size_t length;

	copy_line(buf, size, *log ? log : "no more is known");
	if (!verdict)
		return;
	while (line > log && line[-1] != '\n')
		line--;
	length = strlen(buf);
	if (length + 2 >= size)
		return;
	memcpy(buf + length, ": ", 3);
	copy_line(buf + length + 2, size - length - 2, line);
}

int tlobctl_bpf_explain(int err, const struct tlobctl_bpf_features *features, const char *log)
{
	const char *missing = missing_capability();
	char release[64], lockdown[32], summary[512];
	int version = tlobctl_kernel_release(release, sizeof(release));

	tlobctl_lockdown(lockdown, sizeof(lockdown));
	if (version && version < 5017)
		return tlobctl_fail(
			err,
			"engine bpf does not work on Linux %s: it needs 5.17 or later" ALTERNATIVE,
			release);
	if (missing)
		return tlobctl_fail(
			err,
			"engine bpf cannot load its programs: this process lacks %s. Run it as root, or give "
			"the tlob binary cap_bpf,cap_perfmon with setcap" ALTERNATIVE,
			missing);
	if (err == -EPERM && tlobctl_in_user_namespace())
		return tlobctl_fail(
			err,
			"engine bpf cannot load its programs from inside a user namespace (a rootless container?). "
			"Run the agent outside, programs inside can join it" ALTERNATIVE);
	if (!strcmp(lockdown, "confidentiality"))
		return tlobctl_fail(
			err,
			"engine bpf cannot load its programs: kernel lockdown is set to confidentiality. Boot with "
			"lockdown=integrity" ALTERNATIVE);
	if (features->ring_sleeps)
		return tlobctl_fail(
			err,
			"engine bpf does not work on the real-time kernel %s: the lock of its BPF ring buffer may sleep, and "
			"interrupts write there. It needs 6.12 or later" ALTERNATIVE,
			release);
	if (!features->btf)
		return tlobctl_fail(
			err,
			"engine bpf needs the kernel's type information, and /sys/kernel/btf/vmlinux cannot be read. "
			"Use a kernel built with CONFIG_DEBUG_INFO_BTF=y" ALTERNATIVE);
	summarize(summary, sizeof(summary), log);
	return tlobctl_fail(err,
			    "engine bpf cannot load its programs on Linux %s (%s): %s" ALTERNATIVE,
			    release, strerror(-err), summary);
}
