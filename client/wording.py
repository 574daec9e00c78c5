"""What callers gave, as messages show it: in one line, short, without secrets, and without power over a terminal."""

from __future__ import annotations

import re

# Longer than nearly every path; what is given by mistake, a file as base64 say, can have megabytes.
MAX_NAME_CHARACTERS = 300
# C0 and C1 controls, line and paragraph separators, and what turns the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL_WITHIN_LINES = re.compile(_CONTROL.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_USER = re.compile(r"(?<=://)[^/?#\s]*@")
# Parameters of signed and authorized URLs.
_SECRET = re.compile(
    r"([?&#;][^=&#;\s]*(?:token|secret|passw|pwd|sig|cred|key|auth|session|jwt|policy|hmac|code)[^=&#;\s]*=)[^&#;\s]+",
    re.IGNORECASE,
)


def shown_name(name: str) -> str:
    """Return a path, a URL or a label as messages show it: in one line and short, without passwords and tokens."""
    return shortened(_CONTROL.sub(_escaped, without_secrets(name)), MAX_NAME_CHARACTERS)


def shown_text(text: str, limit: int) -> str:
    """Return a message of up to `limit` characters; its lines stay lines."""
    return shortened(_CONTROL_WITHIN_LINES.sub(_escaped, text), limit)


def without_secrets(text: str) -> str:
    """Return a text without the users and passwords of URLs, and without the values of parameters that are secrets."""
    if "://" not in text:
        return text
    return _SECRET.sub(r"\1...", _USER.sub("", text))


def shortened(text: str, limit: int) -> str:
    """Return the text, without its middle if it has more characters than the limit."""
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 2 :]}"


def _escaped(match: re.Match[str]) -> str:
    return repr(match.group())[1:-1] if ord(match.group()) < 256 else f"\\u{ord(match.group()):04x}"
