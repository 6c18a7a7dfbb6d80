#!/usr/bin/env python3
"""House rules that a formatter does not see: functions of at most 70 lines, files of at most 800.

The length of a function is counted from the line of its opening brace to the line of its closing one. Tables, classes and
namespaces are no functions. Data in tests (*_test.cpp) counts as any other file.

Usage: check_house.py [ROOT]
"""

import re
import sys
from pathlib import Path

from check_modules import code_only

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 800
FOLDERS = ("src", "apps", "tests", "fuzz", "bench", "examples", "include")


def functions(text):
    """Yields (first line, last line, head) of each outermost brace block that belongs to a function."""
    code = code_only(text)
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.M)
    code = re.sub(r"'(?:\\.[^']*|[^'\\\n])'", lambda m: " " * len(m.group(0)), code)
    stack, head_start, inside, line = [], 0, None, 1
    for at, char in enumerate(code):
        if char == "\n":
            line += 1
        elif char == "{":
            head = code[head_start:at].strip()
            stack.append((line, head))
            if inside is None and is_function(head):
                inside = len(stack)
            head_start = at + 1
        elif char == "}" and stack:
            opened, head = stack.pop()
            if inside is not None and len(stack) < inside:
                yield opened, line, head
                inside = None
            head_start = at + 1
        elif char == ";":
            head_start = at + 1


def is_function(head):
    if re.match(r"^(\[\[\w+\]\]\s*)?(inline\s+)?(namespace|class|struct|union|enum|concept|extern)\b", head) and "(" not in head.split("{")[0].split(":")[0]:
        return False
    # A parameter list, then nothing but what may follow one: const, noexcept, ->, initialisers, requires.
    return re.search(r"\)\s*(const|noexcept|override|final|mutable|&|&&|requires\b.*|->[^=;]*|:[^=;]*)*\s*$", head, re.S) is not None


def check_text(text, where):
    problems = []
    count = text.count("\n") + (0 if text.endswith("\n") or not text else 1)
    if count > MAX_FILE_LINES:
        problems.append(f"{where}: {count} lines, at most {MAX_FILE_LINES}")
    for first, last, head in functions(text):
        if last - first + 1 > MAX_FUNCTION_LINES:
            name = re.search(r"([\w:~]+)\s*\(", head)
            problems.append(f"{where}:{first}: {name.group(1) if name else 'a function'} has {last - first + 1} lines, at most {MAX_FUNCTION_LINES}")
    return problems


def check(root):
    problems = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")) if (root / folder).is_dir() else []:
            if path.suffix in (".cpp", ".hpp", ".c", ".h") and "build" not in path.parts:
                problems += check_text(path.read_text(errors="replace"), path.relative_to(root))
    return problems


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"check_house: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
