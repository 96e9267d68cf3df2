//! The bodies that the benchmarks read, and the other ways to read them.

pub mod hostile;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tower_bitrix24::event::payload::{ImBotMessageAdd, ItemId, TaskChange};

/// A body, and how a hand-written handler would read it.
pub struct Body {
    pub name: &'static str,
    pub form: Bytes,
    pub token: String,
    /// Reads the whole body into a typed struct with serde_qs and returns the token.
    pub by_serde_qs: fn(&[u8]) -> String,
}

/// Returns the event of the documentation as portals send it today, an update of a task, a message
/// to a bot, and the same with 200 KB of text.
///
/// # Panics
///
/// Panics if the documentation's sample is not the one that `BASELINE.md` has figures of.
pub fn bodies() -> Vec<Body> {
    // The documentation has this code in lower case; portals send upper case.
    let seed = sample("ONCRMREQUISITEADD").replacen(
        "onCrmRequisiteAdd&",
        "ONCRMREQUISITEADD&event_handler_id=123&",
        1,
    );
    assert_eq!(seed.len(), 563);
    let bot = sample("ONIMBOTMESSAGEADD-2");
    let text = "%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82%2C+".repeat(5_000);
    let long = bot.replacen("%5BMESSAGE%5D=", &format!("%5BMESSAGE%5D={text}"), 1);
    vec![
        body("seed", seed, whole::<Fields<ItemId>>),
        body("task", sample("ONTASKUPDATE"), whole::<TaskChange>),
        body("bot", bot, whole::<ImBotMessageAdd>),
        body("long", long, whole::<ImBotMessageAdd>),
    ]
}

fn sample(name: &str) -> String {
    let corpus = include_str!("../../tests/corpus/docs.jsonl");
    // Parsing all lines would take as many instructions as some benchmarks count.
    let named = corpus.lines().filter(|line| line.contains(name));
    let mut samples = named.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let sample = samples.find(|sample| sample["name"] == name).unwrap();
    sample["form"].as_str().unwrap().to_owned()
}

fn body(name: &'static str, form: String, by_serde_qs: fn(&[u8]) -> String) -> Body {
    let token = by_serde_qs(form.as_bytes());
    Body {
        name,
        form: form.into(),
        token,
        by_serde_qs,
    }
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "read to be measured")]
struct Whole<T> {
    event: String,
    event_handler_id: Option<u64>,
    ts: Option<u64>,
    data: T,
    auth: Auth,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "read to be measured")]
struct Fields<T> {
    #[serde(rename = "FIELDS")]
    fields: T,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "read to be measured")]
struct Auth {
    access_token: Option<String>,
    expires: Option<u64>,
    expires_in: Option<u64>,
    scope: Option<String>,
    domain: Option<String>,
    server_endpoint: Option<String>,
    status: Option<String>,
    client_endpoint: Option<String>,
    member_id: Option<String>,
    user_id: Option<u64>,
    refresh_token: Option<String>,
    application_token: String,
}

fn whole<T: DeserializeOwned>(form: &[u8]) -> String {
    let config = serde_qs::Config::new().use_form_encoding(true).max_depth(8);
    let whole: Whole<T> = config.deserialize_bytes(form).unwrap();
    std::hint::black_box(&whole);
    whole.auth.application_token
}
