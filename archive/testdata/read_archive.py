#!/usr/bin/env python3
"""Reads and checks an archive by archive/FORMAT.md alone: Python's standard library and the zstd command.

    read_archive.py verify EXPORT [ROOT]      checks everything; with ROOT, its ledger too
    read_archive.py tables EXPORT             the tables: name, rows, files
    read_archive.py documents EXPORT          the documents, one a line: id, part, owner, size, name
    read_archive.py extract EXPORT DOC_ID     writes a document to standard output

EXPORT is a directory ROOT/exports/ID, or a copy of one. Exit code 0; 1 if something is wrong, with one line a fault on
standard error; 2 for wrong usage.

It shares nothing with the program that wrote the archive, and is one file so that it can be taken to a machine that has
nothing else. In brackets: the section of FORMAT.md. What is in Parquet files is not read, only their digests: the tables
as received are beside them.
"""
import binascii
import csv
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib

CHUNK = 1 << 20
LINE = re.compile(rb"([0-9a-f]{64})  ([A-Za-z0-9._/-]{1,120})\n")
BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
WRITTEN_LAST = {
    "custody/files.csv", "bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt",
}
COLUMNS = (
    "doc_id part pack offset stored_size size method crc32 sha256 media_type owner_type owner_id attachment_id "
    "original_name original_name_raw received_in received_modified state text_state matched_by"
).split()
STATES = {"ok", "damaged-in-source", "locked", "empty", "error-page"}
PACK_BYTES, PACK_ROWS, OWN_FILE = 268_435_456, 60_000, 4_227_858_432
S3_PART = 5_368_709_120

csv.field_size_limit(1 << 30)


class Faults(list):
    def add(self, what, *about):
        self.append(what % about if about else what)


def read(bag, name):
    with open(os.path.join(bag, name), "rb") as f:
        return f.read()


def digest(path):
    """SHA-256 and length of a file."""
    h, n = hashlib.sha256(), 0
    with open(path, "rb") as f:
        while b := f.read(CHUNK):
            h.update(b)
            n += len(b)
    return h.hexdigest(), n


