# SPDX-License-Identifier: MIT
# Everything for a while, with kills, closes, forks and signals.
dist_check_SCRIPTS += tests/soak/soak.sh
TESTS += tests/soak/soak.sh
EXTRA_DIST += tests/soak/run tests/soak/soak.py
