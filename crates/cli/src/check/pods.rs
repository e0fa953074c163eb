//! Pods that are not ready, and why, in the words of whoever knows: the scheduler, the kubelet, the container. Pure.

use bailey_translate::{Code, Diagnostic};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;

use super::finding::found;

/// What is wrong with these Pods.
pub(super) fn findings(pods: &[Pod]) -> Vec<Diagnostic> {
    pods.iter().filter(|pod| !is_ready(pod)).map(finding).collect()
}

/// Ready, or on its way out, which is no fault.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready || pod.metadata.deletion_timestamp.is_some() || phase(pod) == "Succeeded"
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn finding(pod: &Pod) -> Diagnostic {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    found(Code::PodNotReady, ("Pod", &namespace, &name), "", why(pod))
}

fn why(pod: &Pod) -> String {
    let Some(status) = &pod.status else { return "nothing is known of it yet".to_owned() };
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let unscheduled = conditions.iter().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    if let Some(condition) = unscheduled {
        return format!("it has no node: {}", condition.message.as_deref().unwrap_or("the scheduler does not say why"));
    }
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    if let Some(said) = containers.filter(|container| !container.ready).find_map(waits) {
        return said;
    }
    if let Some(message) = status.message.as_ref().filter(|message| !message.is_empty()) {
        return message.clone();
    }
    format!("it is {} and not ready: its /readyz?verbose and its log say what it waits for", phase(pod).to_lowercase())
}

fn waits(container: &ContainerStatus) -> Option<String> {
    let name = &container.name;
    let state = container.state.as_ref()?;
    let before = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let ended = before.map(|end| {
        let reason = end.reason.clone().unwrap_or_default();
        format!("; it ended before with code {} ({reason})", end.exit_code)
    });
    let restarts = match container.restart_count {
        0 => String::new(),
        count => format!("; it was started again {count} times"),
    };
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.clone().unwrap_or_else(|| "waiting".to_owned());
        let message = waiting.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        return Some(format!("container {name}: {reason}{message}{}{restarts}", ended.unwrap_or_default()));
    }
    let terminated = state.terminated.as_ref()?;
    let message = terminated.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    Some(format!("container {name} ended with code {}{message}{restarts}", terminated.exit_code))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "n"}, "status": status})).unwrap()
    }

    #[test]
    fn a_pod_that_is_ready_is_no_finding_and_one_that_is_not_says_why() {
        let said = |status: serde_json::Value| findings(&[pod(&status)]).first().map(|found| found.message.clone());
        assert_eq!(said(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})), None);
        let message = "0/3 nodes are available";
        let unscheduled = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": message}]});
        assert_eq!(said(unscheduled), Some("it has no node: 0/3 nodes are available".to_owned()));
        let container = json!({
            "name": "proxy", "ready": false, "restartCount": 3, "image": "i", "imageID": "",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
        });
        let text = said(json!({"phase": "Running", "containerStatuses": [container]})).unwrap();
        assert_eq!(
            text,
            "container proxy: CrashLoopBackOff: back-off; it ended before with code 2 (Error); it was started again 3 times"
        );
        let quiet = said(json!({"phase": "Running"})).unwrap();
        assert!(quiet.contains("/readyz?verbose"), "{quiet}");
    }
}
