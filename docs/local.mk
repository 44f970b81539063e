# SPDX-License-Identifier: MIT
# One page for each object and tool; the names of their functions become pages
# that lead there.
dist_man_MANS += docs/man/devio.7 docs/man/devio-bench.1 docs/man/devio-cp.1 docs/man/devio-nc.1 docs/man/devio-nicd.8 docs/man/devio-serve.1 \
	docs/man/devio_completion.3 docs/man/devio_ctx.3 \
	docs/man/devio_file.3 docs/man/devio_mem.3 docs/man/devio_nic.3 docs/man/devio_ring.3 docs/man/devio_sock.3 docs/man/devio_stat.3 docs/man/devio_uring.3
EXTRA_DIST += docs/tutorial/load-a-file.md docs/tutorial/many-reads.md docs/tutorial/tcp.md docs/tutorial/datasets.md \
	docs/tutorial/own-io-uring.md tests/check/docs.bash tests/check/docs.py
docs_scripts = tests/check/docs-code.sh
dist_check_SCRIPTS += $(docs_scripts)
TESTS += $(docs_scripts)
EXTRA_DIST += docs/architecture.md docs/rooms.dot docs/hw.md docs/python.md docs/performance.md docs/man/aliases NEWS CONTRIBUTING.md \
	docs/measurements/index.md docs/measurements/library.md docs/measurements/instructions.md \
	docs/measurements/datasets.md docs/measurements/devio-bench.md docs/measurements/gpu.md

man_aliases = cd $(srcdir) && sh docs/man/aliases $(filter %.3,$(dist_man_MANS))
install-data-hook:
	@$(man_aliases) | while read name page; do \
		echo ".so man3/$$page" > "$(DESTDIR)$(man3dir)/$$name.3" || exit 1; \
	done
uninstall-hook:
	@$(man_aliases) | while read name page; do rm -f "$(DESTDIR)$(man3dir)/$$name.3"; done

# What documentation draws.
docs/rooms.svg: docs/rooms.dot
	$(AM_V_GEN)$(MKDIR_P) docs && dot -Tsvg $(srcdir)/docs/rooms.dot -o $@
html: docs/rooms.svg
CLEANFILES += docs/rooms.svg
.PHONY: html
