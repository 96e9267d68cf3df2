//! Lengths, encodings, trailers and the end of a body.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service};
use tower_bitrix24::RejectionKind;

use crate::common::{BoxError, Frames, SEED, TOKEN, data, forged, post};
use crate::{Handler, event, layer, now, rejection, send, silent};

#[tokio::test]
async fn false_content_length_changes_nothing_within_the_limit() {
    // Too small, too large, or not a number.
    for length in [
        "0",
        "5",
        "200000",
        "-1",
        "5, 5",
        "99999999999999999999999",
        "x",
    ] {
        let mut request = post(Full::new(Bytes::from(SEED)));
        let length = HeaderValue::from_static(length);
        request.headers_mut().insert(CONTENT_LENGTH, length);
        assert_eq!(event(&send(layer(), request).await).body(), SEED);
    }
    // The announced length is small, the body above the limit.
    let frames = (0..1100).map(|_| data(&"a".repeat(1000)));
    let mut request = post(Frames(frames));
    let length = HeaderValue::from_static("5");
    request.headers_mut().insert(CONTENT_LENGTH, length);
    let rejected = send(layer(), request).await;
    assert_eq!(rejection(&rejected), RejectionKind::BodyTooLarge);
}

/// Announces more than it has, by its size hint.
struct Boasting(Option<Bytes>);

impl Body for Boasting {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(bytes) = self.0.as_mut().filter(|bytes| !bytes.is_empty()) else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Ok(Frame::data(bytes.split_to(1)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(900 << 20)
    }
}

#[test]
fn announced_length_reserves_no_memory() {
    let forged = forged();
    let mut request = post(Boasting(Some(Bytes::from(forged.clone()).slice(..60))));
    let length = HeaderValue::from_static("943718400");
    request.headers_mut().insert(CONTENT_LENGTH, length);
    let mut service = silent().wrap_body().layer(Handler);
    let info = measure(|| {
        let rejected = now(pin!(service.call(request))).unwrap();
        assert_eq!(rejection(&rejected), RejectionKind::TokenMissing);
    });
    assert!(info.bytes_max < 2048, "{info:?}");
}

#[tokio::test]
async fn compressed_body_is_rejected_before_it_is_polled() {
    for coding in ["gzip", "GZIP", "br", "deflate", "identity, gzip", "", "x"] {
        let never = std::iter::from_fn(|| panic!("the body was polled"));
        let mut request = post(Frames(never));
        let headers = request.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
        headers.append(CONTENT_ENCODING, HeaderValue::from_static(coding));
        let rejected = send(layer(), request).await;
        assert_eq!(rejection(&rejected), RejectionKind::ContentEncoding);
        assert_eq!(rejected.status(), 415);
        let text = rejected.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, "events are sent without content encoding\n");
    }
}

#[tokio::test]
async fn charset_changes_neither_the_token_nor_the_data() {
    for charset in [
        "utf-7",
        "utf-16",
        "IBM037",
        "windows-1251",
        "\"; charset=x",
        "é",
    ] {
        let mut request = post(Full::new(Bytes::from(SEED)));
        let value = format!("application/x-www-form-urlencoded; charset={charset}");
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().insert(CONTENT_TYPE, value);
        let response = send(layer(), request).await;
        assert_eq!(event(&response).body(), SEED);
    }
}

#[tokio::test]
async fn trailers_never_contain_the_token() {
    let trailers = || {
        let token = HeaderValue::from_static(TOKEN);
        let name = http::HeaderName::from_static("auth-application_token");
        let trailers = HeaderMap::from_iter([(name, token)]);
        Ok::<_, BoxError>(Frame::trailers(trailers))
    };
    let frames = vec![data("event=E"), trailers()];
    let rejected = send(layer(), post(Frames(frames.into_iter()))).await;
    assert_eq!(rejection(&rejected), RejectionKind::TokenMissing);
}

#[tokio::test]
async fn body_of_endless_trailers_is_rejected_at_the_timeout() {
    let trailers = || Ok(Frame::trailers(HeaderMap::new()));
    let layer = layer().body_timeout(Duration::from_millis(20));
    let rejected = send(layer, post(Frames(std::iter::repeat_with(trailers)))).await;
    assert_eq!(rejection(&rejected), RejectionKind::BodyTimeout);
}

#[tokio::test]
async fn incomplete_body_is_rejected_even_if_all_bytes_had_arrived() {
    for sent in [1, 60, SEED.len() - 1, SEED.len()] {
        let frames = vec![data(&SEED[..sent]), Err("connection reset".into())];
        let rejected = send(layer(), post(Frames(frames.into_iter()))).await;
        assert_eq!(rejection(&rejected), RejectionKind::BodyIncomplete);
    }
}
