# SPDX-License-Identifier: MIT
# bash loads a completion by the command's name, zsh finds the commands in the file.
bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
completed = devio-bench devio-cp devio-gds devio-nc devio-nicd devio-probe devio-serve
dist_zshcompletion_DATA = completions/_devio
EXTRA_DIST += completions/devio.bash

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(bashcompletiondir)"
	for tool in $(completed); do \
		$(INSTALL_DATA) $(srcdir)/completions/devio.bash "$(DESTDIR)$(bashcompletiondir)/$$tool" || exit 1; \
	done
uninstall-local:
	rm -f $(addprefix $(DESTDIR)$(bashcompletiondir)/,$(completed))
