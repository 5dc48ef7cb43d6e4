/* enroot-switchroot ROOTFS COMMAND...: makes ROOTFS (a mount point) the root, gives up what the hooks
 * were allowed to do, and becomes the command. The environment is taken as it is. */
#define _GNU_SOURCE
#include "common.h"

#include <sys/mount.h>

int main(int argc, char *argv[])
{
	if (argc < 3)
		errx(EXIT_FAILURE, "usage: %s ROOTFS COMMAND...", argv[0]);
	if (chdir(argv[1]) < 0)
		err(EXIT_FAILURE, "failed to change directory: %s", argv[1]);
	/* pivot_root(".", ".") puts the old root on top of the new one; detaching it leaves the new. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		err(EXIT_FAILURE, "failed to switch root: %s", argv[1]);
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		err(EXIT_FAILURE, "failed to leave the old root");
	drop_kept_capabilities();
	execvp(argv[2], argv + 2);
	err(EXIT_FAILURE, "failed to execute: %s", argv[2]);
}
