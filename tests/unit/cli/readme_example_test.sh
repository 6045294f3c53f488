#!/bin/sh
# The C example of the README compiles without a warning: PYTHON ROOT BUILDDIR COMPILER...
set -eu
python=$1 root=$2 build=$3
shift 3
"$python" "$root/tools/readme_example.py" "$root/README.md" > "$build/readme_example.c"
"$@" -std=gnu11 -Wall -Wextra -Wpedantic -Werror -c "$build/readme_example.c" -o "$build/readme_example.o"
