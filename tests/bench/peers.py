"""Peers of the two-tier benchmark: how each is configured and started.

Each peer is a function (workdir, workers, routes) -> list of stages; a stage is (role, argv, env).
Ports from PORT0 (28440): outer TLS, outer plain, inner, origin. 127.0.0.1 only.
Every peer gets what its own manual says is fast: keep-alive pools to the next hop, no access log,
no telemetry, TCP_NODELAY, TLS 1.3 + P-256, HTTP/2 offered by ALPN.
Tools are found through the environment: HAPROXY28 (with HAPROXY28_LIB), BLOAD, BAILEY_PROXY and BAILEY_PROXY_PLAIN;
nginx from the system.
"""
import base64, os

TLS, PLAIN, INNER, ORIGIN = (int(os.environ.get("PORT0", "28440")) + k for k in (0, 1, 2, 3))
E = os.environ.get
CERT, KEY, BOTH = E("CERT"), E("KEY"), E("BOTH")


def w(d, name, text):
    p = os.path.join(d, name)
    with open(p, "w") as f:
        f.write(text)
    return p


def hostlist(n):
    return [f"t{i}.bench.test" for i in range(n)]


# ---------------------------------------------------------------- nginx
def nginx(d, workers=1, routes=1):
    def conf(role, listen, to, pool):
        os.makedirs(f"{d}/ng-{role}", exist_ok=True)
        servers = ""
        if routes > 1 and role == "outer":
            servers = f"server {{ {listen.replace(';', ' default_server;')} return 404; }}\n"
            for h in hostlist(routes):
                servers += f"server {{ {listen} server_name {h}; location / {{ proxy_pass http://up; }} }}\n"
        else:
            servers = f"server {{ {listen} server_name _; location / {{ proxy_pass http://up; }} }}\n"
        return w(d, f"nginx-{role}.conf", f"""
daemon off; master_process on; worker_processes {workers}; pid {d}/ng-{role}/pid; error_log {d}/ng-{role}/err.log crit;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
 access_log off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600s; server_tokens off;
 client_body_temp_path {d}/ng-{role}/b; proxy_temp_path {d}/ng-{role}/p; fastcgi_temp_path {d}/ng-{role}/f; uwsgi_temp_path {d}/ng-{role}/u; scgi_temp_path {d}/ng-{role}/s;
 server_names_hash_bucket_size 128; server_names_hash_max_size 262144;
 ssl_certificate {CERT}; ssl_certificate_key {KEY}; ssl_protocols TLSv1.3; ssl_session_tickets on; ssl_buffer_size 16k;
 map $http_upgrade $conn {{ default upgrade; '' ''; }}
 proxy_http_version 1.1; proxy_set_header Connection $conn; proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $host;
 proxy_buffers 16 64k; proxy_buffer_size 16k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0;
 upstream up {{ server 127.0.0.1:{to}; keepalive {pool}; keepalive_requests 100000000; keepalive_timeout 600s; }}
 {servers}
}}""")
    o = conf("outer", f"listen 127.0.0.1:{TLS} ssl http2 reuseport; listen 127.0.0.1:{PLAIN};" if routes == 1 else f"listen 127.0.0.1:{TLS} ssl http2; listen 127.0.0.1:{PLAIN};", INNER, 256)
    i = conf("inner", f"listen 127.0.0.1:{INNER};", ORIGIN, 256)
    return [("inner", ["nginx", "-c", i], {}), ("outer", ["nginx", "-c", o], {})]