def unzstd(path, use):
    """Passes what a zstd file holds to use, a piece at a time. False if it is damaged."""
    with subprocess.Popen(["zstd", "-dcq", "--", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        while b := p.stdout.read(CHUNK):
            use(b)
    return p.returncode == 0


def content(bag, name):
    out = io.BytesIO()
    if not unzstd(os.path.join(bag, name), out.write):
        raise ValueError(f"{name} does not decompress")
    return out.getvalue()


def rows_of(text):
    """The rows of a CSV, and their bytes as they stand there [7]."""
    body = text.decode("utf-8")
    reader = csv.DictReader(io.StringIO(body, newline=""))
    return reader.fieldnames, list(reader)


def rfc4180(values):
    """A line as section 7 says that it is written."""
    def quoted(v):
        if re.search('[,"\r\n]', v) or v.startswith(" "):
            return '"' + v.replace('"', '""') + '"'
        return v
    return (",".join(quoted(v) for v in values) + "\n").encode()


def manifest(bag, name, faults):
    """The digests by name that a manifest lists [3]."""
    text, found, at = read(bag, name), {}, 0
    for m in LINE.finditer(text):
        if m.start() != at:
            break
        at = m.end()
        path = m.group(2).decode()
        if path in found:
            faults.add("%s lists %s twice", name, path)
        if found and path.encode() < list(found)[-1].encode():
            faults.add("%s is not sorted at %s", name, path)
        if any(e in ("", ".", "..") or e.startswith(".") or e.endswith(".") for e in path.split("/")):
            faults.add("%s lists %s, which is no name of an archive", name, path)
        found[path] = m.group(1).decode()
    if at != len(text):
        faults.add("%s is damaged at byte %d", name, at)
    return found


def labels(bag):
    """bag-info.txt [3]."""
    return dict(line.split(": ", 1) for line in read(bag, "bag-info.txt").decode().splitlines())


def verify_bag(bag, faults):
    """Steps 1, 3 and 5 of section 10. Returns the rows of custody/files.csv by path."""
    if not os.path.exists(os.path.join(bag, "bagit.txt")):
        faults.add("there is no bagit.txt: this is no complete export")
        return {}
    if read(bag, "bagit.txt") != BAGIT:
        faults.add("bagit.txt is not that of a BagIt 1.0 bag in UTF-8")
    payload = manifest(bag, "manifest-sha256.txt", faults)
    tags = manifest(bag, "tagmanifest-sha256.txt", faults)
    there, sizes, folded = set(), {}, {}
    for folder, _, names in os.walk(bag):
        for n in names:
            path = os.path.relpath(os.path.join(folder, n), bag).replace(os.sep, "/")
            there.add(path)
            if folded.setdefault(path.lower(), path) != path:
                faults.add("%s and %s are one name where case does not count", path, folded[path.lower()])
    for name, listed in (("manifest-sha256.txt", payload), ("tagmanifest-sha256.txt", tags)):
        for path, want in listed.items():
            if path.startswith("data/") != (listed is payload):
                faults.add("%s lists %s, which belongs into the other manifest", name, path)
            if path not in there:
                faults.add("%s is missing", path)
                continue
            got, sizes[path] = digest(os.path.join(bag, path))
            if got != want:
                faults.add("%s has other content than %s says", path, name)
    for path in sorted(there - set(payload) - set(tags) - {"tagmanifest-sha256.txt"}):
        faults.add("%s belongs to no archive: no manifest lists it", path)
    info = labels(bag)
    bytes_here = sum(n for p, n in sizes.items() if p.startswith("data/"))
    if info.get("Payload-Oxum") != f"{bytes_here}.{len(payload)}":
        faults.add("bag-info.txt: Payload-Oxum is %s, but there are %d bytes in %d files",
                   info.get("Payload-Oxum"), bytes_here, len(payload))
    if info.get("Holdall-Format") != "1.0":
        faults.add("bag-info.txt: the format is %s, not 1.0", info.get("Holdall-Format"))
    return verify_files(bag, {**payload, **tags}, sizes, faults)


def verify_files(bag, listed, sizes, faults):
    """custody/files.csv and the content of what is compressed [4]."""
    _, rows = rows_of(read(bag, "custody/files.csv"))
    files = {r["path"]: r for r in rows}
    if [r["path"] for r in rows] != sorted(files):
        faults.add("custody/files.csv is not sorted, or names a file twice")
    for path in sorted(set(listed) - WRITTEN_LAST - set(files)):
        faults.add("custody/files.csv does not name %s", path)
    for path, r in files.items():
        if listed.get(path) != r["sha256"] or sizes.get(path) != int(r["bytes"]):
            faults.add("custody/files.csv and the manifest or the file differ: %s", path)
        kept = path.startswith(("data/received/containers/", "data/received/other/"))
        if (r["content_sha256"] != "") != path.endswith(".zst") and not (kept and not r["content_sha256"]):
            faults.add("custody/files.csv: %s has a digest of its content, or none, against its name", path)
        if r["content_sha256"]:
            h, n = hashlib.sha256(), [0]

            def use(b):
                h.update(b)
                n[0] += len(b)
            whole = unzstd(os.path.join(bag, path), use)
            if not whole or h.hexdigest() != r["content_sha256"] or n[0] != int(r["content_bytes"]):
                faults.add("%s does not decompress to what custody/files.csv says", path)
    verify_parts(bag, files, faults)
    return files


def verify_parts(bag, files, faults):
    """custody/parts.csv [4]."""
    large = {p: int(r["bytes"]) for p, r in files.items() if int(r["bytes"]) > S3_PART}
    if not large and "custody/parts.csv" not in files:
        return
    _, rows = rows_of(read(bag, "custody/parts.csv"))
    for path, size in large.items():
        at = 0
        with open(os.path.join(bag, path), "rb") as f:
            for i, r in enumerate(r for r in rows if r["path"] == path):
                h, left = hashlib.sha256(), int(r["bytes"])
                while left and (b := f.read(min(CHUNK, left))):
                    h.update(b)
                    left -= len(b)
                at += int(r["bytes"])
                if int(r["part"]) != i + 1 or left or h.hexdigest() != r["sha256"]:
                    faults.add("custody/parts.csv: part %s of %s is not what it says", r["part"], path)
        if at != size:
            faults.add("custody/parts.csv: the parts of %s have %d bytes, the file %d", path, at, size)


def documents(bag):
    """The rows of the index [7]."""
    names, rows = rows_of(content(bag, "data/documents/index.csv.zst"))
    if names != COLUMNS:
        raise ValueError(f"the index has the columns {names}")
    return rows


def document(bag, row):
    """The bytes of a document, in pieces; at the end they have been checked against its row [7]."""
    if row["method"] not in ("stored", "deflated"):
        raise ValueError(f"{row['doc_id']}: the method {row['method']} is none")
    z = zlib.decompressobj(-15) if row["method"] == "deflated" else None
    left, size, crc, h = int(row["stored_size"]), 0, 0, hashlib.sha256()
    with open(os.path.join(bag, row["pack"]), "rb") as f:
        f.seek(int(row["offset"]))
        while left and (b := f.read(min(CHUNK, left))):
            left -= len(b)
            b = z.decompress(b) if z else b
            size, crc = size + len(b), binascii.crc32(b, crc)
            h.update(b)
            yield b
    if left or z and (not z.eof or z.unused_data) or size != int(row["size"]) or "%08x" % crc != row["crc32"]:
        raise ValueError(f"{row['doc_id']} ({row['original_name']}): length or CRC-32 differ from its row")
    if h.hexdigest() != row["sha256"]:
        raise ValueError(f"{row['doc_id']} ({row['original_name']}): its SHA-256 differs from its row")


def verify_documents(bag, files, faults):
    """Step 4 of section 10: the index, the packs, and every document."""
    try:
        rows = documents(bag)
    except ValueError as e:
        faults.add("%s", e)
        return
    if labels(bag).get("Holdall-Documents") != str(len(rows)):
        faults.add("bag-info.txt counts %s documents, the index has %d rows", labels(bag).get("Holdall-Documents"),
                   len(rows))
    ids, place = set(), {}
    for r in rows:
        if r["doc_id"] in ids or not re.fullmatch("[a-z0-9][a-z0-9-]{0,79}", r["doc_id"]):
            faults.add("the index has %s twice, or it is no ID", r["doc_id"])
        ids.add(r["doc_id"])
        if r["state"] not in STATES or r["text_state"]:
            faults.add("%s has the state %s, %s", r["doc_id"], r["state"], r["text_state"])
        if place.setdefault(r["sha256"], (r["pack"], r["offset"])) != (r["pack"], r["offset"]):
            faults.add("%s is stored twice", r["doc_id"])
        try:
            for _ in document(bag, r):
                pass
        except (ValueError, OSError, zlib.error) as e:
            faults.add("%s", e)
    packs = sorted(p for p in files if re.fullmatch(r"data/documents/[a-z0-9]+-[0-9]{5,}\.zip", p))
    packs.sort(key=lambda p: (p[len("data/documents/"):].split("-")[0], int(p.split("-")[-1][:-4])))
    again = b",".join(c.encode() for c in COLUMNS) + b"\n"
    head = again
    for p in packs:
        try:
            own = pack(bag, p, rows, faults)
        except (ValueError, struct.error) as e:
            faults.add("%s: %s", p, e)
            continue
        if not own.startswith(head):
            faults.add("%s: _pack.csv does not begin with the columns", p)
        again += own[len(head):]
        n = len(rows_of(own)[1])
        if str(n) != files[p]["rows"] or n > PACK_ROWS:
            faults.add("%s has %d rows, custody/files.csv says %s", p, n, files[p]["rows"])
    if again != content(bag, "data/documents/index.csv.zst"):
        faults.add("the index is not what the packs' own rows say")
    if again != head + b"".join(rfc4180([r[c] for c in COLUMNS]) for r in rows):
        faults.add("the index is not written as it should be")


def pack(bag, name, rows, faults):
    """Reads a pack from its first byte to its last, and compares all of it [6]. Returns its _pack.csv."""
    whole = read(bag, name)
    mine = {}
    for r in rows:
        if r["pack"] == name:
            mine.setdefault(int(r["offset"]), []).append(r)
    at, lines, count, own = 0, [], 0, None
    while whole[at:at + 4] == b"PK\3\4":
        need, flags, method, time, date, crc, stored, size, n, extra = struct.unpack_from("<HHHHHIIIHH", whole, at + 4)
        if (need, flags, time, date, extra) != (20, 0, 0, 0x21, 0) or method not in (0, 8):
            raise ValueError(f"the local header at {at} is not as it should be")
        entry = whole[at + 30:at + 30 + n]
        lines.append(b"PK\1\2" + struct.pack("<H", 20) + whole[at + 4:at + 28] + struct.pack("<HHHHII", 0, 0, 0, 0, 0, at) + entry)
        begin = at + 30 + n
        body = whole[begin:begin + stored]
        if own is not None:
            raise ValueError("there are entries behind _pack.csv")
        if entry == b"_pack.csv":
            own = body
            if method or binascii.crc32(body) != crc or len(body) != size:
                raise ValueError("_pack.csv is damaged")
        else:
            named = False
            for r in mine.pop(begin, []):
                if (int(r["stored_size"]), int(r["size"]), r["crc32"], r["method"]) != (
                        stored, size, "%08x" % crc, "deflated" if method else "stored"):
                    raise ValueError(f"the entry {entry.decode()} and its row {r['doc_id']} differ")
                owner = re.sub("[^A-Za-z0-9]+", "-", r["owner_id"]).strip("-")[:40].strip("-") or "-"
                named |= bool(re.match(re.escape(f"{owner}/{r['doc_id']}") + r"[-.]", entry.decode()))
            if not named:
                raise ValueError(f"the entry {entry.decode()} has no row, or another name than its row makes")
        at, count = begin + stored, count + 1
    directory = b"".join(lines)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), at, 0)
    if whole[at:] != directory + end:
        raise ValueError("its central directory or its end is damaged")
    if mine:
        raise ValueError(f"rows point to what is no entry: {sorted(r['doc_id'] for l in mine.values() for r in l)}")
    if own is None:
        raise ValueError("it has no _pack.csv")
    if len(whole) > PACK_BYTES and count > 2:
        faults.add("%s is longer than a pack may be", name)
    return own


