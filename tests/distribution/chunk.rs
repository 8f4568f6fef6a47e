//! "Pushing a blob in chunks".

use std::time::Duration;

use artifact_testkit::faults::{Fault, Faults};
use bytes::Bytes;
use http::Method;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{Client, Setup, client::read_all, digest, noise, server};

async fn begin(client: &Client) -> String {
    let begun = client
        .post("/v2/chunk/app/blobs/uploads/")
        .await
        .expect(202);
    begun.header("location").to_owned()
}

async fn stands_at(client: &Client, location: &str, range: &str) {
    let status = client.get(location).await.expect(204);
    assert_eq!(status.header("range"), range);
    assert_eq!(status.header("location"), location);
    client.head(location).await.expect(204);
}

/// Waits until an upload whose client went away holds this byte as its last.
async fn until_it_stands_at(client: &Client, location: &str, last: usize) {
    let stands = async {
        loop {
            let status = client.get(location).await.expect(204);
            if status.header("range") == format!("0-{last}") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), stands).await;
    waited.expect("all that was sent is kept");
}

/// Each chunk is 202 with location and range; the last may come with the PUT; a GET tells where the
/// upload stands with 204.
#[tokio::test]
async fn chunks_follow_each_other() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(1, 3_000);
    for last_by_put in [false, true] {
        let location = begin(&client).await;
        stands_at(&client, &location, "0-0").await;
        let one = client
            .patch(&location, Some("0-999"), bytes.slice(..1000))
            .await
            .expect(202);
        assert_eq!(
            (one.header("range"), one.header("location")),
            ("0-999", location.as_str())
        );
        assert_eq!(one.header("content-length"), "0");
        stands_at(&client, &location, "0-999").await;
        let two = client
            .patch(&location, Some("1000-1999"), bytes.slice(1000..2000))
            .await;
        assert_eq!(two.expect(202).header("range"), "0-1999");
        let path = format!("{location}?digest={}", digest(&bytes));
        let rest = bytes.slice(2000..);
        let done = if last_by_put {
            let range = [("content-range", "2000-2999")];
            client.send(Method::PUT, &path, &range, rest).await
        } else {
            client
                .patch(&location, Some("2000-2999"), rest)
                .await
                .expect(202);
            client.put(&path, "application/octet-stream", "").await
        };
        let got = client
            .get(done.expect(201).header("location"))
            .await
            .expect(200);
        assert_eq!(got.body, bytes);
        client.get(&location).await.expect(404);
    }
}

/// A chunk out of order is 416, by PATCH and by PUT, with the true range; nothing of it is taken, and
/// the upload goes on.
#[tokio::test]
async fn a_chunk_out_of_order_is_416() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(2, 300_000);
    let location = begin(&client).await;
    let path = format!("{location}?digest={}", digest(&bytes));
    let wrong = |range: &'static str, length: usize, method: Method| {
        let (client, location, path) = (client.clone(), location.clone(), path.clone());
        async move {
            let target = if method == Method::PUT {
                &path
            } else {
                &location
            };
            let headers = [("content-range", range)];
            let refused = client
                .send(method, target, &headers, noise(9, length))
                .await
                .expect(416);
            assert_eq!(refused.header("location"), location);
            assert_eq!(refused.code(), "BLOB_UPLOAD_INVALID");
            refused.header("range").to_owned()
        }
    };
    assert_eq!(wrong("100000-199999", 100_000, Method::PATCH).await, "0-0");
    client
        .patch(&location, Some("0-99999"), bytes.slice(..100_000))
        .await
        .expect(202);
    for method in [Method::PATCH, Method::PUT] {
        assert_eq!(wrong("0-99999", 100_000, method.clone()).await, "0-99999");
        assert_eq!(
            wrong("200000-299999", 100_000, method.clone()).await,
            "0-99999"
        );
        assert_eq!(wrong("100001-100100", 100, method).await, "0-99999");
    }
    stands_at(&client, &location, "0-99999").await;
    client
        .patch(
            &location,
            Some("100000-199999"),
            bytes.slice(100_000..200_000),
        )
        .await
        .expect(202);
    let headers = [("content-range", "200000-299999")];
    let done = client
        .send(Method::PUT, &path, &headers, bytes.slice(200_000..))
        .await
        .expect(201);
    assert_eq!(
        client.get(done.header("location")).await.expect(200).body,
        bytes
    );
}

/// A range has the form `<first>-<last>`, and the length of the chunk is that of the range.
#[tokio::test]
async fn a_chunk_whose_range_is_none_is_refused() {
    let server = server().await;
    let client = server.client();
    let location = begin(&client).await;
    for range in ["bytes 0-3/4", "0-3/4", "x", "3-0", "0-", "-3", ""] {
        let refused = client
            .patch(&location, Some(range), "abcd")
            .await
            .expect(416);
        assert_eq!(refused.header("range"), "0-0", "{range}");
        assert!(refused.message().contains("<first>-<last>"), "{refused:?}");
    }
    let refused = client
        .patch(&location, Some("0-4"), "abcd")
        .await
        .expect(400);
    assert_eq!(refused.code(), "SIZE_INVALID");
    stands_at(&client, &location, "0-0").await;
}

