/* The plugstack line: required /path/spank_pyxis.so key=value ... */
#include <string.h>
#include <strings.h>

#include "pyxis.h"

struct config config = {
	.runtime_path = "/run/pyxis",
	.sbatch_support = true,
};

int parse_choice(const char *text)
{
	static const char *const yes[] = {"1", "true", "yes", "y"}, *const no[] = {"0", "false", "no", "n"};

	for (int i = 0; i < 4; i++) {
		if (strcasecmp(text, yes[i]) == 0)
			return YES;
		if (strcasecmp(text, no[i]) == 0)
			return NO;
	}
	return UNSET;
}

static int parse_flag(const char *key, const char *value, bool *flag)
{
	int choice = parse_choice(value);

	if (choice == UNSET)
		return FAIL("invalid value for %s: %s", key, value);
	*flag = choice == YES;
	return 0;
}

int config_parse(int argc, char *argv[])
{
	bool ignored;

	for (int i = 0; i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		char key[64];
		int rc = 0;

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(argv[i], "="), argv[i]);
		value = value != NULL ? value + 1 : "";
		if (strcmp(key, "runtime_path") == 0) {
			if (value[0] != '/')
				return FAIL("runtime_path: path must be absolute: %s", value);
			snprintf(config.runtime_path, sizeof(config.runtime_path), "%s", value);
		} else if (strcmp(key, "execute_entrypoint") == 0) {
			rc = parse_flag(key, value, &config.execute_entrypoint);
		} else if (strcmp(key, "container_scope") == 0) {
			if (strcmp(value, "job") != 0 && strcmp(value, "global") != 0)
				return FAIL("invalid value for container_scope: %s", value);
			config.scope_job = strcmp(value, "job") == 0;
		} else if (strcmp(key, "sbatch_support") == 0) {
			rc = parse_flag(key, value, &config.sbatch_support);
		} else if (strcmp(key, "use_enroot_load") == 0) {
			rc = parse_flag(key, value, &config.use_enroot_load);
		} else if (strcmp(key, "use_squashfuse") == 0) {
			rc = parse_flag(key, value, &ignored); /* the stand-in always unpacks */
		} else if (strcmp(key, "importer") == 0) {
			return FAIL("importer: not in the stand-in");
		} else {
			return FAIL("unknown configuration option: %s", key);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}
