//! Parts that the topology and the tiers' configuration share: who stands in front, access log, references.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may stand between the clients and the outer tier, and how they tell the client's address. Absent: nobody, the peer
/// of the socket is the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.proxyProtocol) != has(self.forwardedFor)")
        .message("exactly one of proxyProtocol and forwardedFor says how the client's address is told")
)]
pub struct ClientAddress {
    /// By a PROXY protocol header (version 1 or 2) before the first byte of each connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// By the `X-Forwarded-For` field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_for: Option<ForwardedFor>,
}

/// The client's address comes in a PROXY protocol header. A listed peer must send one, everyone else must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct ProxyProtocol {
    /// The networks of the load balancers that send it, as CIDRs.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 43)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(network, isCIDR(network))").message("each entry must be a network such as 192.0.2.0/24"),
        validation = Rule::new("!self.exists(network, network.endsWith('/0'))")
            .message("a /0 network would let everyone choose its own address; list the load balancers' networks")
    )]
    pub from: Vec<String>,
}

/// The client's address comes in `X-Forwarded-For`. The field is deleted when anyone but the listed peers sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct ForwardedFor {
    /// The networks of the load balancers that set it, as CIDRs.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 43)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(network, isCIDR(network))").message("each entry must be a network such as 192.0.2.0/24"),
        validation = Rule::new("!self.exists(network, network.endsWith('/0'))")
            .message("a /0 network would let everyone choose its own address; list the load balancers' networks")
    )]
    pub from: Vec<String>,
    /// How many proxies stand in front: the client's address is this entry from the right.
    #[serde(default = "one_hop")]
    #[schemars(range(min = 1, max = 16))]
    pub hops: u8,
}

/// How requests are logged. Absent: they are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessLog {
    /// The form of a line.
    #[serde(default)]
    pub format: AccessLogFormat,
    /// Changes to the fields of a line; for the form `json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<AccessLogFields>,
}

/// The form of an access log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessLogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// The Common Log Format with referrer and user agent.
    Clf,
}

/// The fields of a line, in their order. `header.<name>` is a field of the request.
pub const ACCESS_LOG_FIELDS: [&str; 25] = [
    "time",
    "tier",
    "request_id",
    "trace_id",
    "client",
    "tenant",
    "route",
    "scheme",
    "method",
    "host",
    "target",
    "protocol",
    "user_agent",
    "referer",
    "status",
    "error",
    "reason",
    "bytes_in",
    "bytes_out",
    "duration_us",
    "upstream_us",
    "inner_us",
    "application_us",
    "upstream_address",
    "attempts",
];

/// Which fields a line has. A name is that of the log, such as `user_agent`; `header.<name>` is a field of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!self.drop.exists(field, field in self.keep || field in self.redact)")
        .message("a field that is dropped can be neither kept nor redacted")
)]
pub struct AccessLogFields {
    /// Fields to leave out.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub drop: Vec<String>,
    /// Fields of the request, as `header.<name>`, to add to those that are there by default. The values of `authorization`,
    /// `proxy-authorization` and `cookie` are always replaced by a mark.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub keep: Vec<String>,
    /// Fields whose value is replaced by a mark that it was there; `header.<name>` adds such a mark for a field of the request.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub redact: Vec<String>,
}

/// An object by name, in the namespace that the field's description names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameReference {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One entry of a Secret or ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyReference {
    /// Name of the Secret or ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The entry in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// The Service of an inner tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InnerService {
    /// Namespace of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Name of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Its port for the link.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

fn one_hop() -> u8 {
    1
}

pub(crate) fn yes() -> bool {
    true
}
