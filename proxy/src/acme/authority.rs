//! One call of an authority for each action of the machine. Decides only what an answer is: which event, or which failure.

use std::borrow::Cow;
use std::time::Duration;

use bailey_acme::names::Challenge;
use bailey_acme::order::{Event, Failure, Status};
use bailey_acme::record;
use bailey_acme::renewal::Window;
use bailey_acme::{Secret, Time};
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeStatus, ChallengeType, Error, Identifier, Key,
    NewOrder, Order, OrderStatus, Problem,
};
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::client::{Client, Trouble};
use super::prover::Prover;
use super::register::Messenger;
use super::{Settings, keys, reach};

/// Tries of a call whose nonce is refused (RFC 8555 section 6.5), each with three of the library's own.
const NONCES: usize = 40;

/// An account at an authority.
pub(super) struct Authority {
    account: Account,
    challenge: Challenge,
    /// Whoever looks for the chain that is preferred, and its name.
    chooser: Option<(Messenger, String)>,
    profile: Option<String>,
    looks_first: bool,
}

/// A call that came to nothing.
#[derive(Debug)]
pub(super) struct Failed {
    /// For the machine.
    pub(super) failure: Failure,
    /// The authority asked everybody here to wait.
    pub(super) pause: Option<Pause>,
    /// Only the nonce was refused.
    bad_nonce: bool,
}

/// The authority asked to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    /// For how long, if it said.
    pub(super) wait: Option<Duration>,
}

/// Makes a call again as long as its nonce is refused: the authority has not taken it then.
macro_rules! with_nonces {
    ($call:expr) => {{
        let mut result = $call.await;
        for _ in 1..NONCES {
            match &result {
                Err(error) if is_bad_nonce(error) => result = $call.await,
                _ => break,
            }
        }
        result
    }};
}

impl Authority {
    /// A new key for an account, to be kept before the authority hears of it.
    pub(super) fn new_key() -> Result<Secret, Failed> {
        let (_, key) = Key::generate_pkcs8()?;
        Ok(Secret::new(key.secret_pkcs8_der().to_vec()))
    }

    /// The account of a kept key. One that has no URL yet is made; a key that the authority knows already gives the same
    /// account again (RFC 8555 section 7.3), so a crash in between makes no second one.
    pub(super) async fn open(settings: &Settings, kept: &mut record::Account) -> Result<Self, Failed> {
        let cannot = |error: std::io::Error| Failed::from(Error::Other(Box::new(error)));
        let client = || Client::new(settings.roots.as_ref()).map_err(cannot);
        let messenger = if kept.url.is_none() || settings.preferred_chain.is_some() {
            Some(Messenger::new(client()?, &settings.directory, &kept.key, NONCES * 3).await?)
        } else {
            None
        };
        let url = match (&kept.url, &messenger) {
            (None, Some(messenger)) => messenger.register(settings).await?,
            (known, _) => known.clone().unwrap_or_default(),
        };
        kept.url = Some(url.clone());
        let key = PrivatePkcs8KeyDer::from(kept.key.expose().to_vec());
        let builder = Account::builder_with_http(Box::new(client()?));
        let account = builder.from_parts(url, key, settings.directory.clone()).await?;
        Ok(Self {
            account,
            challenge: settings.challenge,
            chooser: messenger.zip(settings.preferred_chain.clone()),
            profile: settings.profile.clone(),
            looks_first: settings.looks_first,
        })
    }

    /// Places an order; its URL.
    pub(super) async fn order(&self, host: &str, replaces: Option<&str>) -> Result<Event, Failed> {
        let names = [Identifier::Dns(host.to_owned())];
        let mut order = NewOrder::new(&names);
        if let Some(profile) = &self.profile {
            order = order.profile(profile);
        }
        if let Some((authority, serial)) = replaces.and_then(|id| id.split_once('.')) {
            order = order.replaces(identifier(authority, serial));
        }
        let placed = with_nonces!(self.account.new_order(&order))?;
        Ok(Event::Ordered { url: placed.url().to_owned() })
    }

