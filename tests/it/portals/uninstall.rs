//! Uninstallations: whose are accepted, and when the portal is removed.

use tower_bitrix24::inbox::{Inbox, InboxKey, MemoryInbox, WorkerRequest};

use super::*;

/// Passes the event through the layer to a handler that responds with this status.
async fn handled(portals: &Watching, status: StatusCode, body: String) -> StatusCode {
    let service = ServiceBuilder::new()
        .layer(EventLayer::new(portals.clone()))
        .service(service_fn(
            async |_: Request<Full<Bytes>>| -> Result<_, std::convert::Infallible> {
                let mut response = Response::new(Full::<Bytes>::default());
                *response.status_mut() = status;
                Ok(response)
            },
        ));
    let response = service.oneshot(post(Full::from(body))).await.unwrap();
    response.status()
}

#[tokio::test]
async fn uninstall_removes_the_portal_after_the_handler_succeeds() {
    let (portals, _) = portals(InstallPolicy::trust_on_first_use());
    assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
    let gone = || body(UNINSTALL, "a", "one");

    for failure in [StatusCode::BAD_GATEWAY, StatusCode::NOT_FOUND] {
        assert_eq!(handled(&portals, failure, gone()).await, failure);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }
    let status = handled(&portals, StatusCode::OK, gone()).await;
    assert_eq!(status, StatusCode::OK);
    // An event that was queued before, and the same event again.
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
    let status = handled(&portals, StatusCode::OK, gone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(send(&portals, INSTALL, "a", "two").await, Ok(()));
}

#[tokio::test]
async fn uninstall_older_than_the_install_is_rejected() {
    let (portals, _) = portals(InstallPolicy::trust_on_first_use());
    let install = |ts| body_at(ts, INSTALL, "a", "one");
    let uninstall = |ts| body_at(ts, UNINSTALL, "a", "one");
    assert_eq!(outcome_of(&portals, install(100)).await, Ok(()));
    assert_eq!(outcome_of(&portals, uninstall(200)).await, Ok(()));
    assert_eq!(outcome_of(&portals, install(300)).await, Ok(()));
    // The platform issues the same token again, so the captured event carries a valid token.
    assert_eq!(outcome_of(&portals, uninstall(200)).await, REJECTED);
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(outcome_of(&portals, uninstall(300)).await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
}

#[tokio::test]
async fn uninstall_from_before_a_reinstall_is_rejected_if_it_arrives_later() {
    let (portals, _) = portals(InstallPolicy::trust_on_first_use());
    for ts in [100, 300] {
        let install = body_at(ts, INSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, install).await, Ok(()));
    }
    let late = body_at(200, UNINSTALL, "a", "one");
    assert_eq!(outcome_of(&portals, late).await, REJECTED);
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn uninstall_removes_the_portal_even_if_the_sender_hangs_up() {
    let (portals, store) = portals(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    let envelope = Envelope::scan(body(UNINSTALL, "a", "one")).unwrap();
    let event = Event::verify(envelope, &portals).await.unwrap();
    store.is(Health::Slow(Duration::from_millis(10))).await;
    let hook = event.mark_handled(&portals);
    let hung_up = tokio::time::timeout(Duration::from_millis(5), hook).await;
    assert!(hung_up.is_err());
    tokio::time::sleep(Duration::from_millis(100)).await;
    store.is(Health::Well).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
}

#[tokio::test]
async fn uninstall_needs_the_current_application_token() {
    let (portals, _) = portals(InstallPolicy::reject());
    portals.set_token("a", &secret("old")).await.unwrap();
    portals.set_token("a", &secret("new")).await.unwrap();
    portals.add_webhook("a", &secret("hook")).await.unwrap();
    for token in ["old", "hook", "guess"] {
        assert_eq!(send(&portals, UNINSTALL, "a", token).await, REJECTED);
    }
    assert_eq!(send(&portals, DEAL, "a", "old").await, Ok(()));
    assert_eq!(send(&portals, UNINSTALL, "a", "new").await, Ok(()));
    for token in ["old", "new"] {
        assert_eq!(send(&portals, DEAL, "a", token).await, REJECTED);
    }
}

#[tokio::test]
async fn uninstall_keeps_other_portals_and_webhooks() {
    let (portals, _) = portals(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    portals.set_token("b", &secret("two")).await.unwrap();
    portals.add_webhook("a", &secret("hook")).await.unwrap();
    assert_eq!(send(&portals, UNINSTALL, "a", "two").await, REJECTED);
    assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "b", "two").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "hook").await, Ok(()));
}

#[tokio::test]
async fn uninstall_returns_the_handlers_response_even_if_the_store_fails() {
    let (portals, store) = portals(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    let envelope = Envelope::scan(body(UNINSTALL, "a", "one")).unwrap();
    let event = Event::verify(envelope, &portals).await.unwrap();
    store.is(Health::Down).await;
    event.mark_handled(&portals).await;
    store.is(Health::Well).await;
    // The event can be sent again.
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
}

#[tokio::test]
async fn uninstall_does_not_remove_a_portal_installed_again_meanwhile() {
    let (portals, _) = portals(InstallPolicy::trust_on_first_use());
    let install = Envelope::scan(body_at(300, INSTALL, "a", "one")).unwrap();
    // Reinstalled while the handler of the uninstallation still runs.
    let first = body_at(100, INSTALL, "a", "one");
    assert_eq!(outcome_of(&portals, first).await, Ok(()));
    let uninstall = Envelope::scan(body_at(200, UNINSTALL, "a", "one")).unwrap();
    let event = Event::verify(uninstall, &portals).await.unwrap();
    portals.remove_portal("a").await.unwrap();
    Event::verify(install, &portals).await.unwrap();
    event.mark_handled(&portals).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

#[tokio::test]
async fn uninstall_keeps_a_reinstall_meanwhile_whatever_the_clock_of_the_portal() {
    for skew in [-60, -5, 0, 5, 60] {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        let clock = now() + skew;
        let first = body_at(clock - 100, INSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, first).await, Ok(()));
        let uninstall = body_at(clock - 3, UNINSTALL, "a", "one");
        let uninstall = Envelope::scan(uninstall).unwrap();
        let event = Event::verify(uninstall, &portals).await.unwrap();
        let again = body_at(clock, INSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, again).await, Ok(()));
        event.mark_handled(&portals).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()), "{skew}");
        // A real uninstallation still removes it.
        let uninstall = body_at(clock + 1, UNINSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, uninstall).await, Ok(()), "{skew}");
        assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED, "{skew}");
    }
}

