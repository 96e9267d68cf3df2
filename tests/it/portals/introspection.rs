//! Installations proven by an authorization server, and by what is none.

#[path = "../../../examples/support/authorization_server.rs"]
mod authorization_server;

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Debug;
use std::future::{Future, pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use authorization_server::StandIn;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tower::{Service, ServiceExt, service_fn};
use tower_bitrix24::portals::{InstallPolicy, TokenIntrospection};
use tower_bitrix24::rest::{AuthorizationServer, HttpsClient};
use tower_bitrix24::verify::VerifyErrorKind;
use tower_bitrix24::{Secret, VerifyError};

const CLIENT_ID: &str = "app.5f1a";
const PORTAL: &str = "a223c6b3";
const TOKEN: &str = "canary7f3a";
const ANSWER: &str =
    r#"{"result": {"client_id": "app.5f1a", "install": {"member_id": "a223c6b3"}}}"#;

fn proof<C>(origin: &str, client: C) -> TokenIntrospection<C> {
    let server = AuthorizationServer::insecure_custom(origin).unwrap();
    TokenIntrospection::new(CLIENT_ID, server, client).unwrap()
}

fn over_http(origin: &str) -> TokenIntrospection<HttpsClient> {
    proof(origin, HttpsClient::new())
}

/// The outcome, and for an unavailable one the reason. None tells the token.
fn outcome(result: Result<(), VerifyError>) -> String {
    let Err(error) = result else {
        return "proven".to_owned();
    };
    assert_silent(&error);
    match error.kind() {
        VerifyErrorKind::Rejected => "rejected".to_owned(),
        VerifyErrorKind::Unavailable => {
            let source = error.source().expect("a reason").to_string();
            source.replace("the authorization server", "it")
        }
        other => panic!("{other:?}"),
    }
}

fn assert_silent(error: &VerifyError) {
    let mut texts = vec![format!("{error} {error:?} {error:#?}")];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(format!("{error} {error:?}"));
        source = error.source();
    }
    assert!(!texts.concat().contains(TOKEN), "{texts:?}");
}

async fn prove(origin: &str) -> String {
    let proof = over_http(origin);
    outcome(proof.prove(PORTAL, &Secret::new(TOKEN)).await)
}

/// A server that reads the head of one request a connection, and answers as it is told to.
struct Raw {
    origin: String,
    connections: Arc<AtomicUsize>,
}

impl Raw {
    async fn start<F, Fut>(answer: F) -> Self
    where
        F: Fn(String, TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else {
                        break;
                    };
                    head.push(byte);
                }
                tokio::spawn(answer(String::from_utf8(head).unwrap(), stream));
            }
        });
        Self {
            origin,
            connections,
        }
    }

    /// Answers with these bytes and closes the connection.
    async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_, mut stream| {
            let answer = answer.clone();
            async move {
                // The client may have heard enough before the end.
                let _ = stream.write_all(&answer).await;
            }
        })
        .await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

async fn answered(status: &str, body: &str) -> String {
    let server = Raw::saying(http(status, "", body.as_bytes())).await;
    prove(&server.origin).await
}

