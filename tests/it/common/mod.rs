//! Support that several test files share: bodies, requests, layers, the corpus.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod catalogue;
#[path = "../../../examples/support/client.rs"]
pub(crate) mod client;
pub(crate) mod example;
pub(crate) mod lossless;
pub(crate) mod server;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame};
use http_body_util::Full;
use serde::Deserialize;
use tower_bitrix24::{ApplicationToken, Envelope, Event, EventLayer};

pub(crate) const TOKEN: &str = "51856fefc120afa4b628cc82d3935cce";

pub(crate) const SEED: &str = "event=ONCRMREQUISITEADD&data[FIELDS][ID]=27&ts=1466439714\
    &auth[domain]=some-domain.bitrix24.com&auth[member_id]=a223c6b3710f85df22e9377d6c4f7553\
    &auth[application_token]=51856fefc120afa4b628cc82d3935cce";

/// Returns the seed body with another token.
pub(crate) fn forged() -> String {
    SEED.replace(TOKEN, "c289487163b58658eae5e8b42eaf11b8")
}

/// Returns a layer that verifies [`TOKEN`].
pub(crate) fn layer() -> EventLayer<ApplicationToken> {
    EventLayer::new(ApplicationToken::new(TOKEN).unwrap())
}

/// Verifies a form that has [`TOKEN`], without a layer.
pub(crate) async fn verified(form: impl Into<Bytes>) -> Event {
    let envelope = Envelope::scan(form).unwrap();
    let token = ApplicationToken::new(TOKEN).unwrap();
    Event::verify(envelope, &token).await.unwrap()
}

pub(crate) fn full(body: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(body.into())
}

/// Returns a POST of a form to the events' path.
pub(crate) fn post<B>(body: B) -> Request<B> {
    Request::post("/bitrix24/events")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body)
        .unwrap()
}

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body of these frames, each of which is ready at once. Its length is unknown, and its end too
/// until the last frame was polled.
pub(crate) struct Frames<I>(pub(crate) I);

impl<I> Body for Frames<I>
where
    I: Iterator<Item = Result<Frame<Bytes>, BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// A frame of [`Frames`].
pub(crate) fn data(text: &str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from(text.to_owned())))
}

/// A body of the corpus.
#[derive(Deserialize)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) token: Option<String>,
    pub(crate) form: String,
    pub(crate) tree: serde_json::Value,
}

pub(crate) fn corpus() -> Vec<Sample> {
    let samples: Vec<Sample> = include_str!("../../corpus/docs.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(samples.len(), 197);
    samples
}
