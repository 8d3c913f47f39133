#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make lint: silent and 0 when all is well; otherwise each line names a place
# and what is wrong there. What takes long is remembered by content, outside
# of the checkout, so that only what changed is looked at again.
#
# Usage: lint.sh [CHECK...], with CHECK one of those at the end of this file.

set -u
cd "$(dirname "$0")/.." || exit 2

cache=${XDG_CACHE_HOME:-$HOME/.cache}/vhdx/lint
passed=$cache/passed
mkdir -p "$cache" build/lint || exit 2
touch "$passed"

# Files of the work tree that belong to the project, committed or about to be.
tree_files() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard -- "$@" |
			xargs -0r sh -c 'for f; do [ -f "$f" ] && printf "%s\\n" "$f"; done' sh
	else
		find "$@" -name build -prune -o -name .git -prune -o -type f -print |
			sed 's,^\./,,'
	fi | LC_ALL=C sort
}

c_files() {
	tree_files drivers include tools | grep '\.[ch]$'
}

shell_files() {
	tree_files . | while IFS= read -r f; do
		case $f in
		*.sh) echo "$f" ;;
		*.*) ;;
		*) head -c 64 "$f" | head -n 1 | tr -d '\0' |
			grep -qE '^#!.*(/| )(ba|da)?sh( |$)' && echo "$f" ;;
		esac
	done
}

python_files() {
	tree_files . | while IFS= read -r f; do
		case $f in
		*.py) echo "$f" ;;
		*.*) ;;
		*) head -c 64 "$f" | head -n 1 | tr -d '\0' |
			grep -q '^#!.*python3' && echo "$f" ;;
		esac
	done
}

need() {
	local tool=$1 package=$2

	command -v "$tool" >/dev/null 2>&1 && return 0
	echo "lint: $tool is missing: apt-get install $package"
	return 1
}

hash_of() {
	sha256sum | cut -c 1-64
}

remember() {
	echo "$1" >>"$passed"
	if [ "$(wc -l <"$passed")" -gt 20000 ]; then
		tail -n 10000 "$passed" >"$passed.$$" && mv "$passed.$$" "$passed"
	fi
}

# Run "$@" unless it was silent for the same key before.
once() {
	local key=$1 out
	shift

	grep -qxF "$key" "$passed" && return 0
	out=$("$@" 2>&1) || [ -n "$out" ] || out="$* failed"
	if [ -z "$out" ]; then
		remember "$key"
	else
		printf '%s\n' "$out"
	fi
}

check_floors() {
	scripts/checkfloors.sh
}

