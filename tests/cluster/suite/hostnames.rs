//! Who owns a hostname: whoever had it first, whatever is asked for later and however it is spelt.

use serde_json::{Value, json};

use crate::bed::bed;
use crate::kubernetes::{Kubernetes, until};
use crate::site::{HOST_A, HOST_B, OUTER, Site, TOPOLOGY, sample, topology};

const SECOND: &str = "second";
const SECOND_OUTER: &str = "second-edge";
const THEIRS: &str = "c.example.com";

/// A topology beside the sample's with an outer tier in this namespace, and one tenant that asks for these hosts.
fn second(outer: &str, hostnames: &[&str]) -> Value {
    let mut second = topology(SECOND);
    second["spec"] = json!({
        "outer": {"namespace": outer, "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        "tenants": [{"name": "team-c", "namespaces": {"names": ["team-c"]}, "hostnames": hostnames}],
    });
    second
}

/// Waits until the topology says that this tenant lost this host to that owner.
async fn told(cluster: &Kubernetes, of: &str, tenant: &str, hostname: &str, owner: &str) {
    cluster.condition_of(of, "Accepted", "True", &format!("tenant {owner} of topology")).await;
    let lost = json!({"hostname": hostname, "owner": owner});
    until(&format!("{tenant} is told that {owner} has {hostname}"), async || {
        let found = cluster.get(&topology(of)).await?;
        let tenants = found.pointer("/status/tenants").and_then(Value::as_array)?;
        let of = tenants.iter().find(|one| one["name"] == tenant)?;
        of["lost"].as_array()?.contains(&lost).then_some(())
    })
    .await;
}

pub(crate) fn the_first_owner_keeps_a_hostname_and_the_second_is_told() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        cluster.namespace("team-c").await;
        cluster.namespace(SECOND_OUTER).await;
        // Neither a namespace shared with the first topology nor one of its own makes a difference.
        let wanted = [HOST_A, THEIRS, "deep.x.b.example.com"];
        cluster.apply_one(&second(OUTER, &wanted)).await.unwrap();
        told(&cluster, SECOND, "team-c", HOST_A, "team-a").await;
        cluster.delete(&topology(SECOND)).await;
        cluster.apply_one(&second(SECOND_OUTER, &wanted)).await.unwrap();
        told(&cluster, SECOND, "team-c", HOST_A, "team-a").await;
        // A wildcard of another tenant covers it.
        told(&cluster, SECOND, "team-c", "deep.x.b.example.com", "team-b").await;
        until("each name has one owner, the first", async || {
            let bindings = cluster.labelled("bailey.dev/v1alpha1", "HostnameBinding", "").await;
            let owners = |host: &str| -> Vec<Value> {
                let of = bindings.iter().filter(|binding| binding.data["spec"]["hostname"] == host);
                of.map(|binding| binding.data["spec"]["tenant"].clone()).collect()
            };
            (owners(HOST_A) == ["team-a"] && owners(THEIRS) == ["team-c"]).then_some(())
        })
        .await;

        // An older object that is edited now wins nothing: the sample's topology asks for the second's host.
        let mut tenants = sample("IngressTopology").remove(0)["spec"]["tenants"].clone();
        tenants[1]["hostnames"].as_array_mut().unwrap().push(THEIRS.into());
        cluster.merge(&topology(TOPOLOGY), &json!({"spec": {"tenants": tenants}})).await;
        told(&cluster, TOPOLOGY, "team-b", THEIRS, "team-c").await;
        for host in [HOST_A, HOST_B] {
            site.answers(host, 200).await;
        }

        // No other spelling gets around it: the definition knows one form of a name.
        for spelling in ["A.example.com", "a.example.com.", "a.example.com:443", "ａ.example.com", "a..example.com"] {
            let mut other = second(SECOND_OUTER, &[spelling]);
            other["metadata"]["name"] = "other".into();
            let refused = cluster.try_create(&other).await;
            let message = refused.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains("hostnames"), "{spelling}: {message}");
        }
        cluster.delete(&topology(SECOND)).await;
        cluster.delete_namespace("team-c").await;
        cluster.delete_namespace(SECOND_OUTER).await;
    });
}
