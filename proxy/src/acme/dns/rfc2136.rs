//! Records by dynamic update (RFC 2136), signed with a shared key (TSIG, RFC 8945), by TCP.

use std::net::SocketAddr;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use hickory_proto::op::update_message::{append, delete_by_rdata};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{RData, RecordSet, RecordType, TSigner};

use super::ask::{ask, by_tcp, name_of};
use super::zone::zone_in;
use super::{DnsError, DnsRecords};

/// How long others may keep a record, in seconds.
const TTL: u32 = 60;

/// A server that takes updates.
pub(super) struct Rfc2136 {
    /// Host and port.
    pub(super) server: String,
    /// The key.
    pub(super) key: TSigner,
}

impl Rfc2136 {
    async fn update(&self, action: &'static str, name: &str, text: &str) -> Result<(), DnsError> {
        let refused = |why: String| DnsError::Refused { who: self.who(), action, name: name.to_owned(), why };
        let server = self.address().await.map_err(|error| refused(error.to_string()))?;
        let owner = name_of(name)?;
        let zone = zone_in(&ask(server, &owner, RecordType::SOA, false).await?, &owner)?;
        let mut record = RecordSet::with_ttl(owner, RecordType::TXT, TTL);
        record.add_rdata(RData::TXT(TXT::new(vec![text.to_owned()])));
        let mut update =
            if action == "add" { append(record, zone, false, false) } else { delete_by_rdata(record, zone, false) };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let verifier = update.finalize(&self.key, now).map_err(|error| refused(error.to_string()))?;
        let sent = update.to_vec().map_err(|error| refused(error.to_string()))?;
        let answer = by_tcp(server, &sent).await?;
        // A refusal may come unsigned (RFC 8945 section 5.3.2); a consent may not.
        let read = Message::from_vec(&answer).map_err(|error| refused(error.to_string()))?;
        if read.response_code != ResponseCode::NoError {
            return Err(refused(format!("{}{}", read.response_code, hint(read.response_code))));
        }
        let mut verifier = verifier.ok_or_else(|| refused("the update was not signed".to_owned()))?;
        verifier.verify(&answer).map_err(|error| refused(format!("its answer is not signed with our key: {error}")))?;
        Ok(())
    }

    async fn address(&self) -> std::io::Result<SocketAddr> {
        let mut found = tokio::net::lookup_host(&self.server).await?;
        found.next().ok_or_else(|| std::io::Error::other("it has no address"))
    }
}

/// What helps.
fn hint(code: ResponseCode) -> &'static str {
    if code == ResponseCode::NotAuth {
        ": it does not know the key, its secret is another one, or a clock is wrong"
    } else if code == ResponseCode::Refused {
        ": the key may not change this zone"
    } else {
        ""
    }
}

impl DnsRecords for Rfc2136 {
    fn who(&self) -> String {
        format!("the name server {}", self.server)
    }

    fn add<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.update("add", name, text))
    }

    fn remove<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.update("remove", name, text))
    }
}
