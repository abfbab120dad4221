"""A server's copy while it runs, and a server put back from one.

Followers are copied first and readings last, so that no follower in a copy has read further
than the copy's journals go. Gateways are not copied: a gateway's key never leaves it, and two
gateways with one outbox are a fault. What they still hold, they send again to the restored
server, which is a new store and says so with the server's signature.
"""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coldtrail import mosquitto
from coldtrail.settings import FILE, Installation, load
from disk.room import free_bytes
from disk.whole import PRIVATE, write_whole
from ingest.keys import read_restored
from store.copies import (
    copy_readings,
    copy_records_like,
    new_store_id,
    nobody_writes,
    rename_readings,
    rename_records,
    store_of_readings,
    store_of_records,
)
from store.errors import AlreadyOpen, Damaged
from wire.restore_v1 import make

MANIFEST = "backup.json"
READINGS, RECORDS = "readings.db", "records.db"
FOLLOWERS = ("notices.db", "facts.db", "trace.db", "buyers.db")
COPIED_AS_THEY_ARE = ("restored.json", "mosquitto", "keys")
SPARE_BYTES = 64 << 20

Say = Callable[[str, int, int], None]  # file, done, in all


class Impossible(Exception):
    """Nothing was changed; the text says why."""


class Manifest(msgspec.Struct, frozen=True, rename={"made_at_ms": "made_at"}):
    """``files``: path below the backup to the SHA-256 of its bytes."""

    made_at_ms: int
    readings: tuple[str, int]  # store id, last arrival
    records: tuple[str, int]  # store id, last change
    files: dict[str, str]
    v: int = 1


@dataclass(frozen=True, slots=True)
class PutBack:
    """``aside``: where the server's earlier files are, when there were any."""

    manifest: Manifest
    aside: Path | None