# What checkpatch is not asked, and why.
checkpatch_ignore() {
	local list

	# There is no MAINTAINERS file outside of the kernel tree.
	list=FILE_PATH_CHANGES
	# BIT() exists neither in uapi headers nor in format/; one style for all.
	list+=,BIT_MACRO
	# A message stays on one line so that it can be searched for.
	list+=,LONG_LINE_STRING
	# Locks are explained in the kernel-doc of their structure.
	list+=,UNCOMMENTED_DEFINITION
	# Both sides of a comparison may be constants with names.
	list+=,CONSTANT_COMPARISON

	case $1 in
	*/format/fault.[ch])
		# The table of faults is a list of macro calls, each row a line.
		list+=,LONG_LINE,COMPLEX_MACRO,MACRO_ARG_UNUSED,MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE
		;;
	*/compat/*)
		# This is the place for it, and shims take the shape of what they shim.
		list+=,MACRO_WITH_FLOW_CONTROL,LINUX_VERSION_CODE,MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE,COMPLEX_MACRO
		;;
	*/vhdx/trace.h)
		# Trace events have a layout of their own.
		list+=,PARENTHESIS_ALIGNMENT,SPACING,OPEN_ENDED_LINE,COMPLEX_MACRO,MULTISTATEMENT_MACRO_USE_DO_WHILE
		;;
	*/tests/*)
		# Tables of a suite are lists of macro calls.
		list+=,COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE
		;;
	tools/include/*)
		# Kernel names for user space: what is warned of is what is defined here.
		list+=,NEW_TYPEDEFS,CAMELCASE,COMPLEX_MACRO,MACRO_ARG_REUSE
		list+=,MACRO_ARG_PRECEDENCE,MACRO_WITH_FLOW_CONTROL,ARRAY_SIZE
		list+=,PREFER_DEFINED_ATTRIBUTE_MACRO,PREFER_KERNEL_TYPES
		;;
	tools/*)
		# User space has no __printf() and friends, and is told ENOSYS.
		list+=,PREFER_DEFINED_ATTRIBUTE_MACRO,ENOSYS,AVOID_EXTERNS
		# "help" is a word of its texts and the name of a function.
		list+=,EMBEDDED_FUNCTION_NAME
		;;
	esac
	echo "$list"
}

checkpatch_file() {
	local file=$1 key

	key=$(checkpatch_ignore "$file" | cat - "$file" "$checkpatch" | hash_of)
	once "checkpatch $file $key" \
		perl "$checkpatch" --no-tree --strict --terse --no-summary --quiet \
		--show-types --max-line-length=100 \
		--ignore "$(checkpatch_ignore "$file")" -f "$file"
}

check_checkpatch() {
	need perl perl || return
	checkpatch=$(scripts/fetch-checkpatch.sh) || {
		echo "lint: checkpatch.pl could not be fetched"
		return
	}
	export checkpatch passed
	export -f checkpatch_file checkpatch_ignore once hash_of remember
	c_files | xargs -r -n 1 -P "$(nproc)" bash -c 'checkpatch_file "$1"' bash
	rm -f .checkpatch-camelcase.*	# it leaves these where it runs
}

# Newest kernel headers that are installed, or KDIR.
kernel_dir() {
	local dir

	if [ -n "${KDIR:-}" ]; then
		echo "$KDIR"
		return
	fi
	for dir in /lib/modules/*/build; do
		[ -e "$dir/Makefile" ] && echo "$dir"
	done | sort -V | tail -n 1
}

# A copy of the module's sources, in which objects survive until the next run:
# only what changed is compiled, and each file that is compiled is checked.
sparse_build() {
	local kdir=$1 copy=build/lint/sparse log

	mkdir -p "$copy"
	rsync -a --delete --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' \
		--exclude='*.o' --exclude='*.order' --exclude='*.symvers' \
		--exclude='.*.cmd' --exclude='have.h*' \
		drivers include Kbuild dkms.conf "$copy/" || return
	log=$(make -s -C "$kdir" M="$PWD/$copy" C=1 W=1 modules 2>&1 ||
		echo "the module does not build against $kdir")
	log=$(printf '%s\n' "$log" | sparse_noise | sed "s,$PWD/$copy/,,")
	if [ -n "$log" ]; then
		printf '%s\n' "$log"
		# What was complained of must be compiled again to be seen again.
		rm -rf "$copy"
		return 1
	fi
}

# The kernel's own remarks about the machine, not about our code.
sparse_noise() {
	grep -vE '^warning: the compiler differs|^  (The kernel was|You are using)|Skipping BTF|^$'
}

check_sparse() {
	local kdir key

	need sparse sparse && need rsync rsync && need make make || return
	kdir=$(kernel_dir)
	[ -n "$kdir" ] || {
		echo "lint: no kernel headers: apt-get install linux-headers-amd64, or set KDIR"
		return
	}
	key=$({ tree_files drivers include Kbuild dkms.conf | xargs cat; readlink -f "$kdir"; } | hash_of)
	once "sparse $key" sparse_build "$kdir"
}

