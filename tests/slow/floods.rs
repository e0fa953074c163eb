//! Floods of HTTP/2 frames: their connection is cut off, an honest one is served all the while, and the application hears little of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, PROTOCOLS, get};
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, connect, frame, head,
};
use crate::site::Site;

/// Until when a flood must have been cut off. It takes far less.
const SOON: Duration = Duration::from_secs(10);
/// Frames of one write.
const BURST: u32 = 50;

/// Gives the bytes of the nth step of a flood.
type Burst<'a> = &'a (dyn Fn(u32) -> Vec<u8> + Sync);

/// Clients of both protocols on connections of their own, one request after the other.
struct Honest {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Honest {
    fn start(client: &Client) -> Self {
        let mut honest = Self { stop: Arc::default(), answered: Arc::default(), tasks: Vec::new() };
        for protocol in PROTOCOLS {
            let (client, stop, answered) = (client.clone(), honest.stop.clone(), honest.answered.clone());
            honest.tasks.push(tokio::spawn(async move {
                let mut connection = client.connect(protocol).await.expect("a connection");
                while !stop.load(Ordering::Relaxed) {
                    let response = connection.send(get(protocol, "/")).await.expect("an answer");
                    assert_eq!(response.status(), 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }));
        }
        honest
    }

    /// Ends them, and says how many answers they got.
    async fn finish(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("every answer was a 200");
        }
        self.answered.load(Ordering::Relaxed)
    }
}

/// Sends what `burst` gives for 0, 1, 2 ... until the connection is cut off, and says by what error code.
async fn flood(client: &Client, before: &[u8], burst: impl Fn(u32) -> Vec<u8>) -> Option<u32> {
    let (mut reader, mut writer) = connect(client).await.expect("a connection");
    writer.send(before).await.expect("nothing wrong so far");
    let sending = async {
        let until = Instant::now() + SOON;
        for number in 0.. {
            assert!(Instant::now() < until, "the flood goes on");
            let bytes: Vec<u8> = (number * BURST..(number + 1) * BURST).flat_map(&burst).collect();
            // Refused bytes are what this waits for. A pause, for the flood is no test of bandwidth.
            if writer.send(&bytes).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        code = reader.goaway(SOON) => code,
        () = sending => None,
    }
}

/// The streams of a client, in order.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

fn request(number: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &head(path))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: run by make slow"]
async fn floods_of_frames_are_cut_off_and_others_are_served() {
    let site = Site::start().await;
    let (client, honest) = (site.client(), Honest::start(&site.client()));
    let open = frame(HEADERS, END_HEADERS, 1, &head("/up"));
    let endless_head = frame(HEADERS, 0, 1, &head("/"));
    let floods: [(&str, &[u8], Burst<'_>); 7] = [
        ("PING", &[], &|_| frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", &[], &|_| frame(SETTINGS, 0, 0, &[])),
        ("PRIORITY", &[], &|_| frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9])),
        ("WINDOW_UPDATE", &[], &|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("empty DATA", &open, &|_| frame(DATA, 0, 1, &[])),
        ("an unknown kind", &[], &|_| frame(0x42, 0, 0, &[])),
        ("CONTINUATION", &endless_head, &|_| frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'])),
    ];
    for (name, before, burst) in floods {
        let since = Instant::now();
        let code = flood(&client, before, burst).await;
        eprintln!("a flood of {name}: {code:?} after {:?}", since.elapsed());
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{name}");
    }
    let answered = honest.finish().await;
    eprintln!("{answered} honest requests were answered meanwhile");
    assert!(answered > 0);
    site.origin.active(0, SOON).await;
}

/// CVE-2023-44487.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: run by make slow"]
async fn rapid_reset_cve_2023_44487_is_cut_off_and_hardly_reaches_the_application() {
    let site = Site::start().await;
    let (client, honest) = (site.client(), Honest::start(&site.client()));
    for path in ["/", "/hang"] {
        let before = site.origin.requests() - honest.answered.load(Ordering::Relaxed);
        let reset = |number| [request(number, path), frame(RST_STREAM, 0, stream(number), &[0, 0, 0, 8])].concat();
        let code = flood(&client, &[], reset).await;
        let reached = (site.origin.requests() - before).saturating_sub(honest.answered.load(Ordering::Relaxed));
        eprintln!("rapid reset of {path}: {code:?}, about {reached} reached the application");
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{path}");
        // Two honest requests may be under way while the two counts are read.
        assert!(reached <= 104, "{reached}");
    }
    honest.finish().await;
    site.origin.active(0, SOON).await;
}

/// CVE-2025-8671: the client makes the server reset its streams.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: run by make slow"]
async fn made_you_reset_cve_2025_8671_is_cut_off_and_what_it_started_is_cancelled() {
    let site = Site::start().await;
    let (client, honest) = (site.client(), Honest::start(&site.client()));
    let zero = |number| [request(number, "/hang"), frame(WINDOW_UPDATE, 0, stream(number), &[0; 4])].concat();
    let overflow =
        |number| [request(number, "/hang"), frame(WINDOW_UPDATE, 0, stream(number), &[0x7f, 255, 255, 255])].concat();
    let data = |number| [request(number, "/hang"), frame(DATA, 0, stream(number), b"late")].concat();
    let triggers: [(&str, Burst<'_>); 3] =
        [("an increment of zero", &zero), ("a window that overflows", &overflow), ("DATA after the end", &data)];
    for (name, burst) in triggers {
        let code = flood(&client, &[], burst).await;
        eprintln!("resets by {name}: {code:?}");
        assert!(code.is_some(), "{name}");
        site.origin.active(0, SOON).await;
    }
    honest.finish().await;
}
