//! `ReceiveWithPages`: stores what can wait, and has a service respond to what cannot.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::receive::{Receive, ReceiveFuture};
use crate::callback::Callback;
use crate::layer::EventBody;

/// A [`Receive`] with a service for the callbacks that want their response now.
/// [`Receive::pages`] returns it.
///
/// It is always ready, so that a busy page keeps no event out: the service is cloned for each page, and
/// the clone is polled ready.
#[derive(Clone)]
pub struct ReceiveWithPages<P> {
    receive: Receive,
    pages: P,
}

impl Receive {
    /// Sets the service that responds to the callbacks that [want it now](crate::Callback::wants_response):
    /// placements and pages, the settings form, pay systems and their like. They are not stored.
    ///
    /// Give it a router of its own: a worker rejects one with handlers of pages.
    ///
    /// ```
    /// use axum::Router;
    /// use axum::body::Body;
    /// use axum::http::{Request, StatusCode};
    /// use axum::routing::post_service;
    /// use tower::ServiceExt;
    /// use tower_bitrix24::callback::{Callback, Placement, PlacementCode, Robot, html_response};
    /// use tower_bitrix24::inbox::{Inbox, InboxKey, MemoryInbox};
    /// use tower_bitrix24::{ApplicationToken, EventLayer, EventRouter};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let pages = EventRouter::builder()
    ///     .on_placement(PlacementCode::Default, async |_: Placement, _: Callback| {
    ///         html_response("<h1>Shipping</h1>")
    ///     })
    ///     .build()?;
    /// let handlers = EventRouter::builder()
    ///     .on_robot("ship", async |robot: Robot, _: Callback| println!("{}", robot.document.raw))
    ///     .build()?;
    /// let inbox = Inbox::builder(MemoryInbox::new(), InboxKey::generate()).build();
    /// let worker = inbox.worker(handlers).spawn();
    /// let layer = EventLayer::new(ApplicationToken::new("192735")?).callbacks();
    /// let app: Router = Router::new()
    ///     .route("/bitrix24", post_service(inbox.receive().pages(pages)))
    ///     .layer(layer);
    ///
    /// let status = async |body: &'static str| {
    ///     let request = Request::post("/bitrix24")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Body::from(body));
    ///     app.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// assert_eq!(status("AUTH_ID=4d&member_id=a&APPLICATION_TOKEN=192735").await, StatusCode::OK);
    /// assert_eq!(status("AUTH_ID=4d&member_id=a&APPLICATION_TOKEN=guess").await, StatusCode::FORBIDDEN);
    /// // Only the robot is stored, and handled by the worker.
    /// let robot = "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    ///              &document_id[2]=DEAL_18&event_token=1.a&auth[application_token]=192735";
    /// assert_eq!(status(robot).await, StatusCode::OK);
    /// while inbox.stats().await?.done == 0 {
    ///     tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    /// }
    /// # drop(worker);
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    pub const fn pages<P>(self, service: P) -> ReceiveWithPages<P> {
        ReceiveWithPages {
            receive: self,
            pages: service,
        }
    }
}

impl<P> ReceiveWithPages<P> {
    /// Returns a reference to the service of the pages.
    pub const fn get_ref(&self) -> &P {
        &self.pages
    }

    /// Returns a mutable reference to the service of the pages.
    pub const fn get_mut(&mut self) -> &mut P {
        &mut self.pages
    }

    /// Returns the service of the pages.
    pub fn into_inner(self) -> P {
        self.pages
    }
}

impl<P, B, R> Service<Request<B>> for ReceiveWithPages<P>
where
    P: Service<Request<B>, Response = Response<R>> + Clone,
{
    type Response = Response<EventBody<R>>;
    type Error = P::Error;
    type Future = PagesFuture<P, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> PagesFuture<P, B> {
        let callback = request.extensions().get::<Callback>();
        let state = if callback.is_some_and(Callback::wants_response) {
            State::Ready {
                service: self.pages.clone(),
                request: Some(request),
            }
        } else {
            State::Receive {
                receive: self.receive.call(request),
            }
        };
        PagesFuture { state }
    }
}

pin_project! {
    /// The response future of [`ReceiveWithPages`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct PagesFuture<P, B>
    where
        P: Service<Request<B>>,
    {
        #[pin]
        state: State<P, B, P::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<P, B, F> {
        Receive { #[pin] receive: ReceiveFuture },
        Ready { service: P, request: Option<Request<B>> },
        Call { #[pin] call: F },
    }
}

impl<P, B, R> Future for PagesFuture<P, B>
where
    P: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<EventBody<R>>, P::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Receive { receive } => {
                    let received: Result<_, Infallible> = ready!(receive.poll(cx));
                    let Ok(response) = received;
                    let whole = response.map(|body| EventBody::from(body.into_bytes()));
                    return Poll::Ready(Ok(whole));
                }
                StateProj::Ready { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request
                        .take()
                        .expect("`PagesFuture` polled after completion");
                    State::Call {
                        call: service.call(request),
                    }
                }
                StateProj::Call { call } => {
                    let response = ready!(call.poll(cx))?;
                    return Poll::Ready(Ok(response.map(EventBody::stream)));
                }
            };
            state.set(next);
        }
    }
}

impl<P: fmt::Debug> fmt::Debug for ReceiveWithPages<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveWithPages")
            .field("receive", &self.receive)
            .field("pages", &self.pages)
            .finish()
    }
}

impl<P, B> fmt::Debug for PagesFuture<P, B>
where
    P: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagesFuture").finish_non_exhaustive()
    }
}
