"""A Slurm of one node, this machine: its own munge, controller and daemon in a temporary folder, on ports of its own.

Nothing of the system is touched: /etc/slurm and /etc/munge are neither read nor written, no service is started."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(os.environ["SCOREACT_SOURCE_DIR"])
MARK = "SCOREACT_TEST_SLURM"  # in the environment of all that this Slurm starts
PATIENCE = 420  # seconds; a busy machine is no reason to fail

SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin={task_plugin}
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
KillWait=5
OverTimeLimit=1
ReturnToService=2
SlurmdParameters=config_overrides
MailProg=/bin/true
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 {processors} Gres=gpu:2 State=UNKNOWN
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=FORCE:8 State=UP
"""
# two "GPUs", so that --gpus-per-node can be asked for; nobody opens them
GRES_CONF = """
AutoDetect=off
Name=gpu File=/dev/null
Name=gpu File=/dev/zero
"""


def wait_until(what: str, condition: Callable[[], object], patience: float = PATIENCE) -> None:
    give_up = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < give_up, f"after {patience:.0f} s still not: {what}"
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def binds_cores() -> bool:
    """Whether each task can have a core of its own: all processors are ours, at least two, one a core."""
    siblings = [Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") for cpu in (0, 1)]
    alone = all(path.is_file() and path.read_text().strip() == str(cpu) for cpu, path in enumerate(siblings))
    return alone and len(os.sched_getaffinity(0)) == os.cpu_count()


def processors() -> str:
    """The node's processors: as they are where tasks are bound to them, else at least two that need not be there."""
    if not binds_cores():
        return f"CPUs={max(2, os.cpu_count() or 1)}"
    told = subprocess.run(
        ["slurmd", "-C"], capture_output=True, text=True, check=True, env=os.environ | {"SLURM_CONF": "/dev/null"}
    )
    words = [
        word
        for word in told.stdout.split()
        if word.split("=")[0] in ("CPUs", "Boards", "SocketsPerBoard", "CoresPerSocket", "ThreadsPerCore")
    ]
    return " ".join(words)


class OneNodeSlurm:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: a socket's path has at most 107 characters
        self.folder.chmod(0o755)  # munge's clients must reach its socket
        self.daemons: list[subprocess.Popen[bytes]] = []
        self.environment = os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf"), MARK: str(self.folder)}
        for name in list(self.environment):
            if name.startswith(("SLURM_", "SBATCH_")) and name != "SLURM_CONF":
                del self.environment[name]

    def start(self) -> None:
        controller_port, daemon_port = free_ports(2)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        (self.folder / "slurm.conf").write_text(
            SLURM_CONF.format(
                host=socket.gethostname().split(".")[0],
                controller_port=controller_port,
                daemon_port=daemon_port,
                user=subprocess.check_output(["id", "-un"], text=True).strip(),
                folder=self.folder,
                task_plugin="task/affinity" if binds_cores() else "task/none",
                processors=processors(),
            )
        )
        (self.folder / "gres.conf").write_text(GRES_CONF)
        # without its file slurmd would look for systemd's control groups; no plugin that needs them is chosen above
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid", "seed-file": "munge.seed"}
        self.launch("munged", "--foreground", *(f"--{option}={self.folder / name}" for option, name in files.items()))
        wait_until("munged listens", (self.folder / "munge.socket").exists, 30)
        self.launch("slurmctld", "-D")
        self.launch("slurmd", "-D")
        try:
            wait_until("the node is idle", lambda: self.ask("sinfo", "-h", "-o", "%T").strip() == "idle", 60)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.logs()}") from None

    def logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text()[-3000:]}"
            for path in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        )

    def launch(self, *line: str) -> None:
        """A daemon as a child, so that it can be waited for and leaves nothing behind."""
        with (self.folder / f"{line[0]}.out").open("wb") as log:
            self.daemons.append(
                subprocess.Popen(line, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment)
            )

    def stop(self) -> None:
        """Ends every job and every daemon; nothing is left running."""
        try:
            self.ask("scancel", "--user", str(os.getuid()))
            wait_until("all jobs have ended", lambda: not self.ask("squeue", "-h"), 30)
        except (AssertionError, subprocess.SubprocessError):
            pass  # the controller may be what is broken
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        left = self.own_processes()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not left, f"processes were left behind: {left}"

    def own_processes(self) -> list[int]:
        """Processes whose environment names this Slurm: its daemons and everything that its jobs started."""
        mark = f"{MARK}={self.folder}\0".encode()
        return [pid for pid in processes() if pid != os.getpid() and mark in environment_of(pid)]

    def ask(self, *command: str) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, env=self.environment, cwd=ROOT, timeout=60, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def submit(self, script: str, *arguments: object, options: list[str], **environment: str) -> str:
        """The number of the job that `sbatch options script arguments` makes, from the root of the repository."""
        line = ["sbatch", "--parsable", *options, script, *map(str, arguments)]
        done = subprocess.run(
            line, capture_output=True, text=True, env=self.environment | environment, cwd=ROOT, timeout=60, check=False
        )
        assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout}{done.stderr}"
        return done.stdout.strip().split(";")[0]

    def about(self, job: str) -> dict[str, str]:
        """JobState, Restarts, ExitCode and what else `scontrol show job` says of a job or an element of an array."""
        text = self.ask("scontrol", "--oneliner", "show", "job", job)
        return dict(word.partition("=")[::2] for word in text.splitlines()[0].split())

    def wait_for(self, job: str, state: str = "COMPLETED") -> dict[str, str]:
        """Until the job has ended, which must be in this state."""
        about: dict[str, str] = {}

        def ended() -> bool:
            about.update(self.about(job))
            return about["JobState"] not in ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED")

        try:
            wait_until(f"job {job} has ended", ended)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{about}\n{self.printed(about)}\n{self.logs()}") from None
        assert about["JobState"] == state, f"job {job}: {about}\n{self.printed(about)}"
        return about

    def printed(self, about: dict[str, str]) -> str:
        path = Path(about.get("StdOut", ""))
        return path.read_text() if path.is_file() else ""


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
