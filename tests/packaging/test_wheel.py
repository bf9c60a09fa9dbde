"""The wheel and the sdist, installed in environments of their own, far from the source tree."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conftest import TOP
from inetpy import __version__
from test_command import CONVERSATION
from test_crosscheck import MINE

AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
# The Python of Debian: nobody can execute it.
SYSTEM_PYTHON = "/usr/bin/python3"
OTHER_USER = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None or not Path(SYSTEM_PYTHON).exists(),
    reason="no other user to be",
)
OPEN = (
    'ok = inetpy:start(), {ok, {_, M, _}} = gen_udp:open(0, [{udp_module, inetpy_udp}]), io:format("~p", [M])'
)
OPENED = f"{OPEN}, halt()."
INSTALLED = 'io:format("~p", [inetpy_install:is_installed()]), halt().'


@dataclass(frozen=True)
class Place:
    """An environment with inetpy, and a home folder without anything. `user`: a prefix for commands."""

    environment: Path
    home: Path
    user: tuple[str, ...] = ()

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the home folder, with the programs of the environment on the path."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("LANG", "LC_"))}
        path = f"{self.environment / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        return subprocess.run(
            [*self.user, *command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            cwd=self.home,
            env=kept | {"HOME": str(self.home), "PATH": path} | variables,
        )

    def inetpy(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("inetpy", *arguments, **variables)


def output(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout.strip()


def install(environment: Path, *what: str, python: str = sys.executable) -> Path:
    """A new environment with these packages."""
    subprocess.run([python, "-m", "venv", "--without-pip", environment], check=True, capture_output=True)
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", *what], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return environment


def build(folder: Path, out: Path, *command: str, **variables: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command, str(out)],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | variables,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def top() -> Iterator[Path]:
    """A folder that other users can reach."""
    with tempfile.TemporaryDirectory(prefix="inetpy-wheel-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def sdist(top: Path) -> Path:
    """The sdist, and a wheel that is made of it."""
    tree = top / "tree"
    tree.mkdir()
    for name in ("README.md", "LICENSE", "pyproject.toml", "setup.py", "MANIFEST.in"):
        shutil.copy(TOP / name, tree)
    compiled = shutil.ignore_patterns("*.so", "_compiled.c", "__pycache__", "*.egg-info")
    for name in ("bridge", "erl", "scripts", "tests"):  # with beams that must stay here
        shutil.copytree(TOP / name, tree / name, ignore=compiled)
    build(tree, top / "dist", "build", "--outdir")
    [file] = (top / "dist").glob("*.tar.gz")
    return file


@pytest.fixture(scope="session")
def wheel(sdist: Path) -> Path:
    [file] = sdist.parent.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def environment(top: Path, wheel: Path) -> Path:
    """An environment with the wheel alone."""
    return install(top / "an environment", "--no-index", str(wheel))


@pytest.fixture
def place(environment: Path, tmp_path: Path) -> Place:
    """The wheel with nothing compiled."""
    return Place(environment, tmp_path)


@pytest.fixture(scope="session")
def used(environment: Path, top: Path) -> Place:
    """The wheel after its first use."""
    (top / "home").mkdir()
    place = Place(environment, top / "home")
    output(place.inetpy("ebin"))
    return place


@pytest.fixture(scope="session")
def with_tools(top: Path, wheel: Path, used: Place) -> Place:
    """An environment with the extra `tools`."""
    return replace(used, environment=install(top / "tools", f"{wheel}[tools]"))


@pytest.fixture
def nobody(top: Path, sdist: Path) -> Iterator[Place]:
    """The sdist in pure Python, for a user without rights."""
    environment = top / "nobody's"
    if not environment.exists():
        build(top, top / "pure", "pip", "wheel", "--no-deps", str(sdist), "-w", INETPY_PURE="1")
        [pure] = (top / "pure").glob("*.whl")
        assert pure.name == f"inetpy-{__version__}-py3-none-any.whl"
        install(environment, "--no-index", str(pure), python=SYSTEM_PYTHON)
    with tempfile.TemporaryDirectory(dir=top) as home:
        shutil.chown(home, "nobody", "nogroup")
        yield Place(environment, Path(home), AS_NOBODY)


def test_wheel_has_sources_and_no_beams(used: Place) -> None:
    [package] = used.environment.glob("lib/python*/site-packages/inetpy")
    erlang = package / "_erlang"
    for folder in ("src", "tools"):
        assert {file.name for file in (erlang / folder).iterdir()} == {
            file.name for file in (TOP / "erl" / folder).iterdir() if file.is_file()
        }
    for file in (
        "xc.erl",
        "xc_owner.erl",
        "inetpy_xc.erl",
        "xs.erl",
        "xs_open.erl",
        "documented.toml",
        "documented_socket.toml",
        "not_in_memory.toml",
    ):
        assert (erlang / "test" / file).is_file()
    for file in ("trace_page.html", "trace_page.js"):
        assert (package / "tools" / file).is_file()
    assert not list(package.rglob("*.beam"))
    assert list((package / "codec").glob("_compiled.*.so")) or shutil.which("gcc") is None


def test_ebin(place: Place) -> None:
    """The first call compiles, the second finds the beams. The folder names the version and the OTP."""
    first = output(place.inetpy("ebin"))
    assert re.fullmatch(
        rf"{place.home}/\.cache/inetpy/{re.escape(__version__)}-otp\d+-[0-9a-f]{{12}}/ebin", first
    )
    app = Path(first, "inetpy.app")
    written = app.stat().st_mtime_ns
    assert output(place.inetpy("ebin")) == first
    assert app.stat().st_mtime_ns == written
    assert os.listdir(place.home / ".cache" / "inetpy") == [Path(first).parent.name]
    sources = {file.stem for file in (TOP / "erl" / "src").glob("*.erl")}
    assert {file.stem for file in Path(first).glob("*.beam")} == sources
    app.unlink()  # a folder from which somebody has removed files is made again
    assert output(place.inetpy("ebin")) == first
    assert app.exists()


def test_caches(used: Place, tmp_path: Path) -> None:
    """INETPY_CACHE comes before XDG_CACHE_HOME, and this before the home folder. Any name will do."""
    chosen = tmp_path / "a 'cache' für \"alle\""
    xdg = {"XDG_CACHE_HOME": str(tmp_path / "xdg")}
    ebin = output(used.inetpy("ebin", **xdg, INETPY_CACHE=str(chosen)))
    assert Path(ebin).parents[1] == chosen
    assert Path(output(used.inetpy("ebin", **xdg))).parents[1] == tmp_path / "xdg" / "inetpy"
    program = ["erl", "-noinput", "-eval", INSTALLED]
    assert output(used.inetpy("run", "--", *program, INETPY_CACHE=str(chosen))) == "true"


def test_node_finds_the_python(used: Place) -> None:
    """`erl -pa "$(inetpy ebin)"` starts the Python of this environment, although none is on the path."""
    ebin = output(used.inetpy("ebin"))
    program = f'{OPEN}, {{ok, P}} = application:get_env(inetpy, python), io:format(" ~ts", [P]), halt().'
    done = used.run("erl", "-noinput", "-pa", ebin, "-eval", program, PATH="/usr/bin:/bin")
    assert output(done) == f"inetpy_udp {used.environment}/bin/python"


def test_bridge(used: Place) -> None:
    """The example in `inetpy bridge --help`."""
    done = used.run("sh", "-c", f"erl -noinput -pa $(inetpy ebin) -eval {shlex.quote(OPENED)}")
    assert output(done) == "inetpy_udp"


def test_run(used: Place) -> None:
    done = used.inetpy("run", "--json", "--", "erl", "-noshell", "-eval", CONVERSATION)
    printed, _, figures = done.stdout.partition("{")
    assert (done.returncode, printed) == (3, "inetpy_tcp"), done.stderr
    assert json.loads("{" + figures)["sockets"] == {"listener": 1, "stream": 2, "datagram": 1}


def test_doctor(used: Place) -> None:
    findings = {finding["subject"]: finding for finding in json.loads(used.inetpy("doctor", "--json").stdout)}
    assert findings["beams"]["found"] == output(used.inetpy("ebin"))
    assert {findings[subject]["state"] for subject in ("PATH", "beams", "bridge", "hooks")} == {"ok"}
    assert findings["rich"]["state"] == "note"


def test_crosscheck_without_rich(used: Place) -> None:
    done = used.inetpy("crosscheck", "owner")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "inetpy: crosscheck needs rich; run `pip install rich`\n"


def test_crosscheck(with_tools: Place) -> None:
    done = with_tools.inetpy("crosscheck", "--json", "owner")
    rows = json.loads(done.stdout)["rows"]
    assert done.returncode == 0, done.stderr
    assert len(rows) > 5


def test_crosscheck_of_a_user(with_tools: Place, tmp_path: Path) -> None:
    (tmp_path / "mine.erl").write_text(MINE)
    place = replace(with_tools, home=tmp_path)
    done = place.inetpy("crosscheck", "--scenario", "mine.erl", "--json")
    rows = {row["name"]: row["observations"] for row in json.loads(done.stdout)["rows"]}
    assert done.returncode == 1
    assert rows["echo"]["inetpy"] == rows["echo"]["inet"]
    assert rows["port"]["inetpy"] != rows["port"]["inet"]


def test_several_at_once(place: Place) -> None:
    """Four processes compile at once. All get the same folder, and nothing else is left."""
    all_of_them = "for i in 1 2 3 4; do inetpy ebin & done; wait"
    ebins = output(place.run("sh", "-c", all_of_them)).split()
    assert ebins == [ebins[0]] * 4
    assert os.listdir(place.home / ".cache" / "inetpy") == [Path(ebins[0]).parent.name]
    assert output(place.run("erl", "-noinput", "-pa", ebins[0], "-eval", OPENED)) == "inetpy_udp"


DAY = 24 * 3600


def age(folder: Path, days: float) -> Path:
    folder.mkdir(exist_ok=True)
    then = time.time() - days * DAY
    os.utime(folder, (then, then))
    return folder


def test_old_folders(place: Place) -> None:
    """When beams are compiled, those that nobody used for two months are removed, and nothing else."""
    cache = place.home / ".cache" / "inetpy"
    cache.mkdir(parents=True)
    others = [age(cache / name, 100) for name in ("mine", "old-0.0.9", "0.0.9")]
    unused = [age(cache / name, 61) for name in ("0.0.9-otp25-0123456789ab", "new-a1b2c3d4")]
    used = [age(cache / name, 59) for name in ("0.0.8-otp25-0123456789ab", "new-0a1b2c3d")]
    own = Path(output(place.inetpy("ebin"))).parent
    assert set(cache.iterdir()) == {own, *others, *used}
    assert not any(folder.exists() for folder in unused)


def test_use_is_noted(used: Place) -> None:
    """A folder that is used does not grow old."""
    own = age(Path(output(used.inetpy("ebin"))).parent, 61)
    output(used.inetpy("env"))
    assert own.stat().st_mtime > time.time() - DAY


def test_folder_is_removed_while_a_node_runs(place: Place) -> None:
    """The node has loaded all modules before."""
    ebin = output(place.inetpy("ebin"))
    code = (
        'ok = inetpy:start(), os:cmd("rm -r " ++ os:getenv("HOME") ++ "/.cache"), '
        "{error, econnrefused} = gen_tcp:connect({127, 0, 0, 1}, 1, [{tcp_module, inetpy_tcp}]), "
        "{ok, _} = gen_udp:open(0, [{udp_module, inetpy6_udp}]), halt()."
    )
    assert output(place.run("erl", "-noinput", "-pa", ebin, "-eval", code)) == ""
    assert not Path(ebin).exists()


def test_flags_of_the_user_do_not_matter(place: Place) -> None:
    """What a user's nodes and compilers are told is not for compiling inetpy."""
    flags = {"ERL_COMPILER_OPTIONS": "no_such", "ERL_FLAGS": "-no_such -eval 'halt(1).'"}
    assert output(place.inetpy("ebin", **flags))


