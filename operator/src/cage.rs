//! The cage of the operator's account: what it may write is checked by the API server itself, so that whoever steals its
//! token cannot start what they like.
//!
//! Whoever may create a Deployment in a namespace reaches every Secret in it. So a pod that the operator asks for has to
//! have our label, the restricted profile, an account of its own name, and volumes of known kinds, with the one Secret
//! `bailey-link`; bindings lead from an account of the operator's to a fixed role only, in one namespace where it reads
//! Secrets; and in the status of routes only its own entries are its business.

use bailey_crds::LINK_SECRET;
use bailey_crds::access::{CLASSES, TIER_ROLES};
use bailey_translate::CONTROLLER;
use serde_json::{Value, json};

use crate::labels;

/// Policies and their bindings. `account` is the operator's.
pub fn policies(account: &str) -> Vec<Value> {
    [workloads(account), bindings(account), everything(account), statuses(account)].into_iter().flatten().collect()
}

fn policy(name: &str, account: &str, rules: &Value, checks: &[(&str, &str)]) -> [Value; 2] {
    let checks: Vec<Value> =
        checks.iter().map(|(expression, message)| json!({"expression": expression, "message": message})).collect();
    let marks = json!({"app.kubernetes.io/part-of": "bailey"});
    [
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name, "labels": marks},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": rules},
                "matchConditions": [{"name": "operator", "expression": format!("request.userInfo.username == '{account}'")}],
                "validations": checks,
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name, "labels": marks},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        }),
    ]
}

fn rule(groups: &[&str], resources: &[&str]) -> Value {
    json!({"apiGroups": groups, "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": resources})
}

fn workloads(account: &str) -> [Value; 2] {
    let link = format!(
        "!has(object.spec.template.spec.volumes) || object.spec.template.spec.volumes.all(v, has(v.emptyDir) || \
         has(v.persistentVolumeClaim) || (has(v.secret) && v.secret.secretName == '{LINK_SECRET}'))"
    );
    policy(
        "bailey-operator-workloads",
        account,
        &json!([rule(&["apps"], &["deployments", "daemonsets"])]),
        &[
            (
                "object.spec.template.spec.serviceAccountName == object.metadata.name",
                "the operator's pods run as the account of their own name",
            ),
            (&link, "the operator's pods mount scratch space, a claim, or the Secret bailey-link"),
            (
                "!(has(object.spec.template.spec.hostNetwork) && object.spec.template.spec.hostNetwork) && \
                 !(has(object.spec.template.spec.hostPID) && object.spec.template.spec.hostPID) && \
                 !(has(object.spec.template.spec.hostIPC) && object.spec.template.spec.hostIPC)",
                "the operator's pods share nothing with their node",
            ),
            (
                "has(object.spec.template.spec.securityContext) && object.spec.template.spec.securityContext.runAsNonRoot \
                 && object.spec.template.spec.securityContext.seccompProfile.type == 'RuntimeDefault'",
                "the operator's pods are not root and have the runtime's seccomp profile",
            ),
            (
                "size(object.spec.template.spec.containers) == 1 && !has(object.spec.template.spec.initContainers) && \
                 object.spec.template.spec.containers.all(c, has(c.securityContext) && \
                 !c.securityContext.allowPrivilegeEscalation && c.securityContext.readOnlyRootFilesystem && \
                 c.securityContext.capabilities.drop == ['ALL'] && !has(c.securityContext.capabilities.add) && \
                 !has(c.command) && !has(c.envFrom))",
                "the operator's pods have one container, without rights and with its own program",
            ),
        ],
    )
}

fn bindings(account: &str) -> [Value; 2] {
    let names: Vec<String> = TIER_ROLES.iter().map(|role| format!("'{}'", role.name)).collect();
    let roles = format!("object.roleRef.kind == 'ClusterRole' && object.roleRef.name in [{}]", names.join(", "));
    // Bound to the whole cluster, the roles that read Secrets would read all of them.
    let place = format!("request.resource.resource == 'rolebindings' || object.roleRef.name == '{}'", CLASSES.name);
    policy(
        "bailey-operator-bindings",
        account,
        &json!([rule(&["rbac.authorization.k8s.io"], &["rolebindings", "clusterrolebindings"])]),
        &[
            (&roles, "the operator binds the fixed roles of the tiers only"),
            (&place, "the operator binds to the whole cluster only what is no secret"),
            (
                "size(object.subjects) == 1 && object.subjects[0].kind == 'ServiceAccount' && \
                 !object.subjects[0].namespace.startsWith('kube-')",
                "the operator binds one account of a tier",
            ),
        ],
    )
}

fn statuses(account: &str) -> [Value; 2] {
    let others = |object: &str| {
        format!(
            "(has({object}.status) && has({object}.status.parents) ? \
             {object}.status.parents.filter(p, p.controllerName != '{CONTROLLER}') : [])"
        )
    };
    let kept = format!("{} == {}", others("object"), others("oldObject"));
    policy(
        "bailey-operator-statuses",
        account,
        &json!([rule(&["gateway.networking.k8s.io"], &["httproutes/status", "grpcroutes/status"])]),
        &[(&kept, "the operator writes only its own entries into the status of a route")],
    )
}

fn everything(account: &str) -> [Value; 2] {
    let ours = format!(
        "has(object.metadata.labels) && '{0}' in object.metadata.labels && object.metadata.labels['{0}'] == '{1}'",
        labels::MANAGED_BY,
        labels::MANAGER
    );
    let mine = format!(
        "oldObject == null || (has(oldObject.metadata.labels) && '{0}' in oldObject.metadata.labels && \
         oldObject.metadata.labels['{0}'] == '{1}')",
        labels::MANAGED_BY,
        labels::MANAGER
    );
    policy(
        "bailey-operator-objects",
        account,
        &json!([
            rule(&[""], &["services", "serviceaccounts", "persistentvolumeclaims", "secrets", "namespaces"]),
            rule(&["apps"], &["deployments", "daemonsets"]),
            rule(&["rbac.authorization.k8s.io"], &["rolebindings", "clusterrolebindings"]),
            rule(&["networking.k8s.io"], &["networkpolicies", "ingressclasses"]),
            rule(&["policy"], &["poddisruptionbudgets"]),
            rule(&["autoscaling"], &["horizontalpodautoscalers"]),
            rule(&["gateway.networking.k8s.io"], &["gateways", "gatewayclasses"]),
        ]),
        &[
            (&ours, "everything that the operator writes carries its label"),
            (&mine, "the operator changes only what carries its label already"),
            (
                "!(has(object.metadata.namespace) && object.metadata.namespace.startsWith('kube-'))",
                "the operator writes nothing into the cluster's own namespaces",
            ),
        ],
    )
}
