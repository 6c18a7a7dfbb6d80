#!/usr/bin/env python3
"""Self-test of check_house.py."""

import unittest

import check_house


def body(lines):
    return "".join(f"  call({i});\n" for i in range(lines))


class CheckHouse(unittest.TestCase):
    def problems(self, text):
        return check_house.check_text(text, "f.cpp")

    def test_longest_allowed_function(self):
        self.assertEqual(self.problems(f"int f(int a) {{\n{body(68)}}}\n"), [])

    def test_function_that_is_one_line_too_long(self):
        for head in ("int f(int a)", "Result<> Store::f() const", "static auto f(int a) -> int", "TEST(A, B)",
                     "template <class T>\nvoid f(T a) noexcept", "X::X(int a) : a_(a), b_(2)", "Result<int>\nf(\n  int a\n)"):
            problems = self.problems(f"namespace n {{\n{head} {{\n{body(69)}}}\n}}\n")
            self.assertEqual(len(problems), 1, head)
            self.assertIn("71 lines", problems[0])

    def test_method_inside_a_class(self):
        self.assertEqual(len(self.problems(f"class C : public B {{\n  int f() override {{\n{body(69)}  }}\n}};\n")), 1)

    def test_classes_namespaces_and_tables_are_no_functions(self):
        fields = "".join(f"  int a{i};\n" for i in range(100))
        rows = "".join(f"  {{{i}, 'x', \"}}\"}},\n" for i in range(100))
        self.assertEqual(self.problems(f"struct S {{\n{fields}}};\nnamespace n {{\n{fields}}}\nRow t[] = {{\n{rows}}};\n"
                                       f"enum class E : int {{\n{body(0)}{fields.replace('int ', '').replace(';', ',')}}};\n"), [])

    def test_braces_in_strings_and_comments_do_not_count(self):
        text = 'void f() {\n  g("}{{", \'{\', R"({{{)");  // {{{\n  /* } */\n}\n' + "\n" * 100 + "int b;\n"
        self.assertEqual(self.problems(text), [])

    def test_file_that_is_too_long(self):
        self.assertEqual(self.problems("\n" * 800), [])
        self.assertEqual(len(self.problems("\n" * 801)), 1)


if __name__ == "__main__":
    unittest.main()
