//! Spans of both tiers, from their Pods, at one collector: one trace for a request, and where each span is from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::bed::{NODE, Place, bed};
use crate::kubernetes::{Kubernetes, until};
use crate::site::{HOST_A, Site, TOPOLOGY, topology};

/// What a span says of where it is from, and which trace it is of.
#[derive(Clone, Debug)]
struct Seen {
    trace: Vec<u8>,
    name: String,
    resource: BTreeMap<String, String>,
}

/// Takes spans by OTLP over HTTP at port 4318 of the node, until the test's runtime ends.
async fn collector() -> Arc<Mutex<Vec<Seen>>> {
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let listener = TcpListener::bind(SocketAddr::new(NODE.parse().unwrap(), 4318)).await.unwrap();
    let taken = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let taken = taken.clone();
            let service = service_fn(move |request| take(request, taken.clone()));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    seen
}

async fn take(request: Request<Incoming>, seen: Arc<Mutex<Vec<Seen>>>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let export = ExportTraceServiceRequest::decode(body).expect("spans as OTLP's protobuf");
    for spans in export.resource_spans {
        let attributes = spans.resource.map(|resource| resource.attributes).unwrap_or_default();
        let text = |value| match value {
            Some(any_value::Value::StringValue(text)) => text,
            other => format!("{other:?}"),
        };
        let resource: BTreeMap<_, _> =
            attributes.into_iter().map(|one| (one.key, text(one.value.and_then(|value| value.value)))).collect();
        let spans = spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let of = |span: opentelemetry_proto::tonic::trace::v1::Span| Seen {
            trace: span.trace_id,
            name: span.name,
            resource: resource.clone(),
        };
        seen.lock().expect("no panic").extend(spans.map(of));
    }
    Ok(Response::new(Full::default()))
}

/// A Service without Pods that leads to the collector, so that its name has to be looked up as a real one's.
async fn service(cluster: &Kubernetes) {
    cluster.namespace("observability").await;
    cluster
        .apply(&format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: collector, namespace: observability}}, spec: {{ports: [{{port: 4318}}]}}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: collector, namespace: observability, labels: {{kubernetes.io/service-name: collector}}}}
addressType: IPv4
ports: [{{port: 4318}}]
endpoints: [{{addresses: [\"{NODE}\"], conditions: {{ready: true}}}}]
"
        ))
        .await;
}

pub(crate) fn spans_of_both_tiers_make_one_trace() {
    bed().run(async |cluster| {
        let site = Site::up(cluster.clone()).await;
        let seen = collector().await;
        service(&cluster).await;
        let tracing = json!({"endpoint": "http://collector.observability:4318", "sampling": 100});
        cluster.merge(&topology(TOPOLOGY), &json!({"spec": {"tracing": tracing}})).await;
        cluster.topology_ready(TOPOLOGY).await;
        let pods = [("ingress-main", "bailey.dev/tier=outer"), ("team-a", "bailey.dev/tenant=team-a")];
        let trace = until("a trace has spans of both tiers", async || {
            site.ask(HOST_A, "/").from(Place::Client).await.ok()?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            let all = seen.lock().expect("no panic").clone();
            let from = |trace: &[u8], namespace: &str| {
                let of = |span: &&Seen| {
                    span.trace == trace && span.resource.get("k8s.namespace.name").is_some_and(|one| one == namespace)
                };
                all.iter().filter(of).count()
            };
            let whole = all.iter().find(|span| pods.iter().all(|(namespace, _)| from(&span.trace, namespace) >= 2))?;
            Some(all.iter().filter(|span| span.trace == whole.trace).cloned().collect::<Vec<_>>())
        })
        .await;
        for (namespace, labels) in pods {
            let pod = cluster.pods(namespace, &format!("bailey.dev/topology=main,{labels}")).await.remove(0);
            let span = trace.iter().find(|span| span.resource["k8s.namespace.name"] == namespace).unwrap();
            let wanted = [
                ("k8s.pod.name", pod.metadata.name.clone().unwrap()),
                ("k8s.pod.uid", pod.metadata.uid.clone().unwrap()),
                ("k8s.node.name", "node1".to_owned()),
                ("k8s.container.name", "proxy".to_owned()),
            ];
            for (key, value) in wanted {
                assert_eq!(span.resource.get(key), Some(&value), "{span:?}");
            }
        }
        eprintln!("spans of one request: {}", trace.iter().map(|span| &*span.name).collect::<Vec<_>>().join(", "));
        cluster.merge(&topology(TOPOLOGY), &json!({"spec": {"tracing": null}})).await;
        cluster.topology_ready(TOPOLOGY).await;
        cluster.delete_namespace("observability").await;
    });
}
