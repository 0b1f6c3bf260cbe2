/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What measuring costs on this machine, measured. */
#ifndef TLOBCTL_CALIBRATE_H
#define TLOBCTL_CALIBRATE_H

#include <tlob/ctl.h>

struct tlobctl_binding;

/* One start and stop in a linked program, in ns. */
double tlobctl_calibrate_slot(void);
/* One start and stop of @binding, in ns: probes the same kinds of instruction in this process, once per session. */
double tlobctl_calibrate_binding(struct tlobctl *ctl, const struct tlobctl_binding *binding);

#endif
