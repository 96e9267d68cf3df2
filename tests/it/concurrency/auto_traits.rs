//! `Send`, `Sync`, `Unpin` and unwind safety of the public types.

use tower_bitrix24::EventRouter;
use tower_bitrix24::inbox::{EntryHandler, Record};

use super::*;

fn assert_shared<T: Send + Sync + Unpin + 'static>() {}
fn assert_sent<T: Send + Sync + 'static>() {}
fn assert_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

#[test]
fn public_types_are_send_and_sync() {
    macro_rules! shared {
        ($($type:ty),+ $(,)?) => {$(assert_shared::<$type>();)+};
    }
    type B = Full<Bytes>;
    type Inner = tower::util::BoxCloneSyncService<Request<B>, Response<B>, Infallible>;
    shared![
        RejectionPolicy,
        ApplicationStatus,
        ApplicationToken,
        Array,
        Auth,
        ConfigError,
        Envelope,
        EnvelopeError,
        EnvelopeErrorKind,
        Event,
        EventBody<B>,
        EventKind,
        EventLayer<ApplicationToken>,
        EventLayer<TokenSet>,
        EventService<Inner, ApplicationToken>,
        KeepBody,
        WrapBody,
        BodyFrom<B>,
        EventConfig,
        Mismatch,
        ObjectId<'static>,
        Payload,
        Rejection,
        RejectionKind,
        Secret,
        Subject<'static>,
        TokenSet,
        Value,
        VerifyError,
        VerifyErrorKind,
        field::Flag,
        field::IdMap<ItemId>,
        field::List<ItemId>,
        field::OneOrMany<ItemId>,
        field::UndefinedOr<ItemId>,
        kind::UnknownCode,
        kind::CrmDealAdd,
        tower_bitrix24::event::Action,
    ];
    // `Payload` contains all payloads; these are a few that handlers hold.
    shared![
        payload::CrmDynamicItem,
        payload::ImBotMessageAdd,
        payload::User
    ];

    // The future is `Send` and `Sync` if the body, the verifier's future and the service's are.
    type Ready<T> = std::future::Ready<Result<T, Infallible>>;
    type ReadyService = tower::util::ServiceFn<fn(Request<B>) -> Ready<Response<B>>>;
    assert_sent::<ResponseFuture<ReadyService, B, ApplicationToken>>();
    fn assert_send<T: Send>(_: &T) {}
    let token = ApplicationToken::new(TOKEN).unwrap();
    let handle = |_: Request<axum::body::Body>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    };
    let mut service = EventLayer::new(token).layer(service_fn(handle));
    assert_send(&service.call(post(axum::body::Body::empty())));

    assert_unwind_safe::<Envelope>();
    assert_unwind_safe::<Value>();
    assert_unwind_safe::<Payload>();
}

#[test]
fn future_of_an_entry_handler_is_send() {
    fn assert_send<T: Send>(_: T) {}
    let _ = |handler: EntryHandler<EventRouter>, record: Record| {
        assert_send(async move { handler.handle(record).await });
    };
}