/// A stream without a range, and without a length, is taken to its end, as docker pushes.
#[tokio::test]
async fn a_stream_is_taken_to_its_end() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(3, 1 << 20);
    let location = begin(&client).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        format!("PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for part in bytes.chunks(70_000) {
        stream
            .write_all(format!("{:x}\r\n", part.len()).as_bytes())
            .await
            .unwrap();
        stream.write_all(part).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(answer.contains("range: 0-1048575\r\n"), "{answer}");
    let path = format!("{location}?digest={}", digest(&bytes));
    client
        .put(&path, "application/octet-stream", "")
        .await
        .expect(201);
}

/// "Resumable Push", F33: what came before a client went away is kept; it asks where the upload
/// stands and goes on from there.
#[tokio::test]
async fn f33_an_upload_goes_on_after_its_client_was_cut_off() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(4, 2 << 20);
    let location = begin(&client).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes[..700_000]).await.unwrap();
    stream.flush().await.unwrap();
    drop(stream);
    let stood = 699_999;
    until_it_stands_at(&client, &location, stood).await;
    let range = format!("{}-{}", stood + 1, bytes.len() - 1);
    client
        .patch(&location, Some(&range), bytes.slice(stood + 1..))
        .await
        .expect(202);
    let path = format!("{location}?digest={}", digest(&bytes));
    let done = client
        .put(&path, "application/octet-stream", "")
        .await
        .expect(201);
    assert_eq!(
        client.get(done.header("location")).await.expect(200).body,
        bytes
    );
}

/// F33, I4: what was acknowledged of an upload is there to go on with after the index did not answer,
/// whichever call of a chunk that was.
#[tokio::test]
async fn f33_an_upload_goes_on_after_its_index_was_away() {
    let bytes = noise(6, 400_000);
    let mut call = 1;
    while is_struck_and_goes_on(&bytes, Faults::at(call, Fault::Error)).await {
        call += 1;
    }
    assert!(call > 10, "{call} calls");
}

/// Pushes a blob in chunks, each again from where the upload stands when it was refused; says whether the
/// fault struck.
async fn is_struck_and_goes_on(bytes: &Bytes, faults: Faults) -> bool {
    let setup = Setup {
        faults: Some(faults.clone()),
        ..Setup::default()
    };
    let server = setup.serve().await;
    let client = server.client();
    let uploads = "/v2/chunk/app/blobs/uploads/";
    let mut begun = client.post(uploads).await;
    if begun.status == 503 {
        begun = client.post(uploads).await;
    }
    let location = begun.expect(202).header("location").to_owned();
    let mut acknowledged = 0;
    while acknowledged < bytes.len() {
        let end = bytes.len().min(acknowledged + 150_000);
        let range = format!("{acknowledged}-{}", end - 1);
        let chunk = bytes.slice(acknowledged..end);
        let sent = client.patch(&location, Some(&range), chunk).await;
        if sent.status == 202 {
            acknowledged = end;
            continue;
        }
        sent.expect(503).header("retry-after");
        let status = client.get(&location).await.expect(204);
        let stands = match status.header("range").split_once('-').unwrap().1 {
            "0" => 0,
            last => last.parse::<usize>().unwrap() + 1,
        };
        assert!(acknowledged <= stands && stands <= end, "{status:?}");
        acknowledged = stands;
    }
    let struck = faults.struck();
    if struck {
        let path = format!("{location}?digest={}", digest(bytes));
        let done = client.put(&path, "application/octet-stream", "").await;
        let got = client.get(done.expect(201).header("location")).await;
        assert_eq!(got.expect(200).body, bytes);
    }
    struck
}

/// A PUT that is cut off publishes nothing, and can be made again.
#[tokio::test]
async fn i4_a_put_that_is_cut_off_publishes_nothing() {
    let server = server().await;
    let client = server.client();
    let bytes = noise(5, 500_000);
    let location = begin(&client).await;
    let path = format!("{location}?digest={}", digest(&bytes));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes[..300_000]).await.unwrap();
    drop(stream);
    let stood = 299_999;
    until_it_stands_at(&client, &location, stood).await;
    client
        .head(&format!("/v2/chunk/app/blobs/{}", digest(&bytes)))
        .await
        .expect(404);
    let headers = [(
        "content-range",
        &*format!("{}-{}", stood + 1, bytes.len() - 1),
    )];
    client
        .send(Method::PUT, &path, &headers, bytes.slice(stood + 1..))
        .await
        .expect(201);
}