def verify_custody(bag, files, faults):
    """What the records of the takeover say of the files [8]."""
    done = json.loads(read(bag, "custody/completeness.json"))
    rows = {}
    for t in done.get("table_records") or []:
        rows[t["table"]] = t["rows"]
        for f in [t["received"], t["parquet"], *t.get("received_further", [])]:
            r = files.get(f["path"])
            if r is None or (r["sha256"], int(r["bytes"])) != (f["sha256"], f["bytes"]):
                faults.add("completeness.json: %s is not as the record of table %s says", f["path"], t["table"])
            elif f.get("content_sha256", "") != r["content_sha256"]:
                faults.add("completeness.json: the content of %s is not as recorded", f["path"])
    for name, t in (done.get("tables") or {}).items():
        if rows.get(name) != t["rows"]:
            faults.add("completeness.json: table %s has %s rows, its record says %s", name, t["rows"], rows.get(name))
    verify_entries(bag, files, faults)
    verify_figures(bag, done, faults)
    counts = {}
    for line in content(bag, "custody/findings.jsonl.zst").splitlines():
        code = json.loads(line)["code"]
        counts[code] = counts.get(code, 0) + 1
    said = {}
    for f in done.get("findings") or []:
        said[f["code"]] = said.get(f["code"], 0) + f["count"]
    if counts != said:
        faults.add("completeness.json counts other findings than custody/findings.jsonl.zst has")


