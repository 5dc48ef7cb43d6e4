/* enroot-mksquashovlfs LAYER[:LAYER...] OUTPUT [MKSQUASHFS-OPTION...]: stacks the layers (the topmost
 * first) with overlayfs in a mount namespace of its own, and packs what is seen with mksquashfs. */
#define _GNU_SOURCE
#include "common.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

int main(int argc, char *argv[])
{
	char options[4096], point[4096];
	char **command;

	if (argc < 3)
		errx(EXIT_FAILURE, "usage: %s LAYER[:LAYER...] OUTPUT [OPTION...]", argv[0]);
	raise_capabilities(1ULL << CAP_SYS_ADMIN);
	/* The mount covers the first (topmost) layer: it needs no directory of its own, and mksquashfs
	 * then sees the stack where that layer was. */
	snprintf(point, sizeof(point), "%.*s", (int)strcspn(argv[1], ":"), argv[1]);
	if (snprintf(options, sizeof(options), "lowerdir=%s", argv[1]) >= (int)sizeof(options))
		errx(EXIT_FAILURE, "too many layers");
	if (unshare(CLONE_NEWNS) < 0)
		err(EXIT_FAILURE, "failed to create mount namespace");
	if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		err(EXIT_FAILURE, "failed to make mounts private");
	if (mount("overlay", point, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, options) < 0)
		err(EXIT_FAILURE, "failed to mount overlay: %s", point);
	command = calloc((size_t)argc + 1, sizeof(char *));
	if (command == NULL)
		err(EXIT_FAILURE, "out of memory");
	command[0] = "mksquashfs";
	command[1] = point;
	for (int i = 2; i < argc; i++)
		command[i] = argv[i];
	/* No ambient capabilities: the execve gives up what the file capabilities granted. */
	execvp(command[0], command);
	err(EXIT_FAILURE, "failed to execute: %s", command[0]);
}
