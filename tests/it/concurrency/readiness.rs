//! Readiness: the inner service is made ready only for a verified event.

use super::*;

/// Sends an event while 40 strangers have each sent the beginning of a body to a service with few
/// places.
async fn event_among_strangers<S>(name: &str, tally: &Tally, inner: S)
where
    S: Service<Request<EventBody<Channel<Bytes>>>, Response = Response<Full<Bytes>>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    S::Error: std::fmt::Debug + Send,
{
    let service = slow_layer(tally).wrap_body().layer(inner);
    let send = |text: String, whole: bool| {
        let service = service.clone();
        async move {
            let (mut sender, body) = Channel::<Bytes>::new(1);
            sender.send_data(text.into()).await.unwrap();
            let _sender = (!whole).then_some(sender);
            service.oneshot(post(body)).await
        }
    };
    let mut strangers = JoinSet::new();
    for _ in 0..40 {
        strangers.spawn(send(forged(), false));
    }
    // The paused clock advances once every stranger waits.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(tally.counts(), [0, 0, 0], "{name}");

    let event = tokio::time::timeout(Duration::from_secs(1), send(SEED.to_owned(), true));
    let response = event
        .await
        .unwrap_or_else(|_| panic!("{name}: the event waits"));
    assert_eq!(response.unwrap().status(), StatusCode::OK, "{name}");
    assert_eq!(tally.counts(), [1, 1, 1], "{name}");
    assert_eq!(strangers.len(), 40);
    while let Some(stranger) = strangers.join_next().await {
        let response = stranger.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn unverified_requests_take_no_permit_of_the_inner_service() {
    type Body = EventBody<Channel<Bytes>>;
    let builder = ServiceBuilder::new;

    let (tally, inner) = slow_service();
    let service = builder().concurrency_limit(1).service(inner);
    event_among_strangers("ConcurrencyLimit", &tally, service).await;

    let (tally, inner) = slow_service();
    let service = builder().buffer::<Request<Body>>(1).service(inner);
    event_among_strangers("Buffer", &tally, service).await;

    let (tally, inner) = slow_service();
    let service = builder().load_shed().concurrency_limit(1).service(inner);
    event_among_strangers("LoadShed", &tally, service).await;

    let (tally, inner) = slow_service();
    let service = builder().buffer::<Request<Body>>(1);
    let service = service
        .rate_limit(1, Duration::from_secs(3600))
        .service(inner);
    event_among_strangers("RateLimit", &tally, service).await;

    let (tally, inner) = slow_service();
    let limited = || builder().concurrency_limit(1).service(inner.clone());
    let replicas = [limited(), limited(), limited()];
    let replicas = replicas.map(|replica| Constant::new(replica, 1));
    let balance = Balance::<_, Request<Body>>::new(ServiceList::new::<Request<Body>>(replicas));
    let service = builder().buffer::<Request<Body>>(1).service(balance);
    event_among_strangers("Balance", &tally, service).await;
}

#[tokio::test(start_paused = true)]
async fn event_waiting_for_a_permit_is_handled_or_dropped_cleanly() {
    let (tally, inner) = slow_service();
    let inner = ServiceBuilder::new().concurrency_limit(1).service(inner);
    let mut place = inner.clone();
    let service = slow_layer(&tally).wrap_body().layer(inner);

    ServiceExt::<Request<EventBody<Slow>>>::ready(&mut place)
        .await
        .unwrap();
    let mut calls = [(); 3].map(|()| {
        let call = service.clone().oneshot(post(Slow::new(SEED, &tally)));
        tokio::spawn(call)
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    // All are verified and wait.
    assert_eq!(tally.counts(), [3, 0, 0]);
    calls[0].abort();
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(place);
    for call in &mut calls[1..] {
        let response = tokio::time::timeout(Duration::from_secs(5), call).await;
        let response = response.expect("there is a place").unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(tally.counts(), [3, 2, 2]);
    drop(service);
    assert_eq!(tally.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn load_shed_behind_the_layer_affects_only_verified_events() {
    let (tally, inner) = slow_service();
    let inner = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1)
        .service(inner);
    let service = slow_layer(&tally).wrap_body().layer(inner);
    let send = |text: &str| service.clone().oneshot(post(Slow::new(text, &tally)));

    let (first, second, stranger) = tokio::join!(send(SEED), send(SEED), send(&forged()));
    let (handled, shed): (Vec<_>, Vec<_>) = [first, second].into_iter().partition(Result::is_ok);
    assert_eq!((handled.len(), shed.len()), (1, 1));
    for error in shed {
        assert!(error.unwrap_err().is::<Overloaded>());
    }
    assert_eq!(stranger.unwrap().status(), StatusCode::FORBIDDEN);
}

/// A service that fails to become ready.
#[derive(Clone)]
struct Broken;

impl<B> Service<Request<B>> for Broken {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Pending<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Err("broken"))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        panic!("called while not ready")
    }
}

#[tokio::test]
async fn inner_readiness_error_is_the_error_of_the_call() {
    let tally = Tally::default();
    let layer = slow_layer(&tally).pass_other_callbacks().wrap_body();
    let service = layer.when(|head| head.method != Method::PUT).layer(Broken);
    let slow = |text: &str| post(Slow::new(text, &tally));
    let method = |method| {
        let mut request = slow(SEED);
        *request.method_mut() = method;
        request.headers_mut().clear();
        request
    };
    // An event, a form without one, another callback, and an unselected request.
    for request in [
        slow(SEED),
        slow("a=1"),
        method(Method::GET),
        method(Method::PUT),
    ] {
        let call = service.clone().oneshot(request);
        assert_eq!(call.await.unwrap_err(), "broken");
    }
    let call = service.clone().oneshot(slow(&forged()));
    assert_eq!(call.await.unwrap().status(), StatusCode::FORBIDDEN);
    drop(service);
    assert_eq!(tally.alive(), 0);
}
