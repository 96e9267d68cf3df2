//! The test kit: every event that it builds passes the layer and equals what PHP would send.

use std::convert::Infallible;

use crate::common::corpus;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value as Json;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_bitrix24::testing::{Tamper, TestEvent};
use tower_bitrix24::{
    ApplicationToken, Event, EventKind, EventLayer, Payload, Rejection, RejectionKind,
};

async fn receive(request: Request<Full<Bytes>>) -> Result<Event, RejectionKind> {
    let handler = |request: Request<Full<Bytes>>| async move {
        let event = request.extensions().get::<Event>().cloned();
        let mut response = Response::new(Full::<Bytes>::default());
        response
            .extensions_mut()
            .extend(request.extensions().clone());
        assert!(event.is_some());
        Ok::<_, Infallible>(response)
    };
    let token = ApplicationToken::new(TestEvent::TOKEN).unwrap();
    let service = ServiceBuilder::new()
        .layer(EventLayer::new(token))
        .service(service_fn(handler));
    let Ok(response) = service.oneshot(request).await;
    match response.extensions().get::<Rejection>() {
        Some(rejection) => Err(rejection.kind()),
        None => Ok(response.extensions().get::<Event>().unwrap().clone()),
    }
}

fn pairs(form: &str) -> Vec<(String, String)> {
    serde_urlencoded::from_str(form).unwrap()
}

fn keys(form: &str) -> Vec<String> {
    pairs(form).into_iter().map(|(key, _)| key).collect()
}

