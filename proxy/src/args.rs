//! The command line of `bailey-proxy`: one tier from a folder of YAML or a cluster. Decides names, defaults and help.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::page::Board;
use crate::telemetry::TracingOptions;
use crate::tier::{CredentialsError, DrainTimes, LinkCredentials, LogTarget, Role, TierOptions};
use bailey_kit::admin::{AdminToken, TokenError};
use bailey_kit::telemetry::Store;

/// Runs one tier of a topology, or a Gateway's tier alone, from a folder of Kubernetes YAML or from a cluster.
#[derive(Debug, Parser)]
#[command(name = "bailey-proxy", version)]
pub struct Args {
    /// Which tier this is.
    #[arg(long, value_enum, env = "BAILEY_TIER")]
    pub tier: TierKind,
    /// Name of the `IngressTopology` (outer and inner tier).
    #[arg(long, value_name = "NAME", env = "BAILEY_TOPOLOGY", required_if_eq_any = [("tier", "outer"), ("tier", "inner")])]
    pub topology: Option<String>,
    /// Name of the tenant (inner tier).
    #[arg(long, value_name = "NAME", env = "BAILEY_TENANT", required_if_eq("tier", "inner"))]
    pub tenant: Option<String>,
    /// The Gateway, as NAMESPACE/NAME (a tier alone).
    #[arg(long, value_name = "NAMESPACE/NAME", env = "BAILEY_GATEWAY", required_if_eq("tier", "gateway"), value_parser = gateway)]
    pub gateway: Option<(String, String)>,
    /// Folder of YAML that configures the tier; edits are taken over while it runs.
    #[arg(long, value_name = "DIR", env = "BAILEY_CONFIG", required_unless_present = "kubernetes")]
    pub config: Option<PathBuf>,
    /// Read the configuration from the cluster that the process runs in, or that KUBECONFIG names.
    #[arg(long, env = "BAILEY_KUBERNETES", conflicts_with = "config", requires = "namespace")]
    pub kubernetes: bool,
    /// Namespace of the tier, with its `TierConfig` (with --kubernetes).
    #[arg(long, value_name = "NAMESPACE", env = "BAILEY_NAMESPACE")]
    pub namespace: Option<String>,
    /// Folder with ca.crt, tls.crt and tls.key of the link (outer and inner tier).
    #[arg(long, value_name = "DIR", env = "BAILEY_LINK")]
    pub link: Option<PathBuf>,
    /// Speak plain text on links.
    #[cfg(any(test, feature = "plaintext-link"))]
    #[arg(long, conflicts_with = "link")]
    pub plaintext_link: bool,
    /// Worker threads [default: one for each core].
    #[arg(long, value_name = "N", env = "BAILEY_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Address that listeners are bound to.
    #[arg(long, value_name = "IP", default_value = "0.0.0.0", env = "BAILEY_ADDRESS")]
    pub address: IpAddr,
    /// Port that an inner tier waits for links on.
    #[arg(long, value_name = "PORT", default_value_t = 8443, env = "BAILEY_LINK_PORT")]
    pub link_port: u16,
    /// Bind a declared port as another, such as 443=8443; may be given several times.
    #[arg(long = "port", value_name = "DECLARED=BOUND", value_parser = mapping)]
    pub ports: Vec<(u16, u16)>,
    /// Address of /healthz, /readyz, /metrics and the page [default: none].
    #[arg(long, value_name = "IP:PORT", env = "BAILEY_ADMIN")]
    pub admin: Option<SocketAddr>,
    /// File with the token that opens the page; without it the page is shown over loopback only.
    #[arg(long, value_name = "FILE", env = "BAILEY_ADMIN_TOKEN_FILE", requires = "admin")]
    pub admin_token_file: Option<PathBuf>,
    /// Where access log lines go when the topology asks for them: a file, or `-` for standard output. A file is
    /// opened anew after SIGHUP, so that it can be rotated.
    #[arg(long, value_name = "FILE", default_value = "-", env = "BAILEY_ACCESS_LOG")]
    pub access_log: PathBuf,
    /// File that keeps the last good configuration, for a start when the folder cannot be read.
    #[arg(long, value_name = "FILE", env = "BAILEY_LAST_GOOD")]
    pub last_good: Option<PathBuf>,
    /// Folder that keeps the certificates an outer tier orders, and its account (with --kubernetes, where the topology keeps them on a volume).
    #[arg(long, value_name = "DIR", env = "BAILEY_CERTIFICATES", requires = "kubernetes")]
    pub certificates: Option<PathBuf>,
    /// Name of this process among the replicas of its tier, such as its Pod's: one of them orders certificates.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub replica: Option<String>,
    /// Let backends have loopback addresses: everything runs on this machine.
    #[arg(long)]
    pub local: bool,
    /// Seconds in which connections are still accepted after SIGTERM [default: limits.drain of the tier].
    #[arg(long, value_name = "SECONDS", env = "BAILEY_DRAIN_ACCEPT")]
    pub drain_accept: Option<u32>,
    /// Seconds that requests in progress then have to finish [default: limits.drain of the tier].
    #[arg(long, value_name = "SECONDS", env = "BAILEY_DRAIN_FINISH")]
    pub drain_finish: Option<u32>,
    /// What to log: a level, or target=level, comma-separated.
    #[arg(long, value_name = "FILTER", default_value = "info,kube_runtime=off,kube_client=off", env = "BAILEY_LOG")]
    pub log: String,
}

