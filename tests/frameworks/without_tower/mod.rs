//! Frameworks without tower: each calls `EventLayer::verify` with the code of the cookbook.

mod actix;
mod poem;
mod rocket;
mod volo;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower_bitrix24::event::{kind, payload::ItemId};
use tower_bitrix24::layer::Verdict;
use tower_bitrix24::{ApplicationToken, Event, EventLayer, EventRouter};

type Events = (EventLayer<ApplicationToken>, EventRouter);

async fn respond((layer, router): &Events, request: Request<Bytes>) -> Response<Bytes> {
    match layer.verify(request).await {
        Verdict::Event(event) => {
            let response = router
                .handle(event.event().clone())
                .await
                .map(|body| body.into_bytes());
            event.responded(&response).await;
            response
        }
        Verdict::Respond(response) => response,
        _ => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

/// Returns a layer and a router that responds with the typed payload.
fn events() -> Events {
    let router = EventRouter::builder()
        .on(kind::CrmDealAdd, async |deal: ItemId, event: Event| {
            Response::new(format!("deal {} on {}", deal.id, event.auth().domain()))
        })
        .build();
    (crate::events(), router.unwrap())
}

/// The requests to each framework, with the expected status and text.
const REQUESTS: [(&str, u16, &str); 3] = [
    (
        "event=ONCRMDEALADD&data[FIELDS][ID]=27&auth[domain]=a.bitrix24.com&auth[application_token]=192735",
        200,
        "deal 27 on a.bitrix24.com",
    ),
    (
        "event=ONCRMDEALADD&data[FIELDS][ID]=27&auth[domain]=a.bitrix24.com&auth[application_token]=guess",
        403,
        "the application token is not accepted\n",
    ),
    ("data[FIELDS][ID]=27", 400, ""),
];

/// Returns an event whose body is nearly as large as the layer's limit.
fn large() -> String {
    format!("{}&padding={}", REQUESTS[0].0, "x".repeat(1_000_000))
}

/// Returns the words of a text, so that layout makes no difference.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The documentation cannot compile this code, which needs the frameworks.
#[test]
fn cookbook_shows_the_code_that_is_tested() {
    let page = include_str!("../../../docs/cookbook/other_frameworks.md");
    let sources = [
        include_str!("mod.rs"),
        include_str!("actix.rs"),
        include_str!("poem.rs"),
        include_str!("rocket.rs"),
        include_str!("volo.rs"),
        include_str!("../workers/worker.rs"),
    ];
    let sources = sources.map(words);
    let mut shown = 0;
    for block in page.split("```text\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let block = words(block);
        assert!(
            sources.iter().any(|source| source.contains(&block)),
            "{block}"
        );
        shown += 1;
    }
    assert_eq!(shown, sources.len() - 1, "a block for each framework");
}
