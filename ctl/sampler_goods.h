/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts of stacks: those of good windows by region, and how counts become samples with names. Parts of sampler.c. */
#ifndef TLOBCTL_SAMPLER_GOODS_H
#define TLOBCTL_SAMPLER_GOODS_H

#include "sampler.h"

void tlobctl_counts_add(struct tlobctl_counts *counts, uint32_t trace);
/* The most frequent of @counts: the names they take, see names.h. */
void tlobctl_samples_want(struct tlobctl *ctl, uint32_t tgid, const struct tlobctl_counts *counts);
/* They go to sampler->samples, with what is known of the names. Returns how many. */
size_t tlobctl_samples_name(struct tlobctl *ctl, const struct tlobctl_counts *counts);

/*
 * Where good windows like @w of process @tgid are counted; its names are looked up now, while they can be. NOBODYS: there is no
 * such region, as when this process tries what a probe costs; UNCOUNTED: there are too many.
 */
#define TLOBCTL_NOBODYS UINT32_MAX
#define TLOBCTL_UNCOUNTED (UINT32_MAX - 1)
uint32_t tlobctl_goods_owner(struct tlobctl *ctl, const struct tlob_bpf_sampled *w, uint32_t tgid,
			     const char *comm);
void tlobctl_goods_settle(struct tlobctl *ctl, uint64_t known_ns);
void tlobctl_goods_deinit(struct tlobctl_sampler *s);

#endif
