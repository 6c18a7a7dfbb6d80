#!/usr/bin/env python3
"""Compares what each module of src/ includes with what it says it knows.

Fails when a module
  - includes a header of a module, or uses names of its namespace, that its CMakeLists.txt does not name (knowing it through
    another one is not enough),
  - names a module that none of its files includes,
  - names a module that stands below it in the top CMakeLists.txt (which lists the lowest first),
  - is pure and names a module that is not,
  - is pure and touches a socket, a clock, the environment, a random source, a thread or a file,
  - includes a header of PostgreSQL's server or libpg_query without being `sql`.
Tests and benchmarks beside the sources may include what they like from lower modules.

Usage: check_modules.py [ROOT]
"""

import re
import sys
from pathlib import Path

PURE = {"base", "config", "pgtypes", "wire", "sql", "strategy", "merge", "session", "topology", "plan"}
# `base` owns the machine's clock and generator behind their interfaces, and the crash of a fault point.
PURE_EXCEPT = {"base/clock.cpp", "base/fault.cpp", "base/check.cpp"}

IMPURE_HEADERS = re.compile(
    r"^(thread|fstream|filesystem|iostream|random|future|condition_variable|stop_token|semaphore|latch|barrier|unistd\.h|"
    r"fcntl\.h|poll\.h|netdb\.h|signal\.h|csignal|time\.h|ctime|sys/(socket|epoll|un|stat|random|time|wait|eventfd|mman)\.h|"
    r"netinet/.*|arpa/.*|liburing.*|sqlite3\.h|libpq-fe\.h|openssl/(ssl|rand|bio)\.h|spdlog/.*)$"
)
IMPURE_CALLS = re.compile(
    r"(_clock::now\s*\(|\bgetenv\s*\(|\bs?rand(om)?\s*\(\s*\)|\bstd::random_device\b|\bstd::thread\b|\bstd::jthread\b|"
    r"\bsystem_(clock|random)\s*\(\s*\)|\bclock_gettime\s*\(|\bgettimeofday\s*\(|\bsleep_(for|until)\s*\(|"
    r"\bfopen\s*\(|\b::socket\s*\()"
)
SERVER_HEADERS = re.compile(r"^(pg_query.*|postgres\.h|postgres_ext\.h|(nodes|parser|catalog|utils|access|storage|common|mb)/.*\.h)$")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
QUALIFIED = re.compile(r"(?<![\w:.>])(\w+)::")
MODULE_CALL = re.compile(r"sherd_module\s*\(([^)]*)\)", re.S)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', re.S)
RAW_STRING = re.compile(r'R"([^()\\ ]{0,16})\((.*?)\)\1"', re.S)


def declared_modules(src):
    """Maps each module to the set of modules it names; modules without a call have no entry."""
    found = {}
    for cmake in sorted(src.glob("*/CMakeLists.txt")):
        call = MODULE_CALL.search(re.sub(r"#.*", "", cmake.read_text()))
        if not call:
            continue
        depends, name, keyword = set(), None, None
        for word in call.group(1).split():
            if word in ("NAME", "DEPENDS", "LINK"):
                keyword = word
            elif keyword == "NAME":
                name = word
            elif keyword == "DEPENDS":
                depends.add(word)
        found[name] = depends
    return found


def module_order(root):
    """The modules in the order of the top CMakeLists.txt, lowest first."""
    text = (root / "CMakeLists.txt").read_text()
    return re.findall(r"^\s*add_subdirectory\s*\(\s*src/(\w+)\s*\)", text, re.M)


def is_test(path):
    return path.stem.endswith(("_test", "_bench", "_testing"))


def code_only(text):
    """The text with comments and the insides of strings blanked, lines kept."""
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    text = RAW_STRING.sub(blank, text)
    return COMMENT.sub(lambda m: '""' if m.group(1) else blank(m), text)


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".cpp", ".hpp", ".c", ".h"))


def includes(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(2)


def check_names(where, module, lines, declared, modules, problems):
    """A name like `pool::Lease` needs `pool` in DEPENDS, whoever includes its header."""
    unnamed = modules - declared - {module}
    for number, line in enumerate(lines, 1):
        for other in QUALIFIED.findall(line):
            if other in unnamed:
                problems.append(f"{where}:{number}: {module} uses {other}:: but does not name {other} in DEPENDS")
                unnamed.discard(other)


def check_file(root, module, path, declared, modules, used, problems):
    """Adds the problems of one file, and the modules that it includes to `used`."""
    where = path.relative_to(root)
    test = is_test(path)
    lines = code_only(path.read_text(errors="replace")).splitlines()
    if not test:
        check_names(where, module, lines, declared, modules, problems)
    for number, header in includes(path):
        other = re.match(r"sherd/(\w+)/", header)
        if other and other.group(1) != module:
            used.setdefault(other.group(1), []).append(path)
            if other.group(1) not in declared and not test:
                problems.append(f"{where}:{number}: {module} includes <{header}> but does not name {other.group(1)} in DEPENDS")
        if SERVER_HEADERS.match(header) and module != "sql" and not test:
            problems.append(f"{where}:{number}: only sql may include <{header}>")
        if module in PURE and not test and IMPURE_HEADERS.match(header) and str(where)[len("src/"):] not in PURE_EXCEPT:
            problems.append(f"{where}:{number}: {module} is pure and may not include <{header}>")
    if module in PURE and not test and str(where)[len("src/"):] not in PURE_EXCEPT:
        if path.name in ("clock.hpp",) and module == "base":
            return
        for number, line in enumerate(lines, 1):
            match = IMPURE_CALLS.search(line)
            if match:
                problems.append(f"{where}:{number}: {module} is pure and may not use {match.group(1).strip()}")


def check_order(order, declared, problems):
    place = {name: i for i, name in enumerate(order)}
    for module, depends in sorted(declared.items()):
        if module not in place:
            problems.append(f"src/{module}: not in the top CMakeLists.txt")
            continue
        for other in sorted(depends):
            if other not in declared:
                problems.append(f"src/{module}/CMakeLists.txt: there is no module {other}")
            elif place.get(other, len(order)) >= place[module]:
                problems.append(f"src/{module}/CMakeLists.txt: {other} is not below {module} in the top CMakeLists.txt")
            elif module in PURE and other not in PURE:
                problems.append(f"src/{module}/CMakeLists.txt: {module} is pure and may not know {other}, which is not")


def check(root):
    """All problems of the tree at `root`, as lines of text."""
    src = root / "src"
    problems = []
    declared = declared_modules(src)
    check_order(module_order(root), declared, problems)
    for module, depends in sorted(declared.items()):
        files = sources(src / module)
        if not files:
            problems.append(f"src/{module}: a module without sources")
            continue
        used = {}
        for path in files:
            check_file(root, module, path, depends, declared.keys(), used, problems)
        for other in sorted(depends - used.keys()):
            problems.append(f"src/{module}/CMakeLists.txt: names {other}, which nothing in src/{module} includes")
    return problems


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"check_modules: {len(problems)} problems in {len(declared_modules(root / 'src'))} modules")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
