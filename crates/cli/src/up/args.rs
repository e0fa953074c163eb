//! The options of `bailey up`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

/// How `bailey up` runs.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Folder with the YAML: an `IngressTopology` (or a `Gateway`), routes, Services or `LocalBackend`s.
    pub dir: PathBuf,
    /// Address that the outer tier listens on.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", env = "BAILEY_ADDRESS")]
    pub address: IpAddr,
    /// Port that stands for the listeners' port 80; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8080, env = "BAILEY_HTTP_PORT")]
    pub http_port: u16,
    /// Port that stands for the listeners' port 443; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8443, env = "BAILEY_HTTPS_PORT")]
    pub https_port: u16,
    /// Port of the page, health and metrics on loopback; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 15000, env = "BAILEY_ADMIN_PORT")]
    pub admin_port: u16,
    /// Worker threads of each tier.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256), env = "BAILEY_WORKERS")]
    pub workers: u16,
    /// Folder that keeps the development CA [default: the user's data folder].
    #[arg(long, value_name = "DIR", env = "BAILEY_STATE")]
    pub state: Option<PathBuf>,
    /// Directory of an ACME authority that certificates are ordered from, instead of the development CA: such as a Pebble on this machine.
    #[arg(long, value_name = "URL", env = "BAILEY_ACME")]
    pub acme: Option<String>,
    /// File with the roots to trust for that directory, PEM.
    #[arg(long, value_name = "FILE", requires = "acme", env = "BAILEY_ACME_CA")]
    pub acme_ca: Option<PathBuf>,
    /// Open the page in a browser.
    #[arg(long)]
    pub open: bool,
    /// Print an access log line per request, of both tiers, also where no object asks for one.
    #[arg(long)]
    pub access_log: bool,
    /// The same, into a file; it is opened anew after SIGHUP, so that it can be rotated.
    #[arg(long, value_name = "FILE", env = "BAILEY_ACCESS_LOG_FILE")]
    pub access_log_file: Option<PathBuf>,
}
