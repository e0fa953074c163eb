//! Every write that makes a topology fails once, in every way that writes fail: the operator gets there all the same, and then writes nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::bed::bed;
use crate::between::{self, Fault, Plan, Watched};
use crate::kubernetes::{Kubernetes, reference, until};
use crate::site::{SYSTEM, Site, sample, topology};

/// Topologies at a time.
const AT_ONCE: usize = 6;
/// Without a write for this long, it is at rest.
const QUIET: Duration = Duration::from_secs(1);

/// The sample's topology under another name, in namespaces of its own, without proxies: this is about writes.
fn variant(name: &str) -> Value {
    let mut variant = topology(name);
    variant["spec"] = sample("IngressTopology").remove(0)["spec"].clone();
    let spec = &mut variant["spec"];
    spec["outer"]["namespace"] = format!("{name}-outer").into();
    spec["outer"]["replicas"] = 0.into();
    spec["outer"]["exposure"]["service"]["type"] = "ClusterIP".into();
    spec["inner"] = json!({"replicas": 0});
    for tenant in spec["tenants"].as_array_mut().unwrap() {
        tenant["namespaces"] = json!({"names": [format!("{name}-{}", tenant["name"].as_str().unwrap())]});
    }
    variant
}

/// How many objects a topology has when it is made.
async fn children(cluster: &Kubernetes, name: &str) -> usize {
    let mut count = 0;
    for (version, kind) in crate::removal::KINDS {
        count += cluster.labelled(version, kind, &format!("bailey.dev/topology={name}")).await.len();
    }
    count
}

/// Makes the topology with one failing write, waits until all is made and nothing is written any more, and takes it away again. Gives
/// what was written, and the number of its objects, which has to become `objects`.
async fn make(
    cluster: &Kubernetes,
    plan: &Plan,
    name: &str,
    fails: Option<(usize, Fault)>,
    objects: Option<usize>,
) -> (Vec<String>, usize) {
    plan.lock().unwrap().insert(name.to_owned(), Watched { fails, writes: Vec::new() });
    cluster.apply_one(&variant(name)).await.unwrap();
    cluster.condition_of(name, "Programmed", "True", "").await;
    let writes = || plan.lock().unwrap()[name].writes.clone();
    let (mut last, mut since) = (writes().len(), Instant::now());
    let began = Instant::now();
    while since.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = writes().len();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{fails:?}: it goes on writing: {:#?}", writes());
    }
    if let Some(objects) = objects {
        until(&format!("{name} is whole although {fails:?}"), async || {
            (children(cluster, name).await == objects).then_some(())
        })
        .await;
    }
    let made = (writes(), children(cluster, name).await);
    cluster.delete(&topology(name)).await;
    // Asking for all kinds often would be most of the API server's work.
    until(&format!("{name} is gone"), async || {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let secrets = cluster.labelled("v1", "Secret", &format!("bailey.dev/topology={name}")).await;
        (secrets.is_empty() && children(cluster, name).await == 0).then_some(())
    })
    .await;
    made
}

pub(crate) fn any_write_may_fail_in_any_way() {
    bed().run(async |cluster| {
        Site::up(cluster.clone()).await;
        let plan = Plan::default();
        between::start(plan.clone()).await;
        for worker in 0..AT_ONCE {
            for part in ["outer", "team-a", "team-b"] {
                cluster.namespace(&format!("fault-{worker}-{part}")).await;
            }
        }
        let operator = reference("apps/v1", "Deployment", SYSTEM, "bailey-operator");
        let env = json!([
            {"name": "KUBERNETES_SERVICE_HOST", "value": crate::bed::NODE},
            {"name": "KUBERNETES_SERVICE_PORT", "value": between::PORT.to_string()},
        ]);
        let mut container = cluster.get(&operator).await.unwrap()["spec"]["template"]["spec"]["containers"][0].take();
        container["env"].as_array_mut().unwrap().extend(env.as_array().unwrap().clone());
        cluster
            .merge(&operator, &json!({"spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}}}))
            .await;
        cluster.rolled_out(SYSTEM, "bailey-operator").await;
        // The replica before it gives its lease back when it ends.
        until("one operator runs", async || (bed().processes(&["/bailey-operator"]).len() == 1).then_some(())).await;

        let (whole, objects) = make(&cluster, &plan, "fault-0", None, None).await;
        assert!(whole.len() >= objects && objects > 20, "{objects} objects, {whole:#?}");
        let cases: Vec<_> = (1..=whole.len()).flat_map(|number| Fault::ALL.map(|fault| (number, fault))).collect();
        let next = AtomicUsize::new(0);
        let workers = (0..AT_ONCE).map(async |worker| {
            let mut failed = 0;
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let name = format!("fault-{worker}");
                let (writes, _) = make(&cluster, &plan, &name, Some(*case), Some(objects)).await;
                failed += usize::from(writes.len() >= case.0);
            }
            failed
        });
        let failed: usize = join_all(workers).await.into_iter().sum();
        eprintln!("{} writes make the topology; {failed} of {} times one of them failed", whole.len(), cases.len());
        // A few writes of status come and go with time, so the last numbers may not be reached.
        assert!(failed * 10 >= cases.len() * 8, "{failed} of {}", cases.len());
        for worker in 0..AT_ONCE {
            for part in ["outer", "team-a", "team-b"] {
                let name = format!("fault-{worker}-{part}");
                let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
                cluster.api(&namespace).await.delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
            }
        }
        // The operator as it was installed.
        cluster.delete(&operator).await;
        Site::up(cluster.clone()).await;
    });
}
