#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# spin on model/transit.pml: every scenario holds over its whole state space, every protocol with a mistake is refused.
cd "$(dirname "$0")/../.." || exit 1
MODEL=$PWD/model/transit.pml
MIN_STATES=100

# what is explored | preprocessor symbols of model/transit.pml
HOLDS="
two threads|-DTHREADS=2 -DCELLS=2
three threads|
three threads, four places|-DCELLS=4
two threads that end what they have begun, three times|-DTHREADS=2 -DROUNDS=3 -DENDS
three threads that end what they have begun, two places, twice|-DROUNDS=2 -DENDS -DCELLS=2
"
# the mistake | its symbol and scenario | part of the assertion that must fail
REFUSED="
looks before it says what it is about|-DLOOK_FIRST|open<=1
overlooks those that are not open yet|-DIGNORE_CLAIMS -DNEVER_BAR|open<=1
does not bar those in later places|-DNEVER_BAR|open<=1
opens without compare-and-swap|-DBLIND_OPEN|open<=1
"

# shellcheck source=tests/model/explore
. tests/model/explore