NO_OTP = "install Erlang/OTP: apt install erlang-base"


@pytest.mark.parametrize("missing", ["erl", "erlc", "escript"])
def test_without_otp(missing: str, place: Place) -> None:
    """One line says what is missing."""
    programs = place.home / "bin"
    programs.mkdir()
    for program in {"erl", "erlc", "escript"} - {missing}:
        (programs / program).symlink_to(shutil.which(program) or "/nowhere")
    for program in ("dirname", "sed", "sh"):  # for the shell script erl
        (programs / program).symlink_to(shutil.which(program) or "/nowhere")
    path = f"{place.environment / 'bin'}:{programs}"
    for verb in (["ebin"], ["env"], ["run", "--", "true"]):
        done = place.inetpy(*verb, PATH=path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"inetpy: there is no {missing} on the PATH; {NO_OTP}\n"
    done = place.inetpy("doctor", PATH=path)
    assert done.returncode == 1
    assert NO_OTP in done.stdout


def test_cache_is_no_folder(place: Place) -> None:
    for cache, why in (("/dev/null", "File exists"), ("/dev/null/inetpy", "Not a directory")):
        done = place.inetpy("ebin", INETPY_CACHE=cache)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(
            rf"inetpy: {cache}: {why}; set INETPY_CACHE to a folder that user \S+ can write\n", done.stderr
        )


@OTHER_USER
def test_without_rights(nobody: Place) -> None:
    """A user without rights compiles into the own home folder."""
    ebin = output(nobody.inetpy("ebin"))
    assert Path(ebin).owner() == "nobody"
    assert output(nobody.run("erl", "-noinput", "-pa", ebin, "-eval", OPENED)) == "inetpy_udp"
    assert output(nobody.inetpy("run", "--", "erl", "-noinput", "-eval", INSTALLED)) == "true"
    assert nobody.inetpy("doctor").returncode == 0


@OTHER_USER
def test_cache_of_somebody_else(nobody: Place) -> None:
    """A cache that cannot be written is an error, until its owner has compiled: then all users read it."""
    cache = nobody.home.parent / "shared"
    why = f"inetpy: {cache}: Permission denied; set INETPY_CACHE to a folder that user nobody can write\n"
    done = nobody.inetpy("ebin", INETPY_CACHE=str(cache))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", why)
    findings = json.loads(nobody.inetpy("doctor", "--json", INETPY_CACHE=str(cache)).stdout)
    [beams] = [finding for finding in findings if finding["subject"] == "beams"]
    assert beams["state"] == "problem"
    assert f"{beams['found']}; {beams['advice']}" in why
    ebin = output(replace(nobody, user=()).inetpy("ebin", INETPY_CACHE=str(cache)))
    assert output(nobody.inetpy("ebin", INETPY_CACHE=str(cache))) == ebin
    assert output(nobody.run("erl", "-noinput", "-pa", ebin, "-eval", OPENED)) == "inetpy_udp"


@OTHER_USER
def test_home_of_somebody_else(nobody: Place) -> None:
    """As with `sudo -u` or setpriv, which keep HOME."""
    home = nobody.home.parent / "closed"
    home.mkdir(mode=0o700)
    done = nobody.inetpy("ebin", HOME=str(home))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"inetpy: {home}/\S+: Permission denied; set INETPY_CACHE to a folder that user nobody can write\n",
        done.stderr,
    )


