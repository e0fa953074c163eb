//! An API server that knows no kind: objects by path, the verbs that the operator uses, and faults on request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// What may go wrong with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server answers this status and does nothing.
    Refused(u16),
    /// The connection breaks before the server has read the request.
    Dropped,
    /// The write is carried out, and the answer gets lost.
    AnswerLost,
}

/// The server's memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Objects by path.
    pub objects: BTreeMap<String, Value>,
    /// Writes since the count was last taken, those that failed too.
    pub writes: Vec<String>,
    /// Which of the next writes fails, and how.
    pub fault: Option<(usize, Fault)>,
    version: u64,
    seen: usize,
}

/// The server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Api(pub(crate) Arc<Mutex<State>>);

#[derive(Debug, thiserror::Error)]
#[error("the connection is broken")]
struct Broken;

impl Api {
    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await.map_err(|_| Broken)?.to_bytes();
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                api.answer(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default(), body)
            }
        });
        Client::new(service, "default")
    }

    fn answer(&self, method: &Method, path: &str, query: &str, body: Value) -> Result<Response<Body>, Broken> {
        let mut state = self.0.lock().unwrap();
        if *method == Method::GET {
            return Ok(match state.objects.get(path) {
                Some(object) => reply(StatusCode::OK, object),
                None => failure(404),
            });
        }
        // Events are told to people and belong to no state.
        if path.contains("/events") {
            return Ok(reply(StatusCode::CREATED, &body));
        }
        state.writes.push(format!("{method} {path}"));
        let number = state.seen;
        state.seen += 1;
        let fault = state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        match fault {
            Some(Fault::Refused(code)) => return Ok(failure(code)),
            Some(Fault::Dropped) => return Err(Broken),
            Some(Fault::AnswerLost) | None => {}
        }
        let answer = state.write(method, path, query, body);
        if fault == Some(Fault::AnswerLost) { Err(Broken) } else { Ok(answer) }
    }
}

impl State {
    fn write(&mut self, method: &Method, path: &str, query: &str, body: Value) -> Response<Body> {
        let (path, status) = path.strip_suffix("/status").map_or((path, false), |path| (path, true));
        match *method {
            Method::POST => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
                if self.objects.contains_key(&path) { failure(409) } else { self.put(&path, body) }
            }
            Method::DELETE => match self.objects.remove(path) {
                Some(object) => reply(StatusCode::OK, &object),
                None => failure(404),
            },
            Method::PATCH => {
                let found = self.objects.get(path).cloned();
                let uid = found.as_ref().map(|found| found["metadata"]["uid"].clone());
                if body["metadata"]["uid"].is_string() && uid.as_ref() != Some(&body["metadata"]["uid"]) {
                    return failure(409);
                }
                let apply = query.contains("fieldManager");
                let Some(mut object) = found else {
                    return if apply && !status { self.put(path, body) } else { failure(404) };
                };
                if status {
                    object["status"] = body["status"].clone();
                } else {
                    merge(&mut object, body);
                }
                self.put(path, object)
            }
            _ => failure(405),
        }
    }

    fn put(&mut self, path: &str, mut object: Value) -> Response<Body> {
        let metadata = &mut object["metadata"];
        if metadata["uid"].is_null() {
            metadata["uid"] = format!("uid-{path}").into();
        }
        self.version += 1;
        metadata["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), object.clone());
        reply(StatusCode::OK, &object)
    }
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, change) => *into = change,
    }
}

fn reply(status: StatusCode, object: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(object).unwrap()));
    *response.status_mut() = status;
    response
}

fn failure(code: u16) -> Response<Body> {
    let message = match code {
        403 => {
            "services is forbidden: User \"system:serviceaccount:bailey-system:bailey-operator\" cannot patch resource \
                \"services\" in API group \"\" in the namespace \"team-a\""
        }
        _ => "it does not work",
    };
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": reason,
    });
    reply(StatusCode::from_u16(code).unwrap(), &status)
}
