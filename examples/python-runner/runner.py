#!/usr/bin/env python3
"""A runner for Nightporter, protocol 1, with the providers `echo` and `command`. Others go into PROVIDERS.

Python 3.9, standard library only. A turn is one message and its context. C3 and the like are rules of the protocol.
"""
import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid

FIELDS = "id seq kind timestamp content tries attempt trigger on_wake platform_id channel_type thread_id".split()
COLUMNS = ", ".join(f"ifnull({field}, 0)" if field in ("tries", "attempt") else field for field in FIELDS)
LOOK = f"""SELECT {COLUMNS} FROM messages_in
  WHERE status = 'pending' AND ifnull(julianday(process_after), 0) <= julianday('now')
  ORDER BY coalesce(julianday(process_after), julianday(timestamp)), seq"""
OURS = "message_id = :id AND status = 'processing' AND incarnation = :epoch AND attempt = :attempt"
TABLES = {  # and their columns that may be missing
    "messages_out": [],
    "session_state": [],
    "processing_ack": ["attempt INTEGER", "incarnation INTEGER", "error TEXT", "error_class TEXT", "retry_at TEXT"],
    "container_state": ["incarnation INTEGER", "heartbeat_interval_ms INTEGER", "progress_at TEXT"],
}
CLASSES = ("retryable", "rate_limited", "fatal", "context_overflow", "resume_invalid")
stops = []  # when TERM came
programs = []  # the one that runs now
wake = {}  # what the first look found with on_wake


class Failure(Exception):
    """A turn that failed, in the words of section 7."""

    def __init__(self, error, error_class, retry_at=None):
        super().__init__(error)
        self.error_class, self.retry_at = error_class, retry_at


def echo(message, context):
    """A provider: returns the answer's text, or None for no answer. An exception fails the turn."""
    return text_of(message)


def text_of(message):
    content = content_of(message)
    text = content.get("text") if isinstance(content, dict) else None
    return text if isinstance(text, str) else message["content"]


def content_of(message):
    """Parsed, with the absolute paths of attachments; what is no JSON is a string."""
    content = message["content"]
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        content = json.loads(content)
        for file in content["attachments"]:
            file["path"] = str(inbound.parent / file["path"])
    return content


def command(message, context):
    """Section 10. Files instead of pipes: nobody waits for a child of the program's that keeps them open."""
    messages = [dict(m, content=content_of(m), trigger=bool(m["trigger"])) for m in context + [message]]
    for m in messages:
        del m["on_wake"]
    document = {"protocol": 1, "session": session, "incarnation": epoch, "resume": None, "messages": messages}
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(json.dumps(document).encode())
        stdin.seek(0)
        try:
            code = run_program(stdin, stdout, stderr)
        except (FileNotFoundError, PermissionError) as error:
            raise Failure(f"{argv[0]} cannot be started: {error}", "fatal")
        stdout.seek(0)
        stderr.seek(0)
        text, complaint = (file.read().decode(errors="replace") for file in (stdout, stderr))
    text = text.rstrip("\r\n")
    if code != 0:
        said = what_it_says(complaint)
        error_class = "fatal" if 64 <= code <= 78 and code != 75 else "retryable"
        if said.get("error_class") in CLASSES:
            error_class = said["error_class"]
        error = said.get("error") or complaint[-8000:] or f"{argv[0]} ended with {code}"
        raise Failure(error, error_class, said.get("retry_at"))
    if stops and not text:
        raise Failure("told to stop", "retryable")
    return text or None


def run_program(stdin, stdout, stderr):
    try:
        programs.append(subprocess.Popen(
            argv, cwd=workspace, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True))
        if stops:
            signal_programs(signal.SIGTERM)
        return programs[0].wait()
    finally:  # whatever it has left behind ends with it
        signal_programs(signal.SIGKILL)
        programs.clear()


def signal_programs(number):
    for program in programs:
        with contextlib.suppress(OSError):
            os.killpg(program.pid, number)


def what_it_says(stderr):
    said = {}
    for line in stderr.split("\n"):
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            words = dict(json.loads(line)["nightporter"])
            said.update((name, value) for name, value in words.items() if isinstance(value, str))
    return said


PROVIDERS = {"echo": echo, "command": command}


def on_term(*_):
    if stops:
        signal_programs(signal.SIGKILL)
        os._exit(143)
    stops.append(time.monotonic())
    signal_programs(signal.SIGTERM)
    signal.setitimer(signal.ITIMER_REAL, 0.6 * grace)


def on_alarm(*_):  # the grace is nearly over
    signal_programs(signal.SIGKILL)
    raise KeyboardInterrupt("told to stop")


def beat():
    while True:  # H1, H2
        with contextlib.suppress(OSError):
            (workspace / ".heartbeat").touch()
        time.sleep(0.75 * beat_ms / 1000)


def transaction(work, *args):
    """What `work` returns, or None: a file is busy or cannot be written, try again."""
    try:
        out.executescript("PRAGMA synchronous = EXTRA; BEGIN IMMEDIATE")
        result = work(*args)
        out.execute("COMMIT")
        return result
    except sqlite3.OperationalError:
        out.rollback()
        return None


