# SPDX-License-Identifier: MIT
# libFuzzer programs, --enable-fuzz with clang; tests/fuzz/run runs them. Two more are in tests/topo and tests/bench.
EXTRA_DIST += tests/fuzz/run tests/data/fuzz
if ENABLE_FUZZ
noinst_PROGRAMS += \
	tests/fuzz/fuzz_load \
	tests/fuzz/fuzz_nicwire \
	tests/fuzz/fuzz_opts \
	tests/fuzz/fuzz_peer \
	tests/fuzz/fuzz_ring \
	tests/fuzz/fuzz_serve \
	tests/fuzz/fuzz_text \
	tests/fuzz/fuzz_wire
endif

fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_fuzz_load_LDADD = lib/load/libdvload.la lib/libdv.la
tests_fuzz_fuzz_load_LDFLAGS = $(fuzz_ldflags)

tests_fuzz_fuzz_nicwire_LDADD =
tests_fuzz_fuzz_nicwire_LDFLAGS = $(fuzz_ldflags)

tests_fuzz_fuzz_opts_LDADD = lib/libdv.la
tests_fuzz_fuzz_opts_LDFLAGS = $(fuzz_ldflags)

tests_fuzz_fuzz_peer_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_fuzz_fuzz_peer_LDADD = lib/load/libdvload.la lib/libdv.la -lpthread
tests_fuzz_fuzz_peer_LDFLAGS = $(fuzz_ldflags)

tests_fuzz_fuzz_serve_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_fuzz_fuzz_serve_SOURCES = tests/fuzz/fuzz_serve.c tools/serve/run.c tools/serve/conn.c tools/serve/buffer.c \
	tools/serve/file.c
tests_fuzz_fuzz_serve_LDADD = tools/common/libcommon.la lib/libdv.la -lpthread
tests_fuzz_fuzz_serve_LDFLAGS = $(fuzz_ldflags)

tests_fuzz_fuzz_ring_CPPFLAGS = $(AM_CPPFLAGS) $(URING_CFLAGS)
tests_fuzz_fuzz_ring_LDADD = tests/dmabuf/libfake.la lib/libdv.la $(URING_LIBS)
tests_fuzz_fuzz_ring_LDFLAGS = $(fuzz_ldflags) $(dmabuf_wraps)

tests_fuzz_fuzz_text_LDADD = tools/common/libcommon.la lib/libdv.la
tests_fuzz_fuzz_text_LDFLAGS = $(fuzz_ldflags)

tests_fuzz_fuzz_wire_LDADD = lib/load/libdvload.la lib/libdv.la
tests_fuzz_fuzz_wire_LDFLAGS = $(fuzz_ldflags)
