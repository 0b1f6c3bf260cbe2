#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Engine bpf as on another architecture with an older kernel: the agent sets the timers, one link for each probe.
TLOB_BPF_WITHOUT='irq_work multi' exec "$(dirname "$0")/engine" probes bpf
