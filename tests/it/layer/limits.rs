//! The size limit and the timeout of a body.

use super::*;

#[tokio::test]
async fn body_of_exactly_the_limit_is_accepted() {
    let response = send(layer().body_limit(SEED.len()), post(full(SEED))).await;
    assert!(seen(&response).event.is_some());
    let response = send(layer().body_limit(SEED.len() - 1), post(full(SEED))).await;
    assert_eq!(rejection(&response), RejectionKind::BodyTooLarge);
}

/// The longest documented body: a message of 20,000 characters, which a bot receives twice.
#[tokio::test]
async fn default_body_limit_allows_the_longest_chat_message() {
    let message = "%F0%9F%98%80".repeat(20_000);
    let body = format!(
        "event=ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE]={message}\
         &data[PARAMS][MESSAGE_ORIGINAL]={message}&auth[application_token]={TOKEN}"
    );
    let response = send(layer(), post(full(body.clone()))).await;
    assert_eq!(seen(&response).body, body);
    let params = &seen(&response).event.as_ref().unwrap().data().unwrap()["PARAMS"];
    let message = params["MESSAGE_ORIGINAL"].as_str().unwrap();
    assert_eq!(message.chars().count(), 20_000);
}

#[tokio::test]
async fn too_large_content_length_is_rejected_before_the_body_is_polled() {
    let never = std::iter::from_fn(|| panic!("the body was polled"));
    let mut request = post(Frames(never));
    request
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static("1048577"));
    let response = send(layer(), request).await;
    assert_eq!(rejection(&response), RejectionKind::BodyTooLarge);
}

#[tokio::test]
async fn body_of_unknown_length_is_rejected_at_the_limit() {
    let frames = (0..110).map(|_| data(&"a".repeat(10_000)));
    let response = send(layer(), post(Frames(frames))).await;
    assert_eq!(rejection(&response), RejectionKind::BodyTooLarge);
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(start_paused = true)]
async fn stalled_body_is_rejected_at_the_deadline() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let start = tokio::time::Instant::now();
    let sending = async {
        sender.send_data(Bytes::from("event=")).await.unwrap();
        pending::<()>().await;
    };
    let response = tokio::select! {
        response = send(layer(), post(body)) => response,
        () = sending => unreachable!(),
    };
    assert_eq!(rejection(&response), RejectionKind::BodyTimeout);
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn dribbling_body_is_rejected_at_the_deadline() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let start = tokio::time::Instant::now();
    let sending = async {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let _ = sender.send_data(Bytes::from("a")).await;
        }
    };
    let response = tokio::select! {
        response = send(layer().body_timeout(Duration::from_secs(3)), post(body)) => response,
        () = sending => unreachable!(),
    };
    assert_eq!(rejection(&response), RejectionKind::BodyTimeout);
    assert!(
        (3000..3400).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn body_of_endless_empty_frames_is_rejected_at_the_deadline() {
    let layer = layer().body_timeout(Duration::from_millis(20));
    let response = send(layer, post(Frames(std::iter::repeat_with(|| data(""))))).await;
    assert_eq!(rejection(&response), RejectionKind::BodyTimeout);
}

#[tokio::test]
async fn incomplete_body_is_rejected() {
    let frames = vec![data(SEED), Err("connection reset".into())];
    let response = send(layer(), post(Frames(frames.into_iter()))).await;
    assert_eq!(rejection(&response), RejectionKind::BodyIncomplete);
    assert_eq!(text(response).await, "the body is incomplete\n");
}

#[test]
fn complete_body_needs_no_timer_and_no_runtime() {
    let mut call = pin!(send(layer(), post(full(SEED))));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(response) = call.as_mut().poll(&mut context) else {
        panic!("the layer waits for nothing")
    };
    assert!(seen(&response).event.is_some());
}
