# SPDX-License-Identifier: MIT
# One page for each object and tool; the names of their functions become pages
# that lead there.
dist_man_MANS += docs/man/devio.7 docs/man/devio-bench.1 docs/man/devio-cp.1 docs/man/devio-gds.1 docs/man/devio-nc.1 docs/man/devio-nicd.8 docs/man/devio-serve.1 \
	docs/man/devio_completion.3 docs/man/devio_ctx.3 \
	docs/man/devio_file.3 docs/man/devio_mem.3 docs/man/devio_nic.3 docs/man/devio_ring.3 docs/man/devio_sock.3 docs/man/devio_stat.3 docs/man/devio_stream.3 docs/man/devio_uring.3
docs_pages = CONTRIBUTING.md docs/index.md docs/install.md docs/concepts.md docs/troubleshooting.md docs/administration.md \
	docs/security.md \
	docs/performance.md docs/python.md docs/architecture.md docs/hw.md docs/api/c.md docs/api/python.md \
	docs/tutorial/load-a-file.md docs/tutorial/many-reads.md docs/tutorial/tcp.md docs/tutorial/datasets.md \
	docs/tutorial/own-io-uring.md docs/tools/index.md docs/tools/devio-probe.md docs/tools/devio-cp.md \
	docs/tools/devio-nc.md docs/tools/devio-bench.md docs/tools/devio-serve.md docs/tools/devio-nicd.md docs/tools/devio-gds.md \
	docs/measurements/index.md docs/measurements/library.md docs/measurements/instructions.md \
	docs/measurements/datasets.md docs/measurements/devio-bench.md docs/measurements/gpu.md
docs_site = docs/site/conf.py docs/site/toctree.md docs/site/Doxyfile docs/site/filter.py
EXTRA_DIST += $(docs_pages) $(docs_site) docs/rooms.dot docs/man/aliases NEWS tests/check/docs.bash tests/check/docs.py
docs_scripts = tests/check/readme.sh tests/check/docs-code.sh tests/check/docs-links.sh tests/check/docs-reasons.sh \
	tests/check/docs-html.sh
dist_check_SCRIPTS += $(docs_scripts)
TESTS += $(docs_scripts)

man_aliases = cd $(srcdir) && sh docs/man/aliases $(filter %.3,$(dist_man_MANS))
install-data-hook:
	@$(man_aliases) | while read name page; do \
		echo ".so man3/$$page" > "$(DESTDIR)$(man3dir)/$$name.3" || exit 1; \
	done
uninstall-hook:
	@$(man_aliases) | while read name page; do rm -f "$(DESTDIR)$(man3dir)/$$name.3"; done

# The site: a copy of the pages beside what is drawn and generated, made by Sphinx without a warning. PYTHONWARNINGS is
# about Debian's extensions, not about the pages.
docs/rooms.svg: docs/rooms.dot
	$(AM_V_GEN)$(MKDIR_P) docs && dot -Tsvg $(srcdir)/docs/rooms.dot -o $@
SPHINXBUILD = sphinx-build
docs_copy = docs/site-copy
html: all docs/rooms.svg
	@rm -rf $(docs_copy) docs/html && $(MKDIR_P) $(docs_copy)/docs $(docs_copy)/examples
	@cd $(srcdir) && for page in $(docs_pages) $(docs_site) docs/compat.md docs/lab.md examples/*.[cp]*; do \
		$(MKDIR_P) $(abs_builddir)/$(docs_copy)/`dirname $$page` && cp $$page $(abs_builddir)/$(docs_copy)/$$page || exit 1; done
	@cp docs/rooms.svg $(docs_copy)/docs
	@{ cat $(srcdir)/docs/site/Doxyfile; echo "INPUT = $(abs_top_srcdir)/include/devio"; \
		echo "OUTPUT_DIRECTORY = $(docs_copy)"; echo "WARN_LOGFILE = $(docs_copy)/doxygen.log"; \
		echo "INPUT_FILTER = \"python3 $(abs_top_srcdir)/docs/site/filter.py\""; } | doxygen -
	@cat $(docs_copy)/doxygen.log >&2 && test ! -s $(docs_copy)/doxygen.log
	$(AM_V_GEN)DEVIO_VERSION=$(PACKAGE_VERSION) PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore PYTHONPATH=$(abs_top_srcdir)/python \
		DEVIO_LIBRARY=$(abs_builddir)/lib/.libs/libdevio.so.0 \
		$(SPHINXBUILD) -W --keep-going -q -d $(docs_copy)/doctrees -c $(docs_copy)/docs/site $(docs_copy) docs/html
	@echo "docs/html/docs/index.html"
clean-local: clean-html
clean-html:
	rm -rf docs/site-copy docs/html
CLEANFILES += docs/rooms.svg
.PHONY: html clean-html