# ---------------------------------------------------------------- haproxy
def _haproxy(d, workers, routes, binary, env, tag, h2up=False, tcp=False, splice="option splice-auto"):
    mode = "tcp" if tcp else "http"
    reuse = "" if tcp else "http-reuse always"
    alpn = "" if tcp else "alpn h2,http/1.1"
    common = f"""
global
 nbthread {workers}
 maxconn 5000
 maxpipes 512
 tune.bufsize 65536
 tune.ssl.default-dh-param 2048
 ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
 mode {mode}
 timeout connect 5s
 timeout client 600s
 timeout server 600s
 timeout tunnel 600s
 timeout http-keep-alive 600s
 {splice}
 {'' if tcp else 'option http-keep-alive'}
 {reuse}
"""
    maps = ""
    use = "default_backend up"
    stats = lambda role: f"global\n stats socket {d}/{tag}-{role}.sock level admin\n"
    if routes > 1:
        maps = w(d, f"{tag}.map", "".join(f"{h} up\n" for h in hostlist(routes)))
        use = f"use_backend %[req.hdr(host),lower,map({maps})]"
    proto = "proto h2" if h2up else ""
    o = w(d, f"{tag}-outer.cfg", stats("outer") + common + f"""
frontend f
 bind 127.0.0.1:{TLS} ssl crt {BOTH} {alpn}
 bind 127.0.0.1:{PLAIN}
 {use}
backend up
 server s 127.0.0.1:{INNER} {proto} {'' if tcp else 'pool-max-conn 1000'}
""")
    i = w(d, f"{tag}-inner.cfg", stats("inner") + common + f"""
frontend f
 bind 127.0.0.1:{INNER} {proto}
 default_backend up
backend up
 server s 127.0.0.1:{ORIGIN} {'' if tcp else 'pool-max-conn 1000'}
""")
    return [("inner", [binary, "-db", "-q", "-f", i], env), ("outer", [binary, "-db", "-q", "-f", o], env)]


H28 = ({"LD_LIBRARY_PATH": E("HAPROXY28_LIB", "")})


def haproxy(d, workers=1, routes=1): return _haproxy(d, workers, routes, E("HAPROXY28"), H28, "ha28")
def haproxy_h2up(d, workers=1, routes=1): return _haproxy(d, workers, routes, E("HAPROXY28"), H28, "ha28h2", h2up=True)
def haproxy_tcp(d, workers=1, routes=1): return _haproxy(d, workers, routes, E("HAPROXY28"), H28, "ha28tcp", tcp=True)


FORCE = "option splice-request\n option splice-response"
def haproxy_splice(d, workers=1, routes=1): return _haproxy(d, workers, routes, E("HAPROXY28"), H28, "ha28s", splice=FORCE)
def haproxy_tcp_splice(d, workers=1, routes=1): return _haproxy(d, workers, routes, E("HAPROXY28"), H28, "ha28ts", tcp=True, splice=FORCE)


# ---------------------------------------------------------------- limits (plain TCP only)
def relay_copy(d, workers=1, routes=1): return _relay("copy")
def relay_splice(d, workers=1, routes=1): return _relay("splice")


def _relay(mode):
    b = [E("BLOAD"), "relay", "--mode", mode]
    return [("inner", b + ["--addr", f"127.0.0.1:{INNER}", "--to", f"127.0.0.1:{ORIGIN}"], {}),
            ("outer", b + ["--addr", f"127.0.0.1:{PLAIN}", "--to", f"127.0.0.1:{INNER}"], {})]


# ---------------------------------------------------------------- bailey
# Limits against floods that a load generator must pass are raised by the API's own fields; all others hold as shipped.
LIMITS = """limits:
      connection: {total: 100000, perSource: 100000, tenantPercent: 100, requests: 1000000}"""

TOPOLOGY = """apiVersion: bailey.dev/v1alpha1
kind: IngressTopology
metadata: {{name: bench}}
spec:
  outer:
    namespace: ingress-bench
    listeners:
      - {{name: http, port: {plain}, protocol: HTTP}}
      - {{name: https, port: {tls}, protocol: HTTPS}}
    certificates: {{store: {{secrets: {{}}}}, secrets: [bench-tls]}}
    {limits}
  httpsRedirect: false
  {log}
  tenants:
    {tenants}
"""

