#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks of the documentation, as TAP.

    docs.py run PAGE...      runs the code of each page, in a directory of its own (tests/check/docs-code.sh);
                             manual pages: the programs and sessions of EXAMPLES, see run_man() and run_tool()
    docs.py readme PAGE...   programs and command blocks of the README and of install.md (tests/check/readme.sh)
    docs.py links            every link between pages, with its anchor (tests/check/docs-links.sh)
    docs.py troubleshooting  every reason and error message has its entry (tests/check/docs-reasons.sh)

What a page's fenced blocks mean:

    c, python   with a first line that names a file (/* load.c ... */, # load.py): that file is written;
                c without: statements that must compile where SNIPPET declares what they use
    sh          is run, must succeed
    text        right behind sh: what that prints; "..." is anything, a number with a point any number
    console     the lines that begin with "$ " are run and must succeed; the rest is some machine's output, and is not
                compared (docs.py capture PAGE puts this machine's there, and the reasons' texts). Lines with the prompts # and HOST$ are not
                run.

A script that ends with status 77 is a skip. Ports 5201 and 5202 become free ones.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

SRC = Path(os.environ.get("DEVIO_SRC") or Path(__file__).resolve().parents[2]).resolve()
TMP = Path(os.environ.get("DOCS_TMP") or tempfile.mkdtemp())

SNIPPET = """#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <devio.h>
#include <devio/load.h>
void snippet(struct devio_ctx *ctx, struct devio_file *file, struct devio_mem *mem, struct devio_ring *ring,
	     struct devio_sock *sock, struct devio_completion done, uint64_t size, ssize_t n, char *text);
void snippet(struct devio_ctx *ctx, struct devio_file *file, struct devio_mem *mem, struct devio_ring *ring,
	     struct devio_sock *sock, struct devio_completion done, uint64_t size, ssize_t n, char *text)
{
	(void)ctx, (void)file, (void)mem, (void)ring, (void)sock, (void)done, (void)size, (void)n, (void)text;
%s
}
"""

tests = failed = 0


def report(name, bad=""):
    global tests, failed
    tests += 1
    failed += bool(bad)
    print(f"{'not ok' if bad else 'ok'} {tests} - {name}", flush=True)
    for line in bad.splitlines():
        print("#", line, flush=True)


def blocks(page):
    """The fenced blocks of a page: (line, language, text)."""
    out, fence = [], None
    for nr, line in enumerate(page.read_text().splitlines(), 1):
        m = re.match(r"\s*(```+)\s*(\S*)\s*$", line)
        if m and fence is None:
            fence = (nr, m.group(2), [])
        elif m:
            out.append((fence[0], fence[1], "\n".join(fence[2]) + "\n"))
            fence = None
        elif fence is not None:
            fence[2].append(line)
    return out


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def shell(script, cwd):
    """Runs a script; what it leaves behind in the background is ended with it."""
    for port in "5201", "5202":
        script = re.sub(rf"\b{port}\b", free_port(), script)
    with tempfile.TemporaryFile() as out:
        p = subprocess.Popen(["bash", "-e", "-o", "pipefail", "-c", script], cwd=cwd, stdin=subprocess.DEVNULL,
                             stdout=out, stderr=out, start_new_session=True)
        try:
            rc = p.wait(timeout=120)
        except subprocess.TimeoutExpired:
            rc = "none: it did not end in two minutes"
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
        out.seek(0)
        return rc, out.read().decode(errors="replace")


def matches(expected, got):
    """Whether the output is as the page shows it."""
    def plain(text):
        return re.sub(r"\d+\.\d+", "N.N", text).strip()
    pattern = ".*".join(re.escape(part) for part in plain(expected).split("..."))
    return re.fullmatch(pattern, plain(got), re.S) is not None


def commands(text):
    """The commands of a console block."""
    return re.findall(r"^\$ (.*(?:\\\n.*)*)", text, re.M)


def capture(page):
    """Puts the output of this machine into the console blocks of a page."""
    cwd = TMP / page.stem
    cwd.mkdir()

    def output(m):
        if not re.search(r"^\$ ", m.group(1), re.M):
            return m.group(0)
        rc, out = shell("exec 2>&1\n" + "\n".join(f"echo '<<{i}>>'; {c}" for i, c in enumerate(commands(m.group(1)))), cwd)
        if rc != 0:
            sys.exit(f"{page}: exit status {rc}\n{out}")
        # The name of a kernel's build, and what is mounted in places of this machine alone, help nobody.
        out = re.sub(r"(?m)^.* /(?:tmp|mnt|root|home)/.*\n", "", re.sub(r"(Linux \d+\.\d+\.\d+)-\S+;", r"\1;", out))
        parts = re.split(r"<<\d+>>\n", out)[1:]
        return "```console\n" + "".join(f"$ {c}\n{part}" for c, part in zip(commands(m.group(1)), parts)) + "```\n"
    text = page.read_text()
    for name, reason in reason_texts().items():
        text = re.sub(rf"^(### {name.lower().replace('_', '-')}\n\n)> .*$", lambda m: f"{m.group(1)}> {reason}", text,
                      flags=re.M)
    for line, language, block in blocks(page):
        if language == "sh":
            shell(block, cwd)
    page.write_text(re.sub(r"^```console\n(.*?)^```\n", output, text, flags=re.S | re.M))


def named_file(language, text):
    m = re.match({"c": r"/\* (\w[\w-]*\.c)\b", "python": r"# (\w[\w-]*\.py)\b"}.get(language, r"(?!)"), text)
    return m and m.group(1)


def compiles(text, cwd):
    (cwd / "snippet.c").write_text(SNIPPET % text)
    rc, out = shell("cc -Wno-unused-variable -Wno-unused-but-set-variable -c snippet.c -o snippet.o "
                    "$(pkg-config --cflags devio-load devio)", cwd)
    return "" if rc == 0 else out


def syntax_error(text):
    """What is wrong with a Python program, or ""."""
    try:
        compile(text, "the page", "exec")
    except SyntaxError as e:
        return str(e)
    return ""


def run_page(page):
    """Writes, compiles and runs what a page shows, in its order."""
    cwd = TMP / page.stem
    cwd.mkdir()
    output = None
    for line, language, text in blocks(page):
        where = f"{page.relative_to(SRC)}:{line}"
        name = named_file(language, text)
        if name:
            (cwd / name).write_text(text)
        elif language == "c":
            report(f"{where}: compiles", compiles(text, cwd))
        elif language == "python":
            report(f"{where}: compiles", syntax_error(text))
        elif language == "sh":
            script = re.search(r"\bpython3 (\S+\.py)", text)
            if script and "devio" in (cwd / script.group(1)).read_text() and os.environ.get("DOCS_NO_PYTHON"):
                report(f"{where}: runs # SKIP {os.environ['DOCS_NO_PYTHON']}")
                output = None
                continue
            rc, output = shell(text, cwd)
            if rc == 77:
                report(f"{where}: runs # SKIP {output.splitlines()[-1] if output else 'exit status 77'}")
                output = None
            else:
                report(f"{where}: runs", "" if rc == 0 else f"exit status {rc}\n{output}")
            continue
        elif language == "text" and output is not None:
            report(f"{where}: is what it prints", "" if matches(text, output) else f"it prints:\n{output}")
        elif language == "console" and re.search(r"^\$ ", text, re.M):
            rc, out = shell("\n".join(commands(text)), cwd)
            report(f"{where}: runs", "" if rc == 0 else f"exit status {rc}\n{out}")
        output = None


# Characters that groff prints as others (hyphens, quotation marks), and how they are written.
ROFF = {"-": r"\-", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga"}


def man_blocks(page):
    """The .EX blocks of a manual page's EXAMPLES: (line, text, source)."""
    out, inside, block = [], False, None
    for nr, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith(".SH"):
            inside = line == ".SH EXAMPLES"
        elif line == ".EX" and inside:
            block = (nr, [])
        elif line == ".EE" and block:
            source = "\n".join(block[1]) + "\n"
            text = re.sub(r"(?m)^\\&", "", source)
            for char, escape in (*ROFF.items(), ("\\", r"\e")):
                text = text.replace(escape, char)
            out.append((block[0], text, source))
            block = None
        elif block:
            block[1].append(line)
    return out


def session(text):
    """The commands of a shell session ($ and > are the prompts), and what they print."""
    return ("\n".join(re.findall(r"(?m)^[$>] (.*)$", text)), "\n".join(re.findall(r"(?m)^(?![$>] ).*$", text)))


def run_man(page):
    """The EXAMPLES of a manual page of section 3 or 7: programs, whose first line names their file (/* copy.c ... */),
    and shell sessions that compile them (also as C++) and run them, and show the output."""
    cwd = TMP / page.name
    cwd.mkdir()
    every = man_blocks(page)
    for line, text, source in every:
        where = f"{page.relative_to(SRC)}:{line}"
        report(f"{where}: can be copied from a terminal", "\n".join(
            f"write {char} as {escape}: {row}" for row in source.splitlines() for char, escape in ROFF.items()
            if char in row.replace(escape, "")))
        name = named_file("c", text)
        if name:
            (cwd / name).write_text(text)
    sessions = [(line, text) for line, text, _ in every if re.search(r"(?m)^\$ ", text)]
    builds = re.findall(r"(?m)^\$ (cc (\S+\.c) .*)$", "".join(text for _, text in sessions))
    programs = {named_file("c", text) for _, text, _ in every if re.search(r"\bint main\(", text)}
    report(f"{page.name} has a program, and commands that compile and run it",
           "" if programs and programs == {name for _, name in builds}
           else f"programs: {programs or 'none'}; compiled: {[name for _, name in builds] or 'none'}")
    for build, name in builds:
        rc, out = shell("c++ -x c++ -fsyntax-only" + re.sub(r" -o \S+| --libs", "", build[2:]), cwd)
        report(f"{page.name}: {name} is C++ as well{' # SKIP no C++ compiler' if rc == 77 else ''}",
               "" if rc in (0, 77) else out)
    for line, text in sessions:
        where = f"{page.relative_to(SRC)}:{line}"
        commands, expected = session(text)
        rc, out = shell("exec 2>&1\n" + commands, cwd)
        if rc == 77:
            report(f"{where}: runs # SKIP {out.splitlines()[-1] if out else 'exit status 77'}")
            continue
        report(f"{where}: runs", "" if rc == 0 else f"exit status {rc}\n{out}")
        report(f"{where}: shows what it prints", "" if matches(expected, out) else f"it prints:\n{out}")


# What the examples of the tools' pages name, and what a test has instead of it.
STAND_INS = {"mem=cuda:0": "mem=host", "mem:cuda:0": "mem:host", "loader cuda:0": "loader host",
             "mem=udmabuf": "mem=host", "10.0.0.2": "127.0.0.1", " far ": " localhost ", "pattern=10G": "pattern=16M",
             "/data": "."}


def wrong_options(command):
    """Long options in a command that its tool's --help does not name."""
    bad = []
    for tool, words in re.findall(r"(?<![\w./-])(devio-[a-z]+)((?: [^|;&<>\n]*)?)", command.replace("\\\n", " ")):
        known = shell(f"{tool} --help", TMP)[1]
        bad += [f"{tool} has no {option}" for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", words)
                if not re.search(rf"{option}(?![a-z-])", known)]
    return bad


def tool_script(lines):
    """A script that runs an example: [(host, command)]. The last host connects to the others."""
    script, last = [], lines[-1][0]
    for nr, (host, command) in enumerate(lines):
        for name, instead in STAND_INS.items():
            command = command.replace(name, instead)
        command = re.sub(r"^devio-bench\b", "devio-bench --parse-only", command)
        if host != last:
            there = "mkdir far; cd far; " if "--out=" in command else ""
            script.append(f"({there}exec {command}) & server{nr}=$!")
        elif last:
            script.append(f"for i in $(seq 100); do if {command}; then break; else [ $i -lt 100 ]; sleep 0.1; fi; done")
            script += [f"wait $server{i}" for i, (other, c) in enumerate(lines) if other != last and "devio-nc" in c]
        else:
            script.append(command)
    return "\n".join(script)


def run_tool(page):
    """The EXAMPLES of a manual page of section 1 or 8: commands, with the prompts $, # (only parsed) or HOST$, and job
    files of devio-bench. devio-bench only parses its options."""
    cwd = TMP / page.name
    (cwd / "shards").mkdir(parents=True)
    (cwd / "model.safetensors").write_bytes(os.urandom(1 << 22))
    subprocess.run(["tar", "-cf", "shards/000.tar", "model.safetensors"], cwd=cwd, check=True)
    every = man_blocks(page)
    report(f"{page.name} has examples", "" if every else "none")
    for line, text, _ in every:
        where = f"{page.relative_to(SRC)}:{line}"
        if re.match(r"\[\w+\]\n", text):
            (cwd / "job.fio").write_text(text)
            rc, out = shell("devio-bench --parse-only job.fio", cwd)
            report(f"{where}: is a job file", "" if rc == 0 else out)
            continue
        lines = re.findall(r"(?m)^(\w*[$#]) ((?:.*(?:\\|\|\||&&|\|)\n> )*.*)$", text)
        lines = [(prompt, re.sub(r"\n> +", "\n", command)) for prompt, command in lines]
        whole = "\n".join(command for _, command in lines)
        shown = "".join(re.findall(r"(?m)^(?:\w*[$#]|>) .*\n", text))
        rc, out = shell(f"bash -n <<'EOF'\n{whole}\nEOF", cwd)
        bad = wrong_options(whole) + ([out] if rc else []) + ([f"no prompt:\n{text}"] if shown != text else [])
        report(f"{where}: its commands parse", "\n".join(bad))
        missing = [w for w in re.findall(r"(?:^|\| )(\w+) ", whole, re.M) if shell(f"command -v {w}", cwd)[0]]
        # As root, or on a machine with a GPU.
        if any(prompt.endswith("#") or prompt == "gpu$" for prompt, _ in lines):
            continue
        if missing:
            report(f"{where}: runs # SKIP no {missing[0]}")
            continue
        rc, out = shell(tool_script([(prompt[:-1], command) for prompt, command in lines]), cwd)
        report(f"{where}: runs", "" if rc == 0 else f"exit status {rc}\n{out[-2000:]}")
        shell("rm -rf far", cwd)


def readme_command(command, cwd):
    """Runs one command of the README, as far as a test may: (exit status, output)."""
    word, _, rest = command.partition(" ")
    if word == "sudo" or word.startswith("apt"):
        return shell(f"bash -n <<'EOF'\n{command}\nEOF", cwd)
    if command == "./quickstart":
        data = Path(os.environ["BUILD"]) / "quickstart.data"
        kept = data.exists()
        rc, out = shell(f"cd '{SRC}' && DEVIO_BUILD='{os.environ['BUILD']}' ./quickstart --size 64M", cwd)
        if not kept:
            data.unlink(missing_ok=True)
        return rc, out if rc or "verified: 67108864" in out else f"not verified:\n{out}"
    if word == "./quickstart":
        known = shell("./quickstart help", SRC)[1]
        if rest == "deb" and not (SRC / "debian").is_dir():
            return 0, ""
        return (0, "") if f"./quickstart {rest} " in known else (1, f"./quickstart help does not name {rest}")
    if word.endswith("/configure"):
        return shell(f"'{SRC}/configure' {rest} --version", cwd)
    if word == "make":
        return shell(f"make -s -C '{os.environ['BUILD']}' {rest}", cwd)
    if word == "autoreconf":
        return shell("autoreconf --version", cwd) if rest == "-i" else (1, "only autoreconf -i is known to work")
    return shell(command, cwd)


def run_readme(page):
    cwd = TMP / page.stem
    cwd.mkdir()
    (cwd / page.name).write_text(page.read_text())
    if page.name == "README.md":
        report(f"{page.name} has at most 60 lines", "" if page.read_text().count("\n") <= 60 else "it has more")
    kinds = set()
    for line, language, text in blocks(page):
        kinds.add(language)
        where = f"{page.name}:{line}"
        if language == "c":
            (cwd / "load.c").write_text(text)
        elif language in ("sh", "console"):
            for command in re.split(r"\n|&&", text):
                command = re.sub(r"\s+#.*|^\$ ", "", command).strip()
                if "python3" in command and os.environ.get("DOCS_NO_PYTHON"):
                    report(f"{where}: {command[:70]} # SKIP {os.environ['DOCS_NO_PYTHON']}")
                elif command:
                    rc, out = readme_command(command, cwd)
                    report(f"{where}: {command[:70]}", "" if rc == 0 and not out.startswith("not ") else f"exit status {rc}\n{out}")
        elif language == "python":
            if os.environ.get("DOCS_NO_PYTHON"):
                report(f"{where}: runs # SKIP {os.environ['DOCS_NO_PYTHON']}")
                continue
            (cwd / "make.py").write_text('import devio, numpy\ndevio.save({"weight": numpy.ones(4)}, "model.safetensors")\n')
            (cwd / "use.py").write_text(text + 'assert (tensors["weight"].numpy() == 1).all()\n')
            rc, out = shell("python3 make.py && python3 use.py", cwd)
            report(f"{where}: runs", "" if rc == 0 else out)
    if page.name == "README.md":
        report("there are programs in C and Python, and commands", "" if {"c", "python", "sh"} <= kinds else f"only {kinds}")


def slug(heading):
    """The anchor that a heading gets, at GitHub as in Sphinx."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def without_code(text):
    text = re.sub(r"^\s*(```+).*?^\s*\1\s*$", "", text, flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page):
    text = re.sub(r"^\s*(```+).*?^\s*\1\s*$", "", page.read_text(), flags=re.S | re.M)
    return {slug(h) for h in re.findall(r"^#+ (.*)$", text, re.M)} | set(re.findall(r"^\(([\w-]+)\)=$", text, re.M))


def check_links():
    """Links and pictures of every page: the file is there, and has the anchor."""
    pages = sorted(p for p in SRC.rglob("*.md") if not any(part.startswith((".", "build", "_")) for part in
                                                            p.relative_to(SRC).parts))
    known = {}
    for page in pages:
        bad = []
        for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            other = (page.parent / path).resolve() if path else page
            if other.suffix == ".svg" and other.with_suffix(".dot").exists():
                continue                                    # drawn by make html
            if not other.exists():
                bad.append(f"{target}: no such file")
            elif anchor and other.suffix == ".md":
                if other not in known:
                    known[other] = anchors(other)
                if anchor not in known[other]:
                    bad.append(f"{target}: no such heading")
        report(f"links of {page.relative_to(SRC)}", "\n".join(bad))
    index = without_code((SRC / "docs/index.md").read_text())
    lost = [str(p.relative_to(SRC)) for p in pages if p.parts[len(SRC.parts)] == "docs" and p != SRC / "docs/index.md" and
            not {"measurements", "site"} & set(p.parts) and str(p.relative_to(SRC / "docs")) not in index]
    report("every page stands in docs/index.md", "\n".join(lost))
    readme = (SRC / "README.md").read_text()
    report("the README does not lead to measurements", "it does" if "measurements" in readme else "")


def sentences():
    """The error messages of lib/: (file, errno or "", text with ... for what varies)."""
    out = []
    for f in sorted((SRC / "lib").rglob("*.c")):
        for m in re.finditer(r"\bdv_err\((.*?)\);", f.read_text(), re.S):
            first, _, rest = m.group(1).partition(",")
            literals = re.match(r'\s*((?:"(?:[^"\\]|\\.)*"\s*(?:PRI\w+\s*)?)+)', rest)
            if literals:
                text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals.group(1)))
                text = re.sub(r"%[-.0-9]*(?:ll|z|h)?[a-zA-Z]", "...", text).replace('\\"', '"')
                out.append((str(f.relative_to(SRC)), "".join(re.findall(r"-E[A-Z0-9]+", first)), text))
    return out


# Errors of the calling program, whose message names the argument: one entry for all of them.
PROGRAM = {"-EINVAL", "-ERANGE", "-EOVERFLOW", "-E2BIG", "-EBADF", "-ENOMEM"}


def reason_texts():
    return {name: "".join(re.findall(r'"([^"]*)"', text)) for name, text in
            re.findall(r'\[DEVIO_REASON_(\w+)\] = ((?:"[^"]*"\s*)+)', (SRC / "lib/core/err.c").read_text())}


def check_troubleshooting():
    page = SRC / "docs/troubleshooting.md"
    text, known = page.read_text(), anchors(page)
    reasons = reason_texts()
    header = (SRC / "include/devio/base.h").read_text()
    names = [n for n in re.findall(r"^\tDEVIO_REASON_([A-Z0-9_]+)[ ,=]", header, re.M) if n != "MAX"]
    report("the header has reasons", "" if len(names) > 30 else f"{len(names)} found")
    for name in names:
        anchor = name.lower().replace("_", "-")
        m = re.search(rf"^### {anchor}\n(.*?)(?=^#)", text, re.M | re.S)
        bad = "" if anchor in known and m else f"no heading ### {anchor}"
        if m:
            parts = (f"> {reasons.get(name, '?')}", "**Cause.**", "**Fix.**")
            bad = "\n".join(f"### {anchor} has no {part}" for part in parts if part not in m.group(1))
        report(f"DEVIO_REASON_{name}", bad)
    gone = [a for a in re.findall(r"^### ([a-z0-9-]+)$", text.split("\n## Error messages")[0], re.M)
            if a.upper().replace("-", "_") not in names]
    report("no entry for a reason that does not exist", "\n".join(gone))

    paths = re.findall(r'\[DEVIO_PATH_\w+\] = "((?:file|sock)-\w+)"', (SRC / "lib/core/err.c").read_text())
    report("the library has paths", "" if len(paths) > 8 else f"{len(paths)} found")
    for name in "concepts.md", "compat.md":
        other = (SRC / "docs" / name).read_text()
        report(f"every path is in {name}", "\n".join(p for p in paths if f"| `{p}` |" not in other))

    tables = re.split(r"^### ", text.split("\n## Error messages")[1], flags=re.M)[1:]
    keys = {}
    for table in tables:
        heading, _, body = table.partition("\n")
        for prefix in re.findall(r"`([\w-]+)`", heading):
            for row in re.findall(r"^\| (.*?) \|", body, re.M):
                if "`" in row:
                    keys.setdefault(prefix, []).append(re.findall(r"`([^`]+)`", row))
    every = sentences()
    report("the library has error messages", "" if len(every) > 200 else f"{len(every)} found")
    code = re.sub(r'"\s*\n\s*"', "", "\n".join(f.read_text() for f in sorted((SRC / "lib").rglob("*.[ch]"))))
    report("what the tables quote is in the sources", "\n".join(sorted(
        {f"{prefix}: {' or '.join(some)}" for prefix, rows in keys.items() for some in rows
         if not any(key in code for key in some)})))
    missing = []
    for where, errno, sentence in every:
        prefix = re.match(r"[\w-]*", sentence).group(0)
        if errno in PROGRAM or any(key in sentence for row in keys.get(prefix, ()) for key in row):
            continue
        missing.append(f"{where}: {sentence} [{errno or 'errno of the kernel'}]")
    report("every error message that is not about an argument has its entry", "\n".join(missing))


def main():
    command, pages = sys.argv[1], [Path(p).resolve() for p in sys.argv[2:]]
    if command == "run":
        for page in pages:
            ({".1": run_tool, ".8": run_tool, ".3": run_man, ".7": run_man}.get(page.suffix, run_page))(page)
    elif command == "capture":
        for page in pages:
            capture(page)
        return 0
    elif command == "readme":
        for page in pages:
            run_readme(page)
    elif command == "links":
        check_links()
    elif command == "troubleshooting":
        check_troubleshooting()
    print(f"1..{tests}")
    return 1 if failed and not os.environ.get("DEVIO_UNDER_MAKE") else 0


if __name__ == "__main__":
    sys.exit(main())
