//! The registration of handlers, and the functions that may be handlers.

use super::*;

/// Each form of handler, with the state and without.
#[tokio::test]
async fn handlers_of_a_router_with_a_state_may_take_a_clone_of_it() {
    async fn typed(deal: ItemId, _: Event, state: Arc<AtomicUsize>) {
        state.fetch_add(usize::try_from(deal.id).unwrap(), Ordering::Relaxed);
    }
    let state = Arc::new(AtomicUsize::new(0));
    let add = |number: usize| {
        move |_: Event, state: Arc<AtomicUsize>| async move {
            state.fetch_add(number, Ordering::Relaxed);
        }
    };
    let router = EventRouter::with_state(state.clone())
        .on(kind::CrmDealAdd, typed)
        .on_kind(EventKind::CrmDealUpdate, add(10))
        .on_kinds([EventKind::CrmDealDelete, EventKind::CrmLeadAdd], add(100))
        .on_code("ONNEW", add(1000))
        .on_entity(entity::CRM_CONTACT, add(10_000))
        .on_prefix("ONNEWER", add(100_000))
        .on_scope("task", add(1_000_000))
        .on(kind::CrmLeadUpdate, async |_: ItemId, _: Event| {
            StatusCode::ACCEPTED
        })
        .on_kind(EventKind::CrmLeadDelete, async |_: Event| {
            StatusCode::CREATED
        })
        .fallback(add(10_000_000))
        .build()
        .unwrap();
    let debug = format!("{:?}", EventRouter::with_state("canary"));
    assert!(!debug.contains("canary"), "{debug}");

    for code in [
        "ONCRMDEALADD",
        "ONCRMDEALUPDATE",
        "ONCRMDEALDELETE",
        "ONCRMLEADADD",
        "ONNEW",
        "ONCRMCONTACTADD",
        "ONNEWEST",
        "ONNEWERYET",
        "ONTASKADD",
    ] {
        let answer = router.handle(event(code, "data[FIELDS][ID]=1").await).await;
        assert_eq!(answer.status(), 200, "{code}");
    }
    assert_eq!(state.load(Ordering::Relaxed), 11_111_211);
    for (code, status) in [("ONCRMLEADUPDATE", 202), ("ONCRMLEADDELETE", 201)] {
        let answer = router.handle(event(code, "data[FIELDS][ID]=1").await).await;
        assert_eq!(answer.status(), status, "{code}");
    }
    assert_eq!(state.load(Ordering::Relaxed), 11_111_211);
}

#[test]
fn router_build_rejects_duplicate_and_invalid_registrations() {
    let handler = || async |_: Event| {};
    let typed = || async |_: ItemId, _: Event| {};
    let builder = EventRouter::builder;
    let cases: [(EventRouterBuilder, &str); 13] = [
        (
            builder()
                .on(kind::CrmDealAdd, typed())
                .on(kind::CrmDealAdd, typed()),
            "ONCRMDEALADD has two handlers",
        ),
        (
            builder()
                .on(kind::CrmDealAdd, typed())
                .on_kind(EventKind::CrmDealAdd, handler()),
            "ONCRMDEALADD has two handlers",
        ),
        (
            builder()
                .on_kind(EventKind::CrmDealAdd, handler())
                .on_code("onCrmDealAdd", handler()),
            "ONCRMDEALADD has two handlers",
        ),
        (
            builder()
                .on_code("onNew", handler())
                .on_code("ONNEW", handler()),
            "ONNEW has two handlers",
        ),
        (
            builder()
                .on_prefix("onCrm", handler())
                .on_prefix("ONCRM", handler()),
            "the prefix \"ONCRM\" has two handlers",
        ),
        (
            builder()
                .on_scope("crm", handler())
                .on_scope("crm", handler()),
            "the scope \"crm\" has two handlers",
        ),
        (
            builder().fallback(handler()).fallback(handler()),
            "there are two fallbacks",
        ),
        (
            builder()
                .on_entity(entity::CRM_DEAL, handler())
                .on_entity("crm.deal", handler()),
            "the entity \"crm.deal\" has two handlers",
        ),
        (
            builder().on_entity("CRM.DEAL", handler()),
            "no documented event is about the entity \"CRM.DEAL\"; `event::entity` has the constants",
        ),
        (
            builder().on_scope("cmr", handler()),
            "no documented event has the scope \"cmr\"",
        ),
        (
            builder().on_prefix("", handler()),
            "a prefix is empty: use `fallback` for all events",
        ),
        (builder().on_code("", handler()), "a code is empty"),
        (
            builder()
                .on_code("", handler())
                .on_prefix("", handler())
                .on_scope("crm", handler()),
            "a code is empty",
        ),
    ];
    for (builder, message) in cases {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    }
    let other_codes = builder()
        .on_kind(EventKind::CrmDealAdd, handler())
        .on_kind(EventKind::CrmDealUpdate, handler())
        .on_kind(EventKind::CrmDynamicItemAdd, handler())
        .on_code("ONCRMDYNAMICITEMADD_147", handler())
        .on_prefix("ONCRMDEALADD", handler())
        .on_prefix("ONCRMDEAL", handler());
    assert!(other_codes.build().is_ok());
}

#[tokio::test]
async fn router_takes_functions_closures_and_async_closures() {
    async fn function(event: Event) -> Result<(), HandlerError> {
        assert_eq!(event.kind(), Some(EventKind::CrmDealAdd));
        Ok(())
    }
    let count = Arc::new(AtomicUsize::new(0));
    let counting = count.clone();
    let router = EventRouter::builder()
        .on_kind(EventKind::CrmDealAdd, function)
        .on(kind::CrmDealUpdate, |deal: ItemId, _: Event| async move {
            assert_eq!(deal.id, 1);
        })
        .on(kind::CrmDealDelete, async |deal: ItemId, event: Event| {
            tokio::task::yield_now().await;
            assert_eq!((deal.id, event.kind()), (1, Some(EventKind::CrmDealDelete)));
        })
        .fallback(move |_: Event| {
            let counting = counting.clone();
            async move {
                tokio::task::yield_now().await;
                counting.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    let codes = [
        "ONCRMDEALADD",
        "ONCRMDEALUPDATE",
        "ONCRMDEALDELETE",
        "ONCRMLEADADD",
    ];
    for code in codes {
        // The future does not borrow the router.
        let response = router
            .clone()
            .handle(event(code, "data[FIELDS][ID]=1").await);
        assert_eq!(
            tokio::spawn(response).await.unwrap().status(),
            StatusCode::OK
        );
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn router_debug_lists_its_routes() {
    let builder = EventRouter::builder()
        .on_kind(EventKind::CrmDealAdd, async |_: Event| {})
        .on_prefix("OnTask", async |_: Event| {})
        .on_scope("im", async |_: Event| {});
    assert!(format!("{builder:?}").starts_with("EventRouterBuilder { codes: [\"ONCRMDEALADD\"]"));
    assert_eq!(
        format!("{:?}", builder.build().unwrap()),
        "EventRouter { codes: [\"ONCRMDEALADD\"], entities: [], prefixes: [\"ONTASK\"], scopes: [\"im\"], \
         fallback: false, unhandled: 200 }"
    );
}