    async fn known(&self, url: &str) -> Result<Order, Failed> {
        Ok(with_nonces!(self.account.order(url.to_owned()))?)
    }

    /// Puts the proofs of an order in place and tells the authority.
    pub(super) async fn prove(&self, url: &str, host: &str, prover: &Prover) -> Result<Event, Failed> {
        let mut result = self.prove_once(url, host, prover).await;
        for _ in 1..NONCES {
            match &result {
                Err(failed) if failed.bad_nonce => result = self.prove_once(url, host, prover).await,
                Ok(_) | Err(_) => break,
            }
        }
        result
    }

    async fn prove_once(&self, url: &str, host: &str, prover: &Prover) -> Result<Event, Failed> {
        let mut order = self.known(url).await?;
        match order.state().status {
            OrderStatus::Pending => {}
            OrderStatus::Invalid => return Err(self.verdict(&mut order).await),
            OrderStatus::Ready => return Ok(Event::Is(Status::Ready)),
            OrderStatus::Processing => return Ok(Event::Is(Status::Processing)),
            OrderStatus::Valid => return Ok(Event::Is(Status::Valid)),
        }
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Invalid
                | AuthorizationStatus::Revoked
                | AuthorizationStatus::Expired
                | AuthorizationStatus::Deactivated => return Err(Failed::validation(invalid(&authorization))),
            }
            let kind = match self.challenge {
                Challenge::Http01 => ChallengeType::Http01,
                Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
                Challenge::Dns01 => ChallengeType::Dns01,
            };
            // A wildcard's has the name of its parent and says that it is one (RFC 8555 section 7.1.4): printed as `*.parent`.
            if authorization.identifier().to_string() != host {
                return Err(Failed::refused("the authority asks for proof of another name".to_owned()));
            }
            let Some(mut challenge) = authorization.challenge(kind) else {
                let text = format!("the authority does not offer the challenge {}", self.challenge.as_str());
                return Err(Failed::refused(text));
            };
            let proof = challenge.key_authorization();
            if let Some(dns) = prover.dns() {
                dns.prove(host, proof.as_str()).await?;
                if challenge.status == ChallengeStatus::Pending {
                    with_nonces!(challenge.set_ready())?;
                }
                continue;
            }
            if !prover.put(host, &challenge.token, proof.as_str()) {
                return Err(Failed::refused("the authority's token is none (RFC 8555 section 8.3)".to_owned()));
            }
            if self.challenge == Challenge::TlsAlpn01 {
                let certificate = keys::proof(host, proof.as_str()).map_err(|e| Failed::refused(e.to_string()))?;
                prover.put_handshake(host, &certificate);
            }
            prover.shown().await?;
            if self.looks_first {
                reach::wait(self.challenge, host, &challenge.token, proof.as_str()).await;
            }
            // Told already, by the process before this one, perhaps: telling it again is an error to some authorities.
            if challenge.status == ChallengeStatus::Pending {
                with_nonces!(challenge.set_ready())?;
            }
        }
        Ok(Event::Proved)
    }

    /// How an order stands.
    pub(super) async fn look(&self, url: &str) -> Result<Event, Failed> {
        let mut order = self.known(url).await?;
        let status = match order.state().status {
            OrderStatus::Pending => Status::Pending,
            OrderStatus::Ready => Status::Ready,
            OrderStatus::Processing => Status::Processing,
            OrderStatus::Valid => Status::Valid,
            OrderStatus::Invalid => return Err(self.verdict(&mut order).await),
        };
        Ok(Event::Is(status))
    }

    /// Why an order is invalid: the proof that failed, or what the authority says of the order.
    async fn verdict(&self, order: &mut Order) -> Failed {
        let said = order.state().error.as_ref().map(words);
        let mut authorizations = order.authorizations();
        while let Some(Ok(authorization)) = authorizations.next().await {
            if authorization.challenges.iter().any(|challenge| challenge.error.is_some()) {
                return Failed::validation(invalid(&authorization));
            }
        }
        Failed::validation(said.unwrap_or_else(|| "the authority declared the order invalid".to_owned()))
    }

    /// Sends the request for the certificate.
    pub(super) async fn request(&self, url: &str, host: &str, key: &Secret) -> Result<Event, Failed> {
        let request = keys::request(key, host).map_err(|error| Failed::refused(error.to_string()))?;
        let mut order = self.known(url).await?;
        with_nonces!(order.finalize_csr(&request))?;
        Ok(Event::Requested)
    }

    /// The certificate with its chain, in PEM.
    pub(super) async fn certificate(&self, url: &str) -> Result<String, Failed> {
        let mut order = self.known(url).await?;
        if let Some((messenger, preferred)) = &self.chooser {
            let at = order.state().certificate.clone().ok_or(Error::Str("no certificate URL found"))?;
            return Ok(messenger.certificate(self.account.id(), &at, preferred).await?);
        }
        let none = || Failed::from(Error::Str("a certificate"));
        with_nonces!(order.certificate())?.ok_or_else(none)
    }

    /// When the authority wants a certificate renewed, and when to ask again; `None`: it has no answer to such questions.
    pub(super) async fn window(&self, id: &str) -> Result<Option<(Window, Duration)>, Failed> {
        let Some((authority, serial)) = id.split_once('.') else { return Ok(None) };
        match self.account.renewal_info(&identifier(authority, serial)).await {
            Ok((info, again)) => {
                let moment = |at: i64| Time(u64::try_from(at).unwrap_or_default());
                let window = &info.suggested_window;
                let window =
                    Window { start: moment(window.start.unix_timestamp()), end: moment(window.end.unix_timestamp()) };
                Ok(Some((window, again)))
            }
            Err(Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn identifier<'a>(authority: &'a str, serial: &'a str) -> CertificateIdentifier<'a> {
    CertificateIdentifier { authority_key_identifier: Cow::Borrowed(authority), serial: Cow::Borrowed(serial) }
}

pub(super) fn is_bad_nonce(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:badNonce"))
}

fn invalid(authorization: &instant_acme::AuthorizationState) -> String {
    let error = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
    error.map_or_else(|| "the authority does not accept the proof any more".to_owned(), words)
}

/// What the authority says.
fn words(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().and_then(|kind| kind.rsplit(':').next()).unwrap_or("problem");
    match &problem.detail {
        Some(detail) => format!("{kind}: {detail}"),
        None => kind.to_owned(),
    }
}

impl Failed {
    fn new(failure: Failure) -> Self {
        Self { failure, pause: None, bad_nonce: false }
    }

    fn validation(text: String) -> Self {
        Self::new(Failure::Validation(text))
    }

    fn refused(text: String) -> Self {
        Self::new(Failure::Refused(text))
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::new(failure)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        if let Error::Api(problem) = &error {
            if is_bad_nonce(&error) {
                return Self { bad_nonce: true, ..Self::new(Failure::NotTaken(words(problem))) };
            }
            return Self::new(match problem.status {
                Some(500..) => Failure::Unknown(words(problem)),
                Some(_) | None => Failure::Refused(words(problem)),
            });
        }
        let text = error.to_string();
        let Error::Other(other) = &error else { return Self::new(Failure::Unknown(text)) };
        match other.downcast_ref::<Trouble>() {
            Some(Trouble::NotSent(_)) => Self::new(Failure::NotTaken(text)),
            Some(Trouble::Wait { wait, .. }) => {
                Self { pause: Some(Pause { wait: *wait }), ..Self::new(Failure::NotTaken(text)) }
            }
            Some(Trouble::Cut(_)) | None => Self::new(Failure::Unknown(text)),
        }
    }
}
