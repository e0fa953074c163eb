"""One request through both tiers of `bailey up`, and its spans as receivers that are not ours see them."""
import os, pathlib, re, signal, socket, subprocess, tempfile, threading, time, unittest, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import rotel
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SAMPLE = pathlib.Path(__file__).parent.parent.parent / "samples" / "two-tier"
AGENT = pathlib.Path(rotel.__file__).parent / "rotel-agent"
IN_TIME = 30
HINT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Receiver(ThreadingHTTPServer):
    """Keeps the requests it gets. It may hang, or answer with a status of its own."""

    def __init__(self, status=200, hangs=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.hangs, self.taken, self.ends = status, hangs, [], threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self):
        """Pairs of the resource's attributes and a span."""
        found = []
        for request in list(self.taken):
            for part in request.resource_spans:
                who = attributes(part.resource)
                found += [(who, span) for scope in part.scope_spans for span in scope.spans]
        return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
        self.server.taken.append(ExportTraceServiceRequest.FromString(body))
        if self.server.hangs:
            self.server.ends.wait()
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def attributes(of):
    """Attributes as Python values: an integer that came as a text stays one, and shows."""
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in of.attributes}


def wait(for_what, *of):
    until = time.monotonic() + IN_TIME
    while time.monotonic() < until:
        found = for_what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not in time: {[each() for each in of]}")


class Process:
    """A process with its output in a file; stopped by its own id."""

    def __init__(self, arguments, **environment):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "output"
        quiet = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
        with self.path.open("w") as out:
            self.child = subprocess.Popen(arguments, stdout=out, stderr=out, env=quiet | environment)

    def output(self):
        return self.path.read_text()

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(IN_TIME)
        self.folder.cleanup()
        return code


class Bailey(Process):
    """`bailey up` with the sample, and a request to it."""

    def __init__(self, **environment):
        self.state = tempfile.TemporaryDirectory()
        ports = ["--http-port", "0", "--https-port", "0", "--admin-port", "0"]
        super().__init__([os.environ["BAILEY"], "up", str(SAMPLE), "--state", self.state.name, *ports], **environment)
        self.http, self.admin = wait(self.ports, self.output)

    def ports(self):
        https = re.search(r"https://shop\.localhost:(\d+)", self.output())
        admin = re.search(r"http://([\d.]+:\d+)/metrics", self.output())
        return (int(https[1]), admin[1]) if https and admin else None

    def ask(self, path):
        """Status and seconds."""
        import ssl
        began = time.monotonic()
        context = ssl._create_unverified_context()
        with socket.create_connection(("127.0.0.1", self.http), IN_TIME) as tcp:
            with context.wrap_socket(tcp, server_hostname="shop.localhost") as tls:
                head = f"GET {path} HTTP/1.1\r\nhost: shop.localhost\r\nuser-agent: suite\r\ntraceparent: {HINT}\r\nconnection: close\r\n\r\n"
                tls.sendall(head.encode())
                answer = b""
                while part := tls.recv(65536):
                    answer += part
        return int(answer.split()[1]), time.monotonic() - began

    def metric(self, name):
        """Of the outer tier."""
        text = urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=IN_TIME).read().decode()
        return float(re.search(rf"^{name}{{[^}}]*}} (\S+)$", text, re.M)[1])

    def stop(self):
        code = super().stop()
        self.state.cleanup()
        return code


