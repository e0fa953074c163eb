//! The connection: which port, which tier, TLS or not, which server name, what a balancer in front says. Ends with what the
//! tier would know of the connection, or with why there is none.

use std::sync::Arc;

use bailey_routing::ir::{CertificateRef, ListenerProtocol, Scheme};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{Cause, CertificateView, Entry, ListenerView, PortView, Question, Site, TlsView, World, say};
use crate::acme::Hold;
use crate::forward::{ConnectionInfo, Listener, Places, TlsInfo};
use crate::front::Intake;
use crate::tls::public::{CertificateIssuer as _, canonical};

/// A connection that would be made.
pub(super) struct Connected<'w> {
    pub(super) site: &'w Site,
    pub(super) info: ConnectionInfo,
}

/// Why there is none.
pub(super) struct NoConnection {
    pub(super) cause: Cause,
    pub(super) sentence: String,
    pub(super) remedy: Option<String>,
}

/// A port as clients know it.
struct Port<'w> {
    site: &'w Site,
    visible: u16,
    listener: Listener,
    names: Vec<String>,
}

impl Site {
    /// The port that clients reach a declared one at.
    pub(super) fn visible(&self, declared: u16) -> u16 {
        self.ports.get(&declared).copied().unwrap_or(declared)
    }
}

/// Makes the connection that the question asks for, noting in `entry` what is met on the way.
pub(super) fn connect<'w>(
    world: &World<'w>,
    question: &Question,
    entry: &mut Entry,
) -> Result<Connected<'w>, NoConnection> {
    let ports: Vec<Port<'w>> = world.fronts.iter().flat_map(ports).collect();
    entry.port = question.port;
    entry.ports = ports.iter().map(view).collect();
    // The port in a URL is the one that clients use; where ports are mapped, the declared one is understood too.
    let visible = ports.iter().find(|port| port.visible == question.port);
    let port = visible.or_else(|| ports.iter().find(|port| port.listener.port == question.port));
    let Some(port) = port else { return Err(no_port(question, &ports)) };
    entry.tier = say::tier(&port.site.role);
    entry.listener = Some(listener_view(port, question));
    let refuse = |cause, sentence: String, remedy: &str| NoConnection {
        cause,
        sentence,
        remedy: Some(remedy.to_owned()).filter(|remedy| !remedy.is_empty()),
    };
    check_intake(port.site, question).map_err(|(cause, sentence, remedy)| refuse(cause, sentence, remedy))?;
    let tls = match (question.scheme, port.listener.https) {
        (Scheme::Http, false) if question.http2 => {
            let said = format!(
                "port {} speaks HTTP/1.1 without TLS, and the client begins with HTTP/2: its preface is no request, and the connection ends",
                question.port
            );
            return Err(refuse(Cause::RequestInvalid, said, "use https, where HTTP/2 is agreed on in the handshake"));
        }
        (Scheme::Http, false) => None,
        (Scheme::Https, true) => {
            let (view, refused) = handshake(world, port, question);
            let name = view.server_name.as_str().into();
            entry.tls = Some(view);
            if let Some((cause, sentence, remedy)) = refused {
                return Err(refuse(cause, sentence, remedy));
            }
            Some(TlsInfo { sni: name, tls13: true })
        }
        (Scheme::Http, true) => {
            let said = format!(
                "port {} speaks TLS, and the request comes in plain HTTP: the connection is closed",
                question.port
            );
            return Err(refuse(Cause::TlsExpected, said, "write https:// in the URL, or use a port that speaks HTTP"));
        }
        (Scheme::Https, false) => {
            let said = format!(
                "port {} speaks plain HTTP, and the client begins with TLS: its handshake fails",
                question.port
            );
            return Err(refuse(
                Cause::PlainExpected,
                said,
                "write http:// in the URL, or use a port that speaks HTTPS",
            ));
        }
    };
    let info = ConnectionInfo {
        listener: Arc::new(port.listener.clone()),
        peer: question.from,
        local: ([127, 0, 0, 1], question.port).into(),
        proxied: question.proxied,
        tls,
        places: Places::default(),
    };
    Ok(Connected { site: port.site, info })
}

