//! Small worlds, dense in overlaps: few hosts, paths and conditions, so that rules meet often.

use bailey_proxy::explain::Question;
use proptest::prelude::*;
use proptest::sample::select;

use crate::running::{CLIENT, TOPOLOGY};

/// What routes may send to: two echoes, and a Service without endpoints. A fourth name is nobody's.
pub const BACKENDS: [&str; 4] = [
    "apiVersion: bailey.dev/v1alpha1\nkind: LocalBackend\nmetadata: {name: one, namespace: a}\nspec: {echo: {}}\n---\n",
    "apiVersion: bailey.dev/v1alpha1\nkind: LocalBackend\nmetadata: {name: two, namespace: a}\nspec: {echo: {}}\n---\n",
    "apiVersion: bailey.dev/v1alpha1\nkind: LocalBackend\nmetadata: {name: one, namespace: b}\nspec: {echo: {}}\n---\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: idle, namespace: a}\nspec: {ports: [{port: 80}]}\n",
];

/// Routes of both tenants.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    suspended: bool,
    routes: Vec<Route>,
}

#[derive(Debug, Clone)]
struct Route {
    namespace: &'static str,
    hosts: &'static str,
    year: Option<u16>,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    matches: Vec<String>,
    filter: Option<&'static str>,
    backends: Vec<(&'static str, u8)>,
}

impl Objects {
    pub fn topology(&self) -> String {
        let suspended = format!("hostnames: [b.localhost], suspended: {}}}", self.suspended);
        TOPOLOGY.replace("hostnames: [b.localhost]}", &suspended)
    }

    pub fn routes(&self) -> String {
        let all =
            self.routes.iter().enumerate().map(|(at, route)| format!("{}\n---\n", route.named(&format!("r{at}"))));
        format!("{}apiVersion: v1\nkind: Namespace\nmetadata: {{name: a}}\n", all.collect::<String>())
    }
}

impl Route {
    fn named(&self, name: &str) -> String {
        let created = self.year.map(|year| format!(", creationTimestamp: '{year}-01-01T00:00:00Z'"));
        let rules: String =
            self.rules.iter().enumerate().map(|(at, rule)| rule.named(&format!("{name}-{at}"))).collect();
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: {}{}}}\nspec:\n  parentRefs: [{{name: main}}]\n  hostnames: [{}]\n  rules:\n{rules}",
            self.namespace,
            created.unwrap_or_default(),
            self.hosts,
        )
    }
}

impl Rule {
    fn named(&self, name: &str) -> String {
        let tell = format!(
            "{{type: ResponseHeaderModifier, responseHeaderModifier: {{set: [{{name: x-rule, value: {name}}}]}}}}"
        );
        let filters = [Some(tell.as_str()), self.filter].into_iter().flatten().collect::<Vec<_>>().join(", ");
        // A redirect sends to nobody.
        let redirects = self.filter.is_some_and(|filter| filter.contains("RequestRedirect"));
        let backends = self.backends.iter().filter(|_| !redirects);
        let backends: Vec<_> =
            backends.map(|(to, weight)| format!("{{name: {to}, port: 80, weight: {weight}}}")).collect();
        format!(
            "    - name: {name}\n      matches: [{}]\n      filters: [{filters}]\n      backendRefs: [{}]\n",
            self.matches.join(", "),
            backends.join(", ")
        )
    }
}

const PATHS: [&str; 7] = ["/", "/a", "/a/", "/a/b", "/ab", "/b", "/b/c"];
const FILTERS: [&str; 4] = [
    "{type: RequestRedirect, requestRedirect: {hostname: else.example, statusCode: 301}}",
    "{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /full}}}",
    "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-k, value: set}], add: [{name: x-l, value: added}]}}",
    "{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-k]}}",
];

