//! Listeners of one Gateway that exclude each other.

use std::collections::BTreeMap;

use bailey_crds::gateway::{Listener as Wanted, ListenerProtocol};

use crate::diagnostics::{Code, Sink, Subject};
use crate::hosts;

/// Which listeners, by index, exclude each other.
pub(super) fn find(listeners: &[Wanted], subject: &Subject, sink: &mut Sink) -> BTreeMap<usize, Code> {
    let mut found = BTreeMap::new();
    for (index, listener) in listeners.iter().enumerate() {
        let clash = listeners.iter().enumerate().find_map(|(at, other)| {
            let code = clash(listener, other)?;
            (at != index).then_some((code, other))
        });
        let repeated = listeners[..index].iter().any(|other| other.name == listener.name);
        let at = format!("spec.listeners[{index}]");
        if repeated {
            let message = format!("the name {} is taken", listener.name);
            sink.push(subject.problem(Code::DuplicateListener, format!("{at}.name"), message));
            found.insert(index, Code::DuplicateListener);
        } else if let Some((code, other)) = clash {
            let message = format!("listener {} clashes with listener {}", listener.name, other.name);
            sink.push(subject.problem(code, at, message));
            found.insert(index, code);
        }
    }
    found
}

/// Why two listeners cannot both be served: they share the port, and nothing tells their connections apart.
fn clash(one: &Wanted, other: &Wanted) -> Option<Code> {
    if one.port != other.port || transport(&one.protocol) != transport(&other.protocol) {
        return None;
    }
    if one.protocol != other.protocol {
        return Some(Code::ListenerProtocolConflict);
    }
    let host = |listener: &Wanted| hosts::parse(listener.hostname.as_deref().unwrap_or_default()).ok();
    (host(one) == host(other)).then_some(Code::ListenerHostnameConflict)
}

fn transport(protocol: &ListenerProtocol) -> &'static str {
    match protocol {
        ListenerProtocol::Udp => "UDP",
        ListenerProtocol::Http
        | ListenerProtocol::Https
        | ListenerProtocol::Tls
        | ListenerProtocol::Tcp
        | ListenerProtocol::Other(_) => "TCP",
    }
}
