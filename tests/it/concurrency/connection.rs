//! A real connection that is shut down or closed during a body.

use super::*;

/// Serves one connection. Returns the client and a handle that shuts the server down gracefully.
async fn serve_one(tally: &Tally) -> (TcpStream, Arc<Notify>, tokio::task::JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();

    let guard = tally.guard();
    let handle = service_fn(move |request: Request<EventBody<Incoming>>| {
        assert!(request.extensions().get::<Event>().is_some());
        guard.0.called.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let service = TowerToHyperService::new(slow_layer(tally).wrap_body().layer(handle));
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let server = tokio::spawn(async move {
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended.is_ok(),
            () = stopped.notified() => connection.as_mut().graceful_shutdown(),
        }
        connection.await.is_ok()
    });
    (client, stop, server)
}

fn head() -> String {
    let length = SEED.len();
    format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n"
    )
}

async fn ends(server: tokio::task::JoinHandle<bool>) -> bool {
    let ended = tokio::time::timeout(Duration::from_secs(5), server).await;
    ended.expect("the connection ends").unwrap()
}

#[tokio::test]
async fn graceful_shutdown_during_a_body_still_serves_the_event() {
    let tally = Tally::default();
    let (mut client, stop, server) = serve_one(&tally).await;
    let (first, second) = SEED.split_at(100);
    client.write_all((head() + first).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stop.notify_one();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(tally.counts()[1], 0);
    client.write_all(second.as_bytes()).await.unwrap();

    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(ends(server).await);
    assert_eq!((tally.counts(), tally.alive()), ([1, 1, 0], 0));
}

#[tokio::test]
async fn client_that_disconnects_during_a_body_leaves_nothing() {
    for sent in [0, 1, 100, SEED.len() - 1] {
        let tally = Tally::default();
        let (mut client, _stop, server) = serve_one(&tally).await;
        let text = head() + &SEED[..sent];
        client.write_all(text.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(client);
        ends(server).await;
        assert_eq!((tally.counts(), tally.alive()), ([0, 0, 0], 0));
    }
}
