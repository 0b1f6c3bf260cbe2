#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# spin on model/page_ring.pml: every scenario holds over its whole state space, every algorithm with a mistake is refused.
cd "$(dirname "$0")/../.." || exit 1
MODEL=$PWD/model/page_ring.pml
MIN_STATES=5000

# what is explored | preprocessor symbols of model/page_ring.pml
HOLDS="
one writer, overwriting|-DWRITERS=1 -DEACH=9 -DOVERWRITE
one writer, four slots, overwriting|-DWRITERS=1 -DEACH=9 -DSLOTS=4 -DSIZE=2 -DOVERWRITE
one writer, dropping|-DWRITERS=1 -DEACH=10
one interrupts the other, overwriting|-DEACH=2 -DSIZE=2 -DLIFO -DOVERWRITE
two writers at once, overwriting|-DEACH=2 -DOVERWRITE
two writers at once, dropping|-DEACH=2 -DSIZE=2
"
# the mistake | its symbol and scenario | part of the assertion that must fail
COUNTS='reads+overrun'
REFUSED="
published without comparing with what is reserved|-DPUBLISH_ALL -DEACH=2|found
published over what an interrupt has published|-DPUBLISH_BLINDLY -DEACH=2 -DOVERWRITE|found
page reset without comparing|-DRESET_BLINDLY -DEACH=3 -DSIZE=2 -DLIFO -DOVERWRITE|$COUNTS
incomplete events are overwritten|-DOVERWRITE_INCOMPLETE -DEACH=4 -DSIZE=2 -DLIFO -DOVERWRITE|found
the end of a page is not filled up|-DNO_PADDING -DWRITERS=1 -DEACH=6 -DSIZE=2|$COUNTS
reader gives back a page that is still written|-DSWAP_UNFINISHED -DEACH=3|$COUNTS
reader takes a page with nothing complete in it|-DTAKE_EMPTY -DEACH=3 -DSIZE=2 -DOVERWRITE|found
reader prepares its page after giving it back|-DPREPARE_LATE -DEACH=3 -DSIZE=2 -DOVERWRITE|$COUNTS
reader swaps without comparing|-DSWAP_BLINDLY -DEACH=3 -DSIZE=2 -DOVERWRITE|found
"

# shellcheck source=tests/model/explore
. tests/model/explore
