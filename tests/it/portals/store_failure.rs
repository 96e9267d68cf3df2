//! A store that fails, is silent or slow.

use super::*;

#[tokio::test(start_paused = true)]
async fn failing_store_is_unavailable_and_rejects_no_token() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    portals.set_token("a", &secret("one")).await.unwrap();
    for health in [Health::Down, Health::Silent, Health::Slow(MINUTE)] {
        store.is(health).await;
        for code in [DEAL, INSTALL, UPDATE, UNINSTALL] {
            for token in ["one", "guess"] {
                assert_eq!(send(&portals, code, "a", token).await, UNAVAILABLE);
            }
        }
        let recorded = portals.set_token("a", &secret("two")).await;
        assert_eq!(kind(recorded), PortalsErrorKind::Unavailable);
    }
    store.is(Health::Well).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "two").await, REJECTED);
}

#[tokio::test(start_paused = true)]
async fn slow_store_is_awaited_until_the_store_timeout() {
    let (portals, store) = portals(InstallPolicy::reject());
    let portals = portals.store_timeout(Duration::from_secs(3));
    portals.set_token("a", &secret("one")).await.unwrap();
    let began = tokio::time::Instant::now();
    store.is(Health::Slow(Duration::from_millis(2_900))).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(began.elapsed(), Duration::from_millis(2_900));
    store.is(Health::Silent).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, UNAVAILABLE);
    assert_eq!(began.elapsed(), Duration::from_millis(5_900));
}

#[tokio::test]
async fn failing_store_returns_503_and_names_the_cause_only_to_the_application() {
    let (portals, store) = portals(InstallPolicy::reject());
    store.is(Health::Down).await;
    let service = ServiceBuilder::new()
        .layer(EventLayer::new(portals))
        .service(service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let response = service
        .oneshot(post(Full::from(body(DEAL, "a", "one"))))
        .await;
    let response = response.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let rejection = response.extensions().get::<tower_bitrix24::Rejection>();
    let source = std::error::Error::source(rejection.unwrap()).unwrap();
    assert_eq!(source.to_string(), "the database is down");
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    let text = String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap();
    assert_eq!(text, "the application token cannot be verified now\n");
}

#[tokio::test(start_paused = true)]
async fn install_with_the_current_token_is_accepted_if_the_store_fails_before_the_change() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    let install = |ts| body_at(ts, INSTALL, "a", "one");
    assert_eq!(outcome_of(&portals, install(100)).await, Ok(()));
    store.is(Health::Slow(Duration::from_millis(10))).await;
    let (again, ()) = tokio::join!(outcome_of(&portals, install(200)), async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.is(Health::Down).await;
    });
    assert_eq!(again, Ok(()));
}