def back_up(installation: Installation, out: Path, now_ms: int, say: Say) -> Manifest:
    """Into the new folder ``out``, whole or not at all. ``Impossible`` names what is in the way;
    ``OSError`` where the disk gives out after all, or may not be written to."""
    if out.exists():
        raise Impossible(f"{out} exists already: a backup is a folder of its own")
    server = installation.server
    if out.resolve().is_relative_to(server):
        raise Impossible(f"{out} is inside {server}, which it is a copy of: choose another place")
    for needed in (READINGS, RECORDS):
        if not (server / needed).exists():
            raise Impossible(f"{server / needed} is not there: nothing has run in this folder yet")
    _room_for(server, out.parent)
    fresh = out.with_name(out.name + ".partial")
    shutil.rmtree(fresh, ignore_errors=True)
    copy = fresh / "server"
    copy.mkdir(parents=True, mode=0o700)
    try:
        for name in (*FOLLOWERS, RECORDS):
            if (server / name).exists():
                copy_records_like(server / name, copy / name)
                say(name, 1, 1)
        readings = copy_readings(
            server / READINGS, copy / READINGS, lambda done, all_: say(READINGS, done, all_)
        )
    except Damaged as error:
        shutil.rmtree(fresh)
        raise Impossible(f"{error}: no backup") from error
    for name in COPIED_AS_THEY_ARE:
        if (server / name).is_dir():
            shutil.copytree(server / name, copy / name)
        elif (server / name).exists():
            shutil.copy2(server / name, copy / name)
    shutil.copy2(installation.folder / FILE, fresh / FILE)
    paths = sorted(path for path in fresh.rglob("*") if path.is_file())
    for path in paths:
        path.chmod(0o600)
        _to_disk(path)
    manifest = Manifest(
        now_ms,
        readings,
        store_of_records(copy / RECORDS),
        {str(path.relative_to(fresh)): _digest(path) for path in paths},
    )
    (fresh / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    (fresh / MANIFEST).chmod(0o600)
    _to_disk(fresh / MANIFEST)
    fresh.rename(out)
    return manifest


def put_back(backup: Path, folder: Path, now_ms: int, *, replace: bool) -> PutBack:
    """The server of ``folder`` as the backup has it, under new store ids. Every file of the backup
    is checked before anything is touched. ``replace``: move an existing server aside."""
    manifest = _checked(backup)
    if (folder / "server").exists() and not replace:
        raise Impossible(
            f"{folder / 'server'} exists: --replace moves it aside and puts the backup in its place"
        )
    with _at_rest(folder / "server"):
        return _put_in_place(backup, manifest, folder, now_ms)


def _put_in_place(backup: Path, manifest: Manifest, folder: Path, now_ms: int) -> PutBack:
    folder.mkdir(parents=True, exist_ok=True)
    _room_for(backup, folder)
    fresh = folder / "server.restoring"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(backup / "server", fresh)
    fresh.chmod(0o700)
    if not (folder / FILE).exists():
        shutil.copy2(backup / FILE, folder / FILE)
    _renamed(fresh, manifest.readings[0], manifest.records[0], now_ms)
    for path in fresh.rglob("*"):
        if path.is_file():
            _to_disk(path)
    aside = None
    if (folder / "server").exists():
        stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%S")
        aside = folder / f"server.before-{stamp}"
        (folder / "server").rename(aside)
    fresh.rename(folder / "server")
    mosquitto.write_files(load(folder))
    return PutBack(manifest, aside)


def renew(folder: Path, now_ms: int) -> None:
    """The server's stores as they stand under new ids, as after ``put_back``: for files that were set
    back by other means. ``Impossible`` names what is missing, and what still runs: followers look
    at the ids when they start."""
    server = folder / "server"
    for needed in (READINGS, RECORDS):
        if not (server / needed).exists():
            raise Impossible(f"{server / needed} is not there: nothing has run in this folder yet")
    with _at_rest(server):
        try:
            ids = store_of_readings(server / READINGS), store_of_records(server / RECORDS)[0]
        except (apsw.Error, sqlite3.Error) as error:
            raise Impossible(f"the stores in {server} cannot be read: {error}") from error
        _renamed(server, *ids, now_ms)


@contextmanager
def _at_rest(server: Path) -> Iterator[None]:
    """No role writes any of its files meanwhile."""
    with ExitStack() as held:
        for name in (READINGS, RECORDS, *FOLLOWERS):
            if (server / name).exists():
                try:
                    held.enter_context(nobody_writes(server / name))
                except AlreadyOpen as error:
                    raise Impossible(f"{error}: stop every role of this server first") from error
        yield


def _renamed(server: Path, readings: str, records: str, now_ms: int) -> None:
    """New ids, and the signed record that leads to them. The record first: one that leads to a
    store which was never made does no harm, a store to which none leads is believed by nobody.
    The readings last: ended before, the store still says that it was set back, and it is done again."""
    signing = server / "keys" / "signing.key"
    if not signing.exists():
        raise Impossible(f"{signing} is not there: without it no gateway would believe the new ids")
    key = serialization.load_pem_private_key(signing.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise Impossible("signing.key is no Ed25519 key")
    fresh = new_store_id(), new_store_id()
    record = make((readings, fresh[0]), (records, fresh[1]), now_ms, key.sign)
    path = server / "restored.json"
    told = [*read_restored(str(path)), record]
    write_whole(path, msgspec.json.format(msgspec.json.encode(told), indent=2), mode=PRIVATE)
    _to_disk(server)
    rename_records(server / RECORDS, fresh[1])
    rename_readings(server / READINGS, fresh[0])


def _checked(backup: Path) -> Manifest:
    path = backup / MANIFEST
    if not path.exists():
        raise Impossible(f"{path} is not there: {backup} is no finished backup")
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.MsgspecError as error:
        raise Impossible(f"{path}: {error}") from error
    for name, digest in manifest.files.items():
        file = backup / name
        if not file.resolve().is_relative_to(backup.resolve()) or not file.is_file():
            raise Impossible(f"{file} is missing from the backup")
        if _digest(file) != digest:
            raise Impossible(f"{file} is not as it was backed up")
    return manifest


def _room_for(source: Path, target: Path) -> None:
    target = next(path for path in (target.absolute(), *target.absolute().parents) if path.exists())
    needed = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    free = free_bytes(target)
    if free < needed + SPARE_BYTES:
        raise Impossible(f"{needed >> 20} MiB are needed at {target}, {free >> 20} MiB are free")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """A file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
