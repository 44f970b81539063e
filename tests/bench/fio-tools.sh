#!/bin/bash
# SPDX-License-Identifier: MIT
# The programs that come with fio, on what devio-bench writes and reads.
# shellcheck source=../check/tap.bash
. "$(dirname "$0")/../check/tap.bash"
bench=$BUILD/tools/devio-bench
cd "$tmp" || exit 1

# tool NAME: where it is, or where Debian's fio has it packed
tool() {
	command -v "$1" && return
	[[ -e /usr/share/doc/fio/$1.gz ]] || return 1
	gunzip -c "/usr/share/doc/fio/$1.gz" >"$1" && chmod +x "$1" && echo "./$1"
}

head -c 2M /dev/urandom >src
"$bench" --mem=host --filename=src --runtime=1 --time_based --iodepth=4 --slat_percentiles=1 --lat_percentiles=1 --write_bw_log=t \
	--write_iops_log=t --write_lat_log=t --log_avg_msec=100 --output-format=json+ --output=plus.json --allow-overwrite \
	--name=one --rw=randrw --name=two --rw=read --bs=16k 2>err
rc=$?
verdict "a run with json+ and logs" "$([[ $rc = 0 ]] || cat err)"

if csv=$(tool fio_jsonplus_clat2csv) && python3 -c 'import six' 2>/dev/null; then
	verdict "fio_jsonplus_clat2csv reads json+" "$("$csv" plus.json out.csv 2>&1 | grep -v generated)"
	verdict "and finds in its table what the JSON says" "$("$csv" plus.json out.csv --validate 2>&1 | grep -v validated)"
	verdict "with the right sums" "$(python3 - 2>&1 <<'END'
import csv, json
for n, job in enumerate(json.load(open("plus.json"))["jobs"]):
    rows = list(csv.reader(open("out_job%d.csv" % n), skipinitialspace=True))
    for d in ("read", "write"):
        for l in ("slat_ns", "clat_ns", "lat_ns"):
            if not job[d]["total_ios"]: continue
            at = rows[0].index("%s_%s_count" % (d, l))
            total = sum(int(r[at]) for r in rows[1:] if len(r) > at and r[at].strip())
            assert total == job[d]["total_ios"] == job[d][l]["N"], (n, d, l, total)
END
	)"
else
	skip "fio_jsonplus_clat2csv" "not installed"
fi

# fiologparser.py of fio 3.33 knows logs of four fields only, fio itself writes five.
if parser=$(tool fiologparser.py); then
	for what in bw iops lat; do
		cut -d, -f1-4 t_$what.1.log >four
		"$parser" -s -i 200 four >p 2>&1
		verdict "fiologparser.py reads ${what}_log" "$(awk '{ sum += $2 } END { exit !(NR >= 3 && sum > 0) }' p || cat p)"
	done
else
	skip "fiologparser.py" "not installed"
fi

if g=$(tool fio2gnuplot) && python3 -c 'import six' 2>/dev/null; then
	"$g" -p 't_bw.2.log' -d plots -o x >p 2>&1
	verdict "fio2gnuplot reads bw_log" "$(grep -qh '[1-9]' plots/*.average 2>/dev/null || { cat p; ls plots; })"
else
	skip "fio2gnuplot" "not installed"
fi

if g=$(tool fio_generate_plots) && command -v gnuplot >/dev/null; then
	verdict "fio_generate_plots draws the logs" "$("$g" title >p 2>&1; ls ./*.svg >/dev/null 2>&1 || cat p)"
else
	skip "fio_generate_plots" "not installed"
fi

if g=$(tool genfio); then
	"$g" -d src -b 4k,64k -m read,randread -r 1 -D 4 -p x >p 2>&1
	# Its files ask for zero_buffers and invalidate, and for the engine libaio.
	job=$(find . -name '*.fio' | head -n 1)
	sed -i 's/libaio/devio/' "${job:-p}"
	verdict "job files of genfio" "$("$bench" --parse-only "${job:-missing}" 2>&1)"
else
	skip "genfio" "not installed"
fi

# Every job file of fio's own, if they are there, is read or refused with a reason.
bad=''
for f in /usr/share/doc/fio/examples/*.fio; do
	[[ -e $f ]] || continue
	"$bench" --parse-only "$f" >/dev/null 2>err
	rc=$?
	[[ $rc = 0 || ( ($rc = 2 || $rc = 4) && -s err) ]] || bad+="$f: $rc $(cat err) "
done
verdict "fio's examples are read, or refused with a reason" "$bad"
cd / || exit 1
done_testing