#[tokio::test]
async fn the_access_token_of_the_application_in_the_portal_proves_the_installation() {
    let server = StandIn::start().await.unwrap();
    let proof = over_http(server.origin());
    let token = Secret::new(TOKEN);
    assert_eq!(outcome(proof.prove(PORTAL, &token).await), "rejected");

    server.install(TOKEN, CLIENT_ID, PORTAL);
    assert_eq!(outcome(proof.prove(PORTAL, &token).await), "proven");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn the_access_token_of_another_portal_or_another_application_is_rejected() {
    let server = StandIn::start().await.unwrap();
    server.install("of another portal", CLIENT_ID, "b334d7c4");
    server.install("of another application", "app.6a2b", PORTAL);
    server.install("in upper case", CLIENT_ID, "A223C6B3");
    server.install("application in upper case", "APP.5F1A", PORTAL);
    server.install("longer", CLIENT_ID, "a223c6b3 ");
    server.install("of nobody", CLIENT_ID, "");
    server.install("of nothing", "", PORTAL);
    let proof = over_http(server.origin());
    for token in [
        "of another portal",
        "of another application",
        "in upper case",
        "application in upper case",
        "longer",
        "of nobody",
        "of nothing",
        "not known",
    ] {
        let asked = server.asked();
        let proven = proof.prove(PORTAL, &Secret::new(token)).await;
        assert_eq!(outcome(proven), "rejected", "{token}");
        assert_eq!(server.asked(), asked + 1);
    }
}

#[tokio::test]
async fn what_cannot_be_an_access_token_or_a_portal_is_rejected_without_a_request() {
    let server = StandIn::start().await.unwrap();
    let proof = over_http(server.origin());
    for token in ["", &"a".repeat(513), "a\nb", "a\0", "a\u{85}"] {
        server.install(token, CLIENT_ID, PORTAL);
        let proven = proof.prove(PORTAL, &Secret::new(token)).await;
        assert_eq!(outcome(proven), "rejected", "{token}");
    }
    server.install(TOKEN, CLIENT_ID, "");
    let proven = proof.prove("", &Secret::new(TOKEN)).await;
    assert_eq!(outcome(proven), "rejected");
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn an_access_token_cannot_be_more_than_a_parameter_of_the_query() {
    let server = StandIn::start().await.unwrap();
    let proof = over_http(server.origin());
    server.install("other", CLIENT_ID, PORTAL);
    for token in [
        "x&auth=other",
        "other#",
        "other&",
        "other%00",
        "other ",
        "../other",
    ] {
        let proven = proof.prove(PORTAL, &Secret::new(token)).await;
        assert_eq!(outcome(proven), "rejected", "{token}");
    }
    for token in [
        "a&auth=b",
        "a/b?c#d",
        "a b+c%20",
        "ключ",
        "'\"<>",
        &"z".repeat(512),
    ] {
        server.install(token, CLIENT_ID, PORTAL);
        let proven = proof.prove(PORTAL, &Secret::new(token)).await;
        assert_eq!(outcome(proven), "proven", "{token}");
    }
}

#[tokio::test]
async fn the_server_is_asked_for_app_info_and_told_the_access_token_alone() {
    let (heads, mut head) = tokio::sync::mpsc::unbounded_channel();
    let server = Raw::start(move |head, mut stream| {
        heads.send(head).unwrap();
        async move {
            stream
                .write_all(&http("200 OK", "", ANSWER.as_bytes()))
                .await
                .unwrap();
        }
    })
    .await;
    assert_eq!(prove(&server.origin).await, "proven");
    let head = head.recv().await.unwrap().to_lowercase();
    let mut lines: Vec<&str> = head.trim_end().lines().collect();
    lines[1..].sort_unstable();
    let host = server.origin.replace("http://", "host: ");
    let agent = concat!("user-agent: tower-bitrix24/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        lines,
        [
            "get /rest/app.info?auth=canary7f3a http/1.1",
            "accept: application/json",
            &host,
            agent,
        ]
    );
}

#[tokio::test]
async fn an_access_token_that_the_server_calls_expired_is_rejected() {
    let body = r#"{"error": "expired_token", "error_description": "has expired"}"#;
    assert_eq!(answered("401 Unauthorized", body).await, "rejected");
}

#[tokio::test]
async fn a_server_that_is_down_proves_and_rejects_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = prove(&origin).await;
    assert!(outcome.starts_with("it cannot be asked: "), "{outcome}");
    assert!(outcome.contains("refused (os error"), "{outcome}");
}

#[tokio::test]
async fn a_server_that_hangs_up_proves_and_rejects_nothing() {
    let server = Raw::saying("").await;
    let outcome = prove(&server.origin).await;
    assert!(outcome.starts_with("it cannot be asked: "), "{outcome}");
}

/// Proves with a deadline of 0.2 seconds.
async fn prove_late(server: &Raw) -> String {
    let proof = over_http(&server.origin).deadline(Duration::from_millis(200));
    let started = Instant::now();
    let outcome = outcome(proof.prove(PORTAL, &Secret::new(TOKEN)).await);
    assert!(started.elapsed() < Duration::from_secs(5));
    outcome
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_at_the_deadline() {
    let server = Raw::start(|_, stream| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    assert_eq!(prove_late(&server).await, "it did not answer in time");
}

#[tokio::test]
async fn an_answer_after_the_deadline_proves_nothing() {
    let server = Raw::start(|_, mut stream| async move {
        sleep(Duration::from_millis(400)).await;
        let _ = stream
            .write_all(&http("200 OK", "", ANSWER.as_bytes()))
            .await;
    })
    .await;
    assert_eq!(prove_late(&server).await, "it did not answer in time");
}

#[tokio::test]
async fn an_answer_that_drips_is_given_up_at_the_deadline() {
    let server = Raw::start(|_, mut stream| async move {
        for byte in http("200 OK", "", ANSWER.as_bytes()) {
            if stream.write_u8(byte).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(prove_late(&server).await, "it did not answer in time");
}

#[tokio::test]
async fn a_server_in_trouble_proves_and_rejects_nothing_whatever_it_says() {
    for (status, outcome) in [
        ("429 Too Many Requests", "it answered with status 429"),
        ("500 Internal Server Error", "it answered with status 500"),
        ("502 Bad Gateway", "it answered with status 502"),
        ("503 Service Unavailable", "it answered with status 503"),
    ] {
        assert_eq!(answered(status, ANSWER).await, outcome);
        assert_eq!(
            answered(status, r#"{"error": "expired_token"}"#).await,
            outcome
        );
    }
    let overloaded = r#"{"error": "OVERLOAD_LIMIT"}"#;
    assert_eq!(
        answered("401 Unauthorized", overloaded).await,
        "it answered with the error OVERLOAD_LIMIT"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Raw::saying(http("200 OK", "", ANSWER.as_bytes())).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
    ] {
        let location = format!(
            "location: {}/rest/app.info?auth={TOKEN}\r\n",
            elsewhere.origin
        );
        let server = Raw::saying(http(status, &location, ANSWER.as_bytes())).await;
        let code = &status[..3];
        assert_eq!(
            prove(&server.origin).await,
            format!("it answered with status {code}")
        );
        assert_eq!(server.connections(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn garbage_proves_and_rejects_nothing() {
    for (body, outcome) in [
        ("", "the answer of it ends early"),
        (&ANSWER[..40], "the answer of it ends early"),
        (
            "<html>Sign in to the network</html>",
            "the answer of it is not JSON",
        ),
        ("\u{feff}{}", "the answer of it is not JSON"),
        ("null", "the answer of it is not that of app.info"),
        ("[]", "the answer of it is not that of app.info"),
        (
            r#"{"result": []}"#,
            "the answer of it is not that of app.info",
        ),
    ] {
        assert_eq!(answered("200 OK", body).await, outcome, "{body}");
    }
    let server = Raw::saying("SSH-2.0-OpenSSH_9.6\r\n").await;
    let outcome = prove(&server.origin).await;
    assert!(outcome.starts_with("it cannot be asked: "), "{outcome}");
}

#[tokio::test]
async fn an_answer_that_says_a_thing_twice_proves_and_rejects_nothing() {
    let twice = ANSWER.replace(
        "{\"client_id\"",
        "{\"client_id\": \"app.6a2b\", \"client_id\"",
    );
    assert_eq!(
        answered("200 OK", &twice).await,
        "the answer of it is not that of app.info"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_proves_and_rejects_nothing() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let server = Raw::saying(format!("{head}{ANSWER}")).await;
    let outcome = prove(&server.origin).await;
    assert!(
        outcome.starts_with("the answer of it broke off: "),
        "{outcome}"
    );
}

#[tokio::test]
async fn a_compressed_answer_which_nobody_asked_for_proves_and_rejects_nothing() {
    // `ANSWER`.
    let body =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x4a\x2d\x2e\xcd\x29\x51\xb2\x52\
        \xa8\x56\x4a\xce\xc9\x4c\xcd\x2b\x89\xcf\x4c\x01\xf2\x94\x12\x0b\x0a\xf4\x4c\xd3\x0c\
        \x13\x95\x74\x14\x94\x32\xf3\x8a\x4b\x12\x73\x72\xc0\x8a\x72\x53\x73\x93\x52\x8b\x60\
        \x8a\x8c\x8c\x8c\x93\xcd\x92\x8c\x95\x6a\x6b\x6b\x01\x01\x03\xcc\x0b\x4b\x00\x00\x00";
    let server = Raw::saying(http("200 OK", "content-encoding: gzip\r\n", body)).await;
    assert_eq!(prove(&server.origin).await, "the answer of it is not JSON");
}

/// Proves through a client that counts the bytes of the answer's body that were read.
async fn prove_counting(origin: &str) -> (String, usize) {
    let read = Arc::new(AtomicUsize::new(0));
    let count = read.clone();
    let client = HttpsClient::new().map_response(move |answer: Response<_>| {
        let read = count.clone();
        answer.map(|body| Counted { body, read })
    });
    let result = proof(origin, client)
        .prove(PORTAL, &Secret::new(TOKEN))
        .await;
    (outcome(result), read.load(Ordering::Relaxed))
}

struct Counted<B> {
    body: B,
    read: Arc<AtomicUsize>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.read.fetch_add(bytes, Ordering::Relaxed);
        }
        frame
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

const TOO_LONG: &str = "the answer of it is above 65536 bytes";

/// What a server may have sent of an answer when it is found to be too long, in bytes: the limit,
/// and what the client had read from the socket.
const MOST_READ: usize = 1024 * 1024;

fn ten_megabytes() -> String {
    let padding = "x".repeat(10_000_000);
    ANSWER.replace(
        "{\"result\"",
        &format!("{{\"padding\": \"{padding}\", \"result\""),
    )
}

#[tokio::test]
async fn ten_megabytes_of_json_are_not_read() {
    let server = Raw::saying(http("200 OK", "", ten_megabytes().as_bytes())).await;
    assert_eq!(
        prove_counting(&server.origin).await,
        (TOO_LONG.to_owned(), 0)
    );
}

#[tokio::test]
async fn ten_megabytes_of_json_whose_length_is_not_told_are_read_to_the_limit() {
    let body = ten_megabytes();
    let server = Raw::saying(format!("HTTP/1.1 200 OK\r\n\r\n{body}")).await;
    let (outcome, read) = prove_counting(&server.origin).await;
    assert_eq!(outcome, TOO_LONG);
    assert!(read < MOST_READ, "{read}");
}

#[tokio::test]
async fn an_endless_answer_is_read_to_the_limit_and_hung_up_on() {
    let (ends, mut end) = tokio::sync::mpsc::unbounded_channel();
    let server = Raw::start(move |_, mut stream| {
        let ends = ends.clone();
        async move {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head).await.unwrap();
            let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
            ends.send(()).unwrap();
        }
    })
    .await;
    let (outcome, read) = prove_counting(&server.origin).await;
    assert_eq!(outcome, TOO_LONG);
    assert!(read < MOST_READ, "{read}");
    let end = timeout(Duration::from_secs(5), end.recv()).await;
    end.expect("the server is hung up on").unwrap();
}

#[tokio::test]
async fn endless_headers_are_hung_up_on() {
    let server = Raw::start(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        while stream.write_all(b"a: b\r\n").await.is_ok() {}
    })
    .await;
    let outcome = prove(&server.origin).await;
    assert!(outcome.starts_with("it cannot be asked: "), "{outcome}");
}

#[tokio::test]
async fn the_limit_is_the_length_of_the_longest_answer() {
    let server = Raw::saying(http("200 OK", "", ANSWER.as_bytes())).await;
    let token = Secret::new(TOKEN);
    let enough = over_http(&server.origin).response_limit(ANSWER.len());
    assert_eq!(outcome(enough.prove(PORTAL, &token).await), "proven");
    let limit = ANSWER.len() - 1;
    let short = over_http(&server.origin).response_limit(limit);
    assert_eq!(
        outcome(short.prove(PORTAL, &token).await),
        format!("the answer of it is above {limit} bytes")
    );
}

#[tokio::test]
async fn only_the_given_server_is_asked() {
    let client = service_fn(|request: Request<String>| async move {
        assert_eq!(request.method(), "GET");
        assert_eq!(
            request.uri(),
            "https://oauth.bitrix24.tech/rest/app.info?auth=canary7f3a"
        );
        assert_eq!(request.body(), "");
        Ok::<_, Infallible>(Response::new(ANSWER.to_owned()))
    });
    let server = AuthorizationServer::BITRIX24_TECH;
    let proof = TokenIntrospection::new(CLIENT_ID, server, client).unwrap();
    let token = Secret::new(TOKEN);
    assert_eq!(outcome(proof.prove(PORTAL, &token).await), "proven");
    assert_eq!(outcome(proof.prove("b334d7c4", &token).await), "rejected");
}

#[tokio::test]
async fn no_more_proofs_run_than_may_and_the_others_wait_for_their_turn() {
    let go = Arc::new(Notify::new());
    let running = Arc::new(AtomicUsize::new(0));
    let client = {
        let (go, running) = (go.clone(), running.clone());
        service_fn(move |_: Request<String>| {
            let (go, running) = (go.clone(), running.clone());
            async move {
                running.fetch_add(1, Ordering::Relaxed);
                go.notified().await;
                Ok::<_, Infallible>(Response::new(ANSWER.to_owned()))
            }
        })
    };
    let proof = proof("http://127.0.0.1", client).concurrency(2);
    let start = |portal: &'static str| {
        // Clones have the same places.
        let proof = proof.clone();
        tokio::spawn(async move { outcome(proof.prove(portal, &Secret::new(TOKEN)).await) })
    };
    let (first, second) = (start("one"), start("other"));
    while running.load(Ordering::Relaxed) < 2 {
        tokio::task::yield_now().await;
    }
    let third = start(PORTAL);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(running.load(Ordering::Relaxed), 2);

    // One that is given up makes room for another.
    first.abort();
    first.await.unwrap_err();
    while running.load(Ordering::Relaxed) < 3 {
        tokio::task::yield_now().await;
    }
    go.notify_waiters();
    assert_eq!(second.await.unwrap(), "rejected");
    assert_eq!(third.await.unwrap(), "proven");
}

#[tokio::test(start_paused = true)]
async fn however_many_claim_one_portal_another_is_proven_at_once() {
    let client = service_fn(|request: Request<String>| async move {
        if request.uri().query() != Some("auth=canary7f3a") {
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>(Response::new(ANSWER.to_owned()))
    });
    let proof = proof("http://127.0.0.1", client);
    let flood: Vec<_> = (0..1_000)
        .map(|_| {
            let proof = proof.clone();
            tokio::spawn(async move { outcome(proof.prove("flood", &Secret::new("x")).await) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let began = tokio::time::Instant::now();
    let token = Secret::new(TOKEN);
    for _ in 0..10 {
        assert_eq!(outcome(proof.prove(PORTAL, &token).await), "proven");
    }
    assert_eq!(began.elapsed(), Duration::ZERO);

    let mut late = 0;
    for flooding in flood {
        match &*flooding.await.unwrap() {
            "it did not answer in time" => late += 1,
            "it is being asked about too many installations" => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(late, 64);
    assert_eq!(outcome(proof.prove("flood", &token).await), "rejected");
}

#[tokio::test(start_paused = true)]
async fn a_proof_waits_for_its_turn_no_longer_than_its_deadline() {
    let client = service_fn(|_: Request<String>| {
        std::future::pending::<Result<Response<String>, Infallible>>()
    });
    let proof = proof("http://127.0.0.1", client).concurrency(1);
    let token = Secret::new(TOKEN);
    let began = tokio::time::Instant::now();
    let (one, other) = tokio::join!(proof.prove(PORTAL, &token), proof.prove(PORTAL, &token));
    let late = "it did not answer in time";
    assert_eq!((&*outcome(one), &*outcome(other)), (late, late));
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

#[test]
#[should_panic = "a concurrency of 0 proves nothing"]
fn a_concurrency_of_zero_is_a_mistake() {
    let _ = over_http("http://127.0.0.1").concurrency(0);
}

#[test]
fn an_empty_client_id_is_a_mistake() {
    let error = TokenIntrospection::new("", AuthorizationServer::default(), ()).unwrap_err();
    assert_eq!(error.to_string(), "the application's client id is empty");
}

/// A client that is ready when it has been asked a number of times, and must be ready when called.
#[derive(Clone)]
struct Unready {
    polls: usize,
    error: Option<&'static str>,
}

impl Service<Request<String>> for Unready {
    type Response = Response<String>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.polls == 0 {
            return Poll::Ready(self.error.map_or(Ok(()), |error| Err(error.into())));
        }
        self.polls -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        assert!(self.polls == 0 && self.error.is_none(), "called unready");
        ready(Ok(Response::new(ANSWER.to_owned())))
    }
}

#[tokio::test]
async fn the_client_is_called_when_it_is_ready() {
    let token = Secret::new(TOKEN);
    let prove = async |polls, error| {
        let client = Unready { polls, error };
        let proof = proof("http://127.0.0.1", client).deadline(Duration::from_millis(200));
        outcome(proof.prove(PORTAL, &token).await)
    };
    assert_eq!(prove(0, None).await, "proven");
    assert_eq!(prove(3, None).await, "proven");
    assert_eq!(prove(1, Some("closed")).await, "it cannot be asked: closed");
    assert_eq!(prove(usize::MAX, None).await, "it did not answer in time");
}

#[tokio::test]
async fn no_error_tells_the_access_token() {
    let token = Secret::new(TOKEN);
    // A client that quotes the request, as many do.
    let quoting = service_fn(|request: Request<String>| async move {
        let quoted = format!("error for {}: broken", request.uri());
        Err::<Response<String>, _>(io::Error::other(quoted))
    });
    let proven = proof("http://127.0.0.1", quoting)
        .prove(PORTAL, &token)
        .await;
    assert_eq!(outcome(proven), "it cannot be asked: [redacted]");

    let breaking_off = service_fn(|request: Request<String>| async move {
        let error = io::Error::other(request.uri().to_string());
        let frames = [Ok(Frame::data(Bytes::from("{"))), Err(error)];
        Ok::<_, Infallible>(Response::new(Frames(frames.into_iter())))
    });
    let proven = proof("http://127.0.0.1", breaking_off)
        .prove(PORTAL, &token)
        .await;
    assert_eq!(outcome(proven), "the answer of it broke off: [redacted]");

    // A server that quotes it.
    let error = format!(r#"{{"error": "no {TOKEN}"}}"#);
    assert_eq!(
        answered("400 Bad Request", &error).await,
        "it answered with the error [redacted]"
    );
    let mistyped = format!(r#"{{"result": "{TOKEN}"}}"#);
    assert_eq!(
        answered("200 OK", &mistyped).await,
        "the answer of it is not that of app.info"
    );
}

/// What the dependencies log, too.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_line_of_a_log_tells_the_access_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let server = Raw::saying(http("200 OK", "", ANSWER.as_bytes())).await;
    assert_eq!(prove(&server.origin).await, "proven");
    let down = prove("http://127.0.0.1:1").await;
    assert!(down.starts_with("it cannot be asked: "), "{down}");
    drop(guard);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // The client does log.
    assert!(log.contains("127.0.0.1"), "{log}");
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn a_proof_and_its_policy_show_no_access_token_and_not_the_client() {
    let server = StandIn::start().await.unwrap();
    let proof = over_http(server.origin());
    let rejected = proof.prove(PORTAL, &Secret::new(TOKEN)).await;
    assert_eq!(outcome(rejected), "rejected");
    let shown = format!("{proof:?}");
    assert!(
        shown.contains(CLIENT_ID) && !shown.contains(TOKEN),
        "{shown}"
    );
    let policy = InstallPolicy::introspect(proof);
    assert_eq!(format!("{policy:?}"), "InstallPolicy::introspect(..)");
}

#[test]
fn a_proof_can_be_shared_between_threads() {
    fn assert_shared<T: Clone + Debug + Send + Sync + 'static>(_: &T) {}
    fn assert_send<T: Send>(_: T) {}
    let proof = over_http("http://127.0.0.1");
    assert_shared(&proof);
    assert_send(proof.prove(PORTAL, &Secret::new(TOKEN)));
}

/// A body of these frames.
struct Frames<I>(I);

impl<I> Body for Frames<I>
where
    I: Iterator<Item = io::Result<Frame<Bytes>>> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}