@OTHER_USER
def test_without_a_home(nobody: Place) -> None:
    """A user that the system does not know, as in a container."""
    unknown = replace(
        nobody, user=("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "env", "-u", "HOME")
    )
    done = unknown.inetpy("ebin")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "inetpy: this user has no home folder for compiled code; "
        "set INETPY_CACHE to a folder that user 54321 can write\n"
    )


def test_env_for_a_shell(used: Place) -> None:
    """Nodes of the shell are on Python sockets, once, and other flags are kept."""
    code = 'io:format("~p~p", [inetpy_install:is_installed(), init:get_argument(mine)]), halt().'
    program = f"erl -noinput -eval '{code}'"
    twice = 'eval "$(inetpy env)"; eval "$(inetpy env)"; '
    assert output(used.run("sh", "-ec", twice + program, ERL_AFLAGS="-mine 1")) == 'true{ok,[["1"]]}'
    flags = output(used.run("sh", "-ec", twice + 'echo "$ERL_AFLAGS"'))
    assert flags.count("inetpy_node install") == 1


def test_env_for_files(used: Place) -> None:
    """The lines are those that $GITHUB_ENV and docker --env-file take: the value is the rest of the line."""
    lines = output(used.inetpy("env", "--format", "dotenv")).splitlines()
    variables = dict(line.split("=", 1) for line in lines)
    assert set(variables) == {"ERL_AFLAGS", "INETPY_PYTHON"}
    assert output(used.run("erl", "-noinput", "-eval", INSTALLED, **variables)) == "true"


