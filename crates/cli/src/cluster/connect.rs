//! Which cluster is asked, and as whom: the kubeconfig's, or that of the Pod that this runs in.

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{ClusterError, Connection};
use crate::nearest;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The variable that a Pod has of the API server.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    /// The client, with the person's credentials.
    pub client: Client,
    /// The API server's address, for messages.
    pub server: String,
}

impl Cluster {
    /// Makes the client. Nothing is asked yet.
    pub async fn connect(connection: &Connection) -> Result<Self, ClusterError> {
        bailey_kit::kube::use_provider();
        let mut config = config(connection).await?;
        config.connect_timeout = Some(PATIENCE);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config).map_err(|error| ClusterError::of(&error, &server))?;
        Ok(Self { client, server })
    }

    /// What a failure of the client means here.
    pub fn failure(&self, error: &kube::Error) -> ClusterError {
        ClusterError::of(error, &self.server)
    }
}

async fn config(connection: &Connection) -> Result<Config, ClusterError> {
    let read = match &connection.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let kubeconfig = match read.map_err(ClusterError::from) {
        Ok(kubeconfig) => kubeconfig,
        Err(missing @ ClusterError::NoKubeconfig { .. }) => {
            let in_cluster = connection.kubeconfig.is_none() && connection.context.is_none();
            if in_cluster && std::env::var_os(IN_CLUSTER).is_some() {
                return Config::incluster().map_err(|error| ClusterError::Credentials(error.to_string()));
            }
            return Err(missing);
        }
        Err(other) => return Err(other),
    };
    let contexts: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let options = KubeConfigOptions { context: connection.context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(ClusterError::from);
    let Err(ClusterError::Context { name, .. }) = config else { return config };
    let hint = nearest::hint(&name, contexts.iter().map(String::as_str));
    Err(ClusterError::Context { name, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(server: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: main\n\
             clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n\
             contexts: [{{name: main, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn connection(file: &tempfile::NamedTempFile, context: Option<&str>) -> Connection {
        Connection { kubeconfig: Some(file.path().to_owned()), context: context.map(str::to_owned) }
    }

    #[tokio::test]
    async fn a_context_that_there_is_not_is_named_with_the_nearest() {
        let file = kubeconfig("http://127.0.0.1:1");
        let error = Cluster::connect(&connection(&file, Some("mian"))).await.err().unwrap();
        assert!(error.to_string().contains("no context mian (did you mean main?)"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_named() {
        // A port that was just free.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = kubeconfig(&format!("http://127.0.0.1:{port}"));
        let cluster = Cluster::connect(&connection(&file, None)).await.unwrap();
        let error = cluster.client.apiserver_version().await.unwrap_err();
        let text = cluster.failure(&error).to_string();
        assert!(text.contains(&format!("http://127.0.0.1:{port}")) && text.contains("refused"), "{text}");
    }
}
