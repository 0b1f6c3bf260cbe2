// SPDX-License-Identifier: GPL-2.0-or-later
/* What interrupts take, in the switch history of engine bpf: its programs, of which there is a pair for each tracepoint. */
#include <errno.h>
#include <string.h>

#include <bpf/btf.h>

#include "engine_bpf.h"
#include "tlob.skel.h"

#define PREFIX "count_" /* of their names */

static bool is_counting(const struct bpf_program *program)
{
	return !strncmp(bpf_program__name(program), PREFIX, strlen(PREFIX));
}

/* x86's own are missing elsewhere, and where the kernel was built without them. */
static bool has_tracepoint(const struct btf *btf, const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);
	char type[64];

	snprintf(type, sizeof(type), "btf_trace_%s", strchr(section, '/') + 1);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

void tlobctl_bpf_interrupts_configure(const struct tlobctl *ctl, struct tlobctl_bpf *bpf)
{
	struct tlob *s = bpf->skel;
	bool on = ctl->opts.interrupts && s->rodata->history_on;
	struct btf *btf = on ? btf__load_vmlinux_btf() : NULL;
	struct bpf_program *program;

	bpf_object__for_each_program (program, s->obj)
		if (is_counting(program))
			bpf_program__set_autoload(program, btf && has_tracepoint(btf, program));
	s->rodata->interrupts_on = on;
	btf__free(btf);
}

int tlobctl_bpf_interrupts_attach(struct tlob *s)
{
	for (int i = 0; i < s->skeleton->prog_cnt; i++) {
		const struct bpf_prog_skeleton *p = &s->skeleton->progs[i];

		if (!is_counting(*p->prog) || !bpf_program__autoload(*p->prog))
			continue;
		*p->link = bpf_program__attach(*p->prog);
		if (!*p->link)
			return -errno;
	}
	return 0;
}
