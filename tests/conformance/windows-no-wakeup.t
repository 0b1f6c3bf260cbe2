#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Engine bpf as on Linux 5.17: no look into queues, no early look at deadlines.
TLOB_BPF_WITHOUT='wakeup softirq tick' exec "$(dirname "$0")/engine" windows bpf
