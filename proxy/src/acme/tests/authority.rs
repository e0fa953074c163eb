//! An authority of our own, over HTTPS on loopback: it does what RFC 8555 asks for, or exactly one thing wrong, and looks for proofs where
//! the test says they are.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bailey_acme::Time;
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::acme::Pem;

/// Where an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Directory,
    Nonce,
    Account,
    NewOrder,
    Authorization,
    Challenge,
    Finalize,
    Order,
    Certificate,
}

/// What is wrong.
#[derive(Clone, Copy)]
pub(super) enum Evil {
    /// Another answer: status, one header, body.
    Answer(Step, u16, (&'static str, &'static str), fn() -> String),
    /// The connection is closed without an answer.
    Cut(Step),
    /// No answer ever comes.
    Silence(Step),
    /// Something else in the object of an answer.
    Object(Step, fn(&mut Value)),
    /// Something else in the certificate.
    Leaf(fn(&mut CertificateParams, Time)),
    /// Another chain, made of the right one.
    Chain(fn(String, &Ca) -> String),
    /// The certificate of another key.
    OtherKey,
}

/// Who signs.
pub(super) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    params: CertificateParams,
    key: KeyPair,
    pub(super) pem: String,
}

impl Ca {
    pub(super) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        let same = KeyPair::try_from(key.serialize_der()).unwrap();
        Self { issuer: Issuer::new(params.clone(), same), params, key, pem }
    }

    /// Its certificate, signed by another.
    pub(super) fn signed_by(&self, other: &Ca) -> String {
        self.params.signed_by(&self.key, &other.issuer).unwrap().pem()
    }
}

/// What it has been asked for.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    host: String,
    pub(super) at: Time,
    token: String,
    state: &'static str,
    proven: bool,
    chain: Option<String>,
}

impl Placed {
    /// A certificate was made.
    pub(super) fn issued(&self) -> bool {
        self.chain.is_some()
    }

    /// The proof was looked for in vain.
    pub(super) fn failed(&self) -> bool {
        self.state == "invalid"
    }
}

/// How it looks for a proof: host, challenge's type, token; whether it is there.
pub(super) type Look = Arc<dyn Fn(&str, &str, &str) -> bool + Send + Sync>;

pub(super) struct State {
    pub(super) ca: Ca,
    /// Its certificate once more, signed by others.
    pub(super) others: Vec<String>,
    pub(super) evil: Option<Evil>,
    /// Share of good nonces that are refused, in percent.
    pub(super) refused: u32,
    nonces: BTreeSet<String>,
    made: u64,
    pub(super) orders: Vec<Placed>,
    /// Requests that made an account, as they came.
    pub(super) accounts: Vec<Value>,
    clock: Arc<dyn Fn() -> Time + Send + Sync>,
    look: Look,
    base: String,
}

/// The authority at work.
pub(super) struct Authority {
    state: Arc<Mutex<State>>,
    roots: Pem,
    port: u16,
    task: JoinHandle<()>,
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Authority {
    pub(super) async fn start(clock: Arc<dyn Fn() -> Time + Send + Sync>, look: Look) -> Self {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(crate::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            ca: Ca::new("Good CA"),
            others: Vec::new(),
            evil: None,
            refused: 0,
            nonces: BTreeSet::new(),
            made: 0,
            orders: Vec::new(),
            accounts: Vec::new(),
            clock,
            look,
            base: format!("https://localhost:{port}"),
        }));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (acceptor, state) = (acceptor.clone(), shared.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(|request| answer(request, state.clone()));
                    // How a connection ends does not matter.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        let roots = Pem { from: "the test".to_owned(), text: own.pem().into_bytes() };
        Self { state, roots, port, task }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn roots(&self) -> Pem {
        self.roots.clone()
    }

    pub(super) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }
}

