#!/bin/bash
# SPDX-License-Identifier: MIT
# Every file names its licence in its first lines, the kernel's patches theirs.
# shellcheck source=tap.bash
. "$(dirname "$0")/tap.bash"
cd "$SRC" || exit 1
# Licence texts have none, nor those of Debian's files that take no comments; captures of machines and fuzz corpora are data; an empty file has no content.
exempt='^LICENSES/|^debian/(changelog|copyright|source/format)$|^tests/(data|fuzz/corpus)/|^kernel/(patches|config)/|^kernel/(BASE|series)$|\.(png|svg|bin|json)$|^\.gitignore$'
missing='' wrong=''
while read -r f; do
	[[ $f =~ $exempt || ! -s $f ]] && continue
	line=$(head -n 5 "$f" | tr -d '\0' | grep -m1 -oE 'SPDX-License-Identifier: [^*"]*[^* "]')
	want=MIT
	[[ $f = kernel/* ]] && want=GPL-2.0-only
	case ${line#SPDX-License-Identifier: } in
	'') missing+="$f"$'\n' ;;
	"$want" | "$want -->" | 'GPL-2.0-only OR MIT') ;;
	*) wrong+="$f: ${line#SPDX-License-Identifier: }, not $want"$'\n' ;;
	esac
done < <(project_files)
verdict "an SPDX line stands in the first five lines of every file" "$missing"
verdict "it names the right licence" "$wrong"
for text in MIT GPL-2.0-only; do
	verdict "LICENSES/$text.txt is there" "$([[ -s LICENSES/$text.txt ]] || echo missing)"
done
done_testing
