/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MONITORS_WWNR_WWNR_H
#define MONITORS_WWNR_WWNR_H

#include <rv/rv.h>

extern struct rvc_monitor wwnr_monitor;

#endif
