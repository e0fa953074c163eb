//! Where a record belongs: its name behind aliases, the zone it is in, the servers of that zone. Found by the machine's resolver, or by the
//! servers that the topology names, where the zone cannot be seen from here.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};

use super::DnsError;
use super::ask::{AskError, ask, name_of};

/// The most aliases that are followed.
const ALIASES: usize = 8;
/// Where the system says whom to ask (resolv.conf(5)).
const SYSTEM: &str = "/etc/resolv.conf";

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolver {
    /// The resolvers of this machine.
    System,
    /// These, of which each answers for the zone; the only ones that are asked whether a record is there.
    Given(Vec<SocketAddr>),
}

impl Resolver {
    /// The name that a record's name stands for.
    pub(super) async fn canonical(&self, name: &str) -> Result<String, DnsError> {
        let mut at = name_of(name)?;
        for _ in 0..ALIASES {
            let answer = self.ask(&at, RecordType::CNAME).await?;
            let alias =
                answer.answers.iter().filter(|record| record.name == at).find_map(|record| {
                    if let RData::CNAME(target) = &record.data { Some(target.0.clone()) } else { None }
                });
            match alias {
                Some(target) => at = target,
                None => break,
            }
        }
        Ok(text_of(&at))
    }

    /// The zone of a name: whose start of authority answers for it (RFC 2308 section 3 puts it beside a denial).
    pub(super) async fn zone(&self, name: &str) -> Result<Name, DnsError> {
        let asked = name_of(name)?;
        let answer = self.ask(&asked, RecordType::SOA).await?;
        zone_in(&answer, &asked)
    }

    /// The servers that must show a record, each with its addresses.
    pub(super) async fn servers(&self, name: &str) -> Result<Vec<(String, Vec<SocketAddr>)>, DnsError> {
        if let Self::Given(servers) = self {
            return Ok(servers.iter().map(|server| (server.to_string(), vec![*server])).collect());
        }
        let zone = self.zone(name).await?;
        let answer = self.ask(&zone, RecordType::NS).await?;
        let names = answer
            .answers
            .iter()
            .filter(|record| record.name == zone)
            .filter_map(|record| if let RData::NS(server) = &record.data { Some(server.0.clone()) } else { None });
        let mut servers = Vec::new();
        for server in names {
            let mut addresses = Vec::new();
            for kind in [RecordType::A, RecordType::AAAA] {
                let answer = self.ask(&server, kind).await?;
                addresses.extend(answer.answers.iter().filter_map(|record| address(&record.data)));
            }
            servers.push((text_of(&server), addresses));
        }
        if servers.is_empty() {
            let said = format!("the zone {zone} names no servers");
            return Err(DnsError::NoZone { name: name.to_owned(), said });
        }
        Ok(servers)
    }

    /// Asks one after the other until one answers.
    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Message, AskError> {
        let (servers, recursive) = match self {
            Self::System => (system(), true),
            Self::Given(servers) => (servers.clone(), false),
        };
        let mut last = Err(AskError::none(SYSTEM));
        for server in servers {
            last = ask(server, name, kind, recursive).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

/// The zone that an answer speaks for.
pub(super) fn zone_in(answer: &Message, name: &Name) -> Result<Name, DnsError> {
    let records = answer.answers.iter().chain(&answer.authorities);
    let mut zones = records.filter(|record| record.record_type() == RecordType::SOA).map(|record| &record.name);
    zones.find(|zone| !zone.is_root() && zone.zone_of(name)).cloned().ok_or_else(|| DnsError::NoZone {
        name: text_of(name),
        said: format!("the answer is {} without a start of authority", answer.response_code),
    })
}

/// Without the last dot, in lower case.
pub(super) fn text_of(name: &Name) -> String {
    name.to_lowercase().to_ascii().trim_end_matches('.').to_owned()
}

fn address(data: &RData) -> Option<SocketAddr> {
    if let RData::A(address) = data {
        Some((address.0, 53).into())
    } else if let RData::AAAA(address) = data {
        Some((address.0, 53).into())
    } else {
        None
    }
}

fn system() -> Vec<SocketAddr> {
    std::fs::read_to_string(SYSTEM).map(|text| nameservers(&text)).unwrap_or_default()
}

fn nameservers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next());
    lines.filter_map(|address| address.parse::<IpAddr>().ok()).map(|address| (address, 53).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_resolvers_are_read() {
        let text = "search a b\nnameserver 10.96.0.10\n# nameserver 1.1.1.1\nnameserver  fd00::10 \nnameserver x\noptions ndots:5\n";
        assert_eq!(nameservers(text), ["10.96.0.10:53".parse().unwrap(), "[fd00::10]:53".parse().unwrap()]);
    }
}