class OneTrace(unittest.TestCase):
    def started(self, what):
        self.addCleanup(lambda: what.child.poll() is None and what.stop())
        return what

    def receiver(self, **how):
        receiver = Receiver(**how)
        self.addCleanup(receiver.server_close)
        self.addCleanup(receiver.shutdown)
        self.addCleanup(receiver.ends.set)
        return receiver

    def test_the_spans_of_a_request_make_one_trace(self):
        receiver = self.receiver()
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=pod-0"}
        bailey = self.started(Bailey(**environment))
        self.assertEqual(bailey.ask("/x?a=1&token=hush")[0], 200)
        spans = wait(lambda: len(receiver.spans()) >= 4 and receiver.spans(), receiver.spans, bailey.output)
        self.assertEqual(len(spans), 4, "ours, and none of a library")
        self.assertEqual(len({span.trace_id for _, span in spans}), 1)
        by = {(who["service.name"], span.kind): (who, span) for who, span in spans}
        order = [("bailey-outer", Span.SPAN_KIND_SERVER), ("bailey-outer", Span.SPAN_KIND_CLIENT),
                 ("bailey-inner", Span.SPAN_KIND_SERVER), ("bailey-inner", Span.SPAN_KIND_CLIENT)]
        self.assertEqual(set(by), set(order))
        parent = b""
        for key in order:
            who, span = by[key]
            self.assertEqual(span.parent_span_id, parent, key)
            self.assertEqual(span.status.code, Status.STATUS_CODE_UNSET)
            self.assertGreaterEqual(span.end_time_unix_nano, span.start_time_unix_nano)
            values = attributes(span)
            self.assertEqual(values["http.response.status_code"], 200)
            self.assertIsInstance(values["http.response.status_code"], int)
            self.assertEqual(values["http.request.method"], "GET")
            for name, value in {"bailey.topology": "main", "bailey.tier": key[0].removeprefix("bailey-")}.items():
                self.assertEqual(values[name], value)
            for name in "code.filepath", "thread.id", "busy_ns", "target", "level":
                self.assertNotIn(name, values)
            self.assertNotIn("hush", str(span))
            self.assertEqual((who["k8s.pod.name"], who["service.namespace"]), ("pod-0", "main"))
            self.assertIn("service.version", who)
            parent = span.span_id
        outer, inner = attributes(by[order[0]][1]), attributes(by[order[2]][1])
        self.assertEqual([link.span_id.hex() for link in by[order[0]][1].links], [HINT[36:52]])
        self.assertEqual(outer["client.address"], "127.0.0.1")
        self.assertEqual(inner["client.address"], "127.0.0.1")
        self.assertEqual(outer["network.protocol.version"], "1.1")
        self.assertEqual((outer["url.scheme"], outer["url.path"], outer["url.query"]), ("https", "/x", "a=1&token=REDACTED"))
        self.assertEqual((outer["server.address"], outer["user_agent.original"]), ("shop.localhost", "suite"))
        self.assertTrue(inner["bailey.route.name"].startswith("HTTPRoute team-a/"), inner)
        self.assertEqual(by[order[2]][1].name, f"GET {inner['http.route']}")
        self.assertIsInstance(attributes(by[order[3]][1])["network.peer.port"], int)
        instances = {who["service.instance.id"] for who, _ in spans}
        self.assertEqual(len(instances), 2, "each tier is an instance")
        wait(lambda: bailey.metric("bailey_spans_exported_total") == 2)
        self.assertEqual(bailey.stop(), 0)

    def test_the_end_sends_what_waits(self):
        receiver = self.receiver()
        bailey = self.started(Bailey(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint))
        for _ in range(10):
            bailey.ask("/")
        self.assertEqual(bailey.stop(), 0)
        self.assertEqual(len(receiver.spans()), 40)

    def test_a_collector_that_fails_costs_requests_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        for endpoint in nobody, self.receiver(hangs=True).endpoint, self.receiver(status=500).endpoint:
            with self.subTest(endpoint):
                bailey = self.started(Bailey(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint))
                for _ in range(20):
                    self.assertEqual(bailey.ask("/")[0], 200)
                self.assertEqual(bailey.metric("bailey_spans_exported_total"), 0)
                self.assertEqual(bailey.stop(), 0)

    def scratch(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def agent(self):
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            http, grpc = one.getsockname()[1], two.getsockname()[1]
        arguments = [str(AGENT), "start", "--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
                     "--exporter", "blackhole", "--pid-file", f"{self.scratch()}/pid", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]
        agent = self.started(Process(arguments))
        for port in http, grpc:
            wait(lambda: listens(port), agent.output)
        return agent, http, grpc

    def test_rotel_takes_them(self):
        for protocol in "http/protobuf", "grpc":
            with self.subTest(protocol):
                agent, http, grpc = self.agent()
                port = http if protocol == "http/protobuf" else grpc
                environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
                bailey = self.started(Bailey(**environment))
                self.assertEqual(bailey.ask("/")[0], 200)
                self.assertEqual(bailey.stop(), 0)
                # Of the spans; a span's links name traces too, further in.
                traces = lambda: re.findall(r"^    Trace ID\s*:\s*([0-9a-f]{32})", agent.output(), re.M)
                wait(lambda: len(traces()) >= 4, agent.output)
                self.assertEqual(len(traces()), 4, agent.output())
                self.assertEqual(len(set(traces())), 1)
                for service in "bailey-outer", "bailey-inner":
                    self.assertIn(service, agent.output())
                agent.stop()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
