"""What went wrong in a run of a package manager, in words that say what to do."""

from __future__ import annotations

import re

# A pattern of what was printed, and the sentence that its groups complete; the first that is found tells.
Failures = tuple[tuple[str, str], ...]

# The texts are apt's and dpkg's of Debian 12 and 13, LC_ALL=C.UTF-8. apt prints "Could not get lock" while it waits,
# too, and may fail of something else then: the sign is the line in which it gives up.
APT_FAILURES = (
    (
        r"(?s)not get lock (?P<what>\S+)\. It is held by process (?P<who>\d+ \([^)]*\)).*\nE: Unable to (acquire|lock)",
        "another package manager holds {what}: process {who}. Wait for it, or stop it, then run again.",
    ),
    (
        r"E: (?:Could not get lock|Unable to acquire the dpkg frontend lock) \(?(?P<what>[^\s),]+)",
        "another package manager holds {what}. Wait for it, then run again.",
    ),
    (
        r"dpkg: error: (?P<what>dpkg \w+ lock) was locked by another process with pid (?P<who>\d+)",
        "another package manager holds the {what}: process {who}. Wait for it, or stop it, then run again.",
    ),
    (
        r"(?P<what>No space left on device|You don't have enough free space in \S+)",
        "the disk is full ({what}). Free space on the filesystem of /var or /usr, then run again.",
    ),
    (
        r"E: Failed to fetch (?P<what>\S+) +(?P<why>Hash Sum mismatch|File has unexpected size[^\n]*sync in progress)",
        "a mirror is being changed, or is damaged: {what}: {why}. Run again in some minutes, or take another mirror.",
    ),
    (
        r"(?:E|W): Failed to fetch (?P<what>\S+) +(?P<why>[^\n]+)",
        "a dependency could not be downloaded: {what}: {why}. Check the node's apt sources and its way to the mirror.",
    ),
    (
        r"(?P<what>[^\n]*Depends: [^\n]*(?:not installable|not going to be installed|is to be installed)[^\n]*)",
        "a dependency cannot be met: {what}. Check that the distribution's own repositories are enabled.",
    ),
    # Before what follows from it: the packages of such a repository are not found.
    (
        r"GPG error: (?P<what>\S+)[^\n]*?: (?P<why>The following signatures [^\n]+)",
        "the repository {what} is not trusted any more: {why}. Get its new key from who keeps it, then run again.",
    ),
    (r"E: Unable to locate package (?P<what>\S+)", "package {what} is not in the node's apt sources."),
    (
        r"E: Version '(?P<what>[^']+)' for '(?P<who>[^']+)' was not found",
        "the node's apt sources have no {who} of version {what}.",
    ),
    (
        r"(?s)The following packages will be REMOVED:\n(?P<what>(?: +[^\n]+\n)+).*\nE: Packages need to be removed",
        "apt would remove {what} for it. Nothing is removed to install something else: settle that by hand first.",
    ),
    (
        r"E: Conflicting values set for option Signed-By regarding source (?P<what>[^:]+:\S+) [^:]*: (?P<who>[^\n]+)",
        "the repository {what} is named twice in /etc/apt/sources.list.d, with different keyrings: {who}.",
    ),
    # One file is enough for apt to read none.
    (
        r"E: (?P<why>[^\n]*(?:list|file)) (?P<what>/\S+)[^\n]*\n(?:E:[^\n]*\n)*?E: The list of sources could not be",
        "apt can read none of its sources because of {what} ({why}). Mend that file or delete it, then run again.",
    ),
    (
        r"(?s)The following held packages will be changed:\n(?P<what>(?: +[^\n]+\n)+).*\nE: Held packages were changed",
        "{what} is held at its version on the node. To have it changed run `apt-mark unhold {what}` there first.",
    ),
    (r"(?P<what>dpkg was interrupted)", "{what} and could not be repaired: run `dpkg --configure -a` on the node."),
    (r"E: Could not read meta data from (?P<what>\S+)", "the package file {what} is damaged."),
    (r"dpkg-deb: error: (?P<what>[^\n]+)", "the package file is damaged: {what}."),
    (r"E: Unsupported file (?P<what>\S+)", "the package file {what} is not there."),
    (
        r"dpkg: dependency problems prevent removal of (?P<who>[^\s:]+)\S*:\n(?P<what>(?: [^\n]+\n)+)",
        "{what} Remove what needs {who} first, by hand, then run again: nothing of others is removed.",
    ),
    (r"dpkg: error processing (?:package|archive) (?P<what>\S+) [^\n]*\n (?P<why>[^\n]+)", "{what}: {why}."),
)


