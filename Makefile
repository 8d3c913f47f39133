# SPDX-License-Identifier: GPL-2.0-only
#
# The front door. The module is built by the kernel's build system (Kbuild),
# the command by tools/tools.mk; `make help` lists what can be asked for.

VERSION	:= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"$$/\1/p' dkms.conf)

PREFIX	?= /usr/local
DESTDIR	?=
KDIR	?= /lib/modules/$(shell uname -r)/build
DKMS_SRC = $(DESTDIR)/usr/src/vhdx-$(VERSION)
INSTALL	?= install

Q := $(if $(V),,@)

.DEFAULT_GOAL := tools

include tools/tools.mk

.PHONY: install
install: install-tools

.PHONY: uninstall
uninstall: uninstall-tools

.PHONY: modules
modules:
	$(Q)[ -e $(KDIR)/Makefile ] || { \
		echo "no kernel headers in $(KDIR): install them or set KDIR=" >&2; exit 1; }
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) modules

.PHONY: modules-install
modules-install: modules
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) \
		modules_install

# The sources of the module, and nothing else, where DKMS looks for them.
.PHONY: dkms-stage
dkms-stage:
	$(Q)$(INSTALL) -d $(DKMS_SRC)
	$(Q)tar -c --exclude-from=scripts/dkms-exclude \
		dkms.conf Kbuild COPYING drivers/block/vhdx include/uapi/linux/vhdx.h | \
		tar -x --no-same-owner -C $(DKMS_SRC)

.PHONY: dkms-install
dkms-install: dkms-stage
	dkms install vhdx/$(VERSION) $(if $(KERNEL),-k $(KERNEL))

.PHONY: dkms-uninstall
dkms-uninstall:
	dkms remove vhdx/$(VERSION) --all
	$(RM) -r $(DKMS_SRC)

.PHONY: check
check:
	$(Q)tools/testing/vhdx/check.sh $(STEPS)

.PHONY: unit
unit:
	$(Q)tools/testing/vhdx/unit/run.sh

.PHONY: fuzz
fuzz:
	$(Q)tools/testing/vhdx/fuzz/run.sh

# BENCH="--quick present", KERNEL=, CPUS=: see tools/testing/vhdx/bench/run.sh
.PHONY: bench
bench:
	$(Q)tools/testing/vhdx/bench/run.sh $(BENCH)

# SEED=, SEEDS=, COUNT=, FS=: see tools/testing/vhdx/crash/campaign.sh
.PHONY: crash
crash:
	$(Q)tools/testing/vhdx/crash/campaign.sh

# NAMES="a b": these defects; else all that were not found before
.PHONY: crash-defects
crash-defects:
	$(Q)tools/testing/vhdx/crash/defects.sh $(NAMES)

.PHONY: fault-defects
fault-defects:
	$(Q)tools/testing/vhdx/faults/defects.sh $(NAMES)

.PHONY: lint
lint:
	$(Q)scripts/lint.sh

.PHONY: headers-check
headers-check:
	$(Q)scripts/headers-check.sh

.PHONY: demo
demo:
	$(Q)tools/testing/vhdx/demo/run.sh

.PHONY: clean
clean:
	$(Q)$(RM) -r build
	$(Q)find . -path ./.git -prune -o -type f \( -name '*.o' -o -name '*.ko' \
		-o -name '*.mod' -o -name '*.mod.c' -o -name '.*.cmd' \
		-o -name '*.order' -o -name '*.symvers' -o -name '.*.d' \) \
		-exec $(RM) {} +
	$(Q)$(RM) drivers/block/vhdx/compat/have.h drivers/block/vhdx/compat/have.h.log
	$(Q)find . -name __pycache__ -type d -exec $(RM) -r {} +

.PHONY: help
help:
	@echo 'Build:'
	@echo '  tools            vhdxctl, in build/ (the default)'
	@echo '  modules          vhdx.ko for the running kernel, or for KDIR='
	@echo '  clean            remove what was built'
	@echo 'Install:'
	@echo '  install          vhdxctl, its manual pages and completion (PREFIX=, DESTDIR=)'
	@echo '  dkms-install     vhdx.ko through DKMS (KERNEL=); dkms-uninstall takes it away'
	@echo '  modules-install  vhdx.ko without DKMS'
	@echo 'See it work:'
	@echo '  demo             a dirty image, from power cut to clean, in a virtual machine'
	@echo 'Test:'
	@echo '  check            everything (STEPS="unit lint" picks; STEPS=list lists)'
	@echo '  unit             the format core under ASan and UBSan'
	@echo '  fuzz             the fuzz targets, for a bounded time'
	@echo '  bench            beside loop and qemu-nbd (BENCH=--quick, KERNEL=, CPUS=)'
	@echo '  crash            power cuts (SEED=, SEEDS=, COUNT= for each, FS=); goes on where it was'
	@echo '  crash-defects    defects that the power cuts must find (NAMES=)'
	@echo '  fault-defects    defects that the selftests must find (NAMES=)'
	@echo '  lint             floors, checkpatch, sparse, shellcheck, documents'
	@echo '  headers-check    each header compiles on its own'
