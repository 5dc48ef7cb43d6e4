/* What the helper programs of the enroot stand-in share: errors in enroot's form, and capabilities.
 * The raw system calls are used so that the programs need no library but the C library. */
#ifndef STANDIN_COMMON_H
#define STANDIN_COMMON_H

#include <err.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Makes capabilities effective. A program that lost its file capabilities (copied, restored from an
 * archive, on a nosuid mount) has nothing permitted, so the kernel refuses: enroot's own symptom. */
static inline void raise_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
	uint32_t half[2] = {(uint32_t)wanted, (uint32_t)(wanted >> 32)};

	for (int i = 0; i < 2; i++) {
		data[i].effective = half[i];
		data[i].permitted = half[i];
	}
	if (syscall(SYS_capset, &header, data) < 0)
		err(EXIT_FAILURE, "failed to set capabilities");
}

/* Inside a new user namespace every capability is permitted, but an execve by a user other than 0
 * drops them; ambient ones survive it, and the hooks and mounts need them. */
static inline void keep_capabilities_over_exec(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		err(EXIT_FAILURE, "failed to get capabilities");
	for (int i = 0; i < 2; i++) {
		data[i].inheritable = data[i].permitted;
		data[i].effective = data[i].permitted;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		err(EXIT_FAILURE, "failed to set capabilities");
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (data[cap / 32].permitted & (1U << (cap % 32)))
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	}
}

static inline void drop_kept_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &header, data) < 0)
		err(EXIT_FAILURE, "failed to get capabilities");
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &header, data) < 0)
		err(EXIT_FAILURE, "failed to set capabilities");
}

#endif
