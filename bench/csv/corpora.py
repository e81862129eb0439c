"""The collections of odd CSVs: where their packages come from, and what each of their files says."""

import ast
import csv
import fnmatch
import glob
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST = 400_000  # bytes of a file that is compared: there are enough, and one of the three readers is slow

# Each package, how its registry's own client fetches it, and the SHA-256 of what comes.
PACKAGES = json.load(open(os.path.join(HERE, "packages.json")))

# The settings of Papa Parse's tests that say nothing but what a reader has to find out.
FOUND_OUT = {"comments", "delimiter", "newline", "skipEmptyLines", "escapeChar", "quoteChar"}


class Case:
    """A file, and the records that a careful person reads in it, headings first; and the same with notes and
    comments as records of their own, which is right, too."""

    def __init__(self, name, content, records, with_notes=None):
        self.name, self.content, self.records = name, content, tidy(records)
        self.with_notes = tidy(with_notes or records)


def tidy(records):
    """Returns records without what none of the readers promises: blanks around cells, empty cells at a
    record's end, empty records."""
    out = []
    for record in records:
        cells = [("" if c is None else str(c)).strip(" \t\r\n\v\f\0\ufeff") for c in record]
        cells = [c.replace("\r\n", "\n").replace("\r", "\n") for c in cells]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            out.append(cells)
    return out


def fetch(name, cache):
    """Returns the path of a package in cache, where its registry's client puts it if it is not there."""
    p = PACKAGES[name]
    path = os.path.join(cache, p["file"])
    if not os.path.exists(path):
        client = {
            "pypi": [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:",
                     p["package"]],
            "npm": ["npm", "pack", "-s", p["package"]],
            "crates": ["cargo", "fetch", "-q"],
            "debian": ["apt-get", "source", "-qq", "--download-only", "--tar-only", p["package"]],
        }[p["from"]]
        if p["from"] == "crates":
            fetch_crate(p, cache, path)
        else:
            subprocess.run(client, cwd=cache, check=True, stdout=subprocess.DEVNULL)
    with open(path, "rb") as f:
        got = hashlib.sha256(f.read()).hexdigest()
    if got != p["sha256"]:
        raise SystemExit(f"{path}: its SHA-256 is {got}, not {p['sha256']}; delete it to fetch it again")
    return path


def fetch_crate(p, cache, path):
    """Lets cargo fetch a crate for a project that does nothing but name it."""
    name, version = p["package"].split("@")
    project = os.path.join(cache, "crate-" + name)
    os.makedirs(project, exist_ok=True)
    with open(os.path.join(project, "lib.rs"), "w"), \
            open(os.path.join(project, "Cargo.toml"), "w") as f:
        f.write(f'[package]\nname = "fetch"\nversion = "0.0.0"\n[lib]\npath = "lib.rs"\n'
                f'[dependencies]\n{name} = "={version}"\n')
    home = os.path.join(cache, "cargo")
    subprocess.run(["cargo", "fetch", "-q"], cwd=project, check=True, env={**os.environ, "CARGO_HOME": home})
    os.replace(glob.glob(f"{home}/registry/cache/*/{p['file']}")[0], path)


def members(path):
    """Yields the names, without the package's own folder, and contents of a package's files."""
    with tarfile.open(path) as t:
        for m in t:
            if m.isfile() and m.size <= LARGEST:
                yield m.name.removeprefix("./").split("/", 1)[-1], t.extractfile(m).read()


def cases(cache):
    """Returns the cases of all collections."""
    out, seen = [], set()
    says = read_list()
    for name in PACKAGES:
        path = fetch(name, cache)
        expected = {}
        for member, content in members(path):
            if name == "csv-spectrum" and member.startswith("json/"):
                rows = json.loads(content)
                rows = rows if isinstance(rows, list) else [rows]
                expected[os.path.basename(member)[:-5]] = [list(rows[0])] + [list(r.values()) for r in rows]
            elif name == "papaparse" and member == "tests/test-cases.js":
                out += papaparse(content, cache)
            elif name == "clevercsv" and member == "tests/test_unit/test_detect.py":
                out += clevercsv(content, says)
        for member, content in members(path):
            stem = os.path.splitext(os.path.basename(member))[0]
            key = f"{name}/{member}"
            if name == "csv-spectrum" and member.startswith("csvs/"):
                if stem != "location_coordinates":  # its JSON is of another file
                    out.append(Case(key, content, expected[stem]))
                continue
            how = how_to_read(key, says)
            if how is not None and content not in seen:
                seen.add(content)
                out.append(read_as(key, content, how))
    return out


def how_to_read(key, says):
    """Returns what files.tsv says of a file; None if it is left out or none."""
    for pattern, how in reversed(says):
        if fnmatch.fnmatchcase(key, pattern):
            return None if how.startswith("-") else how
    return "" if key.lower().endswith(".csv") else None


def read_list():
    """Reads files.tsv: patterns of files, and how these are to be read in the words of read_as."""
    says = []
    with open(os.path.join(HERE, "files.tsv")) as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            key, how = line.rstrip("\n").split("\t")
            says.append((key, how))
    return says


def read_as(key, content, how):
    """Returns the case of a file that is to be read the way that a person has written down. The words of how,
    with blanks between them: d=X the delimiter (\\t a tab), dd=XY one of two characters, q=X the quote (empty:
    none), e=X the escape, both: quotes are doubled as well, enc=X the encoding, s: blanks after a delimiter are
    not content, skip=N lines above the headings, c=X what a comment begins with."""
    o = dict((w.split("=", 1) + [""])[:2] for w in how.split(" ") if w)
    text = content.decode(o.get("enc", "utf-8-sig")).removeprefix("\ufeff")
    if "dd" in o:
        text = text.replace(o["dd"], "\x1f")
        o["d"] = "\x1f"
    all_lines = split(text, o)
    if "skip" in o:
        text = re.sub(r"\A(?:[^\r\n]*(?:\r\n|\n|\r)){%s}" % o["skip"], "", text)
    if "c" in o:
        text = re.sub(r"(?m)^%s.*(\n|\Z)" % re.escape(o["c"]), "", text)
    return Case(key, content, split(text, o), all_lines)


def split(text, o):
    options = {"delimiter": o.get("d", ",").replace("\\t", "\t"), "skipinitialspace": "s" in o}
    if "e" in o:
        options.update(escapechar=o["e"], doublequote="both" in o)
    if quote := o.get("q", '"'):
        options.update(quotechar=quote)
    else:
        options.update(quoting=csv.QUOTE_NONE)
    return list(csv.reader(io.StringIO(text, newline=""), **options))


def papaparse(content, cache):
    """Returns the cases of Papa Parse's tests of which the rows follow from the text alone."""
    path = os.path.join(cache, "test-cases.js")
    with open(path, "wb") as f:
        f.write(content)
    lines = subprocess.run(["node", os.path.join(HERE, "papaparse.js"), path], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    left_out = [line.strip() for line in open(os.path.join(HERE, "papaparse-left-out.txt"))]
    out, seen = [], set()
    for c in map(json.loads, lines):
        if c["faults"] or not FOUND_OUT.issuperset(c["config"]) or c["input"] in seen or not c["input"]:
            continue
        if c["description"] not in left_out:
            out.append(Case("papaparse/" + c["description"], c["input"].encode(), c["rows"]))
            seen.add(c["input"])
    return out


def clevercsv(content, says):
    """Returns the samples of CleverCSV's own tests."""
    out = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            key = "clevercsv/" + node.targets[0].id
            how = how_to_read(key, says)
            if how is not None:
                out.append(read_as(key, node.value.value.encode(), how))
    return out
