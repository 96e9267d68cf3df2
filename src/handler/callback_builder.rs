//! Registering the handlers of callbacks with a router.

use std::future::Future;

use http::Response;

use super::builder::EventRouterBuilder;
use super::callback_routes::{CallbackHandler, CallbackRoutes, run};
use super::function::Handler;
use super::response::{IntoEventResponse, ResponseBody};
use super::router::EventRouter;
use crate::callback::{
    Callback, CallbackPayload, Message, Placement, PlacementCode, ProofLevel, Robot, Settings,
};

impl EventRouter {
    /// Passes a callback to its handler without a request. The handler is called immediately; the
    /// returned future borrows nothing.
    pub fn handle_callback(
        &self,
        callback: Callback,
    ) -> impl Future<Output = Response<ResponseBody>> + Send + use<> {
        let response = self.dispatch_callback(callback);
        async { response.await.map(ResponseBody::from) }
    }
}

impl<S: Clone + Send + Sync + 'static> EventRouterBuilder<S> {
    /// Registers a handler for a robot or a workflow activity, by the code with which the application
    /// registered it.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, StatusCode};
    /// use http_body_util::Full;
    /// use tower::{Layer, ServiceExt};
    /// use tower_bitrix24::callback::{Callback, Robot};
    /// use tower_bitrix24::{ApplicationToken, EventLayer, EventRouter};
    ///
    /// async fn ship(robot: Robot, callback: Callback) -> StatusCode {
    ///     println!("ship {} on {}", robot.document.raw, callback.auth().domain());
    ///     StatusCode::ACCEPTED
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let router = EventRouter::builder().on_robot("ship", ship).build()?;
    /// let service = EventLayer::new(ApplicationToken::new("192735")?).callbacks().layer(router);
    ///
    /// let status = async |token: &str| {
    ///     let body = format!(
    ///         "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    ///          &document_id[2]=DEAL_18&event_token=1.a&auth[application_token]={token}",
    ///     );
    ///     let request = Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Full::new(Bytes::from(body)));
    ///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// assert_eq!(status("192735").await, StatusCode::ACCEPTED);
    /// assert_eq!(status("guess").await, StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_robot<H, M>(mut self, code: &str, handler: H) -> Self
    where
        H: Handler<(Robot, Callback), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = self.callback_handler(move |payload, callback, state| match payload {
            CallbackPayload::Robot(robot) => {
                Some(handler.call((Robot::clone(robot), callback), state))
            }
            _ => None,
        });
        let other = self.callbacks.robots.insert(code.to_owned(), handler);
        self.check_first(other.is_none(), || format!("the robot {code:?}"))
    }

    /// Registers a handler for the messages of a provider, by the code with which the application
    /// registered it.
    pub fn on_message<H, M>(mut self, code: &str, handler: H) -> Self
    where
        H: Handler<(Message, Callback), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = self.callback_handler(move |payload, callback, state| match payload {
            CallbackPayload::Message(message) => {
                Some(handler.call((Message::clone(message), callback), state))
            }
            _ => None,
        });
        let other = self.callbacks.messages.insert(code.to_owned(), handler);
        self.check_first(other.is_none(), || format!("the message provider {code:?}"))
    }

    /// Registers a handler for a placement, such as [`PlacementCode::CrmDealDetailTab`], or
    /// [`PlacementCode::Default`] for the application's page. It returns an
    /// [`html_response`](crate::callback::html_response).
    ///
    /// A placement without a handler gets 404.
    pub fn on_placement<H, M>(mut self, code: impl Into<PlacementCode>, handler: H) -> Self
    where
        H: Handler<(Placement, Callback), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = self.callback_handler(move |payload, callback, state| match payload {
            CallbackPayload::Placement(page) => {
                Some(handler.call((Placement::clone(page), callback), state))
            }
            _ => None,
        });
        let code = CallbackRoutes::placement_key(code.into());
        let other = self.callbacks.placements.insert(code.clone(), handler);
        self.check_first(other.is_none(), || format!("the placement {code:?}"))
    }

    /// Registers a handler for the application's settings form. It returns a
    /// [`json_response`](crate::callback::json_response). Without a handler, the form gets 404.
    pub fn on_settings<H, M>(mut self, handler: H) -> Self
    where
        H: Handler<(Settings, Callback), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = self.callback_handler(move |payload, callback, state| match payload {
            CallbackPayload::Settings(form) => {
                Some(handler.call((Settings::clone(form), callback), state))
            }
            _ => None,
        });
        let other = self.callbacks.settings.replace(handler);
        self.check_first(other.is_none(), || "the settings form".to_owned())
    }

    /// Registers a handler for the callbacks that no other handler takes, of whatever kind. It gets those
    /// too that do not fit their kind.
    pub fn callback_fallback<H, M>(mut self, handler: H) -> Self
    where
        H: Handler<(Callback,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler =
            self.callback_handler(move |_, callback, state| Some(handler.call((callback,), state)));
        let other = self.callbacks.fallback.replace(handler);
        self.check_first(other.is_none(), || "the fallback of callbacks".to_owned())
    }

    /// Registers handlers that demand a [proof](crate::callback::Proof) of at least this level. Below it,
    /// the response is 403 ([`WeakProof`](crate::handler::HandlerErrorKind::WeakProof)), and the handler
    /// is not called.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_bitrix24::callback::{
    ///     Callback, CallbackEnvelope, Placement, PlacementCode, ProofLevel, html_response,
    /// };
    /// use tower_bitrix24::{ApplicationToken, EventRouter};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let router = EventRouter::builder()
    ///     .on_placement(PlacementCode::LeftMenu, async |_: Placement, _: Callback| {
    ///         html_response("for everybody")
    ///     })
    ///     .at_least(ProofLevel::Administrator, |router| {
    ///         router.on_placement(PlacementCode::Default, async |_: Placement, _: Callback| {
    ///             html_response("for administrators")
    ///         })
    ///     })
    ///     .build()?;
    ///
    /// let token = ApplicationToken::new("192735")?;
    /// let status = async |placement: &str| {
    ///     let body = format!("AUTH_ID=4d&member_id=a&APPLICATION_TOKEN=192735&PLACEMENT={placement}");
    ///     let callback = Callback::verify(CallbackEnvelope::scan(body).unwrap(), &token).await;
    ///     router.handle_callback(callback.unwrap()).await.status()
    /// };
    /// assert_eq!(status("LEFT_MENU").await, StatusCode::OK);
    /// // The token of the application proves no administrator.
    /// assert_eq!(status("DEFAULT").await, StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at_least(mut self, level: ProofLevel, register: impl FnOnce(Self) -> Self) -> Self {
        let outer = self.level.replace(level);
        let mut router = register(self);
        router.level = outer;
        router
    }

    fn callback_handler<H, F>(&self, handler: H) -> CallbackHandler
    where
        H: Fn(&CallbackPayload, Callback, &S) -> Option<F> + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let state = self.state.clone();
        CallbackHandler {
            level: self.level,
            call: Box::new(move |callback| {
                let handling = handler(callback.payload(), callback.clone(), &state)?;
                Some(run(handling, callback.clone()))
            }),
        }
    }

    fn check_first(self, is_first: bool, name: impl FnOnce() -> String) -> Self {
        if is_first {
            self
        } else {
            self.fail(format!("{} has two handlers", name()))
        }
    }
}
