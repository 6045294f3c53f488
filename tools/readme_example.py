#!/usr/bin/env python3
"""Print the first C block of a Markdown file: readme_example.py README.md"""
import re
import sys


def first_block(text):
    match = re.search(r"^```c\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not match:
        sys.exit("there is no ```c block")
    return match.group(1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as f:
        print(first_block(f.read()), end="")
