// SPDX-License-Identifier: GPL-2.0-or-later
/* Leave the VM with a status: that of QEMU is then 2 * status + 1, as its isa-debug-exit has it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#ifdef __aarch64__

/* SYS_EXIT_EXTENDED of Arm's semihosting, which the VM grants to programs. */
static void leave(int status)
{
	const long arguments[] = {0x20026 /* ADP_Stopped_ApplicationExit */, 2 * status + 1};
	register long call __asm__("x0") = 0x20;
	register const long *block __asm__("x1") = arguments;

	__asm__ volatile("hlt 0xf000" : "+r"(call) : "r"(block) : "memory");
}

#else

#include <sys/io.h>

/* isa-debug-exit, at port 0xf4 */
static void leave(int status)
{
	if (ioperm(0xf4, 4, 1) != 0) {
		perror("vmexit: ioperm");
		exit(1);
	}
	outb((unsigned char)status, 0xf4);
}

#endif

int main(int argc, char **argv)
{
	static const char *const lines[] = {"/dev/ttyAMA0", "/dev/ttyS0", "/dev/ttyS1"};
	int status = argc > 1 ? atoi(argv[1]) : 0;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int fd = open(lines[i], O_WRONLY | O_NOCTTY);

		if (fd >= 0) {
			tcdrain(fd);
			close(fd);
		}
	}
	leave(status & 0x7f);
	return 0;
}