/// An error ends the connection without an answer.
async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let path: Vec<String> = parts.uri.path().trim_start_matches('/').split('/').map(str::to_owned).collect();
    let step = match path[0].as_str() {
        "dir" => Step::Directory,
        "nonce" => Step::Nonce,
        "account" => Step::Account,
        "new-order" => Step::NewOrder,
        "authz" => Step::Authorization,
        "challenge" => Step::Challenge,
        "finalize" => Step::Finalize,
        "order" => Step::Order,
        "cert" => Step::Certificate,
        _ => return Ok(Response::builder().status(404).body(Full::default()).unwrap()),
    };
    let evil = state.lock().unwrap().evil;
    match evil {
        Some(Evil::Cut(at)) if at == step => return Err(std::io::Error::other("cut")),
        Some(Evil::Silence(at)) if at == step => std::future::pending().await,
        Some(Evil::Answer(at, status, (name, value), body)) if at == step => {
            let nonce = state.lock().unwrap().nonce();
            let answer = Response::builder().status(status).header("replay-nonce", nonce).header(name, value);
            return Ok(answer.body(Full::from(body())).unwrap());
        }
        _ => {}
    }
    let mut state = state.lock().unwrap();
    let (status, location, mut object) = match parts.method {
        Method::GET | Method::HEAD => (200, None, state.directory()),
        _ => state.post(step, &path, &body),
    };
    if let Some(Evil::Object(at, edit)) = state.evil
        && at == step
        && status < 300
    {
        edit(&mut object);
    }
    let mut answer = Response::builder().status(status).header("replay-nonce", state.nonce());
    if let Some(location) = location {
        answer = answer.header("location", location);
    }
    if step == Step::Certificate && path.len() == 2 {
        for at in 0..state.others.len() {
            let number = &path[1];
            answer = answer.header("link", format!("<{}/cert/{number}/{at}>;rel=\"alternate\"", state.base));
        }
    }
    let text = if let Value::String(chain) = object { chain } else { object.to_string() };
    Ok(answer.body(Full::from(text)).unwrap())
}

type Reply = (u16, Option<String>, Value);

fn problem(status: u16, kind: &str, detail: &str) -> Reply {
    (status, None, json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status}))
}

fn part(message: &Value, name: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(message[name].as_str().unwrap().as_bytes()).unwrap()
}

impl State {
    fn nonce(&mut self) -> String {
        self.made += 1;
        let nonce = format!("nonce-{}", self.made);
        self.nonces.insert(nonce.clone());
        nonce
    }

