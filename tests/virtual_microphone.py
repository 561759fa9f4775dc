"""A microphone without hardware: what is played into a PulseAudio sink is heard by PortAudio.

A private PulseAudio server with a null sink; ALSA's ``pulse`` plugin makes the sink's monitor the
default device. All of it lives in one folder and ends with its block.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

PARTS = "apt-get install libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins"
_SINK = "kws"


@dataclass(frozen=True)
class VirtualMicrophone:
    """A running one: the environment of programs that shall hear it, and how to speak into it."""

    env: dict[str, str]

    def play(self, wav: Path) -> None:
        """Play a file to its end."""
        command = ["paplay", f"--device={_SINK}", "--client-name=kws", str(wav)]
        subprocess.run(command, env=self.env, check=True, timeout=60, capture_output=True)


def missing_parts() -> str:
    """Why there can be no virtual microphone here; nothing where there can."""
    missing = [name for name in ("pulseaudio", "paplay", "pactl") if not shutil.which(name)]
    missing += [] if find_library("portaudio") else ["libportaudio"]
    folders = [Path("/usr/lib64"), *Path("/usr/lib").glob("*-linux-*"), Path("/usr/lib")]
    plugin = "alsa-lib/libasound_module_pcm_pulse.so"
    missing += [] if any((folder / plugin).exists() for folder in folders) else [plugin]
    return f"no {', '.join(missing)} here: {PARTS}" if missing else ""


@contextmanager
def virtual_microphone(folder: Path, sample_rate_hz: int) -> Iterator[VirtualMicrophone]:
    """Start one whose sound has the given rate; sockets and settings go into ``folder``."""
    socket, alsa = folder / "socket", folder / "alsa.conf"
    assert len(str(socket)) < 100, f"{socket}: too long for a socket's name"
    source = f'server "unix:{socket}" device "{_SINK}.monitor"'
    alsa.write_text(
        f"pcm.!default {{ type pulse {source} }}\nctl.!default {{ type pulse {source} }}\n"
    )
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PULSE_")},
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_RUNTIME_PATH": str(folder),
        "PULSE_SERVER": f"unix:{socket}",
        "ALSA_CONFIG_PATH": str(alsa),
    }
    rate = f"rate={sample_rate_hz} channels=1"
    command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
    command += ["-L", f"module-native-protocol-unix auth-anonymous=1 socket={socket}"]
    command += ["-L", f"module-null-sink sink_name={_SINK} {rate}"]
    with open(folder / "pulseaudio.log", "w") as log:
        server_env = {name: value for name, value in env.items() if name != "PULSE_SERVER"}
        server = subprocess.Popen(command, env=server_env, stdout=log, stderr=log)
        try:
            _wait_until_ready(server, env, folder / "pulseaudio.log")
            yield VirtualMicrophone(env)
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_ready(server: subprocess.Popen, env: dict[str, str], log: Path) -> None:
    for _ in range(150):
        query = ["pactl", "list", "short", "sinks"]
        answer = subprocess.run(query, env=env, capture_output=True, text=True, timeout=30)
        if _SINK in answer.stdout:
            return
        assert server.poll() is None, f"pulseaudio ended: {log.read_text()}"
        time.sleep(0.1)
    raise AssertionError(f"pulseaudio does not answer: {log.read_text()}")
