/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLOB_CTL_ERROR_H
#define TLOB_CTL_ERROR_H

/*
 * Store the sentence that tlobctl_error() will return in this thread, set errno, and return @err, a negative
 * errno: "return tlobctl_fail(-ENOENT, ...)". Arguments may point into the sentence stored before, so that a
 * caller can add what it was trying to do.
 */
int tlobctl_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
