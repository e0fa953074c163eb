//! What h2spec's later releases ask and the one that can be built does not: a case that was added, and cases that were corrected.

use std::time::Duration;

use crate::frames::{END_HEADERS, END_STREAM, HEADERS, PING, connect, frame, head};
use crate::site::Site;

const SOON: Duration = Duration::from_secs(5);
const PROTOCOL_ERROR: u32 = 1;

#[tokio::test]
#[ignore = "slow: run by make slow"]
async fn headers_that_cannot_be_decompressed_and_a_short_ping_are_connection_errors() {
    let site = Site::start().await;
    let request = |field: &[u8]| {
        let block = [&head("/"), field].concat();
        frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)
    };
    // The RFCs have codes of their own for these, COMPRESSION_ERROR and FRAME_SIZE_ERROR; the codec's is coarser, and h2spec is content with a
    // connection that ends.
    let cases = [
        // RFC 7541 2.3.3: a literal whose name has index 70, in an empty dynamic table.
        ("an index beyond both tables", request(b"\x7f\x07\x00"), PROTOCOL_ERROR),
        // RFC 7541 5.2: a value with the symbol EOS within.
        ("EOS in a string", request(b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"), PROTOCOL_ERROR),
        // RFC 9113 6.7.
        ("a PING of six bytes", frame(PING, 0, 0, &[0; 6]), PROTOCOL_ERROR),
    ];
    for (name, bytes, code) in cases {
        let (mut reader, mut writer) = connect(&site.client()).await.unwrap();
        writer.send(&bytes).await.unwrap();
        assert_eq!(reader.goaway(SOON).await, Some(code), "{name}");
    }
}
