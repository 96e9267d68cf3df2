//! The examples, started as a user starts them and sent what a portal sends.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitStatus;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;

use crate::common::catalogue::{body, documented};
use crate::common::client::{HttpClient, text};
use crate::common::example::{Example, START, cargo_run};
use crate::common::{SEED, TOKEN, corpus, forged};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

async fn prints_the_seed_event_and_rejects_a_forged_one(example: &str) {
    let mut example = Example::start(example, TOKEN).await;
    let rejected = (403, "the application token is not accepted\n".to_owned());
    assert_eq!(example.post(forged()).await, rejected);
    assert_eq!(example.post(SEED).await.0, 200);
    // Nothing was printed for the forged one.
    assert_eq!(
        example.line().await,
        "CrmRequisiteAdd: requisite 27 on some-domain.bitrix24.com"
    );
}

async fn says_how_to_set_a_token_and_stops(example: &str) {
    let mut child = cargo_run(example).spawn().unwrap();
    let mut text = String::new();
    let mut stderr = child.stderr.take().unwrap();
    timeout(START, stderr.read_to_string(&mut text))
        .await
        .unwrap()
        .unwrap();
    let status: ExitStatus = child.wait().await.unwrap();
    assert_eq!(status.code(), Some(2));
    assert!(
        text.contains("set application_token or BITRIX24_APPLICATION_TOKEN"),
        "{text}"
    );
    assert!(
        text.contains(&format!("cargo run --example {example}")),
        "{text}"
    );
}

#[tokio::test]
async fn axum_example_prints_events() {
    prints_the_seed_event_and_rejects_a_forged_one("axum").await;
}

#[tokio::test]
async fn hyper_example_prints_events() {
    prints_the_seed_event_and_rejects_a_forged_one("hyper").await;
}

#[tokio::test]
async fn router_example_prints_events_from_their_handlers() {
    prints_the_seed_event_and_rejects_a_forged_one("router").await;

    let mut example = Example::start("router", TOKEN).await;
    let token = format!("auth[application_token]={TOKEN}");
    for (event, status, line) in [
        ("ONCRMDEALADD&data[FIELDS][ID]=5", 200, "Added: crm.deal 5"),
        ("ONSHIPMENT&data=12", 200, "shipment 12"),
        (
            "ONSOMETHINGNEW&data=1",
            202,
            "ONSOMETHINGNEW: data Some(\"1\")",
        ),
    ] {
        let body = format!("event={event}&{token}");
        assert_eq!(example.post(body).await.0, status, "{event}");
        assert_eq!(example.line().await, line);
    }
    let failed = (500, "the handler of ONSHIPMENT failed\n".to_owned());
    assert_eq!(
        example
            .post(format!("event=ONSHIPMENT&data=x&{token}"))
            .await,
        failed
    );
}

#[tokio::test]
async fn each_example_without_a_token_says_how_to_set_one() {
    for example in ["axum", "hyper", "inspect", "router"] {
        says_how_to_set_a_token_and_stops(example).await;
    }
}

