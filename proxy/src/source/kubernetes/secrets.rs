//! TLS Secrets, read by name: a tier may neither list nor watch Secrets.

use bailey_kit::kube::{Denied, Trouble};
use bailey_translate::Key;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use super::store::Store;

/// Reads all that are needed.
pub(super) async fn read(client: &Client, namespace: &str, store: &Store) {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut found = Vec::new();
    for name in store.secrets() {
        let answer = api.get_opt(&name).await.map_err(|error| {
            Denied::of(&error).map_or_else(
                || Trouble::Failing(format!("Secret {namespace}/{name} cannot be read: {error}")),
                Trouble::Denied,
            )
        });
        found.push((Key::new(namespace, name), answer));
    }
    store.set_secrets(found);
}
