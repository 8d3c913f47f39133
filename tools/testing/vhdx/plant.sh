# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by what plants defects: needs REPO, WORK, and DEFECTS, the patches that
# there are.

# patch_of NAME: its patch
patch_of() {
	local file

	for file in "${DEFECTS[@]}"; do
		[[ ${file##*/} != "$1.patch" ]] || echo "$file"
	done
}

# plant NAME: the driver with that defect, in $WORK/src. Files that are as they
# were keep their time, so that only what changes is compiled.
plant() {
	mkdir -p "$WORK/src" "$WORK/$1/state"
	( cd "$REPO" && rsync -rlcR --delete --exclude-from=scripts/dkms-exclude \
		dkms.conf Kbuild COPYING drivers/block/vhdx include/uapi/linux/vhdx.h \
		"$WORK/src/" ) &&
		patch -s -p1 --no-backup-if-mismatch -d "$WORK/src" <"$(patch_of "$1")"
}

# depends_on NAME: a word for all that its result depends on
depends_on() {
	( cd "$REPO" && find "$(patch_of "$1")" \
		drivers/block/vhdx include/uapi tools/include tools/lib tools/vhdxctl \
		tools/testing/vhdx/crash tools/testing/selftests/vhdx -type f \
		\( -name "$1.patch" -o -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \) \
		! -name '*.mod.c' ! -name have.h -exec sha256sum {} + |
		sort -k2 | sha256sum | cut -c1-12 )
}

# try_one NAME FUNCTION: 0 if FUNCTION is content; what it says is in $WORK/NAME/said
try_one() {
	local key

	key=$(depends_on "$1")
	[[ $(cat "$WORK/$1/good" 2>/dev/null) != "$key" ]] || return 0
	rm -rf "${WORK:?}/$1"
	mkdir -p "$WORK/$1"
	plant "$1" >"$WORK/$1/said" 2>&1 || { echo "the patch does not apply" >>"$WORK/$1/said"; return 1; }
	"$2" "$1" >"$WORK/$1/said" || return 1
	echo "$key" >"$WORK/$1/good"
}

# try_all FUNCTION [NAME...]: plants each defect, or all there are, and calls FUNCTION
# with its name. What was good, and depends on nothing that has changed, is not
# tried again. KTAP; the exit status is 0 if all were good.
try_all() {
	local judge=$1 name number=0 ok failed=0

	shift
	if (($# == 0)); then
		set -- "${DEFECTS[@]##*/}"
		set -- "${@%.patch}"
	fi
	echo "KTAP version 1"
	echo "1..$#"
	for name; do
		ok=ok
		try_one "$name" "$judge" || { ok='not ok'; failed=1; }
		echo "$ok $((++number)) $name"
		sed 's/^/# /' "$WORK/$name/said"
	done
	return $failed
}
