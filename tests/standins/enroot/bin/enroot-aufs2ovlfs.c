/* enroot-aufs2ovlfs DIRECTORY: turns the whiteouts of an image layer (".wh.NAME" files) into those of
 * overlayfs (a 0:0 device, a trusted xattr). Both need capabilities of the initial user namespace. */
#define _GNU_SOURCE
#include "common.h"

#include <ftw.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PREFIX ".wh."
#define OPAQUE ".wh..wh..opq"

static int convert(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;
	char target[4096];

	(void)st;
	if (type != FTW_F || strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	if (snprintf(target, sizeof(target), "%.*s", ftw->base, path) >= (int)sizeof(target))
		errx(EXIT_FAILURE, "path too long: %s", path);
	if (unlink(path) < 0)
		err(EXIT_FAILURE, "failed to remove aufs whiteout: %s", path);
	if (strcmp(name, OPAQUE) == 0) {
		if (setxattr(target, "trusted.overlay.opaque", "y", 1, 0) < 0)
			err(EXIT_FAILURE, "failed to create opaque ovlfs whiteout: %s", target);
		return 0;
	}
	if (strncmp(name, PREFIX PREFIX, 2 * strlen(PREFIX)) == 0)
		return 0; /* aufs's own bookkeeping (.wh..wh.plnk, .wh..wh.aufs): nothing to hide */
	strncat(target, name + strlen(PREFIX), sizeof(target) - strlen(target) - 1);
	if (mknod(target, S_IFCHR, makedev(0, 0)) < 0)
		err(EXIT_FAILURE, "failed to create ovlfs whiteout: %s", target);
	return 0;
}

int main(int argc, char *argv[])
{
	if (argc != 2)
		errx(EXIT_FAILURE, "usage: %s DIRECTORY", argv[0]);
	raise_capabilities(1ULL << CAP_SYS_ADMIN | 1ULL << CAP_MKNOD);
	if (nftw(argv[1], convert, 32, FTW_PHYS | FTW_MOUNT) != 0)
		err(EXIT_FAILURE, "failed to walk: %s", argv[1]);
	return EXIT_SUCCESS;
}