/// Returns the pairs of `data`, still encoded.
fn data(form: &str) -> String {
    let pairs = form.split('&').filter(|pair| pair.starts_with("data"));
    pairs.collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn every_test_event_has_a_typed_payload() {
    for &kind in EventKind::ALL {
        let event = TestEvent::new(kind);
        for event in [event.clone(), event.clone().webhook(), event.robot()] {
            let received = receive(event.request("/")).await.unwrap();
            assert_eq!(received.kind(), Some(kind));
            assert_eq!(received.mismatch(), None, "{kind}");
            assert_ne!(*received.payload(), Payload::Unknown, "{kind}");
            assert_eq!(received.handler_id(), Some(1));
            assert_eq!(received.timestamp(), Some(1_714_649_632));
            assert_eq!(received.auth().domain(), "some-domain.bitrix24.com");
            assert!(received.auth().member_id().is_some());

            let direct = event.event();
            assert_eq!(direct.payload(), received.payload());
            assert_eq!(direct.body(), received.body());
        }
    }
}

#[test]
fn test_event_keys_are_in_the_order_of_the_wire() {
    let place = |key: &String| {
        let name = key.split('[').next().unwrap();
        let order = ["event", "event_handler_id", "data", "ts", "auth"];
        order.iter().position(|known| *known == name).unwrap()
    };
    for &kind in EventKind::ALL {
        let keys = keys(&TestEvent::new(kind).form());
        assert!(keys.is_sorted_by_key(place), "{keys:?}");
        assert_eq!(keys.last().unwrap(), "auth[application_token]");
    }
}

const WITHOUT_ID: [EventKind; 9] = [
    EventKind::AppInstall,
    EventKind::AppMethodConfirm,
    EventKind::AppPayment,
    EventKind::AppTest,
    EventKind::AppUninstall,
    EventKind::AppUpdate,
    EventKind::OfflineEvent,
    EventKind::SubscriptionRenew,
    EventKind::ExternalCallBackStart,
];

#[test]
fn test_event_id_is_that_of_the_subject() {
    for &kind in EventKind::ALL {
        assert_eq!(
            TestEvent::new(kind).has_id(),
            !WITHOUT_ID.contains(&kind),
            "{kind}"
        );
        if WITHOUT_ID.contains(&kind) {
            continue;
        }
        let event = TestEvent::new(kind).id(4711).event();
        assert_eq!(event.mismatch(), None, "{kind}");
        let data = format!("{:?}", event.data().unwrap());
        assert!(data.contains("4711"), "{data}");
        if let Some(subject) = event.subject() {
            assert_eq!(subject.id.to_string(), "4711", "{kind}");
        }
    }
    let bot = TestEvent::new(EventKind::ImBotJoinChat).id(7).event();
    assert_eq!(
        bot.data().unwrap()["BOT"]["7"]["BOT_ID"].as_str(),
        Some("7")
    );
    assert_eq!(
        bot.data().unwrap()["BOT"]["7"]["AUTH"]["user_id"].as_str(),
        Some("7")
    );
}

#[test]
#[should_panic(expected = "ONAPPTEST has no id")]
fn test_event_without_an_id_panics_if_one_is_set() {
    let _ = TestEvent::new(EventKind::AppTest).id(1);
}

#[test]
#[should_panic(expected = "\"FIELDS[ID\" is not a path such as FIELDS[ID]")]
fn test_event_panics_on_a_path_without_its_bracket() {
    let _ = TestEvent::new(EventKind::CrmDealAdd).set("FIELDS[ID", 1);
}

#[test]
#[should_panic(expected = "the application token is rejected")]
fn tampered_test_event_panics_instead_of_returning_an_event() {
    let _ = TestEvent::new(EventKind::CrmDealAdd)
        .tampered(Tamper::WrongToken)
        .event();
}

#[test]
fn test_event_data_equal_a_sample() {
    let shape = |form: &str| {
        // Indices and ids count as one key.
        let plain = |key: String| {
            let keys = key
                .split('[')
                .map(|key| match key.trim_end_matches(']').parse::<u64>() {
                    Ok(_) => "#]",
                    Err(_) => key,
                });
            keys.collect::<Vec<_>>().join("[")
        };
        // No complete sample has the tokens of a v2 bot, which are sent to URLs and not polled.
        let keys = keys(&data(form)).into_iter();
        let keys = keys.filter(|key| !key.starts_with("data[bot][auth]"));
        let mut keys: Vec<_> = keys.map(plain).collect();
        keys.dedup();
        keys
    };
    let mut unlike = Vec::new();
    for &kind in EventKind::ALL {
        let ours = shape(&TestEvent::new(kind).form());
        let samples: Vec<_> = corpus()
            .into_iter()
            .filter(|sample| {
                let code = sample.tree["event"].as_str().unwrap();
                EventKind::from_code(code) == Some(kind)
            })
            .map(|sample| shape(&sample.form))
            .collect();
        if !samples.is_empty() && !samples.contains(&ours) {
            unlike.push(kind);
        }
    }
    // Portals send these in `FIELDS`, whatever the samples show.
    let comments = [
        EventKind::CrmTimelineCommentAdd,
        EventKind::CrmTimelineCommentDelete,
        EventKind::CrmTimelineCommentUpdate,
    ];
    assert_eq!(unlike, comments);
}

#[test]
fn test_event_values_are_encoded_as_in_php() {
    let php: Json = serde_json::from_str(include_str!("../corpus/php-semantics.json")).unwrap();
    let event = TestEvent::with_code("ONX").remove("data");
    for (name, pairs) in [
        ("true", &[("data", "1")][..]),
        ("false", &[("data", "0")]),
        ("int", &[("data", "5")]),
        ("float", &[("data", "1.5")]),
        ("float_big", &[("data", "1.0E+25")]),
        ("empty_string", &[("data", "")]),
        ("list", &[("data[]", "x"), ("data[]", "y")]),
        ("sparse", &[("data[7]", "x"), ("data[9]", "y")]),
        ("space_tilde_star", &[("data", "a b~*-_.")]),
        ("unicode", &[("data", "Привет")]),
        ("plus", &[("data", "+7 (999)")]),
        ("brackets_in_value", &[("data", "[b]x[/b]")]),
        ("newline", &[("data", "l1\r\nl2")]),
        ("emoji", &[("data", "😀")]),
        ("backslash", &[("data", "Bitrix\\Tasks\\Task")]),
    ] {
        let expected = php["http_build_query"][name].as_str().unwrap();
        let expected = expected.replacen('a', "data", 1).replace("&a", "&data");
        let event = pairs
            .iter()
            .fold(event.clone(), |event, (path, text)| event.set(path, *text));
        assert_eq!(data(&event.form()), expected, "{name}");
    }
    let flags = event.clone().set("a", true).set("b", false).set("c", -5);
    assert_eq!(
        data(&flags.form()),
        "data%5Ba%5D=1&data%5Bb%5D=0&data%5Bc%5D=-5"
    );
}

#[test]
fn test_event_does_not_send_empty_arrays() {
    let event = TestEvent::with_code("ONX").set("c[d]", 1).set("e", 1);
    let emptied = event.clone().remove("FIELDS[ID]").remove("c[d]");
    assert_eq!(data(&emptied.form()), "data%5Be%5D=1");
    assert_eq!(data(&emptied.remove("e").form()), "");
    assert_eq!(data(&event.remove("data").form()), "");
}

#[test]
fn test_event_rebuilds_every_sample_byte_for_byte() {
    for sample in corpus() {
        let event = TestEvent::with_code("ONX").remove("data");
        let event = pairs(&data(&sample.form))
            .into_iter()
            .fold(event, |event, (path, text)| event.set(&path, text));
        assert_eq!(data(&event.form()), data(&sample.form), "{}", sample.name);
    }
}

#[test]
fn test_event_set_replaces_values_in_the_way() {
    let task = TestEvent::new(EventKind::TaskAdd);
    let before = |event: TestEvent| {
        let data = event.event().data().unwrap()["FIELDS_BEFORE"].clone();
        serde_json::to_string(&data).unwrap()
    };
    assert_eq!(before(task.clone()), r#""undefined""#);
    let task = task.set("data[FIELDS_BEFORE][ID]", 5);
    assert_eq!(before(task.clone()), r#"{"ID":"5"}"#);
    assert_eq!(
        before(task.set("FIELDS_BEFORE", "undefined")),
        r#""undefined""#
    );

    let inner = TestEvent::with_code("ONX").set("data[data][x]", 1).event();
    assert_eq!(inner.data().unwrap()["data"]["x"].as_str(), Some("1"));
}

#[test]
fn test_event_envelope_has_the_values_that_were_set() {
    let event = TestEvent::new(EventKind::CrmDealAdd)
        .handler_id(77)
        .ts(1_700_000_000)
        .portal("acme.bitrix24.eu")
        .member_id("m1")
        .token("192735");
    let auth = event.event().auth().clone();
    assert_eq!(event.event().handler_id(), Some(77));
    assert_eq!(event.event().timestamp(), Some(1_700_000_000));
    assert_eq!(auth.expires(), Some(1_700_003_600));
    assert_eq!(auth.domain(), "acme.bitrix24.eu");
    assert_eq!(
        auth.client_endpoint(),
        Some("https://acme.bitrix24.eu/rest/")
    );
    assert_eq!(auth.member_id(), Some("m1"));
    assert_eq!(auth.application_token().unwrap().expose(), "192735");
    assert_eq!(
        event.clone().without_handler_id().event().handler_id(),
        None
    );

    let renamed = event.code("onCrmDealUpdate").event();
    assert_eq!(renamed.kind(), Some(EventKind::CrmDealUpdate));
}

#[test]
fn test_event_auth_has_the_fields_of_the_platform() {
    let names = |event: TestEvent| {
        let names = keys(&event.form()).into_iter().filter_map(|key| {
            let name = key.strip_prefix("auth[")?;
            Some(name.trim_end_matches(']').to_owned())
        });
        names.collect::<Vec<_>>().join(" ")
    };
    let oauth = "access_token expires expires_in scope domain server_endpoint status \
                 client_endpoint member_id user_id";
    let portal = "domain client_endpoint server_endpoint member_id application_token";

    let deal = TestEvent::new(EventKind::CrmDealAdd);
    assert_eq!(names(deal.clone()), format!("{oauth} application_token"));
    assert_eq!(names(deal.clone().webhook()), portal);
    assert_eq!(names(deal.clone().robot()), portal);
    assert_eq!(
        names(deal.webhook().application()),
        format!("{oauth} application_token")
    );
    assert_eq!(
        names(TestEvent::new(EventKind::AppInstall)),
        format!("{oauth} refresh_token application_token")
    );
    for kind in [EventKind::ImBotMessageAdd, EventKind::ImBotV2MessageAdd] {
        let event = TestEvent::new(kind);
        assert!(event.event().bot_auth().unwrap().refresh_token.is_some());
        assert_eq!(names(event), portal);
    }
    assert_eq!(names(TestEvent::new(EventKind::AppUninstall)), portal);
}

#[test]
fn test_event_code_is_sent_unchanged() {
    let event = TestEvent::with_code("onCrmDealAdd").id(5).event();
    assert_eq!(
        (event.code(), event.kind()),
        ("onCrmDealAdd", Some(EventKind::CrmDealAdd))
    );
    let typed = TestEvent::with_code("ONCRMDYNAMICITEMUPDATE_147").event();
    assert_eq!(typed.entity_type_id(), Some(147));
    assert_eq!(typed.subject().unwrap().entity_type_id, Some(147));
}

#[tokio::test]
async fn every_tampered_request_is_rejected_for_its_reason() {
    for &tamper in Tamper::ALL {
        for &kind in EventKind::ALL {
            let event = TestEvent::new(kind).tampered(tamper);
            let rejected = receive(event.request("/"))
                .await
                .map(|event| event.code().to_owned());
            assert_eq!(rejected, Err(tamper.rejection()), "{tamper:?} {kind}");
        }
    }
}

#[test]
fn test_event_debug_contains_no_token_and_no_values() {
    let event = TestEvent::new(EventKind::AppMethodConfirm)
        .token("canary-token")
        .set("TOKEN", "canary-value");
    let shown = format!("{event:?} {event:#?}");
    assert!(shown.contains("ONAPPMETHODCONFIRM"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn test_event_access_token_can_be_set() {
    let auth = |event: TestEvent| event.event().auth().clone();
    let installed = TestEvent::new(EventKind::AppInstall).access_token("c7ae9a66");
    let token = auth(installed.clone()).access_token().cloned();
    assert_eq!(token.unwrap().expose(), "c7ae9a66");
    assert!(auth(installed.clone().webhook()).access_token().is_none());
    assert!(!format!("{installed:?}").contains("c7ae9a66"));
}