fn ports(site: &Site) -> Vec<Port<'_>> {
    let mut ports: Vec<Port<'_>> = Vec::new();
    for (_, listener) in site.snapshot.table.listeners() {
        let https = match listener.protocol {
            ListenerProtocol::Http => false,
            ListenerProtocol::Https => true,
            ListenerProtocol::Tls | ListenerProtocol::Tcp | ListenerProtocol::Udp => continue,
        };
        let name = listener.name.to_string();
        match ports.iter_mut().find(|port| port.listener.port == listener.port) {
            Some(port) => port.names.push(name),
            None => ports.push(Port {
                site,
                visible: site.visible(listener.port),
                listener: Listener { name: name.clone().into(), port: listener.port, https },
                names: vec![name],
            }),
        }
    }
    ports
}

fn protocol(https: bool) -> &'static str {
    say::protocol(if https { ListenerProtocol::Https } else { ListenerProtocol::Http })
}

fn view(port: &Port<'_>) -> PortView {
    PortView {
        port: port.visible,
        declared: port.listener.port,
        protocol: protocol(port.listener.https),
        listeners: port.names.clone(),
    }
}

/// The listener that the URL's host belongs to, else the first of the port.
fn listener_view(port: &Port<'_>, question: &Question) -> ListenerView {
    let table = &port.site.snapshot.table;
    let found = table.listener_at(port.listener.port, question.host.as_bytes()).and_then(|id| table.listener(id));
    ListenerView {
        name: found.map_or_else(|| port.listener.name.to_string(), |listener| listener.name.to_string()),
        port: port.listener.port,
        protocol: protocol(port.listener.https),
        hostname: found.map_or_else(|| "*".to_owned(), |listener| say::host(&listener.hostname)),
        redirects_to_https: found.is_some_and(|listener| listener.https_redirect.is_some()),
    }
}

