"""Reads other people's odd CSVs with holdall, CleverCSV and DuckDB, and counts what each of them gets right.

    python3 bench/csv/main.py --holdall BINARY --cache DIR [--show]

takes all files over with one run of "holdall take" and looks at the tables as a user does, with SQL. The two
others find out everything by themselves, too. It needs PyPI's clevercsv and duckdb, node, and the clients of the
registries that packages.json names; DIR keeps what they fetch.
"""

import argparse
import collections
import fnmatch
import functools
import http.server
import json
import os
import signal
import subprocess
import tempfile
import threading
import zipfile

import clevercsv
import duckdb

import corpora

# What holdall says of a table that has nothing to do with how the CSV was read.
OTHER_FINDINGS = {"table-unknown", "columns-missing", "columns-unknown", "table-empty", "duplicate-key"}


class Answer:
    """What a reader made of a file: records, headings first; how many it has put aside; and what it said."""

    def __init__(self, records=None, aside=0, said=""):
        self.raw, self.records = records, None if records is None else corpora.tidy(records)
        self.aside, self.said = aside, said


def read_clevercsv(path):
    clevercsv.field_size_limit(1 << 30)  # a file that it cannot read would leave a small limit for the next one
    return Answer(clevercsv.read_table(path))


def read_duckdb(path):
    with duckdb.connect() as db:
        sql = "SELECT * FROM read_csv(?, all_varchar = true, header = false)"
        return Answer(db.execute(sql, [path]).fetchall())


def careful(read, path):
    """Returns what a reader makes of a file, or its error, within two minutes."""
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    try:
        return read(path)
    except Exception as e:  # whatever it is, the reader has told of it
        return Answer(said=f"{type(e).__name__}: {e}")
    finally:
        signal.alarm(0)


def give_up(*_):
    raise TimeoutError("two minutes")


def read_holdall(holdall, folder, names):
    """Takes all files over and returns an Answer for each name."""
    with zipfile.ZipFile(os.path.join(folder, "data.zip"), "w") as z:
        for name in names:
            z.write(os.path.join(folder, name), name)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(os.path.join(folder, "master.csv"), "w") as f:
        f.write(f"Type,Link\nData,http://127.0.0.1:{server.server_port}/data.zip\n")
    root = os.path.join(folder, "archives")
    taken = subprocess.run(
        [holdall, "take", os.path.join(folder, "master.csv"), "--to", root, "--allow-http", "--allow-private"],
        capture_output=True, text=True)
    server.shutdown()
    if taken.returncode not in (0, 5):
        raise SystemExit(f"holdall take: exit {taken.returncode}\n{taken.stderr}")
    archive = os.path.join(root, "exports", os.listdir(os.path.join(root, "exports"))[0])
    return answers(holdall, archive)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def answers(holdall, archive):
    def query(sql):
        out = subprocess.run([holdall, "query", archive, sql, "--format", "json"], check=True, capture_output=True)
        return json.loads(out.stdout)

    with open(os.path.join(archive, "datapackage.json")) as f:
        package = json.load(f)
    received = {}
    for r in package["resources"]:
        if "holdall:received" in r:
            file = os.path.basename(r["holdall:received"]["path"]).removesuffix(".zst")
            received[file] = (r["path"].split("/")[2], [c.get("title", "") for c in r["schema"]["fields"]])
    said = collections.defaultdict(list)
    for f in query("FROM findings"):
        if f["code"] not in OTHER_FINDINGS:
            said[f["table_name"]].append(f"{f['severity']} {f['code']}: {f['detail']}")
    aside = {r["table_name"]: r["n"] for r in query(
        "SELECT table_name, count(*) AS n FROM quarantine WHERE reason NOT IN ('the headings again', 'a comment') "
        "GROUP BY ALL")}
    rows = collections.defaultdict(list)
    tables = sorted({t for t, _ in received.values()})
    for i in range(0, len(tables), 40):
        sql = " UNION ALL ".join(
            f"SELECT '{t}' AS t, row_number AS n, to_json(r)::VARCHAR AS j FROM raw.\"{t}\" AS r"
            for t in tables[i:i + 40])
        for r in query(f"FROM ({sql}) ORDER BY t, n"):
            rows[r["t"]].append(list(json.loads(r["j"]).values())[1:])
    return {
        file: Answer([headings] + rows[t], aside.get(t, 0), "; ".join(said[t]))
        for file, (t, headings) in received.items()
    }


