//! What Bailey writes and uses when nothing changes, and when much does.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::bed;
use crate::kubernetes::until;
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
        tokio::time::sleep(Duration::from_secs(60)).await;
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

/// 200 tenants with 5 routes each, in four topologies (one has 64 tenants at most). Their proxies are not to be scheduled: the node has two
/// cores, and this is about the operator.
pub(crate) fn two_hundred_tenants_cost_little() {
    const TENANTS: usize = 200;
    const EACH: usize = 50;
    bed().run(async |cluster| {
        Site::up(cluster.clone()).await;
        let names: Vec<String> = (0..TENANTS).map(|number| format!("many-{number}")).collect();
        for name in &names {
            cluster.namespace(name).await;
        }
        application(&cluster, &names[0], "shop").await;
        let nowhere = json!({"nodeSelector": {"bailey.test/nowhere": "true"}});
        let (since, started, before) = (jiff::Timestamp::now().to_string(), Instant::now(), used());
        let mut generations = 0;
        for (number, tenants) in names.chunks(EACH).enumerate() {
            let outer = format!("ingress-many-{number}");
            cluster.namespace(&outer).await;
            let tenant = |name: &String| json!({"name": name, "namespaces": {"names": [name]}, "hostnames": [format!("{name}.example.com")]});
            let mut many = topology(&format!("many-{number}"));
            many["spec"] = json!({
                "outer": {
                    "namespace": outer,
                    "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
                    "certificates": {"store": {"secrets": {}}},
                    "pod": nowhere,
                },
                "inner": {"pod": nowhere},
                "tenants": tenants.iter().map(tenant).collect::<Vec<_>>(),
            });
            cluster.apply_one(&many).await.unwrap();
            generations += 1;
            for name in tenants {
                for path in 0..5 {
                    let host = format!("{name}.example.com");
                    let route = route(&format!("many-{number}"), name, &format!("route-{path}"), &host, &format!("/{path}"), "shop");
                    cluster.apply_one(&route).await.unwrap();
                    generations += 1;
                }
            }
        }
        let applied = started.elapsed();
        for number in 0..TENANTS / EACH {
            cluster.condition_of(&format!("many-{number}"), "Programmed", "True", "").await;
        }
        let (programmed, after) = (started.elapsed(), used());
        tokio::time::sleep(Duration::from_secs(5)).await;
        let writes = ours(&since);
        let status = writes.iter().filter(|line| line.contains("/status ")).count();
        let failed = writes.iter().filter(|line| !line.ends_with(" 200") && !line.ends_with(" 201")).count();
        eprintln!(
            "{TENANTS} tenants with 5 routes: applied in {:.1} s, programmed after {:.1} s; operator: {:.1} s of CPU, {} MiB (both replicas), \
             {} writes ({failed} not accepted), {status} of them status, for {generations} generations",
            applied.as_secs_f32(), programmed.as_secs_f32(), after.0.saturating_sub(before.0).as_secs_f32(), after.1, writes.len(),
        );
        assert!(status <= generations * 2, "{status} writes of status for {generations} generations");
        let since = jiff::Timestamp::now().to_string();
        let before = used();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let busy = used().0.saturating_sub(before.0);
        eprintln!("at rest with them: {} ms of CPU in 10 s", busy.as_millis());
        assert!(ours(&since).is_empty(), "{:#?}", ours(&since));

        for number in 0..TENANTS / EACH {
            cluster.delete(&topology(&format!("many-{number}"))).await;
        }
        for name in &names {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            cluster.api(&namespace).await.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
        }
    });
}
