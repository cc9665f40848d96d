"""The key log's file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from loopback import client_settings, server_settings, stream_pair

from tlscope import ConfigError, key_log_file


def test_a_handshake_s_secrets_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.log"
    umask = os.umask(0)
    try:
        log = key_log_file(file)
    finally:
        os.umask(umask)
    assert log is not None
    with stream_pair(client_settings(key_log=log)):
        pass
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    labels = {line.split()[0] for line in file.read_text().splitlines()}
    roles = {
        f"{role}_{what}" for role in ("CLIENT", "SERVER") for what in ("HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0")
    }
    assert roles | {"EXPORTER_SECRET"} <= labels


def test_both_sides_log_the_same_and_lines_are_appended(tmp_path: Path) -> None:
    (tmp_path / "client").write_text("# before\n")
    logs = key_log_file(tmp_path / "client"), key_log_file(tmp_path / "server")
    with stream_pair(client_settings(key_log=logs[0]), server_settings(key_log=logs[1])):
        pass
    client, server = (set((tmp_path / name).read_text().splitlines()) for name in ("client", "server"))
    assert client - server == {"# before"}
    assert server <= client


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    assert key_log_file() is None
    monkeypatch.setenv("SSLKEYLOGFILE", "")
    assert key_log_file() is None
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    log = key_log_file()
    assert log is not None
    log("LABEL 00 11")
    assert (tmp_path / "keys.log").read_text() == "LABEL 00 11\n"


def test_a_log_that_was_moved_away_begins_again(tmp_path: Path) -> None:
    log = key_log_file(tmp_path / "keys.log")
    assert log is not None
    log("one")
    (tmp_path / "keys.log").rename(tmp_path / "old")
    log("two")
    assert (tmp_path / "old").read_text() == "one\n"
    assert (tmp_path / "keys.log").read_text() == "two\n"


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    log = key_log_file(tmp_path / "keys.log")
    assert log is not None
    line = "x" * 500

    def write() -> None:
        for _ in range(50):
            log(line)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "keys.log").read_text().splitlines() == [line] * 400


def test_a_place_that_can_t_be_written_is_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the key log can't be written: No such file or directory") as caught:
        key_log_file(tmp_path / "missing" / "keys.log")
    assert caught.value.path == str(tmp_path / "missing" / "keys.log")
