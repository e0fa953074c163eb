//! What Bailey writes and uses when nothing changes, and when much does.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::bed;
use crate::kubernetes::{Kubernetes, until};
use crate::site::{Site, TOPOLOGY, application, route, topology};

/// The accounts of the operator and of the sample's tiers.
const OURS: [&str; 4] = ["bailey-system:", "ingress-main:", "team-a:main-", "team-b:main-"];

/// What we wrote since a time. The leader's lease is renewed for as long as it leads, and is not counted.
fn ours(since: &str) -> Vec<String> {
    let writes = bed().writes("system:serviceaccount:", since).into_iter();
    let of_us = |line: &String| OURS.iter().any(|account| line.contains(&format!("system:serviceaccount:{account}")));
    writes.filter(of_us).filter(|line| !line.contains(" leases ")).collect()
}

pub(crate) fn nothing_is_written_at_rest() {
    bed().run(async |cluster| {
        Site::up(cluster.clone()).await;
        let since = jiff::Timestamp::now().to_string();
        // The audit log sees us: a change makes writes.
        cluster.merge(&topology(TOPOLOGY), &json!({"spec": {"outer": {"internalService": null, "replicas": 2}}})).await;
        until("the operator writes", async || (!ours(&since).is_empty()).then_some(())).await;
        cluster.merge(&topology(TOPOLOGY), &json!({"spec": {"outer": {"replicas": 1}}})).await;
        cluster.rolled_out("ingress-main", "main-outer").await;
        cluster.topology_ready(TOPOLOGY).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let since = jiff::Timestamp::now().to_string();
        tokio::time::sleep(Duration::from_mins(1)).await;
        let writes = ours(&since);
        assert!(writes.is_empty(), "{} writes in 60 s at rest:\n{}", writes.len(), writes.join("\n"));
    });
}

/// CPU time and memory of the operators, both replicas together.
fn used() -> (Duration, u64) {
    let mut total = (Duration::ZERO, 0);
    for process in bed().processes(&["/bailey-operator"]) {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // Fields 14 and 15, after the name in parentheses; in hundredths of a second.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        total.0 += Duration::from_millis(ticks * 10);
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let memory = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        total.1 += memory.unwrap_or_default() / 1024;
    }
    total
}

const TENANTS: usize = 200;
/// Tenants of a topology, which has 64 at most.
const EACH: usize = 50;
const ROUTES: usize = 5;

/// A topology of some tenants, whose proxies are not to be scheduled: the node has two cores, and this is about the operator.
fn many(name: &str, tenants: &[String]) -> Value {
    let nowhere = json!({"nodeSelector": {"bailey.test/nowhere": "true"}});
    let tenant = |name: &String| json!({"name": name, "namespaces": {"names": [name]}, "hostnames": [format!("{name}.example.com")]});
    let mut many = topology(name);
    many["spec"] = json!({
        "outer": {
            "namespace": format!("ingress-{name}"),
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
            "certificates": {"store": {"secrets": {}}},
            "pod": nowhere,
        },
        "inner": {"pod": nowhere},
        "tenants": tenants.iter().map(tenant).collect::<Vec<_>>(),
    });
    many
}

/// Applies the topologies with the routes of their tenants, and gives how many objects these are.
async fn apply(cluster: &Kubernetes, names: &[String]) -> usize {
    let mut objects = 0;
    for (number, tenants) in names.chunks(EACH).enumerate() {
        let name = format!("many-{number}");
        cluster.namespace(&format!("ingress-{name}")).await;
        cluster.apply_one(&many(&name, tenants)).await.unwrap();
        for tenant in tenants {
            for path in 0..ROUTES {
                let host = format!("{tenant}.example.com");
                let route = route(&name, tenant, &format!("route-{path}"), &host, &format!("/{path}"), "shop");
                cluster.apply_one(&route).await.unwrap();
            }
        }
        objects += 1 + tenants.len() * ROUTES;
    }
    objects
}

/// 200 tenants with 5 routes each, in four topologies.
pub(crate) fn two_hundred_tenants_cost_little() {
    bed().run(async |cluster| {
        Site::up(cluster.clone()).await;
        let names: Vec<String> = (0..TENANTS).map(|number| format!("tenant-{number}")).collect();
        for name in &names {
            cluster.namespace(name).await;
        }
        application(&cluster, &names[0], "shop").await;
        let (since, started, before) = (jiff::Timestamp::now().to_string(), Instant::now(), used());
        let objects = apply(&cluster, &names).await;
        let applied = started.elapsed();
        for number in 0..TENANTS / EACH {
            cluster.condition_of(&format!("many-{number}"), "Programmed", "True", "").await;
        }
        let (programmed, after) = (started.elapsed(), used());
        tokio::time::sleep(Duration::from_secs(5)).await;
        let writes = ours(&since);
        let status = writes.iter().filter(|line| line.contains("/status ")).count();
        let refused = writes.iter().filter(|line| !line.ends_with(" 200") && !line.ends_with(" 201")).count();
        let (applied, programmed) = (applied.as_secs_f32(), programmed.as_secs_f32());
        eprintln!(
            "{TENANTS} tenants with {ROUTES} routes: applied in {applied:.1} s, programmed after {programmed:.1} s"
        );
        let cpu = after.0.saturating_sub(before.0).as_secs_f32();
        eprintln!("both operators: {cpu:.1} s of CPU, {} MiB; {} writes, {refused} refused", after.1, writes.len());
        eprintln!("{status} writes of status for {objects} objects");
        assert!(status <= objects * 2, "{status} writes of status for {objects} objects");

        let (since, before) = (jiff::Timestamp::now().to_string(), used());
        tokio::time::sleep(Duration::from_secs(10)).await;
        eprintln!("at rest with them: {} ms of CPU in 10 s", used().0.saturating_sub(before.0).as_millis());
        assert!(ours(&since).is_empty(), "{:#?}", ours(&since));
        for number in 0..TENANTS / EACH {
            cluster.delete(&topology(&format!("many-{number}"))).await;
        }
        for name in &names {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            let namespaces = cluster.api(&namespace).await;
            namespaces.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
        }
        let labels = format!("bailey.dev/topology=many-{}", TENANTS / EACH - 1);
        until("the last of them are gone", async || {
            cluster.labelled("v1", "ServiceAccount", &labels).await.is_empty().then_some(())
        })
        .await;
    });
}
