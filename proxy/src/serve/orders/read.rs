//! What the references of `acme` lead to, read by name from the tier's own namespace.

use std::collections::BTreeMap;
use std::time::Duration;

use bailey_crds::topology::Acme;
use bailey_kit::kube::Denied;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use tokio::time::timeout;

use crate::acme::{Material, OrderingError, Reference, SettingsError};

/// How long the API server has for one object.
const PATIENCE: Duration = Duration::from_secs(10);

type Entries = BTreeMap<String, Vec<u8>>;

/// All of it. An object that is not there, or lacks what is wanted of it, is said by its reference.
pub(super) async fn material(client: &Client, namespace: &str, acme: &Acme) -> Result<Material, OrderingError> {
    let mut found: BTreeMap<Reference, Option<Entries>> = BTreeMap::new();
    for reference in Material::references(acme) {
        let asked = timeout(PATIENCE, entries(client, namespace, &reference)).await;
        let why = match asked {
            Ok(Ok(entries)) => {
                found.insert(reference, entries);
                continue;
            }
            Ok(Err(error)) => Denied::of(&error).map_or_else(|| error.to_string(), |denied| denied.to_string()),
            Err(_) => format!("no answer from the API server within {} s", PATIENCE.as_secs()),
        };
        return Err(
            SettingsError::Unread { object: reference.to_string(), namespace: namespace.to_owned(), why }.into()
        );
    }
    Ok(Material::of(acme, namespace, |reference| found.get(reference).cloned().flatten())?)
}

async fn entries(client: &Client, namespace: &str, reference: &Reference) -> Result<Option<Entries>, kube::Error> {
    let bytes = |data: Option<BTreeMap<String, ByteString>>| -> Entries {
        data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect()
    };
    Ok(match reference {
        Reference::ConfigMap(name) => {
            let map = Api::<ConfigMap>::namespaced(client.clone(), namespace).get_opt(name).await?;
            map.map(|map| {
                let texts = map.data.unwrap_or_default().into_iter().map(|(key, text)| (key, text.into_bytes()));
                texts.chain(bytes(map.binary_data)).collect()
            })
        }
        Reference::Secret(name) => {
            let secret = Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await?;
            secret.map(|secret| bytes(secret.data))
        }
    })
}