def as_received(got, case):
    """Returns holdall's answer with the headings in the file's order. A file with the columns of a known table is
    loaded as that table, whose description has an order of its own and columns that the file lacks."""
    if not got.records:
        return got
    headings = sorted(h.strip() for h in got.raw[0] if h)
    for right in (case.records, case.with_notes):
        if headings == sorted(filter(None, right[0])) and got.raw[0][:len(right[0])] != right[0]:
            return Answer([right[0]] + got.raw[1:], got.aside, got.said)
    return got


def judge(case, got):
    """Says how right an answer is: "exact"; "aside" if all that is there is right and what is not was told;
    "told" if something is wrong and something was said; "silent" if it was not; "refused" if there is no table."""
    if got.records is None:
        return "refused"
    if got.records in (case.records, case.with_notes) and not got.aside:
        return "exact"
    for right in (case.records, case.with_notes):
        rest = iter(right)
        if got.said and got.aside and all(r in rest for r in got.records):
            return "aside"
    return "told" if got.said else "silent"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--holdall", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--show", action="store_true", help="what holdall does not read exactly")
    parser.add_argument("--only", default="*", help="a pattern of the files to read")
    o = parser.parse_args()
    cases = [c for c in corpora.cases(os.path.abspath(o.cache)) if fnmatch.fnmatch(c.name, o.only)]
    with tempfile.TemporaryDirectory() as folder:
        names = [f"t{i:04}.csv" for i in range(len(cases))]
        for name, case in zip(names, cases):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(case.content)
        ours = read_holdall(os.path.abspath(o.holdall), folder, names)
        count = collections.defaultdict(collections.Counter)
        paths = [os.path.join(folder, name) for name in names]
        theirs = [(careful(read_clevercsv, p), careful(read_duckdb, p)) for p in paths]
        for name, case, (clever, duck) in zip(names, cases, theirs):
            got = {"holdall": as_received(ours.get(name, Answer(said="not loaded")), case),
                   "CleverCSV": clever, "DuckDB": duck}
            verdicts = {who: judge(case, a) for who, a in got.items()}
            for who, verdict in verdicts.items():
                count[who][verdict] += 1
                count[who, case.name.split("/")[0]][verdict] += 1
            if o.show and verdicts["holdall"] != "exact":
                show(case, got["holdall"], verdicts)
    report(cases, count)


def show(case, got, verdicts):
    print(f"## {case.name}: {verdicts}\n   file {case.content[:200]!r}\n   said {got.said[:400]}")
    for right, ours in zip(case.records + [None] * 9, got.records or [None]):
        if right != ours:
            print(f"   want {str(right)[:200]}\n   got  {str(ours)[:200]}")
            break


def report(cases, count):
    kinds = ["exact", "aside", "told", "silent", "refused"]
    print("| reader | exactly right | right, and the rest put aside and told | wrong, and told | wrong, and nothing "
          "said | no table |\n|---|---|---|---|---|---|")
    for who in ("holdall", "CleverCSV", "DuckDB"):
        print(f"| {who} | " + " | ".join(str(count[who][k]) for k in kinds) + " |")
    print(f"\nOf {len(cases)} files; CleverCSV {clevercsv.__version__}, DuckDB {duckdb.__version__}. Exactly right "
          "by collection:\n\n| collection | files | holdall | CleverCSV | DuckDB |\n|---|---|---|---|---|")
    for name in corpora.PACKAGES:
        n = sum(c.name.startswith(name + "/") for c in cases)
        print(f"| {name} | {n} | " + " | ".join(
            str(count[who, name]["exact"]) for who in ("holdall", "CleverCSV", "DuckDB")) + " |")


if __name__ == "__main__":
    main()