#[tokio::test]
async fn inspect_example_responds_with_each_callback_and_its_proof() {
    let variables = [("BITRIX24_URL_SECRET", "9b1c7e02f4a84d55")];
    let example = Example::start_with("inspect", TOKEN, &variables).await;
    let token = format!("auth[application_token]={TOKEN}");
    let robot = "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
        &document_id[2]=DEAL_18&event_token=canary";
    let webhook_robot = "document_id[0]=crm&document_id[1]=CCrmDocumentDeal&document_id[2]=DEAL_1";
    let secret = "/bitrix24/events?secret=9b1c7e02f4a84d55";
    for (path, form, callback, proof) in [
        (
            "/bitrix24/events",
            format!("{robot}&{token}"),
            "robot",
            "application_token",
        ),
        (
            "/bitrix24/events?secret=guess",
            format!("AUTH_ID=canary&member_id=a&APPLICATION_TOKEN={TOKEN}"),
            "placement",
            "application_token",
        ),
        (
            secret,
            "type=SMS&code=p&message_id=1&message_body=x&message_to=2".to_owned(),
            "message",
            "url_secret",
        ),
        (secret, webhook_robot.to_owned(), "unknown", "url_secret"),
        (
            "/bitrix24/events",
            format!("event=OnAppSettingsInstall&{token}"),
            "settings",
            "application_token",
        ),
    ] {
        let (status, text) = example.post_to(path, form).await;
        assert_eq!(status, 200, "{text}");
        assert!(!text.contains("canary"), "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["callback"], callback, "{text}");
        assert_eq!(json["proof"], proof, "{text}");
        assert_eq!(json["typed"].is_null(), callback == "unknown", "{text}");
        assert!(json["data"].get("auth").is_none(), "{text}");
    }
    for (path, form) in [
        ("/bitrix24/events", webhook_robot.to_owned()),
        ("/bitrix24/events?secret=guess", webhook_robot.to_owned()),
        (secret, robot.to_owned()),
        (secret, format!("{robot}&{token}x")),
    ] {
        assert_eq!(example.post_to(path, form).await.0, 403, "{path}");
    }
}

/// Compares what is shown with what was sent, and returns the paths of what is redacted.
fn redacted(shown: &Value, sent: &Value, path: &str) -> Vec<String> {
    match (shown, sent) {
        (Value::String(shown), _) if shown == "[redacted]" => vec![path.to_owned()],
        (Value::Object(shown), Value::Object(sent)) => {
            let keys =
                |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(shown), keys(sent), "{path}");
            let entries = shown
                .iter()
                .map(|(key, value)| redacted(value, &sent[key], key));
            entries.flatten().collect()
        }
        (Value::Array(shown), Value::Array(sent)) => {
            assert_eq!(shown.len(), sent.len(), "{path}");
            let entries = shown.iter().zip(sent);
            entries
                .flat_map(|(shown, sent)| redacted(shown, sent, path))
                .collect()
        }
        _ => {
            assert_eq!(shown, sent, "{path}");
            Vec::new()
        }
    }
}

