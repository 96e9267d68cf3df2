//! Workers: verdicts, retries, order, panics, time-outs, fairness, shutdown.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::SystemTime;

use axum::Router;
use axum::routing::post;
use tower_bitrix24::event::{kind::CrmDealAdd, payload::ItemId};
use tower_bitrix24::inbox::{Backoff, Filter, State};
use tower_bitrix24::{EventBody, EventRouter};

use super::*;

fn quick() -> Backoff {
    Backoff::new()
        .first(Duration::from_millis(10))
        .max_attempts(3)
}

fn names(seen: &Seen) -> Vec<String> {
    let seen = seen.lock().unwrap();
    seen.iter().map(|(name, _)| name.clone()).collect()
}

#[tokio::test]
async fn entries_of_an_object_are_handled_in_order_and_one_at_a_time() {
    let inbox = inbox();
    for ts in 0..20 {
        for id in 1..=5 {
            send_ok(&inbox, form("ONCRMDEALUPDATE", id, ts, "a")).await;
        }
    }
    let running: Arc<Mutex<std::collections::HashMap<String, usize>>> = Arc::default();
    let order: Arc<Mutex<Vec<(String, i64)>>> = Arc::default();
    let (running_now, seen) = (running.clone(), order.clone());
    let service = service_fn(move |request: WorkerRequest| {
        let event = request.extensions().get::<Event>().unwrap().clone();
        let (running, seen) = (running_now.clone(), seen.clone());
        async move {
            let id = event.subject().unwrap().id.to_string();
            let before = *running.lock().unwrap().entry(id.clone()).or_default();
            assert_eq!(before, 0, "two of one lane run");
            *running.lock().unwrap().get_mut(&id).unwrap() += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
            *running.lock().unwrap().get_mut(&id).unwrap() -= 1;
            seen.lock().unwrap().push((id, event.timestamp().unwrap()));
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let worker = inbox.worker(service).concurrency(8).spawn();
    wait_for(&inbox, |stats| stats.done == 100).await;
    worker.shutdown(Duration::ZERO).await;
    let order = order.lock().unwrap();
    for id in 1..=5 {
        let of_id = order.iter().filter(|(seen, _)| *seen == id.to_string());
        let times: Vec<i64> = of_id.map(|(_, ts)| *ts).collect();
        assert_eq!(times, (0..20).collect::<Vec<_>>(), "{id}");
    }
}

#[tokio::test]
async fn failed_attempt_is_retried_and_holds_its_lane_alone() {
    let inbox = inbox();
    for (code, id) in [
        ("ONCRMDEALADD", 1),
        ("ONCRMDEALUPDATE", 1),
        ("ONCRMDEALADD", 2),
    ] {
        send_ok(&inbox, form(code, id, 1, "a")).await;
    }
    let seen = Seen::default();
    let service = handler(&seen, |event, delivery| {
        let fails = event.code() == "ONCRMDEALADD"
            && event.subject().unwrap().id.number() == Some(1)
            && delivery.attempt < 3;
        if fails { 500 } else { 200 }
    });
    let worker = inbox
        .worker(service)
        .retry(quick())
        .poll_interval(Duration::from_millis(5));
    let worker = worker.spawn();
    wait_for(&inbox, |stats| stats.done == 3).await;
    worker.shutdown(Duration::ZERO).await;
    let names = names(&seen);
    let of_1: Vec<_> = names.iter().filter(|name| name.ends_with('1')).collect();
    assert_eq!(of_1.len(), 4);
    assert!(
        of_1[..3].iter().all(|name| *name == "ONCRMDEALADD 1"),
        "{names:?}"
    );
    assert_eq!(of_1[3], "ONCRMDEALUPDATE 1");
    let of_2 = names.iter().position(|name| name == "ONCRMDEALADD 2");
    assert!(of_2.unwrap() < 2, "{names:?}");
    let seen = seen.lock().unwrap();
    let keys: std::collections::HashSet<_> = seen
        .iter()
        .filter(|(name, _)| name == "ONCRMDEALADD 1")
        .map(|(_, delivery)| delivery.key)
        .collect();
    assert_eq!(keys.len(), 1, "a retry has the same key");
}

#[tokio::test]
async fn entry_is_dead_after_its_last_attempt_and_a_retry_revives_it() {
    let inbox = inbox();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    let seen = Seen::default();
    let service = handler(
        &seen,
        |_, delivery| if delivery.attempt <= 3 { 503 } else { 200 },
    );
    let worker = inbox
        .worker(service)
        .retry(quick())
        .poll_interval(Duration::from_millis(5));
    let worker = worker.spawn();
    wait_for(&inbox, |stats| stats.dead == 1).await;
    let dead = inbox
        .list(&Filter::new().state(State::Dead), 9)
        .await
        .unwrap();
    assert_eq!(dead[0].attempts, 3);
    assert_eq!(dead[0].error.as_deref(), Some("503 Service Unavailable"));
    assert!(inbox.retry(dead[0].seq).await.unwrap());
    wait_for(&inbox, |stats| stats.done == 1).await;
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn panic_and_timeout_are_retried_and_harm_no_other_entry() {
    let inbox = inbox();
    for id in 1..=3 {
        send_ok(&inbox, form("ONCRMDEALADD", id, 1, "a")).await;
    }
    let service = service_fn(|request: WorkerRequest| async move {
        let event = request.extensions().get::<Event>().unwrap();
        let first = request.extensions().get::<Delivery>().unwrap().attempt == 1;
        match event.subject().unwrap().id.number() {
            Some(1) if first => panic!("canary"),
            Some(2) if first => std::future::pending().await,
            _ => Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())),
        }
    });
    let worker = inbox
        .worker(service)
        .retry(quick())
        .timeout(Duration::from_millis(50))
        .poll_interval(Duration::from_millis(5))
        .spawn();
    let stats = wait_for(&inbox, |stats| stats.done == 3).await;
    assert_eq!(stats.dead, 0);
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn axum_router_gets_the_request_as_the_portal_made_it() {
    let inbox = inbox();
    let layer = EventLayer::new(ApplicationToken::new("192735").unwrap());
    let receive = ServiceBuilder::new().layer(layer).service(inbox.receive());
    let body = form("ONCRMDEALADD", 1, 1, "a");
    let request = http::Request::post("/hooks/bitrix24?secret=s")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::<Bytes>::from(body.clone()));
    assert_eq!(
        receive.oneshot(request.unwrap()).await.unwrap().status(),
        200
    );
    let received = inbox.list(&Filter::new(), 1).await.unwrap()[0].first_received;
    assert!(received > 1_700_000_000_000, "unix milliseconds");

    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = seen.clone();
    let router: Router = Router::new().route(
        "/hooks/bitrix24",
        post(
            async move |event: Event, delivery: Delivery, request: axum::extract::Request| {
                let uri = request.uri().clone();
                let headers = request.headers().clone();
                let body = axum::body::to_bytes(request.into_body(), 9999)
                    .await
                    .unwrap();
                let kind = headers["content-type"].to_str().unwrap();
                let received = delivery.first_received_at();
                let received = received.duration_since(SystemTime::UNIX_EPOCH).unwrap();
                let text = format!(
                    "{} {} {uri} {kind} {} {}",
                    event.code(),
                    delivery.attempt,
                    body.len(),
                    received.as_millis()
                );
                kept.lock().unwrap().push(text);
            },
        ),
    );
    let worker = inbox.worker(router).spawn();
    wait_for(&inbox, |stats| stats.done == 1).await;
    worker.shutdown(Duration::ZERO).await;
    let expected = format!(
        "ONCRMDEALADD 1 /hooks/bitrix24?secret=s application/x-www-form-urlencoded {} {received}",
        body.len()
    );
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn event_router_works_unchanged_and_an_event_that_does_not_fit_is_a_dead_letter() {
    let inbox = inbox();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    let misfit = form("ONCRMDEALADD", 1, 2, "a").replace("[ID]=1", "[ID]=new");
    send_ok(&inbox, misfit).await;
    let handled = Arc::new(AtomicUsize::new(0));
    let count = handled.clone();
    let router = EventRouter::builder()
        .on(CrmDealAdd, move |_: ItemId, _: Event| {
            count.fetch_add(1, Ordering::Relaxed);
            async {}
        })
        .build()
        .unwrap();
    let worker = inbox.worker(router).spawn();
    wait_for(&inbox, |stats| stats.done == 1 && stats.dead == 1).await;
    worker.shutdown(Duration::ZERO).await;
    assert_eq!(handled.load(Ordering::Relaxed), 1);
    let dead = inbox
        .list(&Filter::new().state(State::Dead), 9)
        .await
        .unwrap();
    let error = dead[0].error.as_deref().unwrap();
    assert!(error.starts_with("422 Unprocessable Entity: the data of ONCRMDEALADD do not fit"));
}

#[tokio::test]
async fn service_of_another_body_is_spawned_with_it() {
    let inbox = inbox();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    let service = service_fn(async |_: http::Request<EventBody<Full<Bytes>>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let worker = inbox.worker(service).spawn_with();
    wait_for(&inbox, |stats| stats.done == 1).await;
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn shutdown_gives_unfinished_entries_back_without_counting_the_attempt() {
    let inbox = inbox();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    let service = service_fn(async |_: WorkerRequest| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    });
    let worker = inbox.worker(service).spawn();
    wait_for(&inbox, |stats| stats.running == 1).await;
    assert_eq!(worker.shutdown(Duration::from_millis(20)).await, 1);
    let record = inbox.list(&Filter::new(), 1).await.unwrap().remove(0);
    assert_eq!(record.state, State::Waiting);
    assert_eq!(
        (record.attempts, record.forgiven, record.suspect),
        (1, 1, false)
    );
}

#[tokio::test]
async fn shutdown_without_a_limit_waits_for_the_handlers() {
    let inbox = inbox();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    let service = service_fn(async |_: WorkerRequest| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let worker = inbox.worker(service).lease(Duration::MAX).spawn();
    wait_for(&inbox, |stats| stats.running == 1).await;
    assert_eq!(worker.shutdown(Duration::MAX).await, 0);
    assert_eq!(inbox.stats().await.unwrap().done, 1);
}

#[tokio::test]
async fn panic_as_the_service_is_cloned_is_one_of_the_attempt() {
    struct Clones(Arc<AtomicUsize>);

    impl Clone for Clones {
        fn clone(&self) -> Self {
            assert!(
                self.0.fetch_add(1, Ordering::Relaxed) > 0,
                "the first clone"
            );
            Self(self.0.clone())
        }
    }

    impl Service<WorkerRequest> for Clones {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: WorkerRequest) -> Self::Future {
            std::future::ready(Ok(Response::new(Full::default())))
        }
    }

    let inbox = inbox();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    let worker = inbox.worker(Clones(Arc::default())).retry(quick()).spawn();
    wait_for(&inbox, |stats| stats.done == 1).await;
    let record = inbox.list(&Filter::new(), 1).await.unwrap().remove(0);
    assert_eq!(record.attempts, 2);
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn flood_of_one_portal_does_not_delay_another() {
    let inbox = inbox();
    for id in 0..300 {
        send_ok(&inbox, form("ONCRMDEALADD", id + 1, 1, "flood")).await;
    }
    let seen = Seen::default();
    let kept = seen.clone();
    let service = service_fn(move |request: WorkerRequest| {
        let event = request.extensions().get::<Event>().unwrap().clone();
        let delivery = *request.extensions().get::<Delivery>().unwrap();
        let kept = kept.clone();
        async move {
            let portal = event.auth().member_id().unwrap().to_owned();
            kept.lock().unwrap().push((portal.clone(), delivery));
            if portal == "flood" {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let worker = inbox.worker(service).concurrency(4).spawn();
    wait_for(&inbox, |stats| stats.running == 3).await;
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "other")).await;
    wait_for(&inbox, |stats| stats.done >= 1).await;
    let portals: Vec<_> = names(&seen);
    let other = portals.iter().position(|portal| portal == "other").unwrap();
    assert!(other <= 3, "{portals:?}");
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn entry_that_outlives_its_lease_keeps_it_while_the_handler_runs() {
    let inbox = inbox();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    let seen = Seen::default();
    let kept = seen.clone();
    let service = service_fn(move |request: WorkerRequest| {
        let delivery = *request.extensions().get::<Delivery>().unwrap();
        kept.lock().unwrap().push(("run".to_owned(), delivery));
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let settings = |worker: tower_bitrix24::inbox::WorkerBuilder<_, _>| {
        worker
            .lease(Duration::from_millis(150))
            .poll_interval(Duration::from_millis(10))
    };
    let one = settings(inbox.worker(service.clone())).spawn();
    let other = settings(inbox.worker(service)).spawn();
    wait_for(&inbox, |stats| stats.done == 1).await;
    assert_eq!(seen.lock().unwrap().len(), 1);
    one.shutdown(Duration::ZERO).await;
    other.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn merged_updates_are_handled_once_if_the_inbox_coalesces() {
    for (coalesce, handled) in [(false, 5), (true, 1)] {
        let inbox = Inbox::builder(MemoryInbox::new(), key());
        let inbox = inbox.coalesce(coalesce).build();
        for ts in 0..5 {
            send_ok(&inbox, form("ONCRMDEALUPDATE", 1, ts, "a")).await;
        }
        let seen = Seen::default();
        let worker = inbox.worker(handler(&seen, |_, _| 200)).spawn();
        wait_for(&inbox, |stats| stats.done == handled).await;
        worker.shutdown(Duration::ZERO).await;
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0].1.merged, if coalesce { 4 } else { 0 });
    }
}