TENANT = """---
apiVersion: v1
kind: Namespace
metadata: {{name: {tenant}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: app, namespace: {tenant}}}
spec:
  parentRefs: [{{name: bench}}]
  rules: [{{backendRefs: [{{name: app, port: 80}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: app, namespace: {tenant}}}
spec: {{ports: [{{name: http, port: 80, targetPort: {origin}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: app, namespace: {tenant}, labels: {{kubernetes.io/service-name: app}}}}
addressType: IPv4
endpoints: [{{addresses: [127.0.0.1]}}]
ports: [{{name: http, port: {origin}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: bench-{tenant}, namespace: {tenant}}}
spec: {{ports: [{{name: link, port: 8443}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: bench-{tenant}, namespace: {tenant}, labels: {{kubernetes.io/service-name: bench-{tenant}}}}}
addressType: IPv4
endpoints: [{{addresses: [127.0.0.1]}}]
ports: [{{name: link, port: {inner}}}]
"""

SECRET = """---
apiVersion: v1
kind: Secret
metadata: {{name: bench-tls, namespace: ingress-bench}}
type: kubernetes.io/tls
data: {{tls.crt: {cert}, tls.key: {key}}}
"""

# One inner tier serves one tenant, and a tenant has at most this many hostnames (the definition's own limit).
HOSTS = 32


def _bailey(d, workers, routes, link, full=False, sampling=None):
    if routes > HOSTS:
        raise ValueError(f"a tenant has at most {HOSTS} hostnames")
    base64_of = lambda path: base64.b64encode(open(path, "rb").read()).decode()
    config = os.path.join(d, "bailey")
    os.makedirs(config, exist_ok=True)
    tenants = "- {name: t, namespaces: {names: [t]}, hostnames: [" + ", ".join(hostlist(routes)) + "]}"
    log = "accessLog: {format: json}" if full else ""
    if sampling is not None:
        # The collector is the origin: it takes whatever it gets and says 200.
        log += f"\n  tracing: {{endpoint: 'http://127.0.0.1:{ORIGIN}', sampling: {sampling}}}"
    text = TOPOLOGY.format(plain=PLAIN, tls=TLS, limits=LIMITS, log=log, tenants=tenants)
    text += TENANT.format(tenant="t", origin=ORIGIN, inner=INNER) + SECRET.format(cert=base64_of(CERT), key=base64_of(KEY))
    w(config, "bench.yaml", text)
    tier = lambda kind, n: [E("BAILEY_PROXY_PLAIN") if link is None else E("BAILEY_PROXY"), "--tier", kind, "--topology", "bench",
                            "--config", config, "--local", "--workers", str(workers), "--address", "127.0.0.1", "--log", "warn",
                            "--drain-accept", "0", "--drain-finish", "1",
                            *(["--plaintext-link"] if link is None else ["--link", os.path.join(link, kind)]),
                            *(["--admin", f"127.0.0.1:{TLS + 10 + n}", "--access-log", f"{d}/access-{kind}.log"] if full else [])]
    return [("inner", tier("inner", 0) + ["--tenant", "t", "--link-port", str(INNER)], {}), ("outer", tier("outer", 1), {})]


def bailey(d, workers=1, routes=1): return _bailey(d, workers, routes, None)
def bailey_tls(d, workers=1, routes=1): return _bailey(d, workers, routes, E("LINK"))
def bailey_full(d, workers=1, routes=1): return _bailey(d, workers, routes, E("LINK"), full=True)
def bailey_trace0(d, workers=1, routes=1): return _bailey(d, workers, routes, E("LINK"), sampling=0)
def bailey_trace1(d, workers=1, routes=1): return _bailey(d, workers, routes, E("LINK"), sampling=1)
def bailey_shipped(d, workers=1, routes=1): return _bailey(d, workers, routes, E("LINK"), full=True, sampling=1)
def bailey_trace100(d, workers=1, routes=1): return _bailey(d, workers, routes, E("LINK"), sampling=100)


# Peers that are not part of the repository, for one's own comparisons: a Python file named by PEERS_EXTRA.
if E("PEERS_EXTRA"):
    exec(compile(open(E("PEERS_EXTRA")).read(), E("PEERS_EXTRA"), "exec"))