    fn directory(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.base);
        json!({"newNonce": at("nonce"), "newAccount": at("account"), "newOrder": at("new-order"),
            "revokeCert": at("revoke"), "keyChange": at("key")})
    }

    fn post(&mut self, step: Step, path: &[String], body: &[u8]) -> Reply {
        let message: Value = serde_json::from_slice(body).unwrap();
        let header: Value = serde_json::from_slice(&part(&message, "protected")).unwrap();
        assert!(header["url"].as_str().unwrap().ends_with(&path.join("/")), "{header}");
        let good = self.nonces.remove(header["nonce"].as_str().unwrap());
        // Spread evenly, and the same in every run.
        let refuse = (self.made.wrapping_mul(2_654_435_761) >> 16) % 100 < u64::from(self.refused);
        if !good || refuse {
            return problem(400, "badNonce", "this nonce is used up");
        }
        let payload: Value = serde_json::from_slice(&part(&message, "payload")).unwrap_or_default();
        let number = path.get(1).and_then(|one| one.parse::<usize>().ok());
        match (step, number) {
            (Step::Account, _) => {
                self.accounts.push(payload);
                (201, Some(format!("{}/account/1", self.base)), json!({"status": "valid"}))
            }
            (Step::NewOrder, _) => {
                let host = payload["identifiers"][0]["value"].as_str().unwrap().to_owned();
                let (at, token) = ((self.clock)(), format!("CANARY-token-{}", self.orders.len()));
                self.orders.push(Placed { host, at, token, state: "pending", proven: false, chain: None });
                let number = self.orders.len() - 1;
                (201, Some(format!("{}/order/{number}", self.base)), self.order(number))
            }
            (Step::Authorization, Some(number)) => (200, None, self.authorization(number)),
            (Step::Challenge, Some(number)) => {
                let kind = path[2].as_str();
                let order = self.orders[number].clone();
                let seen = (self.look)(&order.host, kind, &order.token);
                let order = &mut self.orders[number];
                (order.proven, order.state) = (seen, if seen { "ready" } else { "invalid" });
                (200, None, self.challenge(number, kind))
            }
            (Step::Finalize, Some(number)) => {
                let csr = BASE64URL_NOPAD.decode(payload["csr"].as_str().unwrap().as_bytes()).unwrap();
                self.orders[number].chain = Some(self.sign(number, &csr));
                self.orders[number].state = "valid";
                (200, None, self.order(number))
            }
            (Step::Order, Some(number)) => (200, None, self.order(number)),
            (Step::Certificate, Some(number)) => {
                let chain = self.orders[number].chain.clone().unwrap();
                // Instead of the authority's own certificate, that of another signer.
                let other = path.get(2).map(|at| &self.others[at.parse::<usize>().unwrap()]);
                (200, None, Value::String(other.map_or(chain.clone(), |other| chain.replace(&self.ca.pem, other))))
            }
            _ => problem(404, "malformed", "no such thing"),
        }
    }

    fn order(&self, number: usize) -> Value {
        let order = &self.orders[number];
        let mut object = json!({"status": order.state, "identifiers": [{"type": "dns", "value": order.host}],
            "authorizations": [format!("{}/authz/{number}", self.base)], "finalize": format!("{}/finalize/{number}", self.base)});
        if order.chain.is_some() {
            object["certificate"] = json!(format!("{}/cert/{number}", self.base));
        }
        object
    }

    fn challenge(&self, number: usize, kind: &str) -> Value {
        let order = &self.orders[number];
        let status = if order.proven { "valid" } else { order.state };
        let status = if status == "ready" { "valid" } else { status };
        let mut object = json!({"type": kind, "url": format!("{}/challenge/{number}/{kind}", self.base),
            "token": order.token, "status": status});
        if order.state == "invalid" {
            object["error"] =
                json!({"type": "urn:ietf:params:acme:error:unauthorized", "detail": "the proof is not there"});
        }
        object
    }

    fn authorization(&self, number: usize) -> Value {
        let order = &self.orders[number];
        let kinds = ["http-01", "tls-alpn-01", "dns-01"].map(|kind| self.challenge(number, kind));
        let status = if order.proven {
            "valid"
        } else if order.state == "invalid" {
            "invalid"
        } else {
            "pending"
        };
        let mut object = json!({"status": status, "challenges": kinds,
            "identifier": {"type": "dns", "value": order.host.trim_start_matches("*.")}});
        if order.host.starts_with("*.") {
            object["wildcard"] = json!(true);
            object["challenges"] = json!([self.challenge(number, "dns-01")]);
        }
        object
    }

    fn sign(&self, number: usize, csr: &[u8]) -> String {
        let csr = CertificateSigningRequestParams::from_der(&csr.into()).unwrap();
        let now = (self.clock)();
        let at = |time: Time| time::OffsetDateTime::from_unix_timestamp(time.0.cast_signed()).unwrap();
        let mut params = CertificateParams::new(vec![self.orders[number].host.clone()]).unwrap();
        params.not_before = at(now.before(Duration::from_hours(1)));
        params.not_after = at(now.after(Duration::from_hours(90 * 24)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        if let Some(Evil::Leaf(edit)) = self.evil {
            edit(&mut params, now);
        }
        let leaf = if matches!(self.evil, Some(Evil::OtherKey)) {
            params.signed_by(&KeyPair::generate().unwrap(), &self.ca.issuer).unwrap().pem()
        } else {
            params.signed_by(&csr.public_key, &self.ca.issuer).unwrap().pem()
        };
        match self.evil {
            Some(Evil::Chain(edit)) => edit(leaf, &self.ca),
            _ => leaf + &self.ca.pem,
        }
    }
}

/// A moment, for the dates of a certificate.
pub(super) fn date(time: Time) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(time.0.cast_signed()).unwrap()
}
