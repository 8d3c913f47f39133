#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody else does something to the image while it is attached: cuts it, makes
# it longer, puts another in its place, writes to it. What is lost is lost, but
# the driver says so, does not write over what it does not know, and no lost
# block reads as zeros.
. "$(dirname -- "$0")/lib.sh"
setup

file_size() {
	stat -c %s "$1"
}

# fresh [OPTION]...: a new image with its first 4 MiB written, attached
fresh() {
	rm -f "$WORK/a.vhdx"
	create "$WORK/a.vhdx" 256M --block-size 1M && attach "$@" "$WORK/a.vhdx" && put 0 4
}

# lost MIB: is it an error to read there?
lost() {
	reject "$2" "Input/output error" \
		dd if="$DEV" of=/dev/null bs=1M skip="$1" count=1 iflag=direct
}

dd if=/dev/urandom of="$WORK/data" bs=1M count=80 status=none
# A log that empties itself would find it all out, too: here others have to.
log_idle 3600000

for option in --direct-io=off --direct-io=auto; do
	# The four blocks are the end of the file, behind which it was made longer.
	fresh $option || exit 1
	detach
	end=$(file_size "$WORK/a.vhdx")
	attach $option "$WORK/a.vhdx" || exit 1
	truncate -s $((end - 2 * MIB)) "$WORK/a.vhdx"
	mark
	lost 2 "$option: cut: what is gone can not be read"
	reject "$option: cut: nor written, which would make the file longer" "Input/output error" \
		put 3 1
	run "$option: cut: the kernel's log says why" dmesg_has "somebody else changed the image file"
	equal "$option: cut: the file is as it was left" $((end - 2 * MIB)) \
		"$(file_size "$WORK/a.vhdx")"
	lost 2 "$option: cut: what is gone is not zeros now"
	run "$option: cut: the rest" cmp -n $((2 * MIB)) "$DEV" "$WORK/data"
	reject "$option: cut: no space for a new block" "Input/output error" put 100 1
	equal "$option: cut: mode" read-only "$(attr mode)"
	reject "$option: cut: detach tells" "*" vhdxctl detach "$DEV"
	reject "$option: cut: not attached again" "bat-location" vhdxctl attach "$WORK/a.vhdx"
done

# Somebody appends to the file; the driver does not find that out before it
# needs more space itself.
fresh || exit 1
end=$(file_size "$WORK/a.vhdx")
echo "not of the driver" >>"$WORK/a.vhdx"
run "longer: what has a place is written" put 0 4
mark
reject "longer: the file does not grow from under others" "Input/output error" put 4 76
run "longer: the kernel's log says why" dmesg_has "somebody else changed the size"
equal "longer: mode" read-only "$(attr mode)"
run "longer: reads go on" cmp -n $((4 * MIB)) "$DEV" "$WORK/data"
reject "longer: detach tells" "*" vhdxctl detach "$DEV"
equal "longer: what was appended is there" "not of the driver" "$(tail -c +$((end + 1)) "$WORK/a.vhdx")"
run "longer: the log is replayed" attach "$WORK/a.vhdx"
run "longer: content" cmp -n $((4 * MIB)) "$DEV" "$WORK/data"
run "longer: detach" detach
truncate -s "$end" "$WORK/a.vhdx"
run "longer: clean" accepted "$WORK/a.vhdx"

# Another file under the same name: the one that is open is in use.
fresh || exit 1
create "$WORK/other.vhdx" 256M --block-size 1M
cp "$WORK/other.vhdx" "$WORK/b.vhdx"
ln "$WORK/a.vhdx" "$WORK/kept.vhdx"
mv -f "$WORK/b.vhdx" "$WORK/a.vhdx"
run "another name: writes go on" put 20 4
run "another name: detach" detach
run "another name: the new file was left alone" cmp "$WORK/a.vhdx" "$WORK/other.vhdx"
run "another name: clean" accepted "$WORK/kept.vhdx"
attach -r "$WORK/kept.vhdx"
run "another name: content" cmp -n $((4 * MIB)) -i $((20 * MIB)):0 "$DEV" "$WORK/data"
detach
rm -f "$WORK/kept.vhdx" "$WORK/other.vhdx"

fresh || exit 1
rm "$WORK/a.vhdx"
equal "no name: it is known" "$WORK/a.vhdx (deleted)" "$(attr backing_file)"
run "no name: writes go on" put 20 4
run "no name: content" cmp -n $((4 * MIB)) -i $((20 * MIB)):0 "$DEV" "$WORK/data"
run "no name: detach" detach

# refused NAME WHAT COMMAND...: somebody else has written to the image: that
# COMMAND fails, and nothing was written over what he wrote.
refused() {
	mark
	reject "$1: it is refused" "*" "${@:3}"
	run "$1: the kernel's log says why" dmesg_has "somebody else has written to the image"
	[[ ! -e $SYS ]] || equal "$1: mode" read-only "$(attr mode)"
	[[ ! -e $SYS ]] || comment "detach: $(vhdxctl detach "$DEV" 2>&1)"
	run "$1: the file is his" cmp "$WORK/a.vhdx" "$2"
}

# Another image is copied into the file, of the same shape and with its log in
# the same place.
fresh && detach && cp "$WORK/a.vhdx" "$WORK/b.vhdx" && attach "$WORK/a.vhdx" || exit 1
create "$WORK/other.vhdx" 256M --block-size 1M
truncate -s "$(file_size "$WORK/a.vhdx")" "$WORK/other.vhdx"
dd if="$WORK/other.vhdx" of="$WORK/a.vhdx" bs=1M conv=notrunc status=none
refused "copied over, before the first write" "$WORK/other.vhdx" put 30 1

