//! Every body of the documentation's samples, through scan, verification and parsing.

use std::fmt::Write;

use crate::common::lossless::assert_typed_equals_tree;
use crate::common::{Sample, TOKEN, corpus};
use serde_json::{Value, json};
use tower_bitrix24::verify::VerifyErrorKind;
use tower_bitrix24::{ApplicationToken, Envelope, Event};

async fn verify(sample: &Sample, token: &str) -> Result<Event, VerifyErrorKind> {
    let envelope = Envelope::scan(sample.form.clone()).unwrap();
    let token = ApplicationToken::new(token).unwrap();
    Event::verify(envelope, &token)
        .await
        .map_err(|error| error.kind())
}

#[tokio::test]
async fn every_sample_verifies_with_its_token_and_no_other() {
    let mut verified = 0;
    for sample in corpus() {
        let Some(token) = &sample.token else {
            assert_eq!(
                verify(&sample, "any").await.unwrap_err(),
                VerifyErrorKind::Missing
            );
            continue;
        };
        assert!(verify(&sample, token).await.is_ok(), "{}", sample.name);
        for other in [&token[1..], &format!("{token}0"), "x"] {
            let rejected = verify(&sample, other).await.unwrap_err();
            assert_eq!(rejected, VerifyErrorKind::Rejected, "{}", sample.name);
        }
        verified += 1;
    }
    assert_eq!(verified, 191);
}

#[tokio::test]
async fn every_sample_has_the_data_that_php_reads() {
    for sample in corpus() {
        let Some(token) = &sample.token else { continue };
        let event = verify(&sample, token).await.unwrap();
        let data = serde_json::to_value(event.data().map(tower_bitrix24::Value::expose)).unwrap();
        assert_eq!(
            data,
            *sample.tree.get("data").unwrap_or(&Value::Null),
            "{}",
            sample.name
        );
    }
}

#[tokio::test]
async fn every_sample_has_the_envelope_that_php_reads() {
    for sample in corpus() {
        let Some(token) = &sample.token else { continue };
        let event = verify(&sample, token).await.unwrap();
        let (tree, auth) = (&sample.tree, &sample.tree["auth"]);
        let text = |value: Option<&str>| json!(value);
        let number = |value: Option<u64>| json!(value.map(|value| value.to_string()));

        assert_eq!(json!(event.code()), tree["event"]);
        assert_eq!(
            number(event.handler_id()),
            tree["event_handler_id"],
            "{}",
            sample.name
        );
        assert_eq!(
            json!(event.timestamp().map(|ts| ts.to_string())),
            tree["ts"],
            "{}",
            sample.name
        );
        let ours = event.auth();
        assert_eq!(text(ours.member_id()), auth["member_id"]);
        assert_eq!(
            text(Some(ours.domain()).filter(|domain| !domain.is_empty())),
            auth["domain"]
        );
        assert_eq!(text(ours.client_endpoint()), auth["client_endpoint"]);
        assert_eq!(text(ours.server_endpoint()), auth["server_endpoint"]);
        assert_eq!(
            text(
                ours.status()
                    .map(tower_bitrix24::envelope::ApplicationStatus::as_str)
            ),
            auth["status"]
        );
        assert_eq!(
            text(ours.access_token().map(tower_bitrix24::Secret::expose)),
            auth["access_token"]
        );
        assert_eq!(
            text(ours.refresh_token().map(tower_bitrix24::Secret::expose)),
            auth["refresh_token"]
        );
        assert_eq!(
            json!(ours.expires().map(|at| at.to_string())),
            auth["expires"]
        );
        assert_eq!(number(ours.expires_in()), auth["expires_in"]);
        assert_eq!(number(ours.user_id()), auth["user_id"]);
        let scope = auth["scope"].as_str().unwrap_or_default().replace(' ', "");
        assert_eq!(ours.scope().join(","), scope);
    }
}

#[tokio::test]
async fn every_sample_has_a_typed_payload_equal_to_its_data() {
    for mut sample in corpus() {
        let token = sample.token.get_or_insert_with(|| {
            write!(sample.form, "&auth[application_token]={TOKEN}").unwrap();
            TOKEN.to_owned()
        });
        let token = token.clone();
        let event = verify(&sample, &token).await.unwrap();
        assert!(event.kind().is_some(), "{}", sample.name);
        assert_eq!(event.mismatch(), None, "{}", sample.name);
        assert_typed_equals_tree(&event);
    }
}
