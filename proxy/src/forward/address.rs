//! Who the client is. Pure arithmetic over what the socket, PROXY protocol and a listed proxy in front have told; nothing
//! that an unlisted peer says is looked at.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bailey_http1::Fields;
use ipnet::IpNet;

use crate::error::{Fate, ProxyError};
use crate::front::Intake;

#[cfg(test)]
mod tests;

/// Who stands in front of the tier, and how that tells the client's address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Front {
    /// Nobody: the peer of the socket is the client.
    #[default]
    Nobody,
    /// Balancers that send a PROXY protocol header (v1 or v2) before everything else.
    ProxyProtocol {
        /// Where they connect from. Others may not send the header, and must be clients.
        from: Box<[IpNet]>,
    },
    /// Proxies that append to `X-Forwarded-For`.
    ForwardedFor {
        /// Where they connect from. From others the field is deleted unread.
        from: Box<[IpNet]>,
        /// How many of them a request passes: the address is the one that the first of them saw, so this many from the
        /// right.
        hops: u8,
    },
}

impl Front {
    /// Whether `peer` is one of those who may tell an address other than their own.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        match self {
            Self::Nobody => false,
            Self::ProxyProtocol { from } | Self::ForwardedFor { from, .. } => {
                from.iter().any(|net| net.contains(&peer))
            }
        }
    }

    /// Whether fields of requests from `peer` are those of a proxy in front. Who only says by PROXY protocol where a
    /// connection comes from passes on whatever its client has written.
    pub fn tells_fields(&self, peer: IpAddr) -> bool {
        matches!(self, Self::ForwardedFor { .. }) && self.trusts(peer)
    }

    /// How a new connection from `peer` says who its client is.
    pub fn intake(&self, peer: IpAddr) -> Intake {
        match self {
            Self::ProxyProtocol { .. } if self.trusts(peer) => Intake::ProxyProtocol,
            Self::ForwardedFor { .. } if self.trusts(peer) => Intake::Forwarder,
            Self::Nobody | Self::ProxyProtocol { .. } | Self::ForwardedFor { .. } => Intake::Client,
        }
    }

    /// The client's address of a request. The port is 0 where nobody knows it.
    ///
    /// With fewer than `hops` addresses in `X-Forwarded-For` the request has not come the whole way, so the socket's peer
    /// counts. What the listed proxies wrote must follow the grammar; what stands left of it came from outside and is not
    /// even parsed.
    pub fn client(
        &self,
        peer: SocketAddr,
        proxied: Option<SocketAddr>,
        fields: &Fields,
    ) -> Result<SocketAddr, ProxyError> {
        let told = match self {
            Self::ProxyProtocol { .. } => proxied.filter(|_| self.trusts(peer.ip())),
            Self::ForwardedFor { hops, .. } if self.trusts(peer.ip()) => from_right(fields, *hops)?,
            Self::Nobody | Self::ForwardedFor { .. } => None,
        };
        Ok(canonical(told.unwrap_or(peer)))
    }
}

/// IPv4 in IPv6 clothes is the IPv4 address.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The `hops`th address from the right over all lines of `X-Forwarded-For` together.
fn from_right(fields: &Fields, hops: u8) -> Result<Option<SocketAddr>, ProxyError> {
    let hops = usize::from(hops.max(1));
    let elements = fields.get_all(b"x-forwarded-for").flat_map(|line| line.split(|byte| *byte == b','));
    // The last `hops` of them, in order of arrival; a ring, since the iterator cannot be walked backwards.
    let mut last: [&[u8]; 256] = [&[]; 256];
    let mut count = 0;
    for element in elements {
        last[count % hops] = element;
        count += 1;
    }
    let known = count.min(hops);
    let mut wanted = None;
    for at in count - known..count {
        let address = parse(last[at % hops].trim_ascii()).ok_or(ProxyError::client(Fate::ForwardedForInvalid))?;
        wanted.get_or_insert(address);
    }
    Ok(wanted.filter(|_| known == hops))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`. No zone, no `unknown`, no name.
fn parse(text: &[u8]) -> Option<SocketAddr> {
    let text = str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(|address| SocketAddr::new(address.into(), 0));
    }
    // The standard library reads a zone here, which means nothing beyond the link it belongs to.
    text.parse::<SocketAddr>().ok().filter(|_| !text.contains('%'))
}