def lines_of(bag, name):
    """The objects of a file of JSON lines, none where there is no such file."""
    if os.path.exists(os.path.join(bag, name)):
        for line in read(bag, name).split(b"\n")[:-1]:
            yield json.loads(line)


def verify_entries(bag, files, faults):
    """Every entry of a received container is a table, a document, or refused, and kept then [8]."""
    objects, entries, became, refused = {}, {}, set(), {}
    for line in lines_of(bag, "custody/containers.jsonl"):
        if "container" not in line:
            objects[line["number"]] = line
        elif "own_name" not in line:
            entries[line["container"]] = entries.get(line["container"], 0) + 1
            if "doc_id" in line:
                became.add(line["doc_id"])
            elif line.get("refused", "directory") != "directory":
                refused[str(line["container"]), line.get("inside", ""), str(line["index"])] = line["refused"]
    for number, o in objects.items():
        if o.get("entries", 0) != entries.get(number, 0):
            faults.add("containers.jsonl: object %s has %s entries, and lists %d", number, o.get("entries"),
                       entries.get(number, 0))
    if objects and became != {r["doc_id"] for r in documents(bag)}:
        faults.add("containers.jsonl: its entries became other documents than the index has")
    kept = {}
    if "data/documents/refused.csv" in files:
        for r in rows_of(read(bag, "data/documents/refused.csv"))[1]:
            kept[r["container"], r["inside"], r["index"]] = r["reason"]
            if not r["kept_in"]:
                continue
            end = int(r["offset"]) + int(r["stored_size"])
            if r["kept_in"] not in files or int(files[r["kept_in"]]["bytes"]) < end:
                faults.add("refused.csv: %s is not where it says", r["name"])
    if kept != refused:
        faults.add("containers.jsonl and refused.csv differ in what was refused")
    for _ in lines_of(bag, "custody/receipts.jsonl"):
        pass


