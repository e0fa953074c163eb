//! What an answer shows of a request that was really sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bailey_proxy::Role;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::cases::{Case, Suite};
use super::check::{self, Fields, Seen, Sight};
use super::report::Tested;
use super::{TestArgs, TestError};
use crate::cluster::entrance::Entrance;
use crate::trace::send::{Answer, Get, SendError, Url, resolve};

const INSIDE: &str = "an answer does not tell; ask without --live";
const SILENT: &str = "the application does not repeat what it got, as a LocalBackend with echo does";
const ELSEWHERE: &str = "only an address of this machine can be sent from";

/// What an echo tells of a request.
#[derive(Deserialize)]
struct Echo {
    backend: String,
    namespace: String,
    client_address: Option<String>,
    headers: BTreeMap<String, Vec<String>>,
}

/// Sends all requests, one after the other. Whoever cannot be reached at all ends it.
pub(super) async fn ask(suite: &Suite, args: &TestArgs, entrance: &Entrance) -> Result<Vec<Tested>, TestError> {
    let mut tested = Vec::new();
    for case in &suite.tests {
        let (request, from) = request(case, args, entrance)?;
        let name = format!("{} {}", request.method, case.request.url);
        let (sight, said) = match request.send(Duration::from_secs(args.timeout)).await {
            Ok(answer) => (sight(&answer, from), String::new()),
            Err(error @ (SendError::Tls { .. } | SendError::Http { .. } | SendError::Timeout { .. })) => {
                (nothing(), error.to_string())
            }
            Err(error) => return Err(error.into()),
        };
        tested.push(Tested::new(&case.name, name, said, check::check(&case.expect, &sight)));
    }
    Ok(tested)
}

/// The request, and whether it comes from where the test says.
fn request(case: &Case, args: &TestArgs, entrance: &Entrance) -> Result<(Get, bool), SendError> {
    let sent = &case.request;
    let mut request = Get::new(Url::parse(&sent.url)?);
    if let Some(method) = &sent.method {
        request.method = method.parse().map_err(|_| SendError::Method(method.clone()))?;
    }
    for (name, values) in &sent.headers {
        for value in values.all() {
            let name = HeaderName::try_from(name).map_err(|_| SendError::Header)?;
            let value = HeaderValue::try_from(value).map_err(|_| SendError::Header)?;
            request.fields.append(name, value);
        }
    }
    request.addresses = args.resolve.iter().map(|text| resolve(text)).collect::<Result<_, _>>()?;
    request.addresses.extend(entrance.of(&request.url));
    request.roots.clone_from(&args.cacert);
    request.server_name.clone_from(&sent.sni);
    // Of all addresses, those of the loopback network are surely this machine's.
    let from =
        sent.from.as_ref().and_then(|text| bailey_proxy::explain::address(text).ok()).map(|address| address.ip());
    request.from = from.filter(IpAddr::is_loopback);
    let chosen = from == request.from;
    Ok((request, chosen))
}

fn sight(answer: &Answer, from: bool) -> Sight {
    let echo = serde_json::from_slice::<Echo>(&answer.body).ok();
    let tier = tier(&answer.fields).or_else(|| echo.as_ref().map(|_| "application"));
    let known = |value: Option<String>| value.map_or(Seen::Absent, Seen::Is);
    Sight {
        status: Seen::Is(answer.status),
        tier: tier.map_or(Seen::Unknown("the answer does not tell who gave it"), |tier| Seen::Is(tier.to_owned())),
        cause: Seen::Unknown(INSIDE),
        tenant: Seen::Unknown(INSIDE),
        route: Seen::Unknown(INSIDE),
        rule: Seen::Unknown(INSIDE),
        backends: match &echo {
            Some(echo) => Seen::Is(BTreeSet::from([format!("{}/{}", echo.namespace, echo.backend)])),
            None => Seen::Unknown(SILENT),
        },
        one_backend_of_several: true,
        location: known(fields(&answer.fields).remove("location")),
        client_address: match &echo {
            _ if !from => Seen::Unknown(ELSEWHERE),
            Some(echo) => known(echo.client_address.clone()),
            None => Seen::Unknown(SILENT),
        },
        request_headers: match echo {
            Some(echo) => {
                let joined = |(name, values): (String, Vec<String>)| (name, Seen::Is(values.join(", ")));
                Fields { known: echo.headers.into_iter().map(joined).collect(), others: Seen::Absent }
            }
            None => Fields { known: BTreeMap::new(), others: Seen::Unknown(SILENT) },
        },
        response_headers: Fields {
            known: fields(&answer.fields).into_iter().map(|(name, value)| (name, Seen::Is(value))).collect(),
            others: Seen::Absent,
        },
    }
}

/// There was no answer in HTTP.
fn nothing() -> Sight {
    let none = || Fields { known: BTreeMap::new(), others: Seen::Absent };
    Sight {
        status: Seen::Absent,
        tier: Seen::Absent,
        cause: Seen::Unknown(INSIDE),
        tenant: Seen::Unknown(INSIDE),
        route: Seen::Unknown(INSIDE),
        rule: Seen::Unknown(INSIDE),
        backends: Seen::Absent,
        one_backend_of_several: true,
        location: Seen::Absent,
        client_address: Seen::Absent,
        request_headers: none(),
        response_headers: none(),
    }
}

/// Who answered with an error: the last entry of `Proxy-Status` (RFC 9209 2) is of the tier that is nearest to us, the first
/// of the one that made the answer.
fn tier(fields: &HeaderMap) -> Option<&'static str> {
    let status = fields.get("proxy-status")?.to_str().ok()?;
    let name = status.split([',', ';']).next()?.trim();
    let any = String::new;
    let roles = [
        Role::Outer { topology: any() },
        Role::Inner { topology: any(), tenant: any() },
        Role::Gateway { namespace: any(), name: any() },
    ];
    roles.iter().map(Role::identity).find(|identity| identity.name == name).map(|identity| identity.tier)
}

/// All fields, those of one name joined.
fn fields(of: &HeaderMap) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in of {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let entry = all.entry(name.to_string());
        entry.and_modify(|known| *known = format!("{known}, {value}")).or_insert(value);
    }
    all
}
