# SPDX-License-Identifier: GPL-2.0-only
#
# How objects of the protocol layer, and of what is beside a Makefile, are built for user space into
# $(OUT). That Makefile has said what TOP, OUT, OBJS, CPPFLAGS and CFLAGS are, and has an aim already.

$(OUT)/proto_%.o: $(TOP)/kmod/proto/%.c | $(OUT)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(OUT)/%.o: %.c | $(OUT)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(OUT):
	mkdir -p $@

clean:
	$(RM) -r $(OUT)

-include $(OBJS:.o=.d)
