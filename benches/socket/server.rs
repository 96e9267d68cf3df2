//! The servers under load, each in a process of its own.

use std::future::Future;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use axum::{Extension, Router};
use bodies::bodies;
use bytes::Bytes;
use tokio::net::TcpListener;
use tower::{Layer, Service};
use tower_bitrix24::{ApplicationToken, Event, EventLayer, Payload};

use crate::PATH;

pub(crate) const SERVERS: [&str; 5] = [
    "bare",
    "layer",
    "hand-written",
    "does nothing",
    "collects only",
];
pub(crate) const BARE: usize = 0;
pub(crate) const LAYER: usize = 1;
pub(crate) const HAND_WRITTEN: usize = 2;
pub(crate) const DOES_NOTHING: usize = 3;
pub(crate) const COLLECTS_ONLY: usize = 4;

/// Serves until standard input ends, which means that the parent has exited.
pub(crate) fn serve(server: &str) {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let app = app(server);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, app).await.unwrap();
    });
}

fn app(server: &str) -> Router {
    let seed = bodies().swap_remove(0);
    match server {
        "bare" => bare(),
        "does nothing" => bare().layer(DoesNothing(())),
        "collects only" => bare().layer(CollectsOnly(())),
        "layer" => Router::new()
            .route(PATH, post(on_event))
            .layer(EventLayer::new(ApplicationToken::new(&seed.token).unwrap()).path(PATH)),
        "hand-written" => Router::new().route(
            PATH,
            post(move |body: Bytes| {
                let token = (seed.by_serde_qs)(&body);
                std::future::ready(if token == seed.token {
                    StatusCode::OK
                } else {
                    StatusCode::FORBIDDEN
                })
            }),
        ),
        server => panic!("no server {server}"),
    }
}

fn bare() -> Router {
    Router::new().route(
        PATH,
        post(|body: Bytes| async {
            drop(black_box(body));
            StatusCode::OK
        }),
    )
}

/// The minimum cost of any layer.
#[derive(Clone)]
struct DoesNothing<S>(S);

impl<S> Layer<S> for DoesNothing<()> {
    type Service = DoesNothing<S>;

    fn layer(&self, inner: S) -> DoesNothing<S> {
        DoesNothing(inner)
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for DoesNothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}

/// The minimum cost of a layer that needs the body, written as most are: a boxed async block.
#[derive(Clone)]
struct CollectsOnly<S>(S);

impl<S> Layer<S> for CollectsOnly<()> {
    type Service = CollectsOnly<S>;

    fn layer(&self, inner: S) -> CollectsOnly<S> {
        CollectsOnly(inner)
    }
}

impl<S> Service<Request<Body>> for CollectsOnly<S>
where
    S: Service<Request<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let next = self.0.clone();
        let mut ready = std::mem::replace(&mut self.0, next);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            ready.call(Request::from_parts(head, bytes.into())).await
        })
    }
}

async fn on_event(Extension(event): Extension<Event>) -> StatusCode {
    match event.payload() {
        Payload::CrmRequisiteAdd(requisite) => {
            black_box(&requisite.id);
            StatusCode::OK
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(crate) struct Served {
    child: Child,
    pub(crate) address: String,
}

impl Served {
    pub(crate) fn start(server: &str) -> Self {
        let mut child = on_core(0, std::env::current_exe().unwrap())
            .args(["serve", server])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Self {
            child,
            address: address.trim().to_owned(),
        }
    }

    /// Returns the processor time of its only worker thread, in seconds.
    pub(crate) fn processor_time(&self) -> f64 {
        let path = format!("/proc/{}/schedstat", self.child.id());
        number_after(&std::fs::read_to_string(path).unwrap(), "") / 1e9
    }

    /// Returns its resident memory in bytes.
    pub(crate) fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        1024.0 * number_after(&status, "VmRSS:")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pins the program to a core, if the machine has several and `taskset`.
pub(crate) fn on_core(core: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let several = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    if several && Command::new("taskset").arg("-V").output().is_ok() {
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

pub(crate) fn number_after(text: &str, word: &str) -> f64 {
    let number = text
        .split_once(word)
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number after {word} in:\n{text}"))
}
