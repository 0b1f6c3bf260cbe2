/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every flame graph carries: how it looks, and what it does where scripts run. */
#ifndef TLOB_REPORT_FLAME_SCRIPT_H
#define TLOB_REPORT_FLAME_SCRIPT_H

extern const char report_flame_style[], report_flame_script[];

#endif
