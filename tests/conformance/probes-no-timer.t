#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Engine bpf as on a real-time kernel: programs have no timers.
TLOB_BPF_WITHOUT='timer' exec "$(dirname "$0")/engine" probes bpf
