//! The requests that the layer selects, ignores and passes on.

use super::*;

#[tokio::test]
async fn probe_gets_200_if_enabled_and_never_reaches_the_service() {
    for layer in [
        layer().respond_to_probes(),
        layer().respond_to_probes().pass_other_callbacks(),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let mut request = post(full(SEED));
            *request.method_mut() = method;
            let response = send(layer.clone(), request).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert!(response.extensions().get::<Seen>().is_none());
            assert!(response.extensions().get::<Rejection>().is_none());
            assert_eq!(text(response).await, "");
        }
    }
    let mut put = post(full(SEED));
    *put.method_mut() = Method::PUT;
    let response = send(layer().respond_to_probes(), put).await;
    assert_eq!(rejection(&response), RejectionKind::MethodNotAllowed);
    let response = send(layer().respond_to_probes(), post(full(forged()))).await;
    assert_eq!(rejection(&response), RejectionKind::TokenRejected);
    // Other requests belong to the service.
    let get = Request::get("/page").body(full("x")).unwrap();
    let elsewhere = layer().path("/bitrix24/events").respond_to_probes();
    assert_eq!(seen(&send(elsewhere, get).await).body, "x");
}

#[tokio::test]
async fn layer_guards_only_selected_paths() {
    let get = |path: &str| Request::get(path).body(full("untouched")).unwrap();
    let guarded = layer().path("/bitrix24/events").path("/other");
    for path in [
        "/",
        "/bitrix24/event",
        "/bitrix24/events/x",
        "/bitrix24/events/..",
        "/BITRIX24/events",
        "/bitrix24%252Fevents",
        "/x/other",
    ] {
        let response = send(guarded.clone(), get(path)).await;
        assert_eq!(seen(&response).body, "untouched", "{path}");
        assert!(seen(&response).event.is_none());
    }
    for path in [
        "/bitrix24/events",
        "/bitrix24/events?x=1",
        "/bitrix24/events/",
        "/bitrix24/events//",
        "//bitrix24//events",
        "/bitrix24/%65vents",
        "/bitrix24%2Fevents",
        "/bitrix24/./events/.",
        "/x/../bitrix24/events",
        "/%2E%2e/bitrix24/events",
        "/other",
    ] {
        rejection(&send(guarded.clone(), get(path)).await);
    }
    for (path, spelling) in [("/a/", "/a"), ("/%61", "/a"), ("/", "//"), ("/a", "/a")] {
        rejection(&send(layer().path(path), get(spelling)).await);
    }
    seen(&send(layer().path("/"), get("/a")).await);
    let guarded = layer()
        .path("/a")
        .when(|head| head.headers.contains_key("x-guard"));
    seen(&send(guarded.clone(), get("/a")).await);
    let mut both = get("/a");
    both.headers_mut()
        .insert("x-guard", HeaderValue::from_static("1"));
    rejection(&send(guarded, both).await);
}

#[tokio::test]
async fn unselected_request_passes_before_its_body_arrives() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let (first_part, mut received) = tokio::sync::mpsc::channel(1);
    let service = layer()
        .path("/bitrix24/events")
        .wrap_body()
        .layer(service_fn(
            move |request: Request<EventBody<Channel<Bytes>>>| {
                let first_part = first_part.clone();
                async move {
                    let mut body = request.into_body();
                    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
                    first_part.send(first).await.unwrap();
                    let rest = body.collect().await.unwrap().to_bytes();
                    Ok::<_, Infallible>(Response::new(Full::new(rest)))
                }
            },
        ));
    let call = service.oneshot(Request::post("/upload").body(body).unwrap());
    let sending = async {
        sender.send_data(Bytes::from("one")).await.unwrap();
        // The second part is sent only once the service has the first.
        assert_eq!(received.recv().await.unwrap(), "one");
        sender.send_data(Bytes::from("two")).await.unwrap();
        drop(sender);
    };
    let (response, ()) = tokio::join!(call, sending);
    let rest = response
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(rest, "two");
}

#[tokio::test]
async fn other_callbacks_pass_unchanged_if_enabled() {
    let passing = || layer().pass_other_callbacks();
    let robot = "workflow_id=1&code=robot&auth[application_token]=x&auth[member_id]=m&ts=1";
    let response = send(passing(), post(full(robot))).await;
    assert_eq!(seen(&response).body, robot);
    assert!(seen(&response).event.is_none());

    let mut frames = vec![data("AUTH_ID=1&"), data("PLACEMENT=DEFAULT")];
    frames.push(Ok(Frame::trailers(HeaderMap::new())));
    let response = send(passing(), post(Frames(frames.into_iter()))).await;
    assert_eq!(seen(&response).body, "AUTH_ID=1&PLACEMENT=DEFAULT");
    assert!(seen(&response).trailers.is_some());

    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let mut request = post(full("x"));
        *request.method_mut() = method;
        request.headers_mut().remove(CONTENT_TYPE);
        assert_eq!(seen(&send(passing(), request).await).body, "x");
    }
    let mut json = post(full("{}"));
    json.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    assert_eq!(seen(&send(passing(), json).await).body, "{}");
}

#[tokio::test]
async fn form_without_an_event_passes_with_any_other_keys() {
    for form in [
        "auth=abc&x=1",
        "ts=1&ts=2&a=b",
        "auth[domain]=a&auth[domain]=b",
        "event=",
    ] {
        let response = send(layer().pass_other_callbacks(), post(full(form))).await;
        assert_eq!(seen(&response).body, form);
        assert!(seen(&response).event.is_none());
    }
}

#[test]
#[should_panic(expected = "does not start with /")]
fn layer_panics_on_a_path_without_a_leading_slash() {
    let _ = layer().path("bitrix24/events");
}

#[tokio::test]
async fn pass_other_callbacks_passes_no_unverified_event() {
    for body in [
        forged(),
        "event=ONAPPTEST".to_owned(),
        format!("event=A&event=B&auth[application_token]={TOKEN}"),
        format!("%65vent=A&auth[application_token]=x{TOKEN}"),
        "+event=A".to_owned(),
        "event[]=A".to_owned(),
        "event%00=A".to_owned(),
        "event%00[=A".to_owned(),
        format!("[event]=A&[auth][application_token]={TOKEN}"),
    ] {
        rejection(&send(layer().pass_other_callbacks(), post(full(body))).await);
    }
    let large = post(full("a".repeat(EventConfig::DEFAULT_BODY_LIMIT + 1)));
    assert_eq!(
        rejection(&send(layer().pass_other_callbacks(), large).await),
        RejectionKind::BodyTooLarge
    );
}
