//! The cluster's API as tests use it: apply YAML, wait for something to come true, and say what was there instead if it does not.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, LogParams, Patch, PatchParams,
    PostParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::{Scope, pinned_kind};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::bed::bed;

/// The administrator's client.
#[derive(Clone)]
pub(crate) struct Kubernetes {
    pub(crate) client: Client,
    /// What the API server has said of kinds.
    kinds: Arc<Mutex<HashMap<GroupVersionKind, (ApiResource, Scope)>>>,
}

/// How long something may take that needs Pods to start.
pub(crate) const SOON: Duration = Duration::from_mins(1);

impl Kubernetes {
    pub(crate) async fn connect(kubeconfig: &Path) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the cluster's kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.expect("a sound kubeconfig")).expect("a client");
        Self { client, kinds: Arc::default() }
    }

    /// The API for objects like this one.
    pub(crate) async fn api(&self, object: &Value) -> Api<DynamicObject> {
        let text = |key: &str| object[key].as_str().unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let kind = GroupVersionKind::gvk(group, version, text("kind"));
        let (resource, capabilities) = self.resource(&kind).await;
        match (capabilities, object.pointer("/metadata/namespace").and_then(Value::as_str)) {
            (Scope::Cluster, _) => Api::all_with(self.client.clone(), &resource),
            (Scope::Namespaced, namespace) => {
                Api::namespaced_with(self.client.clone(), namespace.unwrap_or("default"), &resource)
            }
        }
    }

    async fn resource(&self, kind: &GroupVersionKind) -> (ApiResource, Scope) {
        if let Some(known) = self.kinds.lock().expect("no panic").get(kind) {
            return known.clone();
        }
        let (resource, capabilities) = pinned_kind(&self.client, kind).await.expect("a kind that the cluster knows");
        let known = (resource, capabilities.scope);
        self.kinds.lock().expect("no panic").insert(kind.clone(), known.clone());
        known
    }

    /// Applies every document of `yaml`, by server-side apply as `kubectl apply --server-side` does.
    pub(crate) async fn apply(&self, yaml: &str) {
        for object in documents(yaml) {
            self.apply_one(&object).await.unwrap_or_else(|error| panic!("{error}: {object}"));
        }
    }

    pub(crate) async fn apply_one(&self, object: &Value) -> Result<DynamicObject, kube::Error> {
        let parameters = PatchParams::apply("kubectl").force();
        self.api(object).await.patch(name(object), &parameters, &Patch::Apply(object)).await
    }

    /// The object that this one names, if it is there.
    pub(crate) async fn get(&self, object: &Value) -> Option<Value> {
        let found = self.api(object).await.get_opt(name(object)).await.expect("an answer");
        found.map(|found| serde_json::to_value(found).expect("JSON"))
    }

    /// All objects of this one's kind with these labels, in all namespaces.
    pub(crate) async fn labelled(&self, api_version: &str, kind: &str, labels: &str) -> Vec<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let (resource, _) = self.resource(&GroupVersionKind::gvk(group, version, kind)).await;
        let all = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        all.list(&ListParams::default().labels(labels)).await.expect("a list").items
    }

    /// Merges `change` into the object that `object` names.
    pub(crate) async fn merge(&self, object: &Value, change: &Value) {
        let api = self.api(object).await;
        let changed = api.patch(name(object), &PatchParams::default(), &Patch::Merge(change)).await;
        changed.unwrap_or_else(|error| panic!("{error}: {object} {change}"));
    }

    /// Deletes the object that this one names, and waits until it is gone.
    pub(crate) async fn delete(&self, object: &Value) {
        let api = self.api(object).await;
        match api.delete(name(object), &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return,
            Err(error) => panic!("{error}: {object}"),
        }
        until(&format!("{object} is gone"), async || {
            api.get_opt(name(object)).await.expect("an answer").is_none().then_some(())
        })
        .await;
    }

    /// The Pods with these labels that are not on their way out.
    pub(crate) async fn pods(&self, namespace: &str, labels: &str) -> Vec<Pod> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let list = pods.list(&ListParams::default().labels(labels)).await.expect("a list");
        list.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
    }

    /// Waits until the Deployment has rolled out: all its Pods are new and ready, and no old one is left to serve.
    pub(crate) async fn rolled_out(&self, namespace: &str, name: &str) {
        let deployment = reference("apps/v1", "Deployment", namespace, name);
        until(&format!("Deployment {namespace}/{name} has rolled out"), async || {
            let found = self.get(&deployment).await?;
            let number = |pointer: &str| found.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
            let wanted = number("/spec/replicas");
            let counts = ["/status/replicas", "/status/updatedReplicas", "/status/availableReplicas"];
            let seen = number("/status/observedGeneration") >= number("/metadata/generation");
            (seen && counts.iter().all(|count| number(count) == wanted)).then_some(())
        })
        .await;
    }

    /// Starts a roll of the Deployment's Pods as `kubectl rollout restart` does.
    pub(crate) async fn restart(&self, namespace: &str, name: &str) {
        let now = jiff::Timestamp::now().to_string();
        let template = json!({"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": now}}});
        let deployment = reference("apps/v1", "Deployment", namespace, name);
        self.merge(&deployment, &json!({"spec": {"template": template}})).await;
    }

    /// Whether the API server would store a new object like this; nothing is stored.
    pub(crate) async fn try_create(&self, object: &Value) -> Result<DynamicObject, kube::Error> {
        let object_of = serde_json::from_value(object.clone()).expect("an object");
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        self.api(object).await.create(&parameters, &object_of).await
    }

    /// Makes a namespace and waits until Pods can be made in it.
    pub(crate) async fn namespace(&self, name: &str) -> String {
        self.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}")).await;
        let accounts = Api::<k8s_openapi::api::core::v1::ServiceAccount>::namespaced(self.client.clone(), name);
        until("the namespace's default account", async || accounts.get_opt("default").await.ok().flatten()).await;
        name.to_owned()
    }

    /// Deletes a namespace and waits until it is gone.
    pub(crate) async fn delete_namespace(&self, name: &str) {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        namespaces.delete(name, &DeleteParams::default()).await.expect("deleted");
        until("the namespace is gone", async || {
            namespaces.get_opt(name).await.expect("an answer").is_none().then_some(())
        })
        .await;
    }

    /// Waits until the Pod is ready.
    pub(crate) async fn ready(&self, namespace: &str, pod: &str) -> Pod {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        until(&format!("Pod {namespace}/{pod} is ready"), async || {
            pods.get_opt(pod).await.expect("an answer").filter(|pod| condition(pod, "Ready"))
        })
        .await
    }

    /// Makes a Service of type `LoadBalancer` for the Pod `name` and gives its address. Ports are pairs of its own and the Pod's.
    pub(crate) async fn load_balancer(
        &self,
        namespace: &str,
        name: &str,
        policy: &str,
        ports: &[(u16, u16)],
    ) -> String {
        let ports: Vec<_> = ports
            .iter()
            .map(|(port, target)| json!({"name": format!("p{port}"), "port": port, "targetPort": target}))
            .collect();
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": "LoadBalancer", "externalTrafficPolicy": policy, "selector": {"app": name}, "ports": ports},
        });
        self.apply_one(&service).await.expect("a service");
        let services = self.api(&service).await;
        until("the load balancer's address", async || {
            let service = services.get(name).await.expect("an answer");
            let address = service.data.pointer("/status/loadBalancer/ingress/0/ip");
            address.and_then(Value::as_str).map(str::to_owned)
        })
        .await
    }

    pub(crate) async fn logs(&self, namespace: &str, pod: &str) -> String {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        pods.logs(pod, &LogParams::default()).await.unwrap_or_else(|error| error.to_string())
    }
}

