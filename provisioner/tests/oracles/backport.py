"""Lets Python 3.11 and 3.12 read the files of LocalStack and LocalEmu that use the syntax of later versions for generics.

Usage: backport.py ENVIRONMENT. A second run changes nothing.
"""

import ast
import re
import sys
from pathlib import Path

CLASS = re.compile(r"^([ \t]*)class (\w+)\[([^\]]+)\](?:\((.*)\))?:", re.M)
FUNCTION = re.compile(r"^([ \t]*)(async )?def (\w+)\[([^\]]+)\]\(", re.M)
ALIAS = re.compile(r"^type (\w+) = ", re.M)
TYPING = "__import__('typing')"


def variables(text):
    return [part.split(":")[0].strip() for part in text.split(",")]


def generic_class(match):
    bases = f"{match[4]}, " if match[4] else ""
    return f"class {match[2]}({bases}{TYPING}.Generic[{', '.join(variables(match[3]))}]):"


def older(text):
    """The same module without the new syntax."""
    names = {name for match in FUNCTION.finditer(text) for name in variables(match[4])}
    names |= {name for match in CLASS.finditer(text) for name in variables(match[3])}
    text = CLASS.sub(generic_class, text)
    text = ALIAS.sub(r"\1 = ", FUNCTION.sub(r"\1\2def \3(", text))
    if not names:
        return text
    first = re.search(r"^(def|class|@|async def) ?", text, re.M).start()
    declared = "".join(f"{name} = {TYPING}.TypeVar('{name}')\n" for name in sorted(names))
    return f"{text[:first]}{declared}\n\n{text[first:]}"


def main(environment):
    for family in ("localstack", "localemu"):
        for path in Path(environment).glob(f"lib/python3*/site-packages/{family}/**/*.py"):
            text = path.read_text()
            try:
                ast.parse(text)
            except SyntaxError:
                text = older(text)
                ast.parse(text, str(path))
                path.write_text(text)


main(sys.argv[1])
