#!/usr/bin/env python3
"""Check the evidence of Lifeboat's restore drills, without any of Lifeboat's code.

    verify.py --key signer.pub [--key ...] [--now 2026-01-02T15:04:05Z] FILE...

Needs Python 3.7, openssl 3.0 and the schema, docs/schemas/restore-drill-v1.json; the rules are
those of docs/EVIDENCE.md. Prints one JSON object. Exit code: 0 the files are genuine and their
chain has no gap, 1 bad usage, 2 a file is refused, 3 the chain has gaps.
"""
import argparse, base64, hashlib, json, os, re, subprocess, sys, tempfile
from datetime import datetime, timedelta, timezone

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "schemas", "restore-drill-v1.json")
MAX_FILE, MAX_PAST = 8 << 20, 40
OVERDUE = timedelta(hours=24)
LEVELS = ["L0", "L1", "L2", "L3", "L4", "L5"]
RANKS = ["none"] + LEVELS
PHASES = ["read", "volumes", "objects", "ready", "assertions", "readThrough"]
KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
TYPE = b"application/vnd.in-toto+json"
ENVELOPE = re.compile(
    rb'\{"payload":"([A-Za-z0-9+/]*={0,2})","payloadType":"application/vnd\.in-toto\+json",'
    rb'"signatures":\[\{"keyid":"([0-9a-f]{64})","sig":"([A-Za-z0-9+/]*={0,2})"\}\]\}\n')

class Refused(ValueError):
    """The file proves nothing."""
def want(condition, text):
    if not condition:
        raise Refused(text)
# Keys, envelope, signature.
def read_key(path):
    """The fingerprint of a public key, which has to be Ed25519."""
    done = subprocess.run(["openssl", "pkey", "-pubin", "-in", path, "-outform", "DER"], capture_output=True, check=False)
    if done.returncode or len(done.stdout) != 44 or not done.stdout.startswith(bytes.fromhex("302a300506032b6570032100")):
        sys.exit("verify.py: %s: not an Ed25519 public key in PEM" % path)
    return hashlib.sha256(done.stdout).hexdigest()
def signature_fits(key, message, signature):
    with tempfile.TemporaryDirectory() as d:
        for name, content in (("message", message), ("signature", signature)):
            with open(os.path.join(d, name), "wb") as f:
                f.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", os.path.join(d, "message")]
        return subprocess.run(command + ["-sigfile", os.path.join(d, "signature")], capture_output=True, check=False).returncode == 0
def decode64(text):
    data = base64.b64decode(text, validate=True)
    want(base64.b64encode(data) == text, "base64 is not in its one form")
    return data

def open_envelope(data, keys):
    want(len(data) <= MAX_FILE, "file is too large")
    match = ENVELOPE.fullmatch(data)
    want(match, "not a DSSE envelope in its one form")
    payload, keyid, signature = decode64(match[1]), match[2].decode(), decode64(match[3])
    want(keyid in keys, "signed with another key: " + keyid)
    message = b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE, len(payload), payload)
    want(len(signature) == 64 and signature_fits(keys[keyid], message, signature), "the signature does not fit")
    return payload

# The one form of JSON, and the schema.
def read_payload(payload):
    def once(pairs):
        want(len(dict(pairs)) == len(pairs), "a field stands there twice")
        return dict(pairs)
    def never(text):
        raise Refused("number %s is no integer" % text)
    text = payload.decode("utf-8")
    value = json.loads(text, object_pairs_hook=once, parse_float=never, parse_constant=never)
    again = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    again = again.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    want(again.encode("utf-8") == payload, "JSON is not in its one form")
    return value