#[tokio::test]
async fn inspect_example_shows_every_sample_of_a_callback_as_php_reads_it() {
    let secret = [("BITRIX24_URL_SECRET", "the old one, 9b1c7e02f4a84d55")];
    let example = Example::start_with("inspect", TOKEN, &secret).await;
    let client = HttpClient::new();
    let post = async |query: &str, content_type: &str, form: String| {
        let request = Request::post(format!("{}/bitrix24/events?{query}", example.address))
            .header(CONTENT_TYPE, content_type)
            .body(Full::<Bytes>::from(form));
        let response = timeout(START, client.send(request.unwrap())).await.unwrap();
        let response = response.unwrap();
        (response.status().as_u16(), text(&response))
    };
    let mut hidden = BTreeSet::new();
    let mut shown = BTreeMap::<_, usize>::new();
    for line in include_str!("../corpus/callbacks.jsonl").lines() {
        let sample: Value = serde_json::from_str(line).unwrap();
        let of = |key: &str| sample[key].as_str().unwrap_or_default().to_owned();
        let (name, form, content_type) = (of("name"), of("form"), of("content_type"));
        if of("method") == "GET" || of("kind") == "event" {
            continue;
        }
        let query = |secret: &str| format!("{}&secret={secret}", of("query"));
        let has_token = form.contains(TOKEN);
        let forged = form.replace(TOKEN, "c289487163b58658eae5e8b42eaf11b8");
        let rejected = post(&query("guess"), &content_type, forged.clone()).await;
        assert_eq!(rejected.0, 403, "{name}");
        if has_token {
            let query = query("9b1c7e02f4a84d55");
            assert_eq!(post(&query, &content_type, forged).await.0, 403, "{name}");
        }

        let query = if has_token {
            of("query")
        } else {
            query("9b1c7e02f4a84d55")
        };
        let (status, text) = post(&query, &content_type, form).await;
        assert_eq!(status, 200, "{name} {text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        let mut sent = sample["tree"].clone();
        if let Value::Object(fields) = &mut sent {
            fields.remove("auth");
            // PHP has one kind of array.
            if fields.is_empty() {
                sent = json!([]);
            }
        }
        hidden.extend(redacted(&json["data"], &sent, ""));
        assert_eq!(
            json["typed"].is_null(),
            json["callback"] == "unknown",
            "{name}"
        );
        assert_eq!(json["mismatch"], Value::Null, "{name}");
        let proof = if has_token {
            "application_token"
        } else {
            "url_secret"
        };
        assert_eq!(json["proof"], proof, "{name}");
        *shown.entry(json["callback"].to_string()).or_default() += 1;
    }
    let shown: Vec<_> = shown
        .iter()
        .map(|(kind, count)| (&**kind, *count))
        .collect();
    let expected = [
        ("\"message\"", 5),
        ("\"placement\"", 35),
        ("\"robot\"", 15),
        ("\"settings\"", 6),
        ("\"unknown\"", 25),
    ];
    assert_eq!(shown, expected);
    let hidden: Vec<_> = hidden.iter().map(String::as_str).collect();
    let expected = [
        "APPLICATION_TOKEN",
        "AUTH_ID",
        "PASSWORD",
        "REFRESH_ID",
        "api-key",
        "event_token",
        "password",
    ];
    assert_eq!(hidden, expected);
}

#[tokio::test]
async fn each_example_on_a_taken_address_says_so_in_a_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for example in ["axum", "hyper", "inspect", "router"] {
        let mut command = cargo_run(example);
        let command = command.env("BITRIX24_APPLICATION_TOKEN", TOKEN);
        let output = timeout(START, command.env("BIND", &address).output());
        let output = output.await.unwrap().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        let sentence = text.trim_end();
        assert!(
            sentence.starts_with(&format!("cannot listen on {address}: "))
                && sentence.ends_with("; set BIND to another address"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn inspect_example_responds_with_the_reading_of_php() {
    let mut tokens: Vec<_> = corpus()
        .into_iter()
        .filter_map(|sample| sample.token)
        .collect();
    tokens.sort();
    tokens.dedup();
    let example = Example::start("inspect", &tokens.join(",")).await;
    let mut compared = 0;
    for sample in corpus() {
        let (status, text) = example.post(sample.form).await;
        if sample.token.is_none() {
            assert_eq!(status, 403);
            continue;
        }
        let inspection: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(inspection["event"], sample.tree["event"]);
        assert_eq!(
            inspection["data"],
            *sample.tree.get("data").unwrap_or(&Value::Null)
        );
        assert_eq!(inspection["mismatch"], Value::Null, "{}", sample.name);
        assert_eq!(inspection["auth"]["application_token"], "[redacted]");
        assert_eq!(
            inspection["typed"].is_null(),
            inspection["kind"].is_null(),
            "{}",
            sample.name
        );
        compared += 1;
    }
    assert_eq!(compared, 191);

    let order = "event=ONAPPTEST&data[z]=1&data[b]=2&data[ID]=3";
    let (_, text) = example
        .post(format!("{order}&auth[application_token]={TOKEN}"))
        .await;
    assert!(
        text.contains(r#""data":{"z":"1","b":"2","ID":"3"}"#),
        "{text}"
    );

    let (_, seed) = example.post(SEED).await;
    let seed: Value = serde_json::from_str(&seed).unwrap();
    assert_eq!(seed["kind"], "CrmRequisiteAdd");
    assert_eq!(seed["typed"], json!({"ID": 27}));
    assert_eq!(seed["ts"], 1_466_439_714);
    assert_eq!(seed["handler_id"], Value::Null);
}

#[tokio::test]
async fn inspect_example_types_every_documented_event() {
    let example = Example::start("inspect", TOKEN).await;
    for documented in documented() {
        let (status, text) = example.post(body(&documented)).await;
        assert_eq!(status, 200, "{}", documented.code);
        let inspection: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(inspection["event"], documented.code);
        assert!(inspection["kind"].is_string(), "{}", documented.code);
        assert!(!inspection["typed"].is_null(), "{text}");
        assert_eq!(inspection["mismatch"], Value::Null);
    }
}
