//! The command line of `bailey-operator`. Decides names, defaults and help.

use std::net::SocketAddr;

use clap::Parser;

/// Makes the tiers of every `IngressTopology` of a cluster, and says what is wrong with them.
#[derive(Debug, Parser)]
#[command(name = "bailey-operator", version)]
pub struct Args {
    /// The proxy's image.
    #[arg(long, value_name = "IMAGE", env = "BAILEY_PROXY_IMAGE")]
    pub proxy_image: String,
    /// The operator's own namespace: the keys of the link authorities and the lease of the leader are there.
    #[arg(long, value_name = "NAMESPACE", default_value = "bailey-system", env = "BAILEY_NAMESPACE")]
    pub namespace: String,
    /// Name of this replica.
    #[arg(long, value_name = "NAME", default_value = "bailey-operator", env = "BAILEY_POD")]
    pub identity: String,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:15001", env = "BAILEY_ADMIN")]
    pub admin: SocketAddr,
    /// What to log: a level, or target=level, comma-separated.
    #[arg(long, value_name = "FILTER", default_value = "info,kube_runtime=off,kube_client=off", env = "BAILEY_LOG")]
    pub log: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Args;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
