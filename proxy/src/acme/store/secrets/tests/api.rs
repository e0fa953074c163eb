//! An API server that knows objects in one collection: versions, watches, preconditions, and faults on request.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What goes wrong with a call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server answers this status and does nothing.
    Refused(u16),
    /// The connection breaks before the server has read the request.
    Dropped,
    /// It is carried out, and the answer gets lost.
    AnswerLost,
    /// The process dies: this call and all that follow do nothing.
    Killed,
    /// The process dies when this call is carried out.
    KilledAfter,
}

/// The server.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    state: Arc<Mutex<State>>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Value>,
    /// All that has happened: version, kind, object.
    log: Vec<(u64, &'static str, Value)>,
    writes: usize,
}

/// One process: how many changes it has asked for, and which fails how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    pub(crate) changes: Arc<AtomicUsize>,
    pub(crate) fault: Option<(usize, Fault)>,
    pub(crate) dead: Arc<AtomicBool>,
    /// Every call gets this status.
    pub(crate) refused: Option<u16>,
}

#[derive(Debug, thiserror::Error)]
#[error("the connection is broken")]
struct Broken;

impl Default for Api {
    fn default() -> Self {
        Self { state: Arc::default(), version: watch::Sender::new(1) }
    }
}

impl Api {
    /// A client of it.
    pub(crate) fn client(&self, process: &Process) -> Client {
        let (api, process) = (self.clone(), process.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (api, process) = (api.clone(), process.clone());
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await.map_err(|_| Broken)?.to_bytes();
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                process.through(&api, &parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default(), body)
            }
        });
        Client::new(service, "default")
    }

    /// An object's content, base64.
    pub(crate) fn data(&self, name: &str) -> Value {
        let state = self.state.lock().unwrap();
        state.objects.get(name).map_or(Value::Null, |object| object["data"].clone())
    }

    /// How often something was changed.
    pub(crate) fn writes(&self) -> usize {
        self.state.lock().unwrap().writes
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }

    /// Somebody else changes an object.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.state.lock().unwrap();
        let mut object = state.objects[name].clone();
        change(&mut object);
        let version = self.put(&mut state, "MODIFIED", object);
        drop(state);
        self.version.send_replace(version);
    }

    fn put(&self, state: &mut State, kind: &'static str, mut object: Value) -> u64 {
        let version = *self.version.borrow() + 1;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        state.writes += 1;
        state.log.push((version, kind, object.clone()));
        if kind == "DELETED" {
            state.objects.remove(&name);
        } else {
            state.objects.insert(name, object);
        }
        version
    }

    fn answer(&self, method: &Method, path: &str, query: &str, mut body: Value) -> Answer {
        let name = path.split_once("/secrets/").map(|(_, name)| name.to_owned());
        if *method == Method::GET && query.contains("watch=true") {
            return self.watch(query);
        }
        let mut state = self.state.lock().unwrap();
        let found = name.as_ref().and_then(|name| state.objects.get(name).cloned());
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        match (method.clone(), name) {
            (Method::GET, None) => {
                let items: Vec<&Value> = state.objects.values().collect();
                let version = self.version.borrow().to_string();
                reply(200, &json!({"metadata": {"resourceVersion": version}, "items": items}))
            }
            (Method::POST, None) => {
                let name = body["metadata"]["name"].as_str().unwrap().to_owned();
                if state.objects.contains_key(&name) {
                    return failure(409, "AlreadyExists");
                }
                let version = self.put(&mut state, "ADDED", body);
                let answer = reply(201, &state.objects[&name]);
                self.version.send_replace(version);
                answer
            }
            (Method::GET, Some(_)) => found.map_or_else(|| failure(404, "NotFound"), |found| reply(200, &found)),
            (Method::PUT, Some(name)) => {
                let Some(found) = found else { return failure(404, "NotFound") };
                if version(&body) != version(&found) {
                    return failure(409, "Conflict");
                }
                body["metadata"]["name"] = name.clone().into();
                let version = self.put(&mut state, "MODIFIED", body);
                let answer = reply(200, &state.objects[&name]);
                self.version.send_replace(version);
                answer
            }
            (Method::DELETE, Some(_)) => {
                let Some(found) = found else { return failure(404, "NotFound") };
                let wanted = &body["preconditions"]["resourceVersion"];
                if wanted.is_string() && *wanted != version(&found) {
                    return failure(409, "Conflict");
                }
                let version = self.put(&mut state, "DELETED", found.clone());
                self.version.send_replace(version);
                reply(200, &found)
            }
            _ => failure(405, "MethodNotAllowed"),
        }
    }

    fn watch(&self, query: &str) -> Answer {
        let from = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "resourceVersion");
        let from: u64 = from.and_then(|(_, version)| version.parse().ok()).unwrap_or(0);
        let (state, versions) = (self.state.clone(), self.version.subscribe());
        let events = stream::unfold((state, versions, from), |(state, mut versions, seen)| async move {
            loop {
                let next = state.lock().unwrap().log.iter().find(|(version, ..)| *version > seen).cloned();
                if let Some((version, kind, object)) = next {
                    let line = format!("{}\n", json!({"type": kind, "object": object}));
                    let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(line)));
                    return Some((frame, (state, versions, version)));
                }
                versions.changed().await.ok()?;
            }
        });
        Response::new(StreamBody::new(events).boxed_unsync())
    }
}

impl Process {
    fn through(&self, api: &Api, method: &Method, path: &str, query: &str, body: Value) -> Result<Answer, Broken> {
        if let Some(code) = self.refused {
            return Ok(failure(code, "Forbidden"));
        }
        if self.dead.load(Ordering::Relaxed) {
            return Err(Broken);
        }
        let number = (*method != Method::GET).then(|| self.changes.fetch_add(1, Ordering::Relaxed));
        let hit = self.fault.filter(|(at, _)| number == Some(*at)).map(|(_, fault)| fault);
        if matches!(hit, Some(Fault::Killed | Fault::KilledAfter)) {
            self.dead.store(true, Ordering::Relaxed);
        }
        match hit {
            Some(Fault::Refused(code)) => return Ok(failure(code, "InternalError")),
            Some(Fault::Dropped | Fault::Killed) => return Err(Broken),
            Some(Fault::AnswerLost | Fault::KilledAfter) | None => {}
        }
        let answer = api.answer(method, path, query, body);
        match hit {
            Some(Fault::AnswerLost | Fault::KilledAfter) => Err(Broken),
            Some(_) | None => Ok(answer),
        }
    }
}

fn reply(code: u16, object: &Value) -> Answer {
    let mut response = Response::new(Full::from(serde_json::to_vec(object).unwrap()).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

fn failure(code: u16, reason: &str) -> Answer {
    let message = format!("it does not work: {reason}");
    reply(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": reason}),
    )
}