check_shell() {
	local files key

	need shellcheck shellcheck || return
	mapfile -t files < <(shell_files)
	[ ${#files[@]} -gt 0 ] || return 0
	key=$(cat "${files[@]}" | hash_of)
	# SC1091: a sourced file is checked as a file of its own. SC2016: programs
	# of awk, sed and inner shells stand in single quotes on purpose.
	once "shellcheck $key" shellcheck -f gcc -e SC1091,SC2016 "${files[@]}"
}

check_python() {
	local files

	mapfile -t files < <(python_files)
	[ ${#files[@]} -gt 0 ] || return 0
	need pyflakes3 pyflakes3 && pyflakes3 "${files[@]}" 2>&1
}

check_spdx() {
	local file line want

	tree_files . | while IFS= read -r file; do
		case $file in
		COPYING | LICENSES/* | Documentation/ABI/*) continue ;;
		*.xz | *.bin | *.tsv | *.json | *.png | */seeds/* | */corpus/*) continue ;;
		esac
		line=$(head -n 1 "$file" | tr -d '\0')
		case $line in
		'#!'*) line=$(sed -n 2p "$file") ;;
		esac
		want='SPDX-License-Identifier: GPL-2.0-only'
		case $file in
		include/uapi/*) want="/* $want WITH Linux-syscall-note */" ;;
		*.c) want="// $want" ;;
		*.h) want="/* $want */" ;;
		*.rst) want=".. $want" ;;
		*.md) want="<!-- $want -->" ;;
		*.[1-9]) want=".\\\" $want" ;;
		*) want="# $want" ;;
		esac
		[ "$line" = "$want" ] || echo "$file:1: the first line is not '$want'"
	done
}

# Defects that are planted to be found must fit the sources they are planted in.
check_defects() {
	local patch

	for patch in tools/testing/vhdx/{crash,faults}/defects/*.patch; do
		patch -p1 --dry-run --force --quiet -r - <"$patch" >/dev/null 2>&1 ||
			echo "$patch: does not apply"
	done
}

check_text() {
	local files

	mapfile -t files < <(tree_files . | grep -vE '^(COPYING$|LICENSES/)|\.(xz|bin|tsv)$|/(seeds|corpus)/')
	[ ${#files[@]} -gt 0 ] || return 0
	grep -HnIE '[[:blank:]]+$' "${files[@]}" | sed 's/\([^:]*:[0-9]*\):.*/\1: blanks at the end/'
	grep -HnIE '(^|[^[:alnum:]])/(wor[k]|roo[t]|hom[e])/' "${files[@]}" |
		sed 's/\([^:]*:[0-9]*\):.*/\1: names a path of one machine/'
	grep -HnIE '(^|[^[:alnum:]_])(TOD[O]|FIXM[E]|XX[X])([^[:alnum:]_]|$)' "${files[@]}" |
		sed 's/\([^:]*:[0-9]*\):.*/\1: unfinished/'
	for f in "${files[@]}"; do
		[ -s "$f" ] && [ -n "$(tail -c 1 "$f" | tr -d '\n\0')" ] &&
			grep -qI . "$f" && echo "$f: no newline at the end"
	done
	:
}

# The documents know what the code knows: every fault with its errno and its
# sentence, every attribute, option, parameter, test and step, and no function
# or test that does not exist. And they can be rendered.
check_docs() {
	local guide=Documentation/admin-guide/blockdev/vhdx.rst

	doc_faults "$guide"
	module_parameters | doc_literals "$guide"
	fault_names | doc_literals Documentation/block/vhdx-format.rst
	test_names | doc_literals Documentation/dev-tools/vhdx-testing.rst
	doc_attributes Documentation/ABI/testing/sysfs-block-vhdx
	doc_names Documentation/*/*.rst Documentation/*/*/*.rst
	doc_options tools/vhdxctl/cmd-*.c
	doc_rendered
}

# doc_literals FILE: each word of the input is in the file, marked as a literal.
doc_literals() {
	local file=$1 word

	while read -r word; do
		grep -qF "\`\`$word\`\`" "$file" || echo "$file: has no \`\`$word\`\`"
	done
}

fault_names() {
	sed -nE 's/^X\(([A-Z0-9_]+),.*/\1/p' drivers/block/vhdx/format/fault.h | tr 'A-Z_' 'a-z-'
}

