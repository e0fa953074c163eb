//! Proof by DNS (dns-01, RFC 8555 section 8.4): a record is added, seen at the zone's own servers, and only then is the authority told; so
//! what is slow or wrong here never counts as a failed validation. Decides who writes records and when they are there.

mod ask;
mod journal;
#[cfg(feature = "dns-providers")]
mod providers;
mod rfc2136;
mod settings;
mod webhook;
mod zone;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bailey_acme::Secret;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use ask::{AskError, shows};
pub(super) use journal::Journal;
use zone::Resolver;

#[cfg(test)]
pub(in crate::acme) mod tests;

/// How often the servers are asked, and from the tenth time on.
const ROUNDS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(6));
/// A server that has not answered so often is left out.
const SILENT: u32 = 3;

/// Writes text records. Several texts may stand under one name; adding one that is there, and removing one that is not, succeeds.
pub(super) trait DnsRecords: Send + Sync {
    /// Who it is, for people.
    fn who(&self) -> String;
    /// Adds a text to a name.
    fn add<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), DnsError>>;
    /// Takes that text, and no other, away from a name.
    fn remove<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), DnsError>>;
}

/// Why a record cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum DnsError {
    /// A question without an answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// No name of DNS.
    #[error("{0} is no name of DNS")]
    Name(String),
    /// Nobody knows the zone.
    #[error(
        "no zone is known for {name}: {said}; name its servers in spec.outer.acme.challenge.dns01.propagation.nameservers"
    )]
    NoZone {
        /// The record's name.
        name: String,
        /// What was answered.
        said: String,
    },
    /// The record was not written.
    #[error("{who} does not {action} the record {name}: {why}")]
    Refused {
        /// Who should have written it.
        who: String,
        /// `add` or `remove`.
        action: &'static str,
        /// The record.
        name: String,
        /// In their words.
        why: String,
    },
    /// It was written, and is not there.
    #[error("the record {name} was not to be seen within {seconds} s: {said}")]
    NotSeen {
        /// The record.
        name: String,
        /// How long was waited.
        seconds: u64,
        /// What each server said last.
        said: String,
    },
}

/// Proofs by DNS.
pub struct Dns {
    records: Box<dyn DnsRecords>,
    resolver: Resolver,
    within: Duration,
    /// What no error may show.
    secrets: Vec<Secret>,
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns")
            .field("records", &self.records.who())
            .field("resolver", &self.resolver)
            .finish_non_exhaustive()
    }
}

impl Dns {
    /// Where the record of a name is written: where its aliases lead (RFC 8555 section 8.4 lets them).
    async fn place(&self, name: &str) -> Result<String, String> {
        self.resolver.canonical(name).await.map_err(|error| self.said(&error))
    }

    /// Adds a text, and waits until all servers of the zone show it.
    async fn publish(&self, name: &str, text: &str) -> Result<(), String> {
        let done = async {
            self.records.add(name, text).await?;
            self.wait_until_seen(name, text).await
        };
        done.await.map_err(|error| self.said(&error))
    }

    /// Takes a text away.
    async fn retract(&self, name: &str, text: &str) -> Result<(), String> {
        self.records.remove(name, text).await.map_err(|error| self.said(&error))
    }

    /// An error in words, without credentials: a service may repeat what it was sent.
    fn said(&self, error: &DnsError) -> String {
        let mut text = error.to_string();
        for secret in &self.secrets {
            if let Some(secret) = std::str::from_utf8(secret.expose()).ok().map(str::trim).filter(|one| one.len() >= 4)
            {
                text = text.replace(secret, "…");
            }
        }
        text
    }

    async fn wait_until_seen(&self, name: &str, text: &str) -> Result<(), DnsError> {
        let until = Instant::now() + self.within;
        let mut servers: Vec<Server> = Vec::new();
        let mut trouble = None;
        for round in 0.. {
            if servers.is_empty() {
                match self.resolver.servers(name).await {
                    Ok(found) => servers = found.into_iter().map(Server::new).collect(),
                    Err(error) => trouble = Some(error),
                }
            }
            let mut asked = Vec::new();
            for server in &servers {
                asked.push(server.ask(name, text));
            }
            let answers = futures_util::future::join_all(asked).await;
            for (server, answer) in servers.iter_mut().zip(answers) {
                server.take(answer);
            }
            let (seen, hopeless) =
                (servers.iter().filter(|one| one.seen).count(), servers.iter().filter(|one| one.is_silent()).count());
            if seen > 0 && seen + hopeless == servers.len() {
                return Ok(());
            }
            let pause = if round < 10 { ROUNDS.0 } else { ROUNDS.1 };
            if Instant::now() + pause > until {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        match trouble {
            Some(error) if servers.is_empty() => Err(error),
            _ => {
                let said: Vec<String> = servers.iter().map(|one| format!("{} {}", one.name, one.said)).collect();
                let (name, seconds) = (name.to_owned(), self.within.as_secs());
                Err(DnsError::NotSeen { name, seconds, said: said.join(", ") })
            }
        }
    }
}

/// A server of the zone.
struct Server {
    name: String,
    addresses: Vec<SocketAddr>,
    seen: bool,
    silent: u32,
    said: String,
}

impl Server {
    fn new((name, addresses): (String, Vec<SocketAddr>)) -> Self {
        Self { name, addresses, seen: false, silent: 0, said: "was not asked".to_owned() }
    }

    fn is_silent(&self) -> bool {
        self.silent >= SILENT
    }

    /// Asks at one address after the other until one answers.
    async fn ask(&self, name: &str, text: &str) -> Result<bool, AskError> {
        if self.seen {
            return Ok(true);
        }
        let mut last = Err(AskError::none(&self.name));
        for address in &self.addresses {
            last = shows(*address, name, text).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn take(&mut self, answer: Result<bool, AskError>) {
        match answer {
            Ok(seen) => {
                (self.seen, self.silent) = (seen, 0);
                "does not have it".clone_into(&mut self.said);
            }
            Err(error) => {
                self.silent += 1;
                self.said = format!("does not answer ({error})");
            }
        }
    }
}

/// What writes records and how it is watched, for the settings.
pub(super) fn dns(
    spec: &bailey_crds::topology::Dns01,
    material: &super::Material,
) -> Result<Arc<Dns>, super::SettingsError> {
    settings::dns(spec, material).map(Arc::new)
}
