/* The flags of srun, sbatch and salloc. */
#include <stdlib.h>
#include <string.h>

#include "pyxis.h"

struct options options = {
	.mount_home = UNSET, .remap_root = UNSET, .entrypoint = UNSET, .writable = UNSET,
};

enum {
	IMAGE, MOUNTS, WORKDIR, NAME, SAVE, MOUNT_HOME, NO_MOUNT_HOME, REMAP_ROOT, NO_REMAP_ROOT,
	ENTRYPOINT, NO_ENTRYPOINT, ENTRYPOINT_LOG, WRITABLE, READONLY, ENV,
};

static int given(int which, const char *argument, int remote);

#define HELP(text) "[pyxis] " text " (stand-in)"

static struct spank_option table[] = {
	{"container-image", "[USER@][REGISTRY#]IMAGE[:TAG]|PATH",
	 HELP("the image to use for the container filesystem: a docker image given as an enroot URI, or a "
	      "path to a squashfs file on the remote host filesystem"), 1, IMAGE, given},
	{"container-mounts", "SRC:DST[:FLAGS][,SRC:DST...]",
	 HELP("bind mount[s] inside the container. Mount flags are separated with \"+\", e.g. \"ro+rprivate\""),
	 1, MOUNTS, given},
	{"container-workdir", "PATH", HELP("working directory inside the container"), 1, WORKDIR, given},
	{"container-name", "NAME",
	 HELP("name to use for saving and loading the container on the host. Named containers are not removed "
	      "after the task; an existing one is used and the import is skipped"), 1, NAME, given},
	{"container-save", "PATH",
	 HELP("save the container state to a squashfs file on the remote host filesystem"), 1, SAVE, given},
	{"container-mount-home", NULL, HELP("bind mount the user's home directory"), 0, MOUNT_HOME, given},
	{"no-container-mount-home", NULL, HELP("do not bind mount the user's home directory"), 0,
	 NO_MOUNT_HOME, given},
	{"container-remap-root", NULL, HELP("ask to be remapped to root inside the container"), 0, REMAP_ROOT,
	 given},
	{"no-container-remap-root", NULL, HELP("do not remap to root inside the container"), 0,
	 NO_REMAP_ROOT, given},
	{"container-entrypoint", NULL, HELP("execute the entrypoint from the container image"), 0, ENTRYPOINT,
	 given},
	{"no-container-entrypoint", NULL, HELP("do not execute the entrypoint from the container image"), 0,
	 NO_ENTRYPOINT, given},
	{"container-entrypoint-log", NULL, HELP("print the output of the entrypoint script"), 0,
	 ENTRYPOINT_LOG, given},
	{"container-writable", NULL, HELP("make the container filesystem writable"), 0, WRITABLE, given},
	{"container-readonly", NULL, HELP("make the container filesystem read-only"), 0, READONLY, given},
	{"container-env", "NAME[,NAME...]",
	 HELP("names of environment variables to override with the host environment"), 1, ENV, given},
	SPANK_OPTIONS_TABLE_END,
};

int options_register(spank_t sp)
{
	for (struct spank_option *o = table; o->name != NULL; o++) {
		if (spank_option_register(sp, o) != ESPANK_SUCCESS)
			return FAIL("couldn't register option --%s", o->name);
	}
	return 0;
}

bool options_wanted(void)
{
	return options.image != NULL || options.name != NULL;
}

static int set_text(const char *flag, char **field, const char *text)
{
	if (text == NULL || *text == '\0')
		return FAIL("--%s: argument required", flag);
	if (*field != NULL && strcmp(*field, text) != 0)
		return FAIL("--%s specified multiple times", flag);
	free(*field);
	*field = strdup(text);
	return *field != NULL ? 0 : -1;
}

static int set_choice(const char *flag, enum choice *field, enum choice value)
{
	if (*field != UNSET && *field != value)
		return FAIL("%s and its opposite are incompatible", flag);
	*field = value;
	return 0;
}

/* A field of an fstab line: white space there is written in octal. */
static void put_field(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == ' ' || *text == '\t' || *text == '\\')
			fprintf(out, "\\%03o", *text);
		else
			fputc(*text, out);
	}
}