fn no_port(question: &Question, ports: &[Port<'_>]) -> NoConnection {
    let known: Vec<_> =
        ports.iter().map(|port| format!("{} ({})", port.visible, protocol(port.listener.https))).collect();
    let remedy = match &*known {
        [] => "add a listener to the topology or Gateway".to_owned(),
        known => format!("use one of the ports there are: {}", known.join(", ")),
    };
    NoConnection {
        cause: Cause::PortUnknown,
        sentence: format!("nothing listens on port {}: the connection is refused", question.port),
        remedy: Some(remedy),
    }
}

type Refusal = (Cause, String, &'static str);

/// What stands in front says who the client is, or must not.
fn check_intake(site: &Site, question: &Question) -> Result<(), Refusal> {
    let peer = question.from.ip();
    match (site.snapshot.settings.front.intake(peer), question.proxied) {
        (Intake::ProxyProtocol, None) => Err((
            Cause::ProxyHeaderMissing,
            format!(
                "{peer} is listed under clientAddress.proxyProtocol, so a PROXY header must come first: the connection is closed"
            ),
            "let the balancer send the PROXY protocol, or take its address off the list",
        )),
        (Intake::Client | Intake::Forwarder, Some(_)) => Err((
            Cause::ProxyHeaderUnexpected,
            format!(
                "{peer} sends a PROXY header and is not listed under clientAddress.proxyProtocol: its bytes are no request, and the connection is closed"
            ),
            "list the balancer's address under spec.outer.clientAddress.proxyProtocol.from",
        )),
        (Intake::ProxyProtocol, Some(_)) | (Intake::Client | Intake::Forwarder, None) => Ok(()),
    }
}

fn handshake(world: &World<'_>, port: &Port<'_>, question: &Question) -> (TlsView, Option<Refusal>) {
    let name = canonical(question.sni.as_deref().unwrap_or(&question.host));
    let mut view = TlsView { server_name: name.to_string(), owner: None, certificate: None, refused: None };
    let refuse = |mut view: TlsView, refusal: Refusal| {
        view.refused = Some(refusal.1.clone());
        (view, Some(refusal))
    };
    let is_address = name.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok();
    let snapshot = &port.site.snapshot;
    // Clients send no server name for an address (RFC 6066 section 3).
    let Some(owned) = snapshot.server_name(port.listener.port, &name).filter(|_| !is_address) else {
        let said = format!("nobody here owns the server name {name}: the TLS handshake is refused (unrecognized_name)");
        return refuse(
            view,
            (Cause::ServerNameUnknown, said, "ask for a host that a tenant owns, with a route for it"),
        );
    };
    view.owner = Some(owned.tenant.to_string());
    let ordered = || port.site.acme.as_ref().and_then(|hold| ordered(hold, &name));
    // Where certificates are ordered nobody else makes them.
    view.certificate = certificate(port, &name).or_else(ordered).or_else(|| {
        if port.site.acme.is_some() {
            return None;
        }
        let (source, names) = (world.issuer?.to_owned(), vec![name.to_string()]);
        Some(CertificateView { source, names, not_after: None })
    });
    if view.certificate.is_some() {
        return (view, None);
    }
    let said = format!("there is no certificate for {name}: the TLS handshake is refused");
    let remedy = if port.site.acme.is_some() {
        "see what its order waits for: bailey cert show HOST"
    } else {
        "put a TLS Secret for the name under spec.outer.certificates.secrets, or under certificateRefs of the listener"
    };
    refuse(view, (Cause::CertificateMissing, said, remedy))
}

fn certificate(port: &Port<'_>, name: &str) -> Option<CertificateView> {
    let snapshot = &port.site.snapshot;
    let id = snapshot.table.listener_at(port.listener.port, name.as_bytes())?;
    let (from, key) = snapshot.certificates.choice(snapshot.table.listener(id)?, name)?;
    Some(described(from, &key))
}

/// The certificate that the tier has ordered for a name, or shows in its place.
fn ordered(hold: &Hold, name: &str) -> Option<CertificateView> {
    hold.issue(name)?;
    let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}")).unwrap_or_default();
    let listing = hold.listing();
    let find = |host: &str| listing.certificates.iter().find(|one| *one.host == *host && one.served.is_some());
    let found = find(name).or_else(|| find(&wildcard));
    let (source, host, ends) = match found {
        Some(one) => {
            (one.authority.to_string(), one.host.to_string(), one.served.as_ref().map(|served| served.life.ends.0))
        }
        None => ("nobody: signed by itself, until one is issued".to_owned(), name.to_owned(), None),
    };
    let ends = ends.and_then(|at| jiff::Timestamp::from_second(at.cast_signed()).ok());
    Some(CertificateView { source, names: vec![host], not_after: ends.map(|at| at.to_string()) })
}

fn described(from: &CertificateRef, key: &CertifiedKey) -> CertificateView {
    let leaf = key.cert.first().and_then(|leaf| X509Certificate::from_der(leaf).ok()).map(|(_, leaf)| leaf);
    let names = leaf.as_ref().and_then(|leaf| leaf.subject_alternative_name().ok().flatten());
    let names = names.into_iter().flat_map(|names| names.value.general_names.iter());
    let hosts = names.filter_map(|name| {
        let GeneralName::DNSName(host) = name else { return None };
        Some((*host).to_owned())
    });
    let ends = leaf.as_ref().map(|leaf| leaf.validity().not_after.timestamp());
    CertificateView {
        source: format!("Secret {}/{}", from.namespace, from.name),
        names: hosts.collect(),
        not_after: ends.and_then(|at| jiff::Timestamp::from_second(at).ok()).map(|at| at.to_string()),
    }
}