module_parameters() {
	sed -nE 's/^module_param\(([a-z_]+),.*/\1/p' drivers/block/vhdx/*.c
}

# Scripts, programs, fuzz targets, suites, and steps of check.sh.
test_names() {
	tree_files tools/testing | grep -E '/test_[a-z0-9_]*\.sh$|\.py$|/tool/[a-z_]*\.c$' |
		grep -v /ktap.py | sed 's,.*/,,'
	tree_files tools/testing/vhdx/fuzz | sed -n 's,.*/\(fuzz_[a-z_]*\)\.c$,\1,p'
	sed -nE 's/^\t\.name = "(vhdx_[a-z_]*)",$/\1/p' drivers/block/vhdx/tests/*_kunit.c
	tools/testing/vhdx/check.sh list
}

# Each option in the text of --help is in the command's manual page.
doc_options() {
	local file page option

	for file; do
		page=tools/vhdxctl/man/vhdxctl-$(basename "${file#*cmd-}" .c).8
		for option in $(sed -nE 's/^\t*"  .*(--[a-z-]+).*\\n".*/\1/p' "$file") --help --version; do
			sed 's/\\//g' "$page" | grep -qE -- "$option([^a-z-]|$)" ||
				echo "$page: does not describe $option"
		done
	done
}

doc_rendered() {
	local file

	need groff groff-base || return
	for file in tools/vhdxctl/man/*.8; do
		groff -man -ww -Tutf8 "$file" >/dev/null
	done
	python3 -c 'import docutils' 2>/dev/null || {
		echo "lint: docutils is missing: apt-get install python3-docutils"
		return
	}
	for file in Documentation/*/*.rst Documentation/*/*/*.rst; do
		once "docutils $(hash_of <"$file")" python3 -c "$rst_check" "$file"
	done
}

rst_check='
import sys
from docutils.core import publish_string
publish_string(open(sys.argv[1], encoding="utf-8").read(), source_path=sys.argv[1],
               writer_name="null", settings_overrides={"report_level": 1})
'

doc_faults() {
	diff <(sed -nE 's/^X\(([A-Z0-9_]+),[[:blank:]]*([A-Z]+),[[:blank:]]*"(.*)"\).*/\1 \2 \3/p' \
			drivers/block/vhdx/format/fault.h |
		awk '{ n = $1; gsub("_", "-", n); $1 = tolower(n); print }' | sort) \
	     <(sed -nE '/^``[a-z0-9-]+`` \([A-Z]+\)$/ { N; s/``([^`]*)`` \(([A-Z]*)\)\n  */\1 \2 /p }' \
			"$1" | sort) |
		sed -n "s,^<,$1: does not explain:,p; s,^>,$1: there is no fault:,p"
}

doc_attributes() {
	diff <(sysfs_attributes drivers/block/vhdx/sysfs.c) \
	     <(sed -n 's,^What:.*/vhdx/\([a-z_]*\)$,\1,p' "$1" | sort) |
		sed -n "s,^<,$1: does not describe:,p; s,^>,$1: there is no attribute:,p"
}

doc_names() {
	local name

	# shellcheck disable=SC2013	# names have no blanks
	for name in $(grep -ohE '``[a-z][a-z0-9_]*(\(\)|_test|\.sh)``' "$@" | tr -d '`()' | sort -u); do
		grep -qrw "$name" drivers tools/testing tools/lib --include='*.[ch]' ||
			[ -n "$(find tools -name "$name")" ] || echo "$*: there is no $name"
	done
}

sysfs_attributes() {
	sed -nE 's/.*&dev_attr_([a-z_]+)\.attr,.*/\1/p' "$1" | sort -u
}

[ $# -gt 0 ] || set -- floors spdx text docs defects shell python checkpatch sparse
out=$(for check; do "check_$check"; done 2>&1)
[ -z "$out" ] || { printf '%s\n' "$out"; exit 1; }