def match_schema(value, schema, root, path):
    if "$ref" in schema:
        match_schema(value, root["$defs"][schema["$ref"][len("#/$defs/"):]], root, path)
    if "enum" in schema:
        want(value in schema["enum"], "%s: not one of %s" % (path, schema["enum"]))
    kind = schema.get("type")
    want(not kind or type(value) is KINDS[kind], "%s: is no %s" % (path, kind))
    if kind == "object":
        want(list(value) == [k for k in schema["properties"] if k in value], "%s: unknown field, or other order" % path)
        want(set(schema["required"]) <= set(value), "%s: has not all of %s" % (path, schema["required"]))
        for name, child in value.items():
            match_schema(child, schema["properties"][name], root, path + "." + name)
    elif kind == "array":
        want(len(value) >= schema["minItems"], "%s: is empty" % path)
        for i, child in enumerate(value):
            match_schema(child, schema["items"], root, "%s[%d]" % (path, i))
    elif kind == "integer":
        want(schema["minimum"] <= value <= schema["maximum"], "%s: out of range" % path)
    elif kind == "string":
        want(len(value) >= schema.get("minLength", 0), "%s: is empty" % path)
        if "pattern" in schema:
            want(re.fullmatch(schema["pattern"], value), "%s: has not its form" % path)
            if schema["pattern"].startswith("^[12]"):
                moment(value)