/// Why the arguments come to no options.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The link certificates cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The token of the admin port cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// The tiers a process can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TierKind {
    /// Faces the internet and owns hostnames.
    Outer,
    /// Routes to one tenant's applications.
    Inner,
    /// Both in one, for a plain Gateway.
    Gateway,
}

fn gateway(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        Some(_) | None => Err("write NAMESPACE/NAME".to_owned()),
    }
}

fn mapping(text: &str) -> Result<(u16, u16), String> {
    let pair = text.split_once('=').and_then(|(declared, bound)| Some((declared.parse().ok()?, bound.parse().ok()?)));
    pair.ok_or_else(|| "write DECLARED=BOUND, such as 443=8443".to_owned())
}

impl Args {
    /// The options they come to. Reads the link certificates and the token.
    pub fn options(&self) -> Result<TierOptions, OptionsError> {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // In a cluster nobody else may be near to ask for the last traces; `bailey trace` asks each tier for its own.
        let store = self.kubernetes.then(Store::new);
        Ok(TierOptions {
            tracing: TracingOptions { store: store.clone(), everything: None },
            board: store.map_or_else(Board::new, Board::alone),
            workers: self.workers.map_or_else(cores, usize::from),
            address: self.address,
            ports: self.ports.iter().copied().collect(),
            link_port: self.link_port,
            link: self.link.as_deref().map(LinkCredentials::read).transpose()?,
            #[cfg(any(test, feature = "plaintext-link"))]
            plaintext_link: self.plaintext_link,
            admin: self.admin,
            admin_token: self.admin_token_file.as_deref().map(AdminToken::read).transpose()?,
            access_log: if self.logs_to_a_file() {
                LogTarget::File(self.access_log.clone())
            } else {
                LogTarget::Stdout
            },
            local: self.local,
            drain: DrainTimes { accept: self.drain_accept.map(seconds), finish: self.drain_finish.map(seconds) },
            ..TierOptions::new(self.role())
        })
    }

    /// Whether access log lines go to a file, which may have to be opened anew.
    pub fn logs_to_a_file(&self) -> bool {
        self.access_log.as_os_str() != "-"
    }

    /// Clap has made sure that what a tier needs is there.
    fn role(&self) -> Role {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        match self.tier {
            TierKind::Outer => Role::Outer { topology: text(&self.topology) },
            TierKind::Inner => Role::Inner { topology: text(&self.topology), tenant: text(&self.tenant) },
            TierKind::Gateway => {
                let (namespace, name) = self.gateway.clone().unwrap_or_default();
                Role::Gateway { namespace, name }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::try_parse_from(line.split(' ')).map_err(|e| e.to_string())
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn each_tier_needs_its_names() {
        assert!(parse("bailey-proxy --tier outer --config d").unwrap_err().contains("--topology"));
        assert!(parse("bailey-proxy --tier inner --topology m --config d").unwrap_err().contains("--tenant"));
        assert!(parse("bailey-proxy --tier gateway --gateway web --config d").unwrap_err().contains("NAMESPACE/NAME"));
    }

    #[test]
    fn objects_come_from_a_folder_or_from_a_cluster() {
        let tier = "bailey-proxy --tier outer --topology m";
        assert!(parse(tier).unwrap_err().contains("--config"));
        assert!(parse(&format!("{tier} --kubernetes")).unwrap_err().contains("--namespace"));
        assert!(parse(&format!("{tier} --kubernetes --namespace n --config d")).is_err());
        assert!(parse(&format!("{tier} --kubernetes --namespace n")).unwrap().kubernetes);
    }

    #[test]
    fn options_follow_from_the_arguments() {
        let args =
            parse("bailey-proxy --tier gateway --gateway a/b --config d --workers 2 --port 443=8443 --port 80=0");
        let options = args.unwrap().options().unwrap();
        assert_eq!(options.role, Role::Gateway { namespace: "a".to_owned(), name: "b".to_owned() });
        assert_eq!((options.workers, options.ports[&443], options.ports[&80]), (2, 8443, 0));
        assert!(
            parse("bailey-proxy --tier gateway --gateway a/b --config d --port 443").unwrap_err().contains("443=8443")
        );
    }

    #[test]
    fn a_tier_in_a_cluster_keeps_its_last_traces_and_one_of_a_folder_does_not() {
        let keeps = |from: &str| {
            let options = parse(&format!("bailey-proxy --tier outer --topology m {from}")).unwrap().options().unwrap();
            (options.board.traces().is_some(), options.tracing.store.is_some())
        };
        assert_eq!(keeps("--kubernetes --namespace n"), (true, true));
        assert_eq!(keeps("--config d"), (false, false));
    }

    #[test]
    fn files_that_are_not_there_are_named() {
        let args = parse("bailey-proxy --tier outer --topology m --config d --link /nowhere").unwrap();
        assert!(args.options().unwrap_err().to_string().contains("/nowhere/ca.crt"));
        let line =
            "bailey-proxy --tier gateway --gateway a/b --config d --admin 127.0.0.1:0 --admin-token-file /nowhere";
        assert!(parse(line).unwrap().options().unwrap_err().to_string().contains("/nowhere"));
    }
}
