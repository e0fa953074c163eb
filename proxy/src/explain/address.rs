//! How the client's address comes to the application, hop by hop.

use std::net::SocketAddr;

use super::tier::Account;
use super::{AddressStep, Question, Site};
use crate::forward::address::Front;

/// At the edge: what the socket says, what others claim, what is believed.
pub(super) fn at_the_edge(site: &Site, question: &Question, client: SocketAddr) -> AddressStep {
    let front = &site.snapshot.settings.front;
    let claims: Vec<String> = question
        .headers
        .iter()
        .filter(|(name, _)| crate::forward::headers::is_forwarding(name.to_ascii_lowercase().as_bytes()))
        .map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()))
        .collect();
    let proxied = question.proxied.map(|client| format!("PROXY protocol: {client}"));
    let listed = front.trusts(question.from.ip());
    let (believed, why) = match front {
        Front::Nobody => {
            (false, "no clientAddress is configured: the other end of the connection is the client".to_owned())
        }
        Front::ProxyProtocol { .. } if listed => {
            (true, "the peer is listed under clientAddress.proxyProtocol: its PROXY header names the client".to_owned())
        }
        Front::ForwardedFor { hops, .. } if listed && client.ip() != question.from.ip() => {
            let place =
                if *hops <= 1 { "the last address".to_owned() } else { format!("address {hops} from the right") };
            (
                true,
                format!(
                    "the peer is listed under clientAddress.forwardedFor: {place} in X-Forwarded-For is the client"
                ),
            )
        }
        Front::ForwardedFor { hops, .. } if listed => {
            (false, format!("the peer is listed, but X-Forwarded-For has fewer than {hops} addresses: the peer counts"))
        }
        Front::ProxyProtocol { .. } | Front::ForwardedFor { .. } => {
            (false, "the peer is not listed under clientAddress: it is the client itself".to_owned())
        }
    };
    AddressStep {
        hop: site.role.identity().tier,
        peer: question.from.to_string(),
        told: proxied.into_iter().chain(claims).collect::<Vec<_>>().join("; "),
        believed,
        client: client.ip().to_string(),
        why,
    }
}

/// At a tenant's tier.
pub(super) fn over_the_link(site: &Site, client: SocketAddr) -> AddressStep {
    AddressStep {
        hop: site.role.identity().tier,
        peer: "outer tier, over the link".to_owned(),
        told: format!("client {client}, beside the head"),
        believed: true,
        client: client.ip().to_string(),
        why: "only the outer tier of its own topology, known by its certificate, can connect to it".to_owned(),
    }
}

/// At the application, if the request gets there.
pub(super) fn at_the_application(account: &Account, client: SocketAddr) -> Option<AddressStep> {
    let sent = account.told.ways.iter().find_map(|way| way.sent.as_ref())?;
    let told: Vec<String> = ["x-forwarded-for", "x-real-ip", "forwarded"]
        .iter()
        .flat_map(|name| sent.fields.iter().filter(move |(sent, _)| sent == name))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    Some(AddressStep {
        hop: "application",
        peer: format!("{} tier", account.told.tier),
        told: told.join("; "),
        believed: true,
        client: client.ip().to_string(),
        why: "all such fields from outside were deleted, and the last tier writes one clean set".to_owned(),
    })
}
