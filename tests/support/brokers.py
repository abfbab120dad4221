"""Real MQTT brokers on a free port of the loopback, each in a folder of its own."""

import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.support.servers import free_port, require, wait_until


@contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """The broker's URL, while it runs. It keeps nothing."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        "set_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 500\n"
    )
    with running([str(require("mosquitto")), "-c", str(config)], port, folder / "mosquitto.log"):
        yield f"mqtt://127.0.0.1:{port}"


@contextmanager
def nats(folder: Path) -> Iterator[str]:
    """The NATS server's MQTT listener."""
    port = free_port()
    config = folder / "nats.conf"
    config.write_text(
        f'host: "127.0.0.1"\nport: {free_port()}\nserver_name: "t"\nmax_payload: 2MB\n'
        f'jetstream {{ store_dir: "{folder / "nats"}" }}\n'
        f'mqtt {{ host: "127.0.0.1", port: {port}, ack_wait: "5s", max_ack_pending: 2000 }}\n'
    )
    with running([str(require("nats-server")), "-c", str(config)], port, folder / "nats.log"):
        yield f"mqtt://127.0.0.1:{port}"


BROKERS: Mapping[str, Callable[[Path], AbstractContextManager[str]]] = {
    "mosquitto": mosquitto,
    "nats": nats,
}


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers on the port; killed when the block ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(port, process), 20, f"{command[0]} listens on {port}")
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(port: int, process: "subprocess.Popen[bytes]") -> bool:
    if process.poll() is not None:
        raise AssertionError(f"{process.args!r} ended with {process.returncode}")
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True
