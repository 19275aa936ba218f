"""Options of the stand-ins, taken apart as getopt_long does; an unknown one is refused by name."""

from unit_files import Refused

# What only changes the looks of the output.
LOOKS = {"--no-pager", "--no-legend", "--full", "-l", "--no-wall", "--no-ask-password", "--plain"}
LOOKS |= {"--system", "--no-warn"}


def options(arguments, flags, valued, stop_at_words=False):
    """Split arguments into options ({name: [values]}) and words, as getopt_long does."""
    found, words, rest = {}, [], list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--" or (stop_at_words and not word.startswith("-")):
            words += rest if word == "--" else [word, *rest]
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if not word.startswith("--") and len(word) > 2:  # -pName, -qf
            if word[:2] in valued:
                name, equals, value = word[:2], "=", word[2:]
            else:
                rest[:0] = [f"-{letter}" for letter in word[1:]]
                continue
        if name in valued:
            if not equals and not rest:
                raise Refused(f"option {name} needs a value")
            found.setdefault(name, []).append(value if equals else rest.pop(0))
        elif name in flags and not equals:
            found[name] = [""]
        else:
            raise Refused(f"option {word} is not supported by the offline cloud's machine")
    return found, words
