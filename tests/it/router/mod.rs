//! `EventRouter`: the handler of each event, and the response.

mod registration;
mod response;
mod service;

use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::catalogue::{body, documented};
use crate::common::server::{send, serve_axum, serve_hyper};
use crate::common::{SEED, TOKEN, forged, layer, post as request, verified};
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post, post_service};
use axum::{Extension, Router};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_bitrix24::event::payload::{CrmDynamicItem, ItemId};
use tower_bitrix24::event::{entity, kind};
use tower_bitrix24::handler::{
    EventRouterBuilder, HandlerError, HandlerErrorKind, IntoEventResponse, ResponseBody,
};
use tower_bitrix24::{ApplicationToken, Envelope, Event, EventKind, EventRouter};

fn form(code: &str, data: &str) -> String {
    format!("event={code}&{data}&auth[application_token]={TOKEN}")
}

async fn event(code: &str, data: &str) -> Event {
    verified(form(code, data)).await
}

async fn read(response: Response<ResponseBody>) -> (u16, String) {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

fn error<T>(response: &Response<T>) -> &HandlerError {
    response
        .extensions()
        .get()
        .expect("the event is not handled")
}

fn named<T>(name: &'static str) -> impl Fn(T) -> std::future::Ready<Response<&'static str>> {
    move |_| std::future::ready(Response::new(name))
}

async fn taken_by(router: &EventRouter, code: &str, data: &str) -> String {
    read(router.handle(event(code, data).await).await).await.1
}

#[tokio::test]
async fn typed_handler_gets_the_payload_and_the_event() {
    async fn requisite_added(requisite: ItemId, event: Event) -> Response<String> {
        Response::new(format!("{} on {}", requisite.id, event.auth().domain()))
    }
    let router = EventRouter::builder().on(kind::CrmRequisiteAdd, requisite_added);
    let service = layer().layer(router.build().unwrap());
    let sent = request(Full::new(Bytes::from_static(SEED.as_bytes())));
    let response = service.clone().oneshot(sent).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "27 on some-domain.bitrix24.com");

    let sent = request(Full::new(Bytes::from(forged())));
    let response = service.oneshot(sent).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn router_prefers_code_then_longest_prefix_then_scope_then_fallback() {
    let router = EventRouter::builder()
        .fallback(named("fallback"))
        .on_scope("crm", named("scope"))
        .on_prefix("ONCRM", named("short prefix"))
        .on_prefix("oncrmdeal", named("long prefix"))
        .on_prefix("ONCRMDE", named("middle prefix"))
        .on_code("onCrmDealDelete", named("documented code"))
        .on_code("OnSomethingNew", named("undocumented code"))
        .on_kind(EventKind::CrmDealUpdate, named("kind"))
        .on(kind::CrmDealAdd, |_: ItemId, _| async {
            Response::new("typed")
        })
        .build()
        .unwrap();
    for (code, name) in [
        ("ONCRMDEALADD", "typed"),
        ("onCrmDealAdd", "typed"),
        ("ONCRMDEALUPDATE", "kind"),
        ("ONCRMDEALDELETE", "documented code"),
        ("ONSOMETHINGNEW", "undocumented code"),
        ("onSomethingNew", "undocumented code"),
        ("ONCRMDEALUSERFIELDADD", "long prefix"),
        ("onCrmDealSomethingNew", "long prefix"),
        ("ONCRMDELIGHT", "middle prefix"),
        ("ONCRMLEADADD", "short prefix"),
        ("ONTASKADD", "fallback"),
        ("ONSOMETHINGNEWER", "fallback"),
    ] {
        assert_eq!(
            taken_by(&router, code, "data[FIELDS][ID]=1").await,
            name,
            "{code}"
        );
    }

    let scoped = EventRouter::builder()
        .on_scope("crm", named("scope"))
        .on_prefix("ONCRMDEAL", named("prefix"))
        .fallback(named("fallback"))
        .build()
        .unwrap();
    for (code, name) in [
        ("ONCRMDEALADD", "prefix"),
        ("ONCRMLEADADD", "scope"),
        ("ONSOMETHINGNEW", "fallback"),
    ] {
        assert_eq!(
            taken_by(&scoped, code, "data[FIELDS][ID]=1").await,
            name,
            "{code}"
        );
    }
}

#[tokio::test]
async fn router_sends_an_unknown_event_to_the_scope_in_its_code() {
    let router = EventRouter::builder()
        .on_scope("crm", named("crm"))
        .on_scope("calendar", named("calendar"))
        .on_prefix("ONCRMSOMETHING", named("prefix"))
        .fallback(named("fallback"))
        .build()
        .unwrap();
    for (code, taken) in [
        ("ONCRMNEW", "crm"),
        ("onCrmNew", "crm"),
        ("ONCRMNEW_147", "crm"),
        ("ONCALENDARROOMCREATE", "calendar"),
        ("ONCALENDARNEW", "calendar"),
        ("ONCRMSOMETHINGNEW", "prefix"),
        // The scope of its code has no handler.
        ("ONTASKNEW", "fallback"),
        ("ONCR", "fallback"),
        ("ONNEW", "fallback"),
    ] {
        assert_eq!(taken_by(&router, code, "data=1").await, taken, "{code}");
    }
}

#[tokio::test]
async fn router_sends_every_documented_event_to_its_scope() {
    let mut scopes: Vec<_> = documented().into_iter().map(|event| event.scope).collect();
    scopes.sort();
    scopes.dedup();
    let router = scopes.iter().fold(EventRouter::builder(), |router, scope| {
        let name = scope.clone();
        router.on_scope(scope, move |_: Event| {
            std::future::ready(Response::new(name.clone()))
        })
    });
    let router = router.build().unwrap();
    let token = ApplicationToken::new(TOKEN).unwrap();
    for documented in documented() {
        let envelope = Envelope::scan(body(&documented)).unwrap();
        let event = Event::verify(envelope, &token).await.unwrap();
        assert_eq!(
            read(router.handle(event).await).await,
            (200, documented.scope)
        );
    }
}

#[tokio::test]
async fn router_sends_every_documented_event_to_its_entity() {
    let router = entity::ALL
        .iter()
        .fold(EventRouter::builder(), |router, entity| {
            router.on_entity(entity, named(entity))
        });
    let router = router.fallback(named("none")).build().unwrap();
    for &kind in EventKind::ALL {
        let expected = kind.entity().unwrap_or("none");
        // The data of most events do not fit: they are about the entity nevertheless.
        assert_eq!(taken_by(&router, kind.as_str(), "data=1").await, expected);
    }
    let of_type = taken_by(&router, "ONCRMDYNAMICITEMADD_147", "data=1").await;
    assert_eq!(of_type, "crm.item");
    assert_eq!(
        taken_by(&router, "ONCRMDEALSOMETHING", "data=1").await,
        "none"
    );
}

#[tokio::test]
async fn router_prefers_a_kind_to_its_entity_and_the_entity_to_a_prefix() {
    let router = EventRouter::builder()
        .on_prefix("ONCRMDEAL", named("prefix"))
        .on_entity(entity::CRM_DEAL, named("entity"))
        .on_kinds(
            [EventKind::CrmDealDelete, EventKind::CrmLeadDelete],
            named("kinds"),
        )
        .on_scope("crm", named("scope"))
        .build()
        .unwrap();
    for (code, taken) in [
        ("ONCRMDEALADD", "entity"),
        ("onCrmDealMoveToCategory", "entity"),
        ("ONCRMDEALDELETE", "kinds"),
        ("ONCRMLEADDELETE", "kinds"),
        ("ONCRMDEALUSERFIELDADD", "prefix"),
        ("ONCRMDEALRECURRINGDELETE", "prefix"),
        ("ONCRMLEADADD", "scope"),
    ] {
        assert_eq!(taken_by(&router, code, "data=1").await, taken, "{code}");
    }
}

#[tokio::test]
async fn router_prefers_the_code_of_an_item_type_to_its_kind() {
    let router = EventRouter::builder()
        .on(
            kind::CrmDynamicItemAdd,
            async |_: CrmDynamicItem, _: Event| Response::new("kind"),
        )
        .on_code("ONCRMDYNAMICITEMADD_147", named("type 147"))
        .build()
        .unwrap();
    let data = "data[FIELDS][ID]=1&data[FIELDS][ENTITY_TYPE_ID]=147";
    for (code, name) in [
        ("ONCRMDYNAMICITEMADD_147", "type 147"),
        ("onCrmDynamicItemAdd_147", "type 147"),
        ("ONCRMDYNAMICITEMADD_148", "kind"),
        ("ONCRMDYNAMICITEMADD", "kind"),
    ] {
        assert_eq!(taken_by(&router, code, data).await, name, "{code}");
    }
}
