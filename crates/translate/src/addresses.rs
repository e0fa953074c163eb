//! Addresses that no tenant may make a proxy connect to.
//!
//! A tenant can write an EndpointSlice with any address in it. Those that lead back into the proxy's own pod, to the
//! node, or to a cloud's metadata service are never endpoints. Decides by the address alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata services of clouds that are not in a link-local range (Azure, Alibaba Cloud, AWS over IPv6).
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

/// What is wrong with an address as an endpoint, or `None` when it may be one. `local` admits loopback addresses, for
/// configurations whose backends run on the same machine.
pub(crate) fn refusal(address: IpAddr, local: bool) -> Option<&'static str> {
    // An IPv4 address in IPv6 clothes is the IPv4 address.
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if address.is_loopback() {
        (!local).then_some("a loopback address")
    } else if address.is_unspecified() || matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0) {
        Some("an unspecified address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if link_local {
        Some("a link-local address")
    } else if METADATA.contains(&address) {
        Some("a metadata service")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn addresses_of_the_node_the_pod_and_the_cloud_are_refused() {
        for text in [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "168.63.129.16",
            "100.100.100.200",
            "fd00:ec2::254",
        ] {
            assert!(refusal(text.parse().unwrap(), false).is_some(), "{text}");
        }
    }

    #[test]
    fn addresses_of_pods_are_allowed() {
        for text in ["10.0.0.1", "192.168.0.1", "172.16.0.1", "fd00::1", "2001:db8::1", "100.64.0.1"] {
            assert_eq!(refusal(text.parse().unwrap(), false), None, "{text}");
        }
    }

    #[test]
    fn local_mode_admits_loopback_and_nothing_else() {
        assert_eq!(refusal("127.0.0.1".parse().unwrap(), true), None);
        assert!(refusal("169.254.169.254".parse().unwrap(), true).is_some());
    }
}
