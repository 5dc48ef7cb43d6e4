/* enroot-mount [--root ROOTFS] [--readonly-root] FSTAB|-: does the mounts of an fstab below ROOTFS.
 * Fields "source target type options"; type and options may be left out (enroot's image-format page). */
#define _GNU_SOURCE
#include "common.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

struct entry {
	char *source, *target, *type, *options;
	unsigned long flags, propagation;
	char create; /* 'd'irectory, 'f'ile, 'a'uto: like the source */
	bool bind, detach, move, nofail, silent;
	char data[1024];
};

static const struct {
	const char *name;
	unsigned long set, clear;
} flag_words[] = {
	{"ro", MS_RDONLY, 0}, {"rw", 0, MS_RDONLY}, {"nosuid", MS_NOSUID, 0}, {"suid", 0, MS_NOSUID},
	{"nodev", MS_NODEV, 0}, {"dev", 0, MS_NODEV}, {"noexec", MS_NOEXEC, 0}, {"exec", 0, MS_NOEXEC},
	{"noatime", MS_NOATIME, 0}, {"relatime", MS_RELATIME, 0}, {"defaults", 0, 0},
}, propagation_words[] = {
	{"private", MS_PRIVATE, 0}, {"rprivate", MS_PRIVATE | MS_REC, 0}, {"slave", MS_SLAVE, 0},
	{"rslave", MS_SLAVE | MS_REC, 0}, {"shared", MS_SHARED, 0}, {"rshared", MS_SHARED | MS_REC, 0},
	{"unbindable", MS_UNBINDABLE, 0}, {"runbindable", MS_UNBINDABLE | MS_REC, 0},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* True for an option this program knows; the others are the filesystem's own ("size=64m"). */
static bool apply_word(struct entry *e, const char *word)
{
	for (size_t i = 0; i < COUNT(flag_words); i++) {
		if (strcmp(word, flag_words[i].name) == 0) {
			e->flags = (e->flags | flag_words[i].set) & ~flag_words[i].clear;
			return true;
		}
	}
	for (size_t i = 0; i < COUNT(propagation_words); i++) {
		if (strcmp(word, propagation_words[i].name) == 0) {
			e->propagation = propagation_words[i].set;
			return true;
		}
	}
	if (strcmp(word, "bind") == 0 || strcmp(word, "rbind") == 0) {
		e->bind = true;
		e->flags |= MS_BIND | (*word == 'r' ? MS_REC : 0);
	} else if (strncmp(word, "x-create=", 9) == 0) {
		e->create = word[9];
	} else if (strcmp(word, "x-detach") == 0) {
		e->detach = true;
	} else if (strcmp(word, "x-move") == 0) {
		e->move = true;
	} else if (strcmp(word, "nofail") == 0) {
		e->nofail = true;
	} else if (strcmp(word, "silent") == 0) {
		e->silent = true;
	} else {
		return false;
	}
	return true;
}

static void apply_options(struct entry *e, char *options)
{
	for (char *save, *word = strtok_r(options, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (apply_word(e, word))
			continue;
		if (e->data[0] != '\0')
			strncat(e->data, ",", sizeof(e->data) - strlen(e->data) - 1);
		strncat(e->data, word, sizeof(e->data) - strlen(e->data) - 1);
	}
}

static void unescape(char *text) /* \040 and the like, as in fstab(5) */
{
	char *out = text;

	for (; *text != '\0'; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

static bool parse(struct entry *e, char *line)
{
	char *field[6] = {NULL}, *save;
	struct entry probe;
	char copy[64];
	int n = 0;

	memset(e, 0, sizeof(*e));
	for (char *f = strtok_r(line, " \t", &save); f && n < 6; f = strtok_r(NULL, " \t", &save))
		field[n++] = f;
	if (n == 0 || field[0][0] == '#')
		return false;
	if (n == 1)
		errx(EXIT_FAILURE, "invalid fstab entry: %s", field[0]);
	e->source = field[0];
	e->target = field[1];
	unescape(e->source);
	unescape(e->target);
	if (n == 3) { /* "/proc /proc rbind" or "tmpfs /tmp tmpfs": is the third field options? */
		memset(&probe, 0, sizeof(probe));
		snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(field[2], ","), field[2]);
		e->options = apply_word(&probe, copy) ? field[2] : NULL;
		e->type = e->options ? NULL : field[2];
	} else if (n > 3) {
		e->type = field[2];
		e->options = field[3];
	}
	if (e->options)
		apply_options(e, e->options);
	else if (strchr(e->source, '/') != NULL && (e->type == NULL || strcmp(e->type, "none") == 0))
		apply_options(e, (char[]){"rbind,x-create=auto"});
	if (e->type == NULL)
		e->type = strchr(e->source, '/') != NULL ? "none" : e->source;
	return true;
}

/* The kernel resolves the path inside the root: an absolute symbolic link of an image (/var/run)
 * must not lead to the host's directory. */
static int open_inside(int root, const char *path, int flags)
{
	struct open_how how = {.flags = (unsigned)flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

static void create_target(int root, const char *target, bool directory)
{
	char path[PATH_MAX];
	int parent = open_inside(root, ".", O_PATH | O_DIRECTORY), next, fd;
	size_t done = 0, length;

	snprintf(path, sizeof(path), "%s", target);
	while (parent >= 0 && path[done] != '\0') {
		done += strspn(path + done, "/");
		length = strcspn(path + done, "/");
		if (length == 0)
			break;
		bool last = path[done + length + strspn(path + done + length, "/")] == '\0';
		char kept = path[done + length];
		path[done + length] = '\0';
		if (last && !directory) {
			fd = openat(parent, path + done, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
			if (fd >= 0)
				close(fd);
			break;
		}
		mkdirat(parent, path + done, 0755);
		next = open_inside(root, path, O_PATH | O_DIRECTORY);
		close(parent);
		parent = next;
		path[done + length] = kept;
		done += length;
	}
	if (parent >= 0)
		close(parent);
}

/* A bind mount inherits the flags of its source, and in a user namespace they are locked: a remount
 * that leaves one out is refused. So what is there is kept, and ours is added. */
static int remount(const char *path, unsigned long flags)
{
	struct statvfs now;

	if (statvfs(path, &now) < 0)
		return -1;
	flags |= (now.f_flag & ST_RDONLY ? MS_RDONLY : 0) | (now.f_flag & ST_NOSUID ? MS_NOSUID : 0) |
		 (now.f_flag & ST_NODEV ? MS_NODEV : 0) | (now.f_flag & ST_NOEXEC ? MS_NOEXEC : 0) |
		 (now.f_flag & ST_NOATIME ? MS_NOATIME : 0) | (now.f_flag & ST_RELATIME ? MS_RELATIME : 0);
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

static int open_root(const char *rootfs)
{
	int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		err(EXIT_FAILURE, "failed to open: %s", rootfs);
	return root;
}

static int mount_entry(struct entry *e, const char *rootfs)
{
	unsigned long wanted = e->flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME);
	char point[64];
	struct stat st;
	int fd, rc = 0, root = open_root(rootfs);

	if (e->create && (!e->bind || stat(e->source, &st) == 0))
		create_target(root, e->target,
			      e->create == 'd' || (e->create == 'a' && (!e->bind || S_ISDIR(st.st_mode))));
	fd = open_inside(root, e->target, O_PATH);
	close(root);
	if (fd < 0) {
		if (!e->nofail && (!e->bind || access(e->source, F_OK) == 0))
			err(EXIT_FAILURE, "failed to resolve path: %s%s", rootfs, e->target);
		return -1;
	}
	snprintf(point, sizeof(point), "/proc/self/fd/%d", fd);
	if (e->detach)
		rc = umount2(point, MNT_DETACH);
	else if (e->move)
		rc = mount(e->source, point, NULL, MS_MOVE, NULL);
	else if (e->bind)
		rc = mount(e->source, point, NULL, e->flags & (MS_BIND | MS_REC), NULL);
	else
		rc = mount(e->source, point, e->type, e->flags, e->data);
	close(fd);
	if (rc < 0 || e->detach || !(e->bind || e->propagation))
		return rc;
	root = open_root(rootfs); /* both again: the old ones are below the new mount, which may be "/" */
	fd = open_inside(root, e->target, O_PATH);
	close(root);
	if (fd < 0)
		return -1;
	snprintf(point, sizeof(point), "/proc/self/fd/%d", fd);
	if (e->bind && wanted)
		rc = remount(point, wanted);
	if (rc == 0 && e->propagation)
		rc = mount(NULL, point, NULL, e->propagation, NULL);
	close(fd);
	return rc;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'},
		{"readonly-root", no_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	const char *rootfs = "/";
	bool readonly_root = false;
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	FILE *fstab;

	for (int c; (c = getopt_long(argc, argv, "r:o", options, NULL)) != -1;) {
		if (c == 'r')
			rootfs = optarg;
		else if (c == 'o')
			readonly_root = true;
		else
			return EXIT_FAILURE;
	}
	if (optind >= argc)
		errx(EXIT_FAILURE, "usage: %s [--root ROOTFS] [--readonly-root] FSTAB|-", argv[0]);
	fstab = strcmp(argv[optind], "-") == 0 ? stdin : fopen(argv[optind], "re");
	if (fstab == NULL)
		err(EXIT_FAILURE, "failed to open: %s", argv[optind]);
	while ((length = getline(&line, &size, fstab)) >= 0) {
		struct entry entry;

		line[strcspn(line, "\n")] = '\0';
		if (!parse(&entry, line))
			continue;
		if (mount_entry(&entry, rootfs) < 0 && !entry.nofail)
			err(EXIT_FAILURE, "failed to mount: %s at %s%s", entry.source, rootfs, entry.target);
	}
	if (readonly_root && remount(rootfs, MS_RDONLY) < 0)
		err(EXIT_FAILURE, "failed to make read-only: %s", rootfs);
	return EXIT_SUCCESS;
}
