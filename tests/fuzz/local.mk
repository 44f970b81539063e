# SPDX-License-Identifier: MIT
# libFuzzer programs, --enable-fuzz with clang; tests/fuzz/run runs them.
EXTRA_DIST += tests/fuzz/run tests/fuzz/fuzz_text.c tests/fuzz/fuzz_opts.c tests/fuzz/fuzz_ring.c \
	tests/fuzz/fuzz_load.c tests/fuzz/fuzz_wire.c tests/fuzz/fuzz_nicwire.c
if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_text tests/fuzz/fuzz_opts tests/fuzz/fuzz_ring tests/fuzz/fuzz_load tests/fuzz/fuzz_wire \
	tests/fuzz/fuzz_nicwire
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c
tests_fuzz_fuzz_text_LDADD = tools/common/libcommon.la lib/libdv.la
tests_fuzz_fuzz_text_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_opts_SOURCES = tests/fuzz/fuzz_opts.c
tests_fuzz_fuzz_opts_LDADD = lib/libdv.la
tests_fuzz_fuzz_opts_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ring_SOURCES = tests/fuzz/fuzz_ring.c tests/dmabuf/fake.c tests/dmabuf/memfd.c
tests_fuzz_fuzz_ring_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_fuzz_fuzz_ring_LDADD = lib/libdv.la $(URING_LIBS)
tests_fuzz_fuzz_ring_LDFLAGS = $(fuzz_ldflags) $(dmabuf_wraps)
tests_fuzz_fuzz_load_SOURCES = tests/fuzz/fuzz_load.c
tests_fuzz_fuzz_load_LDADD = lib/load/libdvload.la lib/libdv.la
tests_fuzz_fuzz_load_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c
tests_fuzz_fuzz_wire_LDADD = lib/load/libdvload.la lib/libdv.la
tests_fuzz_fuzz_wire_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_nicwire_SOURCES = tests/fuzz/fuzz_nicwire.c
tests_fuzz_fuzz_nicwire_LDFLAGS = $(fuzz_ldflags)
endif

# Seeds of the fuzzers.
EXTRA_DIST += tests/data/fuzz
