"""A broker in a container, for machines where Docker answers: the configuration is the embedded one's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.kafka.embedded import SINGLE_NODE
from pipeline.kafka.engine import KAFKA_VERSION
from pipeline.kafka.ports import free_ports

DOCKER_SECONDS_MAX = 3
CONTROLLER_PORT = 29_093


def docker_answers() -> bool:
    """Whether a Docker daemon answers, asked with a short deadline."""
    import docker
    from docker.errors import DockerException

    try:
        docker.from_env(timeout=DOCKER_SECONDS_MAX).ping()
    except (DockerException, OSError):
        return False
    return True


@contextmanager
def kafka_container() -> Iterator[str]:
    """Run the official image of Apache Kafka; gives its bootstrap address when it serves."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    # Fixed on both sides, because a broker must advertise the port that clients see before it starts.
    [port] = free_ports(1)
    container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}").with_bind_ports(port, port)
    host = container.get_container_host_ip()
    properties = {
        **SINGLE_NODE,
        "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
        "listeners": f"BROKER://:{port},CONTROLLER://:{CONTROLLER_PORT}",
        "advertised.listeners": f"BROKER://{host}:{port}",
    }
    for name, value in properties.items():
        container.with_env("KAFKA_" + name.upper().replace(".", "_"), str(value))
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(60))
    with container:
        yield f"{host}:{port}"
