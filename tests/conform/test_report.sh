#!/usr/bin/env bash
# The kit's reports are well-formed whatever a plugin says, and count right. In the environment:
# PATIO, LIAR, MEMORY (plugins).
set -u
: "${PATIO:?} ${LIAR:?} ${MEMORY:?}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
wrong=0
complain() {
    echo "FAILED: $*"
    wrong=1
}

# The text of its error has quotes, control bytes, and bytes that are no UTF-8.
PATIO_TEST_LIAR_OF=memory PATIO_TEST_LIE=garbled_error "$PATIO" conform "$LIAR" --kind transport --url liar://hub \
    --only 1,20,52 --json bad.json --junit bad.xml >bad.txt 2>&1
[ $? = 1 ] || complain "exit code of a plugin that fails"
"$PATIO" conform "$MEMORY" --url memory://hub --only 1,20,169 --json good.json --junit good.xml >good.txt 2>&1 ||
    complain "exit code of a plugin that passes: $(cat good.txt)"
"$PATIO" conform "$MEMORY" --url memory://hub --only 1 --json /nowhere/a.json >none.txt 2>&1
[ $? = 2 ] || complain "exit code of a report that cannot be written"
timeout 20 "$PATIO" conform "$MEMORY" --url memory://hub --only 1 -j 0 >none.txt 2>&1
[ $? = 2 ] || complain "exit code of no cases side by side"

python3 - <<'PY' || wrong=1
import json, re, sys
import xml.etree.ElementTree as tree

def totals(name):
    line = [l for l in open(name + ".txt", encoding="utf-8") if " cases: " in l][0]
    cases, passed, failed, refused, skipped = map(int, re.findall(r"\d+", line))
    suite = tree.parse(name + ".xml").getroot()
    rows = json.load(open(name + ".json", encoding="utf-8"))["cases"]
    by = {}
    for row in rows:
        by[row["result"]] = by.get(row["result"], 0) + 1
    assert len(rows) == cases == int(suite.get("tests")) == len(suite), (name, cases)
    assert by.get("failed", 0) == failed == int(suite.get("failures")) == len(suite.findall("*/failure")), name
    assert by.get("passed", 0) == passed, name
    assert by.get("refused", 0) == refused and by.get("skipped", 0) == skipped, name
    assert int(suite.get("skipped")) == refused + skipped == len(suite.findall("*/skipped")), name
    return rows, suite, failed

rows, suite, failed = totals("bad")
assert failed > 0
texts = [r["text"] for r in rows if r["result"] == "failed"]
assert any("<\"&'>" in t for t in texts), texts
assert any("<\"&'>" in f.get("message") for f in suite.iter("failure"))
rows, suite, failed = totals("good")
assert failed == 0 and any(r["result"] == "passed" for r in rows)
PY
exit $wrong
