/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLOBCTL_LIBRARY_H
#define TLOBCTL_LIBRARY_H

#include "search.h"

/* Offer the shared libraries that programs find by name: LD_LIBRARY_PATH, ldconfig's cache, usual folders. */
void tlobctl_library_search(struct tlobctl_search *s);

#endif
