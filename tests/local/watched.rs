//! What operators see: access log lines of both tiers, metrics, readiness. And what they never see: secrets.

use bailey::up::local::{Local, LocalOptions};
use bailey_proxy::tier::LogTarget;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{PROTOCOLS, eventually, request, seen};
use crate::folder::{CLIENT_ADDRESS, TWO_TENANTS, app, client, two_tenants};

#[tokio::test]
async fn both_tiers_log_a_request_under_one_id_and_without_secrets() {
    let kept = tempfile::tempdir().unwrap();
    let (folder, log) = (kept.path().join("objects"), kept.path().join("access.log"));
    std::fs::create_dir(&folder).unwrap();
    let topology = format!("{TWO_TENANTS}  accessLog: {{format: json}}\n");
    for (name, text) in [("topology.yaml", topology), ("a.yaml", app("a"))] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let options =
        LocalOptions { access_log: LogTarget::File(log.clone()), ..LocalOptions::for_tests(&folder, kept.path()) };
    let local = Local::start(options).await.unwrap();
    let fields = [
        ("cookie", "session=SECRET1"),
        ("authorization", "Bearer SECRET2"),
        ("user-agent", "a \"quoted\"\tagent"),
        ("referer", "https://a.localhost/?token=SECRET3"),
    ];
    let mut ids = Vec::new();
    for protocol in PROTOCOLS {
        let mut connection = client(&local).connect("a.localhost", protocol).await.unwrap();
        let path = "/x?access_token=SECRET4&password=SECRET5&key=SECRET6";
        let answer = connection.send(request("GET", "a.localhost", path, &fields, "")).await.unwrap();
        ids.push(seen(&answer)["headers"]["x-request-id"][0].as_str().unwrap().to_owned());
    }
    let lines = || -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(!text.contains("SECRET"), "{text}");
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    eventually(|| lines().len() == 4).await;
    for id in ids {
        let lines: Vec<_> = lines().into_iter().filter(|line| line["request_id"] == id.as_str()).collect();
        let tiers: std::collections::BTreeSet<_> = lines.iter().filter_map(|line| line["tier"].as_str()).collect();
        assert_eq!(tiers, ["inner", "outer"].into(), "{lines:?}");
        for line in &lines {
            assert_eq!(
                (&line["status"], &line["method"], &line["host"]),
                (&200.into(), &"GET".into(), &"a.localhost".into())
            );
            assert_eq!(line["client"], CLIENT_ADDRESS.to_string(), "{line}");
            assert_eq!(line["tenant"], "a", "{line}");
        }
        let routes: Vec<_> = lines.iter().map(|line| line["route"].to_string()).collect();
        assert!(routes.iter().any(|route| route.contains("a/web")), "{routes:?}");
    }
}

async fn admin(local: &Local, path: &str) -> String {
    let address = local.fronts().next().unwrap().1.admin_address().unwrap();
    let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    tcp.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut text = String::new();
    tcp.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn metrics_count_requests_by_tenant_and_readiness_says_what_it_waited_for() {
    let running = two_tenants().await;
    for host in ["a.localhost", "a.localhost", "b.localhost"] {
        client(&running.local).get(host, "/secret-path", &[("cookie", "SECRET")]).await;
    }
    client(&running.local).plain("GET", "stranger.localhost", "/").await;
    let metrics = admin(&running.local, "/metrics").await;
    let of = |tenant: &str| {
        metrics
            .lines()
            .filter(|line| {
                line.starts_with("http_server_request_duration_seconds_count{")
                    && line.contains(&format!("\"{tenant}\""))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>()
    };
    assert!((of("a") - 2.0).abs() < 0.1 && (of("b") - 1.0).abs() < 0.1, "{metrics}");
    for unwanted in ["SECRET", "secret-path", "stranger", "127.9.8.7"] {
        assert!(!metrics.contains(unwanted), "{unwanted}: {metrics}");
    }
    let ready = admin(&running.local, "/readyz?verbose").await;
    assert!(
        ready.starts_with("HTTP/1.1 200 ") && ready.lines().filter(|line| line.starts_with("[+]")).count() >= 2,
        "{ready}"
    );
    assert!(admin(&running.local, "/healthz").await.starts_with("HTTP/1.1 200 "));
    assert!(admin(&running.local, "/debug/pprof").await.starts_with("HTTP/1.1 404 "));
}
