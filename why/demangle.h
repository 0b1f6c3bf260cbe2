/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names as the source has them, from those that compilers of C++ and Rust give to linkers. */
#ifndef WHY_DEMANGLE_H
#define WHY_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Into @text, without the type that is returned, with what is taken if @parameters. False, and @text is
 * undefined: it is no such name, or is not done within @size bytes.
 */
bool why_demangle(const char *name, bool parameters, char *text, size_t size);

#endif