def moment(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
def millis(later, earlier):
    return (moment(later) - moment(earlier)) // timedelta(milliseconds=1)
def unique(values, what):
    want(len(set(values)) == len(values), what + ": something stands there twice")
def ascending(values, what):
    want(all(a < b for a, b in zip(values, values[1:])), what + ": not sorted, or something twice")

# What a statement says must not contradict itself.
def check_statement(s):
    p = s["predicate"]
    source = p["source"]
    names = [x["name"] for x in s.get("subject", [])]
    records = [x["record"] for x in source.get("snapshots", [])]
    want(names == [source["backup"]["manifest"]] + records, "subjects are not manifest and snapshots")
    unique(names, "subject")
    check_claim(p)
    check_measured(p)
    check_objects(p)
    for a in p.get("assertions", []):
        compared = a["outcome"] != "notChecked" and a["operator"] == "equals"
        want(not compared or (a["outcome"] == "held") == (a.get("recorded") == a.get("found")), a["name"] + ": outcome and values differ")
    unique([a["name"] for a in p.get("assertions", [])], "assertions")
    check_teardown(p["teardown"])
    check_control(p)
    check_chain_fields(p)
    want(p["objective"]["level"] != "none" and p.get("notShown"), "objective none, or nothing in notShown")
    unique([c["id"] for c in p.get("checklist", [])], "checklist")

def objects_lost(p):
    return any(not g["planned"] for k in p["objects"].get("kinds", []) for g in k.get("notRestored", []))
def assertions_hold(p):
    return all(a["outcome"] == "held" for a in p.get("assertions", []))

def check_claim(p):
    claim, objective, measured = p["claim"], p["objective"], p["measured"]
    want([x["level"] for x in claim.get("levels", [])] == LEVELS, "levels are not L0 to L5")
    reached = 0
    for i, x in enumerate(claim["levels"]):
        want(x["good"] == x["checked"] or x["good"] < x["checked"] and x["outcome"] != "proven", x["level"] + ": good and checked")
        reached += x["outcome"] == "proven" and reached == i
    want(claim["level"] == RANKS[reached], "level is not what is proven without a gap")
    want(reached < 3 or not objects_lost(p), "L2 with lost objects")
    want(reached < 6 or p.get("assertions") and assertions_hold(p), "L5 without assertions that hold")
    rto, rpo, control = measured.get("rto"), measured["rpo"], p["negativeControl"]["outcome"]
    wall = p.get("isolation", {"tried": 0, "reached": 0})
    want(wall["reached"] <= wall["tried"] and ("outside" in wall) == (wall["tried"] > 0), "isolation: outside, tried, reached")
    follows = {code for code, found in (
        ("LEVEL_MISSED", reached < RANKS.index(objective["level"])),
        ("RTO_EXCEEDED", "rtoMs" in objective and (rto is None or rto["provenMs"] > objective["rtoMs"])),
        ("RPO_EXCEEDED", "rpoMs" in objective and max(rpo["ageMs"], rpo["worstGapMs"]) > objective["rpoMs"]),
        ("ASSERTION_FAILED", not assertions_hold(p)),
        ("OBJECTS_LOST", objects_lost(p)),
        ("ISOLATION_BROKEN", wall["reached"] > 0 and not wall["accepted"]),
        ("TEARDOWN_INCOMPLETE", p["teardown"]["outcome"] == "incomplete"),
        ("CONTROL_UNDETECTED", control == "undetected" or control == "notTried" and p["drill"]["kind"] == "drill"),
    ) if found}
    codes = [f["code"] for f in claim.get("failures", [])]
    unique(codes, "failures")
    want(set(codes) - {"ABORTED"} == follows, "failures are not those that follow: %s" % sorted(follows))
    want((claim["verdict"] == "passed") == (not codes), "verdict does not follow from the failures")

def check_measured(p):
    drill, measured = p["drill"], p["measured"]
    want(drill["asked"] <= drill["finished"], "finished before it was asked for")
    follows, last = {}, -1
    for phase in measured.get("phases", []):
        position = PHASES.index(phase["name"])
        want(position > last, "phases are not in their order")
        want(drill["asked"] <= phase["started"] <= phase["finished"] <= drill["finished"], "a phase is outside of the drill")
        took, last = millis(phase["finished"], drill["asked"]), position
        if phase["name"] in ("ready", "readThrough"):
            follows[phase["name"] + "Ms"] = took
        if phase["name"] != "readThrough":
            follows["provenMs"] = max(took, follows.get("provenMs", 0))
    rto = measured.get("rto", {})
    want(("rto" in measured) == ("phases" in measured), "rto without phases, or phases without")
    names = ("provenMs", "readyMs", "readThroughMs")
    want(all(rto.get(n, 0) == follows.get(n, 0) for n in names), "rto does not follow from the phases")
    rpo = measured["rpo"]
    want(rpo["newest"] <= drill["asked"] and rpo["ageMs"] == millis(drill["asked"], rpo["newest"]), "rpo.ageMs does not follow")

def check_objects(p):
    o = p["objects"]
    kinds, rules = o.get("kinds", []), [r["id"] for r in o.get("rules", [])]
    ascending([k["resource"] for k in kinds], "kinds")
    ascending(rules, "rules")
    sums, used = [0, 0, 0, 0], set()
    for k in kinds:
        changed, lost = k.get("changed", []), k.get("notRestored", [])
        for g in changed + lost:
            want(g["count"] >= max(1, len(g.get("objects", []))), "%s: count of a group" % k["resource"])
        for g in changed:
            want(g.get("rules") and set(g["rules"]) <= set(rules), "%s: rules" % k["resource"])
            ascending(g["rules"], "rules of a group")
            used.update(g["rules"])
        row = [k["total"], k["equal"], sum(g["count"] for g in changed), sum(g["count"] for g in lost)]
        want(row[0] >= 1 and row[0] == sum(row[1:]), "%s: counts do not add up" % k["resource"])
        sums = [a + b for a, b in zip(sums, row)]
    want(used == set(rules), "a rule changed no object")
    want(sums == [o["total"], o["equal"], o["changed"], o["notRestored"]], "counts of kinds do not add up to the totals")
    want(o["total"] == p["source"]["backup"]["objects"], "total is not the manifest's")
    pairs = {(k["resource"], r) for k in kinds for g in k.get("changed", []) for r in g["rules"]}
    for n in p.get("neutralised", []):
        want((n["resource"], n["rule"]) in pairs, "neutralised: no such object was counted as changed")
def check_teardown(t):
    scan = t.get("leakScan", [])
    left = bool(t.get("left")) or any(x["found"] for x in scan)
    want(("started" in t) == ("finished" in t) and t.get("started", "") <= t.get("finished", ""), "teardown: times")
    want(all(x["found"] <= x["made"] for x in scan), "leak scan: more found than made")
    want(("keptUntil" in t) == (t["outcome"] == "kept"), "keptUntil")
    want(t["outcome"] != "kept" or not ("started" in t or left or scan), "teardown of a copy that is kept")
    want(t["outcome"] != "complete" or scan and "started" in t and not left, "teardown is not complete")
    want(t["outcome"] != "incomplete" or left or not scan, "teardown is not incomplete")
def check_control(p):
    c = p["negativeControl"]
    faults, known = c.get("faults", []), set(LEVELS) | {a["name"] for a in p.get("assertions", [])}
    want(all(f["check"] in known for f in faults), "a fault's check does not exist")
    outcome = "notTried" if not faults else "detected" if all(f["detected"] for f in faults) else "undetected"
    want(c["outcome"] == outcome, "negative control: outcome does not follow")

def check_chain_fields(p):
    c, past, n = p["chain"], p.get("past", []), p["chain"]["sequence"]
    want(n >= 1 and ("previous" in c) == (n > 1), "chain: previous")
    want(("slot" in c) == ("schedule" in c), "chain: slot")
    want("schedule" in c or not ("nextSlot" in c or "missed" in c), "chain: schedule")
    want("nextSlot" not in c or c["nextSlot"] > c["slot"], "chain: nextSlot")
    ascending([m["slot"] for m in c.get("missed", [])] + [c.get("slot", "")], "missed")
    want(len(past) <= min(MAX_PAST, n - 1) and (past or n == 1), "past: length")
    want([x["sequence"] for x in past] == list(range(n - len(past), n)), "past: has a gap")
    want(not past or past[-1]["evidence"] == c["previous"], "past: not chain.previous")

# What is missing between files.
def check_chains(files, now):
    """files is (chain fields, digest, predicate) of each; the gaps, as docs/EVIDENCE.md names them."""
    gaps = []
    files = sorted({f[1]: f for f in files}.values(), key=lambda f: (f[0]["name"], f[0]["sequence"], f[1]))
    for name in sorted({f[0]["name"] for f in files}):
        chain = [f for f in files if f[0]["name"] == name]
        def add(kind, sequence, **more):
            gaps.append(dict(chain=name, kind=kind, sequence=sequence, **more))
        for i, (c, digest, p) in enumerate(chain):
            n, before = c["sequence"], chain[i - 1][0]["sequence"] if i else c["sequence"] - 1
            if n == before:
                add("fork", n)
            if n > before + 1:
                add("file", before + 1, last=n - 1)
            past = [x for later in chain[i + 1:] for x in later[2].get("past", [])]
            if any(x["sequence"] == n and x["evidence"] != digest for x in past):
                add("replaced", n)
            if p["claim"]["verdict"] == "failed":
                add("failed", n)
        last = {}
        for i, (c, digest, p) in enumerate(chain):
            step = c["sequence"] - chain[i - 1][0]["sequence"] if i else 1
            last = last if step <= 1 else {}
            if "schedule" not in c or step == 0:
                continue
            missed = [("missed", m["slot"]) for m in c.get("missed", [])]
            due = last[c["schedule"]][0].get("nextSlot") if c["schedule"] in last else None
            untold = due and due < c["slot"] and ("missed", due) not in missed
            for kind, slot in missed + [("slot", due)] * bool(untold):
                add(kind, c["sequence"], schedule=c["schedule"], slot=slot)
            last[c["schedule"]] = (c, digest)
        for c, digest, _ in chain:
            if last.get(c.get("schedule"), (0, 0))[1] == digest and "nextSlot" in c and moment(c["nextSlot"]) + OVERDUE < now:
                add("overdue", c["sequence"] + 1, schedule=c["schedule"], slot=c["nextSlot"])
    return gaps

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda message: sys.exit("verify.py: " + message)
    parser.add_argument("--key", action="append", required=True, help="public key of the signer, PEM")
    parser.add_argument("--schema", default=SCHEMA)
    parser.add_argument("--now", type=lambda text: moment(text[:-1] + ".0Z"), default=datetime.now(timezone.utc), help="decides what is overdue")
    parser.add_argument("files", nargs="+", metavar="FILE")
    args = parser.parse_args()
    keys = {read_key(path): path for path in args.key}
    with open(args.schema, encoding="utf-8") as f:
        schema = json.load(f)
    out, good = [], []
    for path in args.files:
        with open(path, "rb") as f:
            data = f.read(MAX_FILE + 1)
        row = {"file": path, "valid": True, "sha256": hashlib.sha256(data).hexdigest()}
        try:
            statement = read_payload(open_envelope(data, keys))
            match_schema(statement, schema, schema, "payload")
            check_statement(statement)
            good.append((statement["predicate"]["chain"], row["sha256"], statement["predicate"]))
        except (ValueError, RecursionError) as err:
            row.update(valid=False, error=str(err))
        out.append(row)
    gaps = check_chains(good, args.now)
    print(json.dumps({"files": out, "gaps": gaps}, indent=2))
    sys.exit(2 if len(good) < len(out) else 3 if gaps else 0)

if __name__ == "__main__":
    try:
        main()
    except OSError as err:
        sys.exit("verify.py: %s: %s" % (err.filename, err.strerror))