# Where what a distribution with dnf lacks usually is (EL 9: apptainer; Amazon Linux 2023: its fakeroot).
EXTRA = (
    "Enable one that has it: EPEL (on Rocky and Alma the package epel-release, on RHEL that of dl.fedoraproject.org), "
    "SPAL on Amazon Linux 2023 (spal-release), or the site's own mirror; then run again."
)

# The texts are dnf's 4.14 and rpm's 4.18, LC_ALL=C.UTF-8; dnf 4.14 is also that of RHEL 9 and Amazon Linux 2023.
DNF_FAILURES = (
    (
        r"(?P<what>\w+) already locked by (?P<who>\d+)",
        "another package manager holds the lock of the {what}: process {who}. Wait for it, or stop it, then run again.",
    ),
    (
        r"can't create transaction lock on (?P<what>\S+)",
        "another package manager holds {what}. Wait for it, or stop it, then run again.",
    ),
    (
        r"(?P<what>At least \S+ more space needed on the \S+ filesystem|No space left on device)",
        "the disk is full ({what}). Free space, then run again.",
    ),
    (
        r"Errors during downloading metadata for repository '(?P<what>[^']+)':\n +- (?P<why>[^\n]+)",
        "repository {what} cannot be read: {why}. Check the node's repositories and its way to the mirror.",
    ),
    (
        r"\[MIRROR\] (?P<what>\S+): (?P<why>[^\n]+)",
        "a dependency could not be downloaded: {what}: {why}. Check the node's repositories and its way to the mirror.",
    ),
    (
        r"Package \"(?P<what>[^\"]+)\" from local repository \"(?P<who>[^\"]+)\" has incorrect checksum",
        "a dependency could not be read: {what} of repository {who}. Mend that repository, then run again.",
    ),
    (
        r"(?P<what>nothing provides [^\n]+)",
        "a dependency cannot be met: {what}, in none of the node's repositories. " + EXTRA,
    ),
    (r"- package (?P<what>\S+ conflicts with [^\n]+)", "{what}, and nothing of others is removed."),
    (
        r"(?P<what>file \S+) from install of \S+ conflicts with file from package (?P<who>\S+)",
        "{what} belongs to {who}, and nothing of others is removed.",
    ),
    (r"(?P<what>[^\n\t]+ is needed by \(installed\) [^\n]+)", "{what}, and nothing of others is removed."),
    (r"Unable to find a match: (?P<what>[^\n]+)", "package {what} is not in the node's repositories. " + EXTRA),
    (
        r"Failing package is: (?P<what>\S+)\n GPG Keys are configured as: (?P<who>[^\n]+)",
        "{what} is not signed with a key of {who}. Check the repository, and the key that belongs to it.",
    ),
    (r"package (?P<what>\S+) does not verify: (?P<why>[^:\n]+)", "the package file is damaged: {what}: {why}."),
    (r"open of (?P<what>\S+) failed", "the package file {what} is not there."),
    (r"error: (?P<what>\S+): not an rpm package", "the package file {what} is damaged."),
    (r"Error in (?P<why>PRE\w+) scriptlet in rpm package (?P<what>\S+)", "{what}: its scriptlet {why} failed."),
)


def explain(output: str, failures: Failures, program: str) -> str:
    """Return one sentence with the cause of a failed run, the last error line when none is known."""
    for pattern, sentence in failures:
        found = re.search(pattern, output)
        if found:
            words = {key: " ".join(value.split()).rstrip(".") for key, value in found.groupdict().items()}
            return sentence.format(**words)
    errors = [line for line in output.splitlines() if re.match("E:|dpkg: error|Error: .|error: ", line)]
    return errors[-1] if errors else (output.strip().splitlines() or [program + " printed nothing"])[-1]
