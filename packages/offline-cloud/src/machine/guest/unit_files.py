"""What a unit file says: settings, time spans, calendar times, command lines.

A subset of systemd.unit(5), .service(5), .timer(5), .time(7). What is outside of it is refused by
name, because a unit that quietly behaves otherwise here than on a real machine would teach wrongly.
"""

import calendar
import math
import os
import re
import shlex
import time

SUPPORTED = {
    "Unit": "Description Documentation After Before Wants Requires Conflicts DefaultDependencies "
    "SuccessAction FailureAction",
    "Service": "Type ExecStart Environment WorkingDirectory StandardOutput StandardError User "
    "RuntimeMaxSec TimeoutStartSec TimeoutStopSec KillMode RemainAfterExit Restart",
    "Timer": "OnCalendar OnBootSec OnActiveSec Persistent AccuracySec Unit RemainAfterElapse",
    "Install": "WantedBy RequiredBy",
}
SUPPORTED = {section: frozenset(keys.split()) for section, keys in SUPPORTED.items()}
ALLOWED = {
    "Type": ("simple", "exec", "oneshot"),
    "KillMode": ("control-group",),
    "Restart": ("no",),
    "User": ("root", "0"),
}
ACTIONS = ("none", "poweroff", "poweroff-force", "reboot", "reboot-force")
UNITS = {
    "us usec": 1e-6,
    "ms msec": 1e-3,
    "s sec second seconds": 1,
    "m min minute minutes": 60,
    "h hr hour hours": 3600,
    "d day days": 86400,
    "w week weeks": 604800,
}
SECONDS = {word: size for words, size in UNITS.items() for word in words.split()}
CALENDAR = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2})?)(?: ?(?:UTC|Z))?")


class Refused(Exception):
    """Something that systemd knows and the offline cloud does not, or that is wrong; named."""


def span(text):
    """Seconds of a time span such as `90`, `45min`, `1h 30m`, `infinity`."""
    if text.strip() == "infinity":
        return math.inf
    parts = re.findall(r"([\d.]+)\s*([a-z]*)\s*", text)
    if not parts or "".join(parts_text(text)) != text.replace(" ", ""):
        raise Refused(f"{text!r} is not a time span")
    try:
        return sum(float(number) * SECONDS[unit or "s"] for number, unit in parts)
    except (KeyError, ValueError):
        raise Refused(f"{text!r} is not a time span") from None


def parts_text(text):
    return ["".join(part) for part in re.findall(r"([\d.]+)\s*([a-z]*)", text)]


def moment(text):
    """Seconds since 1970 of an absolute UTC time; repeating calendars are not supported."""
    found = CALENDAR.fullmatch(text.strip())
    if found is None:
        raise Refused(f"OnCalendar={text}: only YYYY-MM-DD HH:MM:SS UTC is supported here")
    day, hour = found[1], found[2] if found[2].count(":") == 2 else found[2] + ":00"
    return calendar.timegm(time.strptime(f"{day} {hour}", "%Y-%m-%d %H:%M:%S"))


def truth(text):
    if text.lower() in ("1", "yes", "true", "on", "y", "t"):
        return True
    if text.lower() in ("0", "no", "false", "off", "n", "f"):
        return False
    raise Refused(f"{text!r} is neither yes nor no")


class Settings:
    """Values of a unit by key; a key may come several times, an empty value forgets the earlier."""

    def __init__(self, name):
        self.name, self._values = name, {}

    def add(self, section, key, value):
        if key not in SUPPORTED.get(section, ()):
            raise Refused(f"{self.name}: {key}= in [{section}] is not supported by this machine")
        if value == "":
            self._values.pop(key, None)
            return
        self._check(key, value)
        self._values.setdefault(key, []).append(value)

    def _check(self, key, value):
        if key in ALLOWED and value not in ALLOWED[key]:
            raise Refused(f"{self.name}: {key}={value} is not supported by this machine")
        if key in ("SuccessAction", "FailureAction") and value not in ACTIONS:
            raise Refused(f"{self.name}: {key}={value} is not supported by this machine")
        if key in ("Wants", "Requires", "Conflicts", "WantedBy", "RequiredBy"):
            for unit in value.split():
                if not unit.endswith(".target"):
                    raise Refused(f"{self.name}: {key}={unit}: only targets are supported here")
        if key.endswith("Sec"):
            span(value)
        if key == "OnCalendar":
            moment(value)
        if key in ("Persistent", "RemainAfterExit", "RemainAfterElapse", "DefaultDependencies"):
            truth(value)
        if key in ("StandardOutput", "StandardError"):
            kind = value.partition(":")[0]
            if kind not in ("file", "append", "truncate", "null", "journal", "inherit"):
                raise Refused(f"{self.name}: {key}={value} is not supported by this machine")

    def all(self, key):
        return self._values.get(key, [])

    def get(self, key, default):
        return self._values.get(key, [default])[-1]

    def seconds(self, key, default):
        return span(self.get(key, str(default)))

    def yes(self, key, default="no"):
        return truth(self.get(key, default))


def read(name, path):
    """Settings of a unit file and of its drop-ins (`<unit>.d/*.conf`)."""
    settings = Settings(name)
    folder = path + ".d"
    extra = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for file_path in [path, *(f"{folder}/{one}" for one in extra if one.endswith(".conf"))]:
        with open(file_path, encoding="utf-8") as file:
            _read_lines(settings, file.read().replace("\\\n", " "))
    return settings


def _read_lines(settings, text):
    section = ""
    for line in (line.strip() for line in text.splitlines()):
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise Refused(f"{settings.name}: {line!r} is not a setting")
        settings.add(section, key.strip(), value.strip())


def environment(settings):
    pairs = [pair for line in settings.all("Environment") for pair in shlex.split(line)]
    return dict(pair.partition("=")[::2] for pair in pairs)


def command_line(text):
    """Words of ExecStart= and whether its failure counts."""
    ignored = text.startswith("-")
    text = text[1:] if ignored else text
    if text[:1] in ("@", "+", "!", ":", "|"):
        raise Refused(f"ExecStart={text}: the prefix {text[0]} is not supported by this machine")
    words = shlex.split(text)
    specifiers = [found for word in words for found in re.findall(r"%(.?)", word) if found != "%"]
    if specifiers:
        raise Refused(f"ExecStart={text}: %{specifiers[0]} is not supported by this machine")
    return [word.replace("%%", "%") for word in words], ignored


def expand(words, variables):
    """Fill in variables as systemd does: `$NAME` alone is split, `${NAME}` works anywhere."""
    result = words[:1]
    for word in words[1:]:
        if re.fullmatch(r"\$[A-Za-z_]\w*", word):
            result += variables.get(word[1:], "").split()
            continue

        def fill(found):
            return "$" if found[0] == "$$" else variables.get(found[1], "")

        result.append(re.sub(r"\$\$|\$\{([A-Za-z_]\w*)\}", fill, word))
    return result
