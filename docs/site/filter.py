#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Doxygen's input filter: the headers' comments as Doxygen wants them.

    filter.py HEADER

Comments behind fields and constants become theirs, those above a group of prototypes belong to each, indented lines
are examples, and nothing is markup.
"""
import re
import sys


def escape(text):
    return re.sub(r"([\\@#<>%$&\"])", r"\\\1", text).replace("--", "\\--")


def block(text, indent):
    """The lines of a comment, its indented parts as they stand."""
    lines = [re.sub(r"^\s*\* ?", "", line) for line in text.strip().strip("*").strip().splitlines()]
    out, verbatim = [], False
    for line in lines:
        example = line.startswith("  ")
        if example != verbatim and (line or not verbatim):
            out.append("@verbatim" if example else "@endverbatim")
            verbatim = example
        out.append(line if verbatim else escape(line))
    if verbatim:
        out.append("@endverbatim")
    return f"{indent}/**\n" + "\n".join(f"{indent} * {line}".rstrip() for line in out) + f"\n{indent} */\n"


def main():
    text = open(sys.argv[1]).read()
    text = re.sub(r"\A/\* SPDX.*?\*/\n", "", text)
    text = re.sub(r"^#define DEVIO_API .*\n", "", text, flags=re.M).replace("DEVIO_API ", "")
    # The first comment is the header's.
    text = re.sub(r"\A(\s*/\*\*)\n", r"\1\n @file\n", text, count=1)
    parts = re.split(r"(/\*.*?\*/)", text, flags=re.S)
    out = ""
    for i, part in enumerate(parts):
        if i % 2 == 0:
            out += part
            continue
        body = part[2:-2].lstrip("*")
        before = out.rsplit("\n", 1)[-1]
        if before.strip():                                  # behind a field, a constant or a #define
            more = " ".join(line.strip().lstrip("* ") for line in body.splitlines()).strip()
            out += "/**< " + escape(more) + " */"
        else:
            head = " @file\n" in body
            made = block(body.replace(" @file\n", ""), before)
            out = out[:len(out) - len(before)] + (made.replace("/**\n", "/**\n * @file\n", 1) if head else made).rstrip("\n")
    # Several prototypes below one comment.
    lines, name, result = out.split("\n"), None, []
    prototype = re.compile(r"^(?:[a-z_0-9]+ )+\**(devio_\w+)\(")
    previous = ""
    for line in lines:
        m = prototype.match(line)
        if m:
            if previous.rstrip().endswith(";") and name:
                result.append(f"/** @copydoc {name} */")
            elif previous.rstrip().endswith("*/"):
                name = m.group(1)
        elif not line.strip() or line.startswith("struct"):
            name = None if not line.strip() else name
        if line.strip():
            previous = line
        result.append(line)
    print("\n".join(result))


if __name__ == "__main__":
    main()
