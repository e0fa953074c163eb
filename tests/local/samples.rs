//! Every sample does what its README says.

use std::path::Path;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, request, seen};
use crate::folder::{client, start_folder};

async fn sample(name: &str) -> (bailey::up::local::Local, tempfile::TempDir) {
    let state = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(name);
    (start_folder(&folder, state.path()).await, state)
}

async fn backend(client: &Client, host: &str, path: &str, fields: &[(&str, &str)]) -> String {
    seen(&client.get(host, path, fields).await)["backend"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_sample_translates_without_a_warning() {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // They are for clusters; the tests of the operator and of the proxy hold them.
        if ["cluster", "certificates"].contains(&&*name) || !entry.file_type().unwrap().is_dir() {
            continue;
        }
        let (local, _state) = sample(&name).await;
        let warnings: Vec<_> = local.warnings().map(ToString::to_string).collect();
        assert!(warnings.is_empty(), "{name}: {warnings:#?}");
        local.stop().await;
    }
}

#[tokio::test]
async fn the_shop_splits_strips_redirects_and_matches() {
    let (local, _state) = sample("two-tier").await;
    let client = client(&local);
    let mut first = 0;
    for _ in 0..200 {
        first += u32::from(backend(&client, "shop.localhost", "/", &[]).await == "storefront-v1");
    }
    assert!((110..190).contains(&first), "3:1 of 200 requests: {first} reached v1");
    let api = seen(&client.get("shop.localhost", "/api/orders", &[]).await);
    assert_eq!((api["backend"].as_str(), api["path"].as_str()), (Some("api"), Some("/orders")));
    let moved = client.get("shop.localhost", "/old/page", &[]).await;
    let location = moved.headers()["location"].to_str().unwrap();
    assert_eq!(moved.status(), 301);
    assert!(location.ends_with("/new/page") && location.starts_with("https://shop.localhost"), "{location}");
    assert_eq!(backend(&client, "x.shop.localhost", "/", &[("x-preview", "v2")]).await, "storefront-v2");
    assert_eq!(backend(&client, "x.shop.localhost", "/", &[]).await, "storefront-v1");
    assert_eq!(backend(&client, "shop.localhost", "/checkout", &[]).await, "storefront-v1");
}

#[tokio::test]
async fn the_blog_is_static_with_its_routes_response_header_and_takes_comments() {
    let (local, _state) = sample("two-tier").await;
    let client = client(&local);
    let page = client.get("blog.localhost", "/", &[]).await;
    assert_eq!(page.headers()["cache-control"], "max-age=60");
    assert!(String::from_utf8_lossy(page.body()).contains("The blog of team B"));
    let mut connection = client.connect("blog.localhost", "h2").await.unwrap();
    let comment = connection.send(request("POST", "blog.localhost", "/comments/1", &[], "hello")).await.unwrap();
    assert_eq!(
        (seen(&comment)["backend"].as_str(), seen(&comment)["body"].as_str()),
        (Some("comments"), Some("hello"))
    );
}

#[tokio::test]
async fn the_chat_repeats_what_it_hears() {
    let (local, _state) = sample("two-tier").await;
    let tls = client(&local).tls("chat.localhost", "http/1.1").await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async("wss://chat.localhost/", tls).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
}

#[tokio::test]
async fn the_single_gateway_serves_plain_http_with_the_routes_header() {
    let (local, _state) = sample("single").await;
    let client = Client {
        https: local.http().unwrap(),
        http: local.http().unwrap(),
        root: local.root().clone(),
        from: crate::folder::CLIENT_ADDRESS,
    };
    let answer = client.plain("GET", "hello.localhost", "/").await;
    let seen = seen(&answer);
    assert_eq!(seen["headers"]["x-greeting"], serde_json::json!(["hello"]));
    assert_eq!(seen["client_address"], crate::folder::CLIENT_ADDRESS.to_string());
    assert_eq!(client.plain("GET", "other.localhost", "/").await.status(), 404);
}