fresh || exit 1
truncate -s "$(file_size "$WORK/a.vhdx")" "$WORK/other.vhdx"
dd if="$WORK/other.vhdx" of="$WORK/a.vhdx" bs=1M conv=notrunc status=none
refused "copied over, log in use" "$WORK/other.vhdx" vhdxctl detach "$DEV"

# A flush looks at the header if nobody has for a second, with nothing to commit, too.
fresh && sync "$DEV" || exit 1
truncate -s "$(file_size "$WORK/a.vhdx")" "$WORK/other.vhdx"
dd if="$WORK/other.vhdx" of="$WORK/a.vhdx" bs=1M conv=notrunc status=none
sleep 1.1
refused "copied over, a flush" "$WORK/other.vhdx" sync "$DEV"
# foreign_header FILE: what the next writer does first: a newer header in the slot
# that is not current, with a FileWriteGuid of its own
foreign_header() {
	python3 -c 'import sys
sys.path.insert(0, sys.argv[1])
from vhdxbuild import seal
from vhdxmodel import HEADER_OFFS, PAGE
with open(sys.argv[2], "rb+", buffering=0) as image:
    def header(off):
        image.seek(off)
        return image.read(PAGE)
    other, current = sorted(HEADER_OFFS, key=lambda off: header(off)[8:16][::-1])
    raw = header(current)
    number = int.from_bytes(raw[8:16], "little") + 1
    image.seek(other)
    image.write(seal(raw[:8] + number.to_bytes(8, "little") + b"somebody else is" + raw[32:]))
' "$IMAGES" "$1"
}

for option in --direct-io=off --direct-io=auto; do
	fresh $option && foreign_header "$WORK/a.vhdx" || exit 1
	cp "$WORK/a.vhdx" "$WORK/b.vhdx"
	refused "$option: a newer header in the other slot, log in use" "$WORK/b.vhdx" \
		vhdxctl detach "$DEV"
	fresh $option && detach && attach $option "$WORK/a.vhdx" &&
		foreign_header "$WORK/a.vhdx" || exit 1
	cp "$WORK/a.vhdx" "$WORK/b.vhdx"
	refused "$option: a newer header in the other slot" "$WORK/b.vhdx" put 30 1
done

# A tool that ignores locks opens the image, as qemu-io with locking=off does.
if have qemu-io; then
	fresh && detach && attach "$WORK/a.vhdx" || exit 1
	run "a tool without locks writes" qemu-io -c "write -q -P 7 64M 1M" --image-opts \
		"driver=vhdx,file.driver=file,file.locking=off,file.filename=$WORK/a.vhdx"
	cp "$WORK/a.vhdx" "$WORK/b.vhdx"
	refused "written by a tool" "$WORK/b.vhdx" put 30 1
	run "written by a tool: good" vhdxctl check "$WORK/a.vhdx"
else
	skip "a tool without locks writes" "qemu-io is not installed"
fi

# spoil FILE PAGE: garbage in one page of the BAT
spoil() {
	local bat

	bat=$(python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import vhdxmodel
print(vhdxmodel.Image(sys.argv[2]).bat_off)' "$IMAGES" "$1") || return
	head -c 4096 /dev/zero | tr '\0' '\377' |
		dd of="$1" bs=4096 seek=$((bat / 4096 + $2)) conv=notrunc status=none
}

# Garbage in the BAT, which the driver looks at again when it has forgotten it.
fresh && detach && attach "$WORK/a.vhdx" && spoil "$WORK/a.vhdx" 0 || exit 1
# Pages that were used get a second round.
for _ in 1 2 3 4 5 6 7 8; do
	(($(attr metadata_pages) == 0)) || echo 2 >/proc/sys/vm/drop_caches
done
equal "garbage: metadata was forgotten" 0 "$(attr metadata_pages)"
mark
lost 0 "garbage: a read fails"
run "garbage: the kernel's log names it" dmesg_has "bat-"
reject "garbage: a write fails" "Input/output error" put 0 1
comment "detach: $(vhdxctl detach "$DEV" 2>&1)"
reject "garbage: not attached again" "bat-" vhdxctl attach "$WORK/a.vhdx"

# The same in a parent, in a page that nobody has read yet. The device that reads
# through it fails as a whole.
create "$WORK/base.vhdx" 4G --block-size 1M && attach "$WORK/base.vhdx" && put 0 4 &&
	put 1000 4 && detach && vhdxctl create --parent "$WORK/base.vhdx" "$WORK/child.vhdx" &&
	attach "$WORK/child.vhdx" && put 2 1 && spoil "$WORK/base.vhdx" 1 || exit 1
mark
run "parent: what is in order" cmp -n $((2 * MIB)) "$DEV" "$WORK/data"
equal "parent: mode" write "$(attr mode)"
lost 1000 "parent: garbage: a read fails"
run "parent: garbage: the kernel's log names it" dmesg_has "bat-"
equal "parent: garbage: mode" failed "$(attr mode)"
equal "parent: garbage: it is said once" 1 \
	"$(dmesg_since_mark | grep -c "the device is failed from now on")"
lost 0 "parent: garbage: nothing is read"
reject "parent: garbage: nothing is written" "Input/output error" put 2 1
equal "parent: garbage: read-only for all" 1 "$(blockdev --getro "$DEV")"
reject "parent: garbage: detach tells" "*" vhdxctl detach "$DEV"
reject "parent: garbage: not attached again" "bat-" vhdxctl attach "$WORK/child.vhdx"
finish