def test_crosscheck_in_such_a_shell(with_tools: Place) -> None:
    """The reference stays the stock driver where `inetpy env` has put all nodes on Python sockets."""
    variables = dict(
        line.split("=", 1) for line in output(with_tools.inetpy("env", "--format", "dotenv")).splitlines()
    )
    (with_tools.home / "mine.erl").write_text(MINE)
    done = with_tools.inetpy("crosscheck", "--scenario", "mine.erl", "--json", **variables)
    [port] = [row for row in json.loads(done.stdout)["rows"] if row["name"] == "port"]
    assert port["observations"]["inet"] != port["observations"]["inetpy"]


def test_pytest(top: Path, wheel: Path, tmp_path: Path) -> None:
    """`pip install inetpy[pytest]` brings the fixtures. The first test compiles the beams."""
    place = Place(install(top / "with pytest", f"inetpy[pytest] @ {wheel.as_uri()}"), tmp_path)
    (tmp_path / "test_it.py").write_text(
        "def test_it(erlang, network):\n"
        "    network.static('server.test', 80, b'hello')\n"
        "    socket = erlang.eval('{ok, S} = gen_tcp:connect(\"server.test\", 80, [{active, false}]), S')\n"
        "    assert str(erlang.eval('{ok, D} = gen_tcp:recv(S, 5), D', S=socket)) == 'hello'\n"
    )
    assert "1 passed" in output(place.run("pytest", "-p", "no:cacheprovider"))
