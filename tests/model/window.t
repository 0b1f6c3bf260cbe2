#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# spin on model/window.pml: every scenario holds over its whole state space, every protocol with a mistake is refused.
cd "$(dirname "$0")/../.." || exit 1
MODEL=$PWD/model/window.pml
MIN_STATES=10000

# what is explored | preprocessor symbols of model/window.pml
HOLDS="
one window after another, three generations|-DROUNDS=3 -DEND=3
nested windows|-DDEPTH=2 -DROUNDS=2
two threads|-DTHREADS=2 -DROUNDS=1
two threads, two windows each|-DTHREADS=2 -DROUNDS=2 -DEND=1
two scans at once, three generations|-DROUNDS=3 -DEARLY -DEND=1
exit inside nested windows, slot reused|-DDEPTH=2 -DROUNDS=2 -DEXIT
exit beside two scans, slot reused|-DROUNDS=2 -DEXIT -DEARLY -DEND=1
engine disabled|-DROUNDS=2 -DCLOSE
engine disabled, nested windows, exit|-DDEPTH=2 -DROUNDS=1 -DCLOSE -DEXIT -DEND=1
agent killed|-DROUNDS=2 -DKILL
agent killed, two threads|-DTHREADS=2 -DROUNDS=1 -DKILL -DEND=1
agent killed while it is disabled, exit|-DROUNDS=2 -DEXIT -DKILL -DCLOSE -DEND=1
"
# the mistake | its symbol and scenario | part of the assertion that must fail
FORGOTTEN='timer<=deadline'
REFUSED="
fields copied after the compare-and-swap|-DCOPY_AFTER_CAS|copied_tag
next_wake_ns read before the window is armed|-DNO_RECHECK|$FORGOTTEN
wake-up cleared after the scan|-DCLEAR_AFTER_SCAN|$FORGOTTEN
wake-up put back by one compare-and-swap|-DLOWER_ONCE -DDEPTH=2 -DROUNDS=1|$FORGOTTEN
timer set without looking again|-DSET_TIMER_ONCE|$FORGOTTEN
window marked as used after it is armed|-DUSED_AFTER_ARM|$FORGOTTEN
stop does not report that it was late|-DSTOP_IGNORES_LATE|overruns
stop without compare-and-swap|-DBLIND_STOP|overruns
expiry without compare-and-swap|-DBLIND_EXPIRE|overruns
stop says overrun though the report failed|-DREPORT_ALWAYS_WORKS -DKILL|overruns
disabling cancels windows already reported|-DCANCEL_EXPIRED -DCLOSE|overruns
closed after the windows are looked at, or without a barrier|-DCLOSED_AFTER_WALK -DCLOSE|killed
a failed kick forgets that the window has expired|-DFAILED_KICK_FORGETS -DCLOSE|overruns
closed not looked at after arming|-DCLOSED_NOT_REREAD -DCLOSE|killed
exit gives up when a scan was faster|-DABANDON_ONCE -DEXIT|==0
generations start anew with the slot's next owner|-DGENERATION_RESET -DEXIT|at>=deadline
"

# shellcheck source=tests/model/explore
. tests/model/explore