/* SRC:DST[:FLAGS] or DST alone; SRC may also be "tmpfs" or "umount". */
static int put_mount(FILE *out, char *mount)
{
	char *save, *source = strtok_r(mount, ":", &save), *target = strtok_r(NULL, ":", &save),
		*flags = strtok_r(NULL, ":", &save), absolute[PATH_MAX];

	if (source == NULL || strtok_r(NULL, ":", &save) != NULL)
		return FAIL("--container-mounts: invalid format: %s", mount);
	if (target == NULL)
		target = source;
	if (target[0] != '/')
		return FAIL("--container-mounts: path must be absolute: %s", target);
	for (char *c = flags; c != NULL && *c != '\0'; c++)
		*c = *c == '+' ? ',' : *c;
	if (strcmp(source, "umount") == 0) {
		fprintf(out, "none ");
		put_field(out, target);
		fprintf(out, " none x-detach,nofail,silent\n");
		return 0;
	}
	if (source[0] == '.' && realpath(source, absolute) != NULL)
		source = absolute;
	if (strcmp(source, "tmpfs") != 0 && source[0] != '/' && source[0] != '.')
		return FAIL("mount source must be a relative path, an absolute path, \"tmpfs\" or \"umount\"");
	put_field(out, source);
	fputc(' ', out);
	put_field(out, target);
	fprintf(out, strcmp(source, "tmpfs") == 0 ? " tmpfs x-create=dir" : " none x-create=auto,rbind");
	fprintf(out, flags != NULL ? ",%s\n" : "\n", flags);
	return 0;
}

static int set_mounts(const char *text)
{
	char *copy = text != NULL ? strdup(text) : NULL, *save, shown[256];
	size_t size;
	FILE *out;
	int rc = 0;

	if (copy == NULL || *copy == '\0')
		return FAIL("--container-mounts: argument required");
	free(options.mounts);
	out = open_memstream(&options.mounts, &size);
	if (out == NULL)
		return FAIL("couldn't allocate memory");
	for (char *m = strtok_r(copy, ",", &save); m != NULL && rc == 0; m = strtok_r(NULL, ",", &save)) {
		snprintf(shown, sizeof(shown), "%s", m);
		rc = put_mount(out, m);
		if (rc < 0)
			slurm_error("pyxis: could not add mount entry: %s", shown);
	}
	fclose(out);
	free(copy);
	return rc;
}

/* NAME[:auto|create|exec|no_exec] */
static int set_name(const char *text)
{
	static const char *const flags[] = {"auto", "create", "exec", "no_exec"};
	char name[NAME_MAX - 32];
	size_t length = strcspn(text != NULL ? text : "", ":");

	if (length == 0 || length >= sizeof(name) || memchr(text, '/', length) != NULL)
		return FAIL("--container-name: invalid name: %s", text != NULL ? text : "");
	snprintf(name, sizeof(name), "%.*s", (int)length, text);
	if (text[length] == ':') {
		int i = 0;

		while (i < 4 && strcmp(text + length + 1, flags[i]) != 0)
			i++;
		if (i == 4)
			return FAIL("--container-name: invalid flag: %s", text + length + 1);
		options.name_flag = i;
	}
	return set_text("container-name", &options.name, name);
}

static int given(int which, const char *argument, int remote)
{
	(void)remote;
	switch (which) {
	case IMAGE:
		return set_text("container-image", &options.image, argument);
	case MOUNTS:
		return set_mounts(argument);
	case WORKDIR:
		return set_text("container-workdir", &options.workdir, argument);
	case NAME:
		return set_name(argument);
	case SAVE:
		if (argument == NULL || (argument[0] != '/' && argument[0] != '.'))
			return FAIL("--container-save: target must be a path: %s", argument);
		return set_text("container-save", &options.save, argument);
	case ENV:
		return set_text("container-env", &options.env, argument);
	case MOUNT_HOME:
	case NO_MOUNT_HOME:
		return set_choice("--container-mount-home", &options.mount_home, which == MOUNT_HOME);
	case REMAP_ROOT:
	case NO_REMAP_ROOT:
		return set_choice("--container-remap-root", &options.remap_root, which == REMAP_ROOT);
	case ENTRYPOINT:
	case NO_ENTRYPOINT:
		return set_choice("--container-entrypoint", &options.entrypoint, which == ENTRYPOINT);
	case WRITABLE:
	case READONLY:
		return set_choice("--container-writable", &options.writable, which == WRITABLE);
	default:
		options.entrypoint_log = true;
		return 0;
	}
}
