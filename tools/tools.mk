# SPDX-License-Identifier: GPL-2.0-only
#
# libvhdx and vhdxctl; included by the top-level Makefile, paths from there.
#
#   tools           build/vhdxctl
#                   (WERROR=1: no warning is accepted)
#   tools-test      what tools/testing/vhdx/tool/ needs, in build/tools/test/
#   install-tools   program, manual pages, completion; honours DESTDIR, PREFIX
#
# The sources of format/ are the module's own. Objects go to build/tools/,
# since kbuild writes its objects beside the sources.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
VERSION ?= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"$$/\1/p' dkms.conf)
INSTALL ?= install
AR ?= ar

TOOLS_FORMAT := drivers/block/vhdx/format
TOOLS_OUT ?= build/tools
VHDXCTL ?= build/vhdxctl

# format/Kbuild.include sets vhdx-format-y, the objects of the core.
include $(TOOLS_FORMAT)/Kbuild.include

TOOLS_CFLAGS ?= -O2 -g
TOOLS_WARNINGS := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes \
		  $(if $(WERROR),-Werror)
TOOLS_CPPFLAGS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVHDXCTL_VERSION='"$(VERSION)"' \
		  -Itools/include -Iinclude/uapi -I$(TOOLS_FORMAT) -Itools/lib/vhdx
TOOLS_LIBS := -lsmartcols

LIBVHDX_SRC := $(addprefix $(TOOLS_FORMAT)/,$(vhdx-format-y:.o=.c)) \
	       $(sort $(wildcard tools/lib/vhdx/*.c))
LIBVHDX_OBJ := $(LIBVHDX_SRC:%.c=$(TOOLS_OUT)/%.o)
LIBVHDX := $(TOOLS_OUT)/libvhdx.a

VHDXCTL_SRC := $(sort $(wildcard tools/vhdxctl/*.c))
VHDXCTL_OBJ := $(VHDXCTL_SRC:%.c=$(TOOLS_OUT)/%.o)

.PHONY: tools tools-test install-tools uninstall-tools clean-tools

tools: $(VHDXCTL)

$(VHDXCTL): $(VHDXCTL_OBJ) $(LIBVHDX)
	$(Q)$(CC) $(TOOLS_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TOOLS_LIBS)

# The version is compiled in.
$(VHDXCTL_OBJ): dkms.conf

# Made anew, so that no object of a file that is gone stays inside.
$(LIBVHDX): $(LIBVHDX_OBJ)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(TOOLS_OUT)/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOLS_CPPFLAGS) $(CPPFLAGS) $(TOOLS_CFLAGS) $(TOOLS_WARNINGS) $(CFLAGS) \
		-MMD -MP -c -o $@ $<

TOOLS_TEST := $(patsubst tools/testing/vhdx/tool/%.c,$(TOOLS_OUT)/test/%,\
		$(wildcard tools/testing/vhdx/tool/*.c))

tools-test: $(TOOLS_TEST)

.SECONDARY: $(TOOLS_TEST:$(TOOLS_OUT)/test/%=$(TOOLS_OUT)/tools/testing/vhdx/tool/%.o)

$(TOOLS_OUT)/test/%: $(TOOLS_OUT)/tools/testing/vhdx/tool/%.o $(LIBVHDX)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOLS_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^

# The power-cut campaign: build/vhdx-crash runs in the test machines. Static,
# like the machines' kernel, so that it depends on nothing there.
CRASH := build/vhdx-crash
CRASH_SRC := $(sort $(wildcard tools/testing/vhdx/crash/*.c))
CRASH_OBJ := $(CRASH_SRC:%.c=$(TOOLS_OUT)/%.o)

.PHONY: crash-tool
crash-tool: $(CRASH)

$(CRASH_OBJ): TOOLS_WARNINGS += -Wno-unused-parameter

$(CRASH): $(CRASH_OBJ) $(LIBVHDX)
	$(Q)$(CC) $(TOOLS_CFLAGS) $(CFLAGS) $(LDFLAGS) -static -pthread -o $@ $^

-include $(CRASH_OBJ:.o=.d)

# What the benchmark needs, static for the same reason.
FILL_LOG := build/vhdx-fill-log
FILL_LOG_OBJ := $(TOOLS_OUT)/tools/testing/vhdx/bench/fill_log.o

.PHONY: bench-tool
bench-tool: $(FILL_LOG)

$(FILL_LOG): $(FILL_LOG_OBJ) $(LIBVHDX)
	$(Q)$(CC) $(TOOLS_CFLAGS) $(CFLAGS) $(LDFLAGS) -static -o $@ $^

-include $(FILL_LOG_OBJ:.o=.d)

-include $(LIBVHDX_OBJ:.o=.d) $(VHDXCTL_OBJ:.o=.d)
-include $(TOOLS_TEST:$(TOOLS_OUT)/test/%=$(TOOLS_OUT)/tools/testing/vhdx/tool/%.d)

install-tools: tools
	$(Q)$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPLETIONDIR)
	$(Q)$(INSTALL) -m 755 $(VHDXCTL) $(DESTDIR)$(SBINDIR)/vhdxctl
	$(Q)$(INSTALL) -m 644 tools/vhdxctl/man/*.8 $(DESTDIR)$(MANDIR)/man8/
	$(Q)$(INSTALL) -m 644 tools/vhdxctl/completion/vhdxctl $(DESTDIR)$(COMPLETIONDIR)/vhdxctl

uninstall-tools:
	$(Q)rm -f $(DESTDIR)$(SBINDIR)/vhdxctl $(DESTDIR)$(COMPLETIONDIR)/vhdxctl
	$(Q)rm -f $(patsubst tools/vhdxctl/man/%,$(DESTDIR)$(MANDIR)/man8/%,\
		$(wildcard tools/vhdxctl/man/*.8))

clean-tools:
	$(Q)rm -rf $(TOOLS_OUT) $(VHDXCTL)
