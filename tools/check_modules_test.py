#!/usr/bin/env python3
"""Self-test of check_modules.py: each rule is broken once in a small tree of its own."""

import tempfile
import unittest
from pathlib import Path

import check_modules


class CheckModules(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.write("CMakeLists.txt", "add_subdirectory(src/base)\nadd_subdirectory(src/sql)\nadd_subdirectory(src/plan)\n"
                                     "add_subdirectory(src/pool)\n")
        self.module("base", "", "int a;")
        self.module("sql", "DEPENDS base", "#include <sherd/base/a.hpp>\n#include <pg_query.h>")
        self.module("plan", "DEPENDS base sql", "#include <sherd/base/a.hpp>\n#include <sherd/sql/a.hpp>")
        self.module("pool", "DEPENDS base", "#include <sherd/base/a.hpp>\n#include <thread>")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def module(self, name, rest, source):
        self.write(f"src/{name}/CMakeLists.txt", f"sherd_module(NAME {name} {rest})\n")
        self.write(f"src/{name}/a.cpp", source + "\n")

    def problems(self):
        return check_modules.check(self.root)

    def assert_one(self, *parts):
        problems = self.problems()
        self.assertEqual(len(problems), 1, problems)
        for part in parts:
            self.assertIn(part, problems[0])

    def test_good_tree_has_no_problem(self):
        self.assertEqual(self.problems(), [])

    def test_include_of_undeclared_module(self):
        self.write("src/pool/b.cpp", "#include <sherd/sql/a.hpp>\n")
        self.assert_one("src/pool/b.cpp:1", "does not name sql")

    def test_knowing_through_another_module_is_not_enough(self):
        self.module("plan", "DEPENDS sql", "#include <sherd/sql/a.hpp>\n#include <sherd/base/a.hpp>")
        self.assert_one("src/plan/a.cpp:2", "does not name base")

    def test_names_of_undeclared_module(self):
        self.write("src/pool/b.cpp", "sql::Facts facts;\n// plan::Plan is only spoken of\nmy::sql::Other other;\n")
        self.assert_one("src/pool/b.cpp:1", "uses sql::", "does not name sql")

    def test_module_without_sources(self):
        (self.root / "src/pool/a.cpp").unlink()
        self.assert_one("src/pool", "without sources")

    def test_declared_but_never_included(self):
        self.module("plan", "DEPENDS base sql", "#include <sherd/base/a.hpp>")
        self.assert_one("names sql", "nothing in src/plan includes")

    def test_module_that_is_not_below(self):
        self.module("base", "DEPENDS plan", "#include <sherd/plan/a.hpp>")
        self.assert_one("plan is not below base")

    def test_module_that_does_not_exist(self):
        self.module("pool", "DEPENDS base gone", "#include <sherd/base/a.hpp>\n#include <sherd/gone/a.hpp>")
        self.assert_one("there is no module gone")

    def test_pure_module_that_names_an_impure_one(self):
        self.write("CMakeLists.txt", "".join(f"add_subdirectory(src/{m})\n" for m in ("base", "sql", "pool", "plan")))
        self.module("plan", "DEPENDS base pool", "#include <sherd/base/a.hpp>\n#include <sherd/pool/a.hpp>")
        self.assert_one("plan is pure", "pool")

    def test_pure_module_with_an_impure_header(self):
        for header in ("thread", "fstream", "sys/socket.h", "unistd.h", "random", "liburing.h", "time.h", "filesystem"):
            self.write("src/plan/b.cpp", f"#include <{header}>\n")
            self.assert_one("src/plan/b.cpp:1", header)

    def test_pure_module_with_an_impure_call(self):
        for call in ("std::chrono::steady_clock::now()", 'getenv("A")', "rand()", "std::thread t", "system_clock()",
                     "std::this_thread::sleep_for(x)", "std::random_device d"):
            self.write("src/plan/b.cpp", f"void f() {{\n  {call};\n}}\n")
            self.assert_one("src/plan/b.cpp:2", "is pure")

    def test_comments_and_strings_do_not_count(self):
        self.write("src/plan/b.cpp", '// rand()\n/* getenv("X") */ const char* a = "rand() // getenv(x)";\n'
                                     'auto b = R"(steady_clock::now())";\n')
        self.assertEqual(self.problems(), [])

    def test_tests_may_use_clocks_and_lower_modules(self):
        self.write("src/plan/b_test.cpp", "#include <thread>\n#include <sherd/pool/a.hpp>\n")
        self.assertEqual(self.problems(), [])

    def test_only_sql_sees_the_parser(self):
        for header in ("pg_query.h", "postgres.h", "nodes/parsenodes.h"):
            self.write("src/pool/b.cpp", f"#include <{header}>\n")
            self.assert_one("src/pool/b.cpp:1", "only sql")


if __name__ == "__main__":
    unittest.main()
