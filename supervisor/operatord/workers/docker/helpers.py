"""Helper containers: a command beside a container of the project, in its network namespace or on its volumes.

They bring the tools that the images of servers lack, and the rights that no server should have. Each runs one command
and is removed by the engine when it ends, even if whoever started it is gone by then; the label tells which project one
belongs to that was created and never ran. Images are never fetched for it: a fault should not begin with a download.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from operator_protocol.errors import OperatorError, Unavailable
from operatord.workers.docker.refusals import not_installed, refusal

LABEL = "operatord.helper"
"""Of what runs beside a project; its value is the project's name."""

_DOCKER_FAILED, _NOT_EXECUTABLE, _NO_SUCH_PROGRAM = 125, 126, 127
"""Exit codes of ``docker run`` that are not the command's own."""
_IDLE = ("created", "exited", "dead")
_COMMAND_S = 30.0


@dataclass(frozen=True, slots=True)
class Helper:
    """What is to be run."""

    image: str
    command: Sequence[str]
    network_of: str = ""
    """Name of the container whose network namespace it shares, with the right to change it; none at all if empty."""
    volumes_of: str = ""
    """Name of the container whose volumes it gets."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended."""

    code: int
    output: str
    error: str


def run(docker: Sequence[str], project: str, helper: Helper) -> Ended:
    """Run it to its end. Raises ``Unavailable`` without the image or the program in it, and what the engine refuses.

    A command that fails is no error here: ``code`` tells.
    """
    if not helper.image:
        raise Unavailable("no image for helper containers is named", "name one with helper_image in [subject.tikv]")
    program, *arguments = helper.command
    words = ["run", "--rm", "--pull", "never", "--label", f"{LABEL}={project}", "--log-driver", "none", "--user", "0"]
    words += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    words += ["--network", f"container:{helper.network_of}" if helper.network_of else "none"]
    if helper.volumes_of:
        words += ["--volumes-from", helper.volumes_of, "--cap-add", "DAC_OVERRIDE"]
    else:
        words += ["--cap-add", "NET_ADMIN"]
    words += ["--entrypoint", program, helper.image, *arguments]
    done = _docker([*docker, *words])
    if done.code == _DOCKER_FAILED:
        raise _refused(helper, done.error)
    if done.code in (_NOT_EXECUTABLE, _NO_SUCH_PROGRAM):
        raise Unavailable(f"the image {helper.image} has no {program}", "name another one as helper_image")
    return done


def left(docker: Sequence[str], project: str, *, idle: bool = False) -> list[str]:
    """Ids of helper containers that are there; with ``idle`` of those only that do not run.

    Raises what the engine refuses: no answer does not mean that there are none.
    """
    filters = [f"label={LABEL}={project}", *(f"status={one}" for one in _IDLE if idle)]
    words = [word for one in filters for word in ("--filter", one)]
    done = _docker([*docker, "ps", "--all", "--quiet", *words])
    if done.code != 0:
        raise refusal("looking for helper containers", done.error)
    return done.output.split()


def remove(docker: Sequence[str], project: str, *, idle: bool = False) -> list[str]:
    """Remove what of them is there; returns their ids."""
    found = left(docker, project, idle=idle)
    if found:
        _docker([*docker, "rm", "--force", *found])
    return found


def _refused(helper: Helper, said: str) -> OperatorError:
    error = refusal("running a helper container", said)
    missing = "the image is not there" in error.hint
    return (
        Unavailable(
            f"there is no image {helper.image} for helper containers",
            f"docker pull {helper.image}, or name another one that has tc, nft and df as helper_image",
        )
        if missing
        else error
    )


def _docker(command: Sequence[str]) -> Ended:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_COMMAND_S, check=False
        )
    except FileNotFoundError as error:
        raise not_installed(command[0]) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"docker did not finish within {_COMMAND_S:g} s: a helper container") from error
    return Ended(done.returncode, done.stdout, done.stderr)