fn one_match() -> impl Strategy<Value = String> {
    let path = (select(vec!["Exact", "PathPrefix"]), select(PATHS.to_vec()));
    let path = path.prop_map(|(kind, path)| format!("path: {{type: {kind}, value: {path}}}"));
    let pattern = Just("path: {type: RegularExpression, value: '/a.*'}".to_owned());
    let path = prop_oneof![6 => path, 1 => pattern];
    let maybe = |texts: Vec<&'static str>| prop::option::weighted(0.25, select(texts));
    let method = maybe(vec!["method: GET", "method: POST"]);
    let header = maybe(vec![
        "headers: [{name: x-k, value: '1'}]",
        "headers: [{name: X-K, value: '2'}, {name: x-l, value: '1'}]",
    ]);
    let query = maybe(vec!["queryParams: [{name: q, value: '1'}]"]);
    (path, method, header, query).prop_map(|(path, method, header, query)| {
        let parts = [Some(path.as_str()), method, header, query];
        format!("{{{}}}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let matches = prop::collection::vec(one_match(), 0..3);
    let backend = (select(vec!["one", "one", "two", "idle", "gone"]), select(vec![0_u8, 1, 1, 2]));
    let filter = prop::option::weighted(0.3, select(FILTERS.to_vec()));
    (matches, filter, prop::collection::vec(backend, 0..3)).prop_map(|(matches, filter, backends)| Rule {
        matches,
        filter,
        backends,
    })
}

fn route() -> impl Strategy<Value = Route> {
    let of_a = select(vec![
        "",
        "a.localhost",
        "x.a.localhost",
        "'*.a.localhost'",
        "a.localhost, y.a.localhost",
        "c.localhost",
    ]);
    let of_b = select(vec!["", "b.localhost"]);
    let hosts = prop_oneof![4 => of_a.prop_map(|hosts| ("a", hosts)), 1 => of_b.prop_map(|hosts| ("b", hosts))];
    let year = prop::option::of(2020_u16..2023);
    (hosts, year, prop::collection::vec(rule(), 1..4)).prop_map(|((namespace, hosts), year, rules)| Route {
        namespace,
        hosts,
        year,
        rules,
    })
}

pub fn objects() -> impl Strategy<Value = Objects> {
    let routes = prop::collection::vec(route(), 0..6);
    (prop::bool::weighted(0.1), routes).prop_map(|(suspended, routes)| Objects { suspended, routes })
}

fn question() -> impl Strategy<Value = Question> {
    let hosts = ["a.localhost", "A.localhost", "x.a.localhost", "z.y.a.localhost", "b.localhost", "c.localhost"];
    let paths = ["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/abc", "/b", "/B", "/a%2fb"];
    let fields =
        ["X-K: 1", "x-k: 2", "x-l: 1", "X-Forwarded-For: 6.6.6.6", "x-real-ip: 6.6.6.6", "Via: 1.1 x", "accept: */*"];
    let url = (select(vec!["https", "https", "https", "http"]), select(hosts.to_vec()), select(paths.to_vec()));
    let query = select(vec!["", "?q=1", "?q=2", "?x=1&q=%31", "?q=2&q=1"]);
    let method = select(vec!["GET", "GET", "DELETE", "OPTIONS"]);
    let fields = prop::sample::subsequence(fields.to_vec(), 0..4);
    let sni = prop::option::weighted(0.15, select(vec!["a.localhost", "b.localhost", "w.a.localhost"]));
    let http2 = prop::bool::weighted(0.4);
    (url, query, method, fields, sni, http2).prop_map(|((scheme, host, path), query, method, fields, sni, http2)| {
        let mut asked = Question::get(&format!("{scheme}://{host}{path}{query}")).unwrap();
        method.clone_into(&mut asked.method);
        for field in fields {
            asked = asked.header(field).unwrap();
        }
        asked.sni = sni.map(str::to_owned);
        asked.http2 = http2;
        asked.from = (CLIENT, 50_000).into();
        asked
    })
}

pub fn questions() -> impl Strategy<Value = Vec<Question>> {
    prop::collection::vec(question(), 8)
}
