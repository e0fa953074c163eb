//! Services that set records over HTTP: a webhook, and a provider of `dns-update` whose address can be chosen.

use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

type Asked = (String, String, Value);

/// Answers all requests alike, and keeps them.
struct Service {
    asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
    task: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    async fn start(status: u16, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let kept = asked.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let kept = kept.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let kept = kept.clone();
                    async move {
                        let (parts, whole) = request.into_parts();
                        let whole = whole.collect().await?.to_bytes();
                        let value = serde_json::from_slice(&whole).unwrap_or_default();
                        kept.lock().unwrap().push((parts.method.to_string(), parts.uri.path().to_owned(), value));
                        let answer = Response::builder().status(status).header("content-type", "application/json");
                        Ok::<_, hyper::Error>(answer.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap())
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { asked, url, task }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_webhook_is_told_what_to_add_and_to_remove() {
    let (names, hook) = (Server::start().await, Service::start(204, "").await);
    names.zone().texts.push((NAME.to_owned(), "text".to_owned()));
    let spec = json!({"webhook": {"url": format!("{}/dns", hook.url)}, "propagation": {"nameservers": [names.address.to_string()]}});
    let dns = settings(spec, &[]).unwrap();
    dns.publish(NAME, "text").await.unwrap();
    dns.retract(NAME, "text").await.unwrap();
    let said =
        |action: &str| ("POST".to_owned(), "/dns".to_owned(), json!({"action": action, "name": NAME, "text": "text"}));
    assert_eq!(hook.asked(), [said("add"), said("remove")]);
}

#[tokio::test]
async fn what_a_webhook_answers_is_shown() {
    let cases = [
        (403, r#"{"message": "zone is read-only"}"#, "403 Forbidden: zone is read-only"),
        (500, "out of order\n", "500 Internal Server Error: out of order"),
        (302, "", "302 Found"),
    ];
    for (status, body, said) in cases {
        let hook = Service::start(status, body).await;
        let dns = settings(json!({"webhook": {"url": hook.url}}), &[]).unwrap();
        let error = dns.retract(NAME, "text").await.unwrap_err();
        assert!(error.contains("the webhook at 127.0.0.1") && error.contains(said), "{error}");
    }
    let dns = settings(json!({"webhook": {"url": "http://127.0.0.1:1/"}}), &[]).unwrap();
    let error = dns.retract(NAME, "text").await.unwrap_err();
    assert!(error.contains("127.0.0.1:1") && error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_provider_changes_one_set_of_records_and_errors_hide_its_credentials() {
    let names = Server::start().await;
    let spec = |seconds: u16| {
        json!({"provider": "powerdns", "credentialsRef": {"name": "dns"},
        "propagation": {"nameservers": [names.address.to_string()], "timeoutSeconds": seconds}})
    };
    let service = Service::start(200, r#"{"name": "example.com.", "rrsets": []}"#).await;
    names.zone().texts.push((NAME.to_owned(), "text".to_owned()));
    let dns = settings(spec(20), &[("apiKey", CANARY), ("url", &service.url)]).unwrap();
    dns.publish(NAME, "text").await.unwrap();
    let (method, path, body) = service.asked().pop().unwrap();
    assert_eq!((method.as_str(), path.as_str()), ("PATCH", "/api/v1/servers/localhost/zones/example.com."));
    let set = &body["rrsets"][0];
    assert_eq!((set["name"].as_str(), set["type"].as_str()), (Some(&*format!("{NAME}.")), Some("TXT")), "{body}");
    assert!(set.to_string().contains("text"), "{body}");

    let service = Service::start(401, r#"{"error": "CANARY0123456789 is not my key"}"#).await;
    let dns = settings(spec(20), &[("apiKey", CANARY), ("url", &service.url)]).unwrap();
    let error = dns.publish(NAME, "text").await.unwrap_err();
    assert!(error.contains("the DNS provider powerdns does not add the record") && !error.contains(CANARY), "{error}");
}
