//! What a look-up, an update and a route cost, by the number of hosts. `cargo bench -p bailey-routing`.
//!
//! Allocations are counted by divan's profiler: `find` must show none; `bytes_of_a_table` shows under "max alloc" what a
//! table and its routes hold.

use std::sync::Arc;

use bailey_routing::ir::{
    Attachment, Backend, BackendProtocol, Endpoint, HostPattern, Ir, Listener, ListenerProtocol, PathMatch, Route,
    RouteId, RouteKind, RouteMatch, Rule, Target, Upstream, UpstreamId, UpstreamKey,
};
use bailey_routing::{Arrival, Change, Found, RequestView, RouteTable, compile, plan};
use divan::{Bencher, black_box, counter::ItemsCount};

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

const HOSTS: [usize; 4] = [1, 1_000, 10_000, 50_000];
const PATHS: [&str; 4] = ["/", "/api", "/static/images", "/login"];
const ASKED: [&str; 4] = ["/about/us", "/api/v1/users/42", "/static/images/logo.svg", "/login"];

struct Get(&'static str);

impl RequestView for Get {
    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn path(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        None
    }

    fn headers<'a>(&'a self, _: &'a str) -> impl Iterator<Item = &'a [u8]> {
        std::iter::empty()
    }
}

fn main() {
    divan::main();
}

fn host(index: usize) -> String {
    format!("shop-{index}.tenant-{}.example.com", index % 500)
}

fn upstream_id(index: usize) -> UpstreamId {
    let name = format!("app-{}", index % 1_000);
    UpstreamId::new(UpstreamKey::Service {
        namespace: "apps".into(),
        name: name.into(),
        port: 80,
        protocol: BackendProtocol::Http1,
    })
}

fn rule(path: &str, upstream: &UpstreamId) -> Rule {
    let backend = Backend { target: Target::Upstream(upstream.clone()), weight: 1, filters: Box::default() };
    Rule {
        name: None,
        matches: [RouteMatch::path(PathMatch::Prefix(path.into()))].into(),
        filters: Box::default(),
        backends: [backend].into(),
        policy: None,
        invalid: None,
    }
}

/// What translation shares between routes is shared here: listener, namespace, tenant, upstream ids.
struct World {
    listener: Arc<str>,
    namespace: Arc<str>,
    tenant: Arc<str>,
    upstreams: Vec<UpstreamId>,
}

impl World {
    fn new() -> Self {
        let upstreams = (0..1_000).map(upstream_id).collect();
        Self { listener: "https".into(), namespace: "apps".into(), tenant: "team-a".into(), upstreams }
    }

    fn route(&self, index: usize, paths: &[&str]) -> Arc<Route> {
        let pattern = HostPattern::Exact(host(index).into());
        Arc::new(Route {
            id: RouteId { kind: RouteKind::Http, namespace: self.namespace.clone(), name: format!("r{index}").into() },
            created: Some(1_790_000_000),
            tenant: Some(self.tenant.clone()),
            attachments: [Attachment { listener: self.listener.clone(), hosts: [pattern].into() }].into(),
            rules: paths.iter().map(|path| rule(path, &self.upstreams[index % 1_000])).collect(),
        })
    }

    fn ir(&self, hosts: usize, paths: &[&str]) -> Ir {
        let listener = Listener {
            name: self.listener.clone(),
            port: 443,
            protocol: ListenerProtocol::Https,
            hostname: HostPattern::Any,
            certificates: Box::default(),
            https_redirect: None,
            tenant: None,
        };
        let endpoint = Endpoint { address: ([127, 0, 0, 1], 8080).into(), weight: 1 };
        let upstream = |id: &UpstreamId| Arc::new(Upstream { id: id.clone(), endpoints: [endpoint].into() });
        Ir {
            listeners: vec![listener],
            routes: (0..hosts).map(|index| self.route(index, paths)).collect(),
            upstreams: self.upstreams.iter().map(upstream).collect(),
            tenants: Vec::new(),
        }
    }
}

fn table(hosts: usize) -> RouteTable {
    compile(&World::new().ir(hosts, &PATHS), None)
}

/// Hosts in an order no cache can guess.
fn asked_hosts(hosts: usize, distinct: usize) -> Vec<String> {
    (0..distinct).map(|turn| host(turn.wrapping_mul(2_654_435_761) % hosts)).collect()
}

fn find_each(bencher: Bencher<'_, '_>, hosts: usize, distinct: usize) {
    let table = table(hosts);
    let listener = table.listener_named("https").expect("the listener is there");
    let asked = asked_hosts(hosts, distinct);
    bencher.counter(ItemsCount::new(asked.len())).bench_local(|| {
        let mut found = 0;
        for (turn, host) in asked.iter().enumerate() {
            let request = Get(ASKED[turn % ASKED.len()]);
            found +=
                usize::from(matches!(table.find(listener, black_box(host.as_bytes()), &request), Found::Matched(_)));
        }
        assert_eq!(found, asked.len());
    });
}

/// Every host as likely as any other: the worst case for the machine's caches.
#[divan::bench(args = HOSTS)]
fn find_any_of_all_hosts(bencher: Bencher<'_, '_>, hosts: usize) {
    find_each(bencher, hosts, 65_536);
}

/// 256 busy hosts among all: what the algorithm itself costs.
#[divan::bench(args = HOSTS)]
fn find_one_of_256_busy_hosts(bencher: Bencher<'_, '_>, hosts: usize) {
    find_each(bencher, hosts, 256);
}

/// Hosts that nobody has.
#[divan::bench(args = HOSTS)]
fn find_unknown_host(bencher: Bencher<'_, '_>, hosts: usize) {
    let table = table(hosts);
    let listener = table.listener_named("https").expect("the listener is there");
    bencher.bench_local(|| table.find(listener, black_box(b"nobody.has.this.example.com"), &Get("/")));
}

/// A look-up and the plan for it.
#[divan::bench]
fn find_and_plan(bencher: Bencher<'_, '_>) {
    let table = table(1_000);
    let listener = table.listener_named("https").expect("the listener is there");
    let name = host(7);
    bencher.bench_local(|| {
        let request = Get(ASKED[1]);
        let Found::Matched(matched) = table.find(listener, black_box(name.as_bytes()), &request) else { return false };
        let arrival = Arrival { scheme: bailey_routing::ir::Scheme::Https, host: name.as_bytes(), port: 443 };
        matches!(plan(&table, matched, &request, arrival, black_box(77)), bailey_routing::Plan::Forward(_))
    });
}

#[divan::bench(args = HOSTS)]
fn apply_one_changed_route(bencher: Bencher<'_, '_>, hosts: usize) {
    let table = table(hosts);
    let route = World::new().route(hosts / 2, &PATHS[..3]);
    bencher.bench_local(|| table.apply([Change::Route(route.clone())]));
}

#[divan::bench(args = HOSTS)]
fn apply_one_changed_upstream(bencher: Bencher<'_, '_>, hosts: usize) {
    let table = table(hosts);
    let upstream = Arc::new(Upstream { id: upstream_id(1), endpoints: Box::default() });
    bencher.bench_local(|| table.apply([Change::Upstream(upstream.clone())]));
}

#[divan::bench(args = HOSTS, sample_count = 3)]
fn compile_from_scratch(bencher: Bencher<'_, '_>, hosts: usize) {
    let ir = World::new().ir(hosts, &PATHS);
    bencher.bench_local(|| compile(&ir, None));
}

#[divan::bench(args = HOSTS, sample_count = 3)]
fn compile_with_one_route_different(bencher: Bencher<'_, '_>, hosts: usize) {
    let world = World::new();
    let mut ir = world.ir(hosts, &PATHS);
    let table = compile(&ir, None);
    ir.routes[hosts / 2] = world.route(hosts / 2, &PATHS[..3]);
    bencher.bench_local(|| compile(&ir, Some(&table)));
}

/// Routes and table together, without what compiling needs for a moment ("alloc" minus "dealloc", bytes).
#[divan::bench(args = [1, 2, 4], sample_count = 1, sample_size = 1)]
fn bytes_of_10_000_hosts_by_paths(bencher: Bencher<'_, '_>, paths: usize) {
    let world = World::new();
    bencher
        .counter(ItemsCount::new(10_000usize))
        .bench_local(|| std::mem::forget(compile(&world.ir(10_000, &PATHS[..paths]), None)));
}