def prepare():  # S2, S3, H3
    for table, newer in TABLES.items():
        have = [column[1] for column in out.execute(f"PRAGMA table_info({table})")]
        if not have:
            sys.exit(66)
        for column in newer:
            if column.split()[0] not in have:
                out.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    out.execute("INSERT OR REPLACE INTO container_state (id, updated_at, incarnation, heartbeat_interval_ms) "
                "VALUES (1, CURRENT_TIMESTAMP, ?, ?)", (epoch, beat_ms))
    return True


def look():
    """What is pending and due; None: no news, whatever the reason (I2)."""
    try:
        with contextlib.closing(sqlite3.connect(f"{inbound.as_uri()}?mode=ro", uri=True, timeout=0)) as db:
            return [dict(zip(FIELDS, row)) for row in db.execute(LOOK)]
    except sqlite3.DatabaseError:
        return None


def claim():
    found = look()
    if found is None:
        return None
    first = wake.setdefault("first", {m["id"] for m in found if m["on_wake"]})  # C8
    acks = dict(out.execute("SELECT message_id, attempt FROM processing_ack"))
    free = [m for m in found if (m["id"] in first or not m["on_wake"])
            and acks.get(m["id"], "none") not in (None, m["attempt"])]  # C3, C4
    message = next((m for m in free if m["trigger"]), None)
    if stops or not message:
        return None
    turn = [m for m in free if not m["trigger"] and m["seq"] < message["seq"]] + [message]  # C7
    out.executemany("INSERT OR REPLACE INTO processing_ack (message_id, status, status_changed, attempt, incarnation) "
                    "VALUES (:id, 'processing', CURRENT_TIMESTAMP, :attempt, :epoch)", ours(turn))
    return turn


def run(turn):
    text, failure = None, None
    try:
        try:
            signal.signal(signal.SIGALRM, on_alarm)
            text = provider(turn[-1], turn[:-1])
        finally:
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
    except BaseException as error:
        failure = error if isinstance(error, Failure) else Failure(repr(error), "retryable")
    while not transaction(finish, turn, text, failure):  # T7
        if stops and time.monotonic() - stops[0] > 0.8 * grace:
            sys.exit(74)
        time.sleep(0.1)


def finish(turn, text, failure):
    if not all(out.execute(f"SELECT 1 FROM processing_ack WHERE {OURS}", m).fetchone() for m in ours(turn)):
        sys.exit(75)  # T6
    if failure and stops:
        out.executemany(f"DELETE FROM processing_ack WHERE {OURS}", ours(turn))  # X4
        return True
    if text is not None:
        out.execute("INSERT INTO messages_out (id, seq, in_reply_to, timestamp, kind, platform_id, channel_type, "
                    "thread_id, content) VALUES (:uuid, (SELECT max(ifnull(max(seq), 0), :seq) + 1 | 1 "
                    "FROM messages_out), :id, CURRENT_TIMESTAMP, 'chat', :platform_id, :channel_type, :thread_id, "
                    ":reply)", dict(turn[-1], uuid=str(uuid.uuid4()), reply=json.dumps({"text": text})))
    ack = ["completed", None, None, None]
    if failure:
        error = str(failure).encode(errors="replace").decode()  # SQLite takes no half of a surrogate pair
        ack = ["failed", error, failure.error_class, failure.retry_at]
    out.executemany("UPDATE processing_ack SET status = ?, status_changed = CURRENT_TIMESTAMP, error = ?, "
                    "error_class = ?, retry_at = ? WHERE message_id = ?", [ack + [m["id"]] for m in turn])
    return True


def ours(turn):
    return [dict(m, epoch=epoch) for m in turn]


env = {name[12:]: value for name, value in os.environ.items() if name.startswith("NIGHTPORTER_") and value}
try:
    session, provider = env["SESSION"], PROVIDERS[env.get("PROVIDER", "echo")]
    argv = json.loads(env["COMMAND"]) if provider is command else ["none"]
    if env["PROTOCOL"] != "1" or not isinstance(argv, list) or not argv or not all(isinstance(a, str) for a in argv):
        sys.exit(64)
    workspace, inbound = (pathlib.Path(env[name]).absolute() for name in ("WORKSPACE", "INBOUND"))
    epoch, beat_ms = int(env["EPOCH"]), int(env.get("HEARTBEAT_MS", 10000))
    idle, grace = int(env.get("IDLE_MS", 300000)) / 1000, int(env.get("STOP_GRACE_MS", 10000)) / 1000
except (KeyError, ValueError):
    sys.exit(64)
if not (workspace / "outbound.db").is_file():
    sys.exit(66)
out = sqlite3.connect(f"{(workspace / 'outbound.db').as_uri()}?mode=rw", uri=True, timeout=0.25, isolation_level=None)
signal.signal(signal.SIGTERM, on_term)
threading.Thread(target=beat, daemon=True).start()
try:
    while not stops and not transaction(prepare):
        time.sleep(0.1)
except sqlite3.DatabaseError:
    sys.exit(66)
since = time.monotonic()
while not stops and time.monotonic() - since < idle:
    turn = transaction(claim)
    if turn:
        run(turn)
        since = time.monotonic()
    else:
        time.sleep(0.1)
