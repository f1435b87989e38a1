"""Who does the runs of a study: processes of this computer, or a dask cluster; both are plain executors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run.summary import version
from kilohertz.rt.study.supervised import close_children, supervised

CONNECT_S = 20.0
COMPILE_S = 1800.0


@dataclass(frozen=True)
class Crew:
    """An executor, and how many tasks it does at once.

    Attributes:
        executor: runs `supervised`.
        workers: number of tasks at once.
        where: text for the user.
        per_host: one executor for each computer.
    """

    executor: Executor
    workers: int
    where: str
    per_host: tuple[Executor, ...]


@contextmanager
def local_crew(workers: int | None = None) -> Iterator[Crew]:
    """Processes of this computer, each looked after by a thread of this one.

    Args:
        workers: number of processes; None for one per core.
    """
    count = workers or len(os.sched_getaffinity(0))
    executor = ThreadPoolExecutor(count, thread_name_prefix="study")
    try:
        processes = "process" if count == 1 else "processes"
        yield Crew(executor, count, f"{count} {processes} of this computer", (executor,))
    finally:
        # After Ctrl-C, tasks may still run; their threads end when their processes have.
        executor.shutdown(wait=False, cancel_futures=True)
        close_children(busy=True)
        executor.shutdown()
        close_children()


@contextmanager
def cluster_crew(address: str) -> Iterator[Crew]:
    """A dask cluster; each thread of its workers looks after one process beside it.

    Args:
        address: address of the scheduler, such as tcp://host:8786.

    Raises:
        ConfigError: dask is not installed, nothing answers, or a worker has another version of Kilohertz.
    """
    try:
        import distributed
    except ImportError as error:
        sentence = f"--cluster needs dask.distributed ({error}): pip install 'kilohertz[cluster]'"
        raise ConfigError(sentence) from None
    try:
        connect: Any = distributed.Client  # it has no types
        client = connect(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--cluster {address}: no dask scheduler answers: {error}") from None
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise ConfigError(f"--cluster {address}: the cluster has no workers")
        _check_versions(client, address)
        count = sum(worker["nthreads"] for worker in workers.values())
        by_host = {worker["host"]: name for name, worker in workers.items()}
        hosts = f"{len(by_host)} {'host' if len(by_host) == 1 else 'hosts'}"
        where = f"{count} threads of {len(workers)} workers on {hosts}"
        per_host = tuple(client.get_executor(pure=False, workers=[name]) for name in by_host.values())
        # A run that ends its worker is not repeated elsewhere: `supervised` reports it before.
        try:
            yield Crew(client.get_executor(pure=False, retries=0), count, where, per_host)
        finally:
            client.run(close_children)
    finally:
        client.close()


def _check_versions(client: Any, address: str) -> None:
    try:
        versions = client.run(version)
    except Exception as error:
        raise ConfigError(f"--cluster {address}: its workers cannot load kilohertz: {error}") from None
    other = {worker: found for worker, found in versions.items() if found != version()}
    if other:
        worker, found = next(iter(other.items()))
        raise ConfigError(f"--cluster {address}: {worker} has kilohertz {found}, this computer {version()}")


@contextmanager
def crew_of(cluster: str | None, workers: int | None) -> Iterator[Crew]:
    """A cluster if an address is given, else processes of this computer."""
    with cluster_crew(cluster) if cluster else local_crew(workers) as crew:
        yield crew


def warm_up(crew: Crew, argument: Any) -> list[tuple[str, Any]]:
    """Compiles the kernels of a study on each computer of a crew, before its runs start.

    Args:
        crew: the crew.
        argument: the task of which the first ticks are run.

    Returns:
        What `supervised` returned on each computer.
    """
    futures = [
        executor.submit(supervised, "kilohertz.rt.study.roll_out:warm", argument, COMPILE_S)
        for executor in crew.per_host
    ]
    return [future.result() for future in futures]