#[tokio::test]
async fn uninstall_of_a_token_set_by_our_clock_is_not_late_if_the_portals_clock_is_behind() {
    for skew in [-58, -5, 0, 5, 60] {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        portals.set_token("a", &secret("one")).await.unwrap();
        let page = Installation::new("b", secret("one"));
        portals.install(page).await.unwrap();
        for member_id in ["a", "b"] {
            let uninstall = body_at(now() + skew, UNINSTALL, member_id, "one");
            assert_eq!(outcome_of(&portals, uninstall).await, Ok(()), "{skew}");
            assert_eq!(send(&portals, DEAL, member_id, "one").await, REJECTED);
        }
    }
}

#[tokio::test]
async fn uninstall_keeps_a_reinstall_meanwhile_within_the_same_second() {
    for skew in [-60, -1, 0, 1, 60] {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        let clock = now() + skew;
        let install = || body_at(clock, INSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, install()).await, Ok(()));
        let uninstall = Envelope::scan(body_at(clock, UNINSTALL, "a", "one")).unwrap();
        let event = Event::verify(uninstall, &portals).await.unwrap();
        assert_eq!(outcome_of(&portals, install()).await, Ok(()));
        event.mark_handled(&portals).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()), "{skew}");
        // A later uninstallation still removes it.
        let uninstall = body_at(clock + 1, UNINSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, uninstall).await, Ok(()), "{skew}");
        assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED, "{skew}");
    }
}

#[tokio::test]
async fn uninstall_keeps_a_token_set_again_meanwhile() {
    let (portals, _) = portals(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    let uninstall = Envelope::scan(body(UNINSTALL, "a", "one")).unwrap();
    let event = Event::verify(uninstall, &portals).await.unwrap();
    portals.set_token("a", &secret("one")).await.unwrap();
    event.mark_handled(&portals).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

/// The inbox drops the hook of the layer, and the worker makes its own.
#[tokio::test]
async fn uninstall_in_an_inbox_keeps_what_the_install_page_installs_before_the_worker_ends() {
    // The portal's clock is ahead, so that times alone do not tell what came first.
    for skew in [0, 60] {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        let installed = outcome_of(&portals, body_at(100, INSTALL, "a", "one")).await;
        assert_eq!(installed, Ok(()));
        let inbox = Inbox::builder(MemoryInbox::new(), InboxKey::new([7; 32])).build();
        let receive = inbox.receive().behind(EventLayer::new(portals.clone()));
        let uninstall = Full::<Bytes>::from(body_at(now() + skew, UNINSTALL, "a", "one"));
        let response = receive.oneshot(post(uninstall)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);

        let page = Installation::new("a", secret("one"));
        portals.install(page).await.unwrap();

        let handler = service_fn(async |_: WorkerRequest| {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let worker = inbox.worker(handler).verifier(portals.clone()).spawn();
        while inbox.stats().await.unwrap().done == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        worker.shutdown(Duration::ZERO).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()), "{skew}");
    }
}

#[tokio::test]
async fn uninstall_removes_a_portal_whose_earlier_install_is_repeated_meanwhile() {
    let (portals, _) = portals(InstallPolicy::trust_on_first_use());
    let install = || body_at(100, INSTALL, "a", "one");
    assert_eq!(outcome_of(&portals, install()).await, Ok(()));
    let uninstall = Envelope::scan(body_at(200, UNINSTALL, "a", "one")).unwrap();
    let event = Event::verify(uninstall, &portals).await.unwrap();
    assert_eq!(outcome_of(&portals, install()).await, Ok(()));
    event.mark_handled(&portals).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
}