def verify_figures(bag, done, faults):
    """The sums of completeness.json, and what datapackage.json says of the tables [8]."""
    here, size = {}, 0
    for r in documents(bag):
        here[r["part"]] = here.get(r["part"], 0) + 1
        size += int(r["size"])
    if done["documents"] != {"attachments": here.get("attachments", 0), "cvs": here.get("cvs", 0), "bytes": size}:
        faults.add("completeness.json says that there are other documents: %s", done["documents"])
    for part, p in done["parts"].items():
        if p["received"] != here.get(part, 0) or p["missing"] > p["promised"] or p["extra"] > p["received"]:
            faults.add("completeness.json: what was promised, received, missing and extra of %s cannot be", part)
    for r in json.loads(read(bag, "datapackage.json"))["resources"]:
        got = digest(os.path.join(bag, r["path"]))
        if ("sha256:" + got[0], got[1]) != (r["hash"], r["bytes"]):
            faults.add("datapackage.json: %s is not as it says", r["path"])


def verify_ledger(root, bag, faults):
    """The ledger, and step 2 of section 10 [9]."""
    folder = os.path.join(root, "ledger")
    names = sorted(n for n in os.listdir(folder) if n.endswith(".json"))
    before, taken = None, {}
    for i, n in enumerate(names):
        raw = read(folder, n)
        e = json.loads(raw)
        if not re.fullmatch(r"%08d-[a-z0-9-]+\.json" % (i + 1), n) or n != "%08d-%s.json" % (e["number"], e["kind"]):
            faults.add("ledger/%s is not event %d", n, i + 1)
        if (e.get("previous") or None) != before:
            faults.add("ledger/%s does not follow the event before it, which was changed", n)
        before = hashlib.sha256(raw).hexdigest()
        numbered = os.path.join(folder, "numbers", "%08d.json" % (i + 1))
        if os.path.exists(numbered) and read(folder, f"numbers/{i + 1:08d}.json") != raw:
            faults.add("ledger/numbers has another event %d", i + 1)
        if e["kind"] == "taken":
            taken[e["export"]] = e["facts"]
        if f := e.get("facts", {}).get("records-file"):
            if digest(os.path.join(root, f))[0] != e["facts"]["records-sha256"]:
                faults.add("%s has other content than ledger/%s says", f, n)
    for export in taken:
        if not os.path.exists(os.path.join(root, "exports", export, "bagit.txt")):
            faults.add("exports/%s was taken, and is missing", export)
    facts = taken.get(labels(bag)["External-Identifier"])
    if facts and facts["tagmanifest-sha256"] != digest(os.path.join(bag, "tagmanifest-sha256.txt"))[0]:
        faults.add("tagmanifest-sha256.txt is not the one that the ledger knows")


def verify(bag, root):
    faults = Faults()
    checks = [lambda: files.update(verify_bag(bag, faults)), lambda: verify_documents(bag, files, faults),
              lambda: verify_custody(bag, files, faults)]
    if root:
        checks.append(lambda: verify_ledger(root, bag, faults))
    files = {}
    for check in checks:
        try:
            check()
        except (ValueError, OSError, KeyError, TypeError, IndexError, struct.error) as e:
            faults.add("cannot be read: %s: %s", type(e).__name__, e)
    for f in faults:
        print(f, file=sys.stderr)
    if not faults:
        print(f"valid: {len(files)} files, {len(documents(bag))} documents")
    return 1 if faults else 0


def main(args):
    if len(args) < 2 or args[0] not in ("verify", "tables", "documents", "extract"):
        print(__doc__, file=sys.stderr)
        return 2
    what, bag, rest = args[0], args[1], args[2:]
    if what == "verify":
        return verify(bag, rest[0] if rest else None)
    if what == "tables":
        for t in json.loads(read(bag, "custody/completeness.json"))["table_records"]:
            print(t["table"], t["rows"], t["received"]["path"], t["parquet"]["path"], sep="\t")
        return 0
    for r in documents(bag):
        if what == "documents":
            print(r["doc_id"], r["part"], r["owner_id"] or "-", r["size"], r["original_name"], sep="\t")
        elif rest and r["doc_id"] == rest[0]:
            for b in document(bag, r):
                sys.stdout.buffer.write(b)
            return 0
    if what == "extract":
        print(f"there is no document {rest and rest[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
