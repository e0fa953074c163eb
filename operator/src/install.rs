//! What a person installs once: the definitions, the operator with its rights, the fixed roles of the tiers, and the cage
//! that keeps the operator's account to what it is for. Pure; the files of `config/` and `dist/install.yaml` are made of it.

use bailey_crds::access::TIER_ROLES;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::labels::MANAGER;
use crate::permissions;

/// The operator's namespace.
pub const NAMESPACE: &str = "bailey-system";
/// The operator's account, as the API server names it.
const ACCOUNT: &str = "system:serviceaccount:bailey-system:bailey-operator";
/// The operator's health and metrics port.
const ADMIN_PORT: u16 = 15001;

/// One file below `config/`.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path, such as `rbac/operator.yaml`.
    pub path: &'static str,
    /// Its objects.
    pub objects: Vec<Value>,
}

/// Everything in the order of installation, the definitions first.
pub fn objects(version: &str) -> Result<Vec<Value>, serde_json::Error> {
    let mut objects = bailey_crds::definitions()?.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    objects.extend(files(version)?.into_iter().flat_map(|file| file.objects));
    Ok(objects)
}

/// The files of `config/` that are generated, in the order of installation. The definitions are files of their own.
pub fn files(version: &str) -> Result<Vec<File>, serde_json::Error> {
    Ok(vec![
        File { path: "manager/namespace.yaml", objects: vec![namespace()] },
        File { path: "rbac/tiers.yaml", objects: tier_roles()? },
        File { path: "rbac/operator.yaml", objects: operator_rights()? },
        File { path: "rbac/cage.yaml", objects: crate::cage::policies(ACCOUNT) },
        File { path: "manager/operator.yaml", objects: vec![operator(version), budget()] },
    ])
}

fn labels() -> Value {
    json!({
        "app.kubernetes.io/name": MANAGER,
        "app.kubernetes.io/part-of": "bailey",
        "app.kubernetes.io/component": "operator",
    })
}

fn namespace() -> Value {
    let mut marks = labels();
    for mode in ["enforce", "audit", "warn"] {
        marks[format!("pod-security.kubernetes.io/{mode}")] = "restricted".into();
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": marks}})
}

fn metadata(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: serde_json::from_value(labels()).ok(),
        ..ObjectMeta::default()
    }
}

fn cluster_role(name: &str, rules: Vec<PolicyRule>) -> Result<Value, serde_json::Error> {
    serde_json::to_value(ClusterRole { metadata: metadata(name, None), rules: Some(rules), aggregation_rule: None })
}

fn tier_roles() -> Result<Vec<Value>, serde_json::Error> {
    let of = |role: &bailey_crds::access::FixedRole| {
        cluster_role(role.name, role.may.iter().map(permissions::rule).collect())
    };
    TIER_ROLES.iter().map(of).collect()
}

fn operator_rights() -> Result<Vec<Value>, serde_json::Error> {
    let subject = json!([{"kind": "ServiceAccount", "name": MANAGER, "namespace": NAMESPACE}]);
    let binding = |kind: &str, role: &str| {
        let mut binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": MANAGER, "labels": labels()},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": MANAGER},
            "subjects": subject,
        });
        if kind == "RoleBinding" {
            binding["metadata"]["namespace"] = NAMESPACE.into();
        }
        binding
    };
    let own = Role { metadata: metadata(MANAGER, Some(NAMESPACE)), rules: Some(permissions::own_rules()) };
    Ok(vec![
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": false,
            "metadata": {"name": MANAGER, "namespace": NAMESPACE, "labels": labels()},
        }),
        cluster_role(MANAGER, permissions::rules())?,
        binding("ClusterRoleBinding", "ClusterRole"),
        serde_json::to_value(own)?,
        binding("RoleBinding", "Role"),
    ])
}

fn operator(version: &str) -> Value {
    let probe = |path: &str, period: u32| json!({"httpGet": {"path": path, "port": "admin"}, "periodSeconds": period});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": MANAGER, "namespace": NAMESPACE, "labels": labels()},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app.kubernetes.io/name": MANAGER}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels()},
                "spec": {
                    "serviceAccountName": MANAGER,
                    "automountServiceAccountToken": true,
                    "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": 15,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "operator",
                        "image": format!("bailey.dev/bailey-operator:{version}"),
                        "args": [
                            format!("--proxy-image=bailey.dev/bailey-proxy:{version}"),
                            format!("--admin=0.0.0.0:{ADMIN_PORT}"),
                        ],
                        "env": [
                            {"name": "BAILEY_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                            {"name": "BAILEY_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                        ],
                        "ports": [{"name": "admin", "containerPort": ADMIN_PORT}],
                        "startupProbe": {"httpGet": {"path": "/healthz", "port": "admin"}, "periodSeconds": 1, "failureThreshold": 60},
                        "readinessProbe": probe("/readyz", 5),
                        "livenessProbe": probe("/healthz", 10),
                        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "readOnlyRootFilesystem": true,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }],
                },
            },
        },
    })
}

fn budget() -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": MANAGER, "namespace": NAMESPACE, "labels": labels()},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": MANAGER}}},
    })
}