/// Waits until `there` gives something, and panics with the state of the cluster if that takes longer than [`SOON`].
pub(crate) async fn until<T>(what: &str, there: impl AsyncFnMut() -> Option<T>) -> T {
    within(SOON, what, there).await
}

/// The same with a longest time of its own.
pub(crate) async fn within<T>(longest: Duration, what: &str, mut there: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = there().await {
            return found;
        }
        assert!(started.elapsed() < longest, "not within {} s: {what}\n{}", longest.as_secs(), bed().describe());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the object's condition is True.
pub(crate) fn condition(object: &impl serde::Serialize, kind: &str) -> bool {
    let object = serde_json::to_value(object).unwrap_or_default();
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// The documents of a YAML text.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).expect("YAML")
}

/// What names an object of a namespace.
pub(crate) fn reference(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}})
}

fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).expect("a name")
}

/// A Pod of the echo application that is reached by `more` (fields of its container).
pub(crate) fn echo_pod(namespace: &str, name: &str, more: &Value) -> Value {
    let mut container = json!({
        "name": "echo", "image": "bailey.test/echo:1", "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
        "securityContext": restricted(),
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"automountServiceAccountToken": false, "containers": [container], "terminationGracePeriodSeconds": 1},
    })
}

/// What the restricted Pod Security profile wants of a container, and a root file system that nobody writes to.
pub(crate) fn restricted() -> Value {
    json!({
        "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}
