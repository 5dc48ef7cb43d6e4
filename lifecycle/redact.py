"""Nothing secret leaves the node: every line of the log and every text of the report goes through here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "***"
SHORTEST_SECRET = 4
SECRET_NAME = re.compile(
    r"(?:^|[_\-.])(?:passw(?:or)?d|passphrase|secret|token|credentials?|api[_-]?key|private[_-]?key|signature)s?"
    r"(?:$|[_\-.])",
    re.IGNORECASE,
)
# What signs a URL on S3 (both signature versions), Azure and Google storage.
SIGNED = (
    r"X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|AWSAccessKeyId|Signature|sig|se|sv|X-Goog-Signature"
    r"|X-Goog-Credential|access_token|token|password|key"
)
RULES = (
    # A user name and password in a URL.
    (re.compile(r"(\b[a-z][a-z0-9+.\-]*://)[^\s/@]+@"), r"\1" + HIDDEN + "@"),
    (re.compile(r"([?&](?:%s)=)[^&\s\"'<>]+" % SIGNED, re.IGNORECASE), r"\1" + HIDDEN),
    (
        re.compile(r"(\bauthorization['\"]?\s*[:=]\s*['\"]?)(?:(basic|bearer)\s+)?[^\s'\",]+", re.IGNORECASE),
        r"\1" + HIDDEN,
    ),
    (re.compile(r"\b(basic|bearer)\s+[A-Za-z0-9+/=._\-]{8,}", re.IGNORECASE), r"\1 " + HIDDEN),
    (
        re.compile(
            r"((?<![A-Za-z0-9])[A-Za-z0-9_\-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key)s?"
            r"['\"]?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&'\"}]+)",
            re.IGNORECASE,
        ),
        r"\1" + HIDDEN,
    ),
    # Access keys of AWS, and the keys of NGC and GitHub, wherever they stand.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"\b(?:nvapi-|ghp_|github_pat_)[A-Za-z0-9_\-]{16,}"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without what looks like a secret, and without any of ``secrets``."""
    # The longest first: one secret may be part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def secrets_of(values: Any, name: str = "") -> set[str]:
    """Return the texts below keys that name a secret, at any depth; a URL's own password is one, too."""
    found: set[str] = set()
    if isinstance(values, Mapping):
        for key, value in values.items():
            below = name if SECRET_NAME.search(name) else str(key)
            found |= secrets_of(value, below)
    elif isinstance(values, (list, tuple)):
        for value in values:
            found |= secrets_of(value, name)
    elif isinstance(values, str) and SECRET_NAME.search(name) and len(values) >= SHORTEST_SECRET:
        found.add(values)
    return found
