//! Tower middleware that receives Bitrix24 events.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod collect;
mod config;
mod envelope;
pub mod event;
mod form;
mod future;
mod layer;
mod open_enum;
mod rejection;
mod service;
mod verify;

pub use self::body::EventBody;
pub use self::config::{ConfigError, EventSettings};
pub use self::envelope::{
    ApplicationStatus, Auth, Envelope, EnvelopeError, EnvelopeErrorKind, Secret,
};
pub use self::event::{Event, EventKind, Mismatch, Payload, Value};
pub use self::future::ResponseFuture;
pub use self::layer::{DEFAULT_BODY_DEADLINE, DEFAULT_BODY_LIMIT, EventLayer};
pub use self::rejection::{AnswerPolicy, Rejection, RejectionKind};
pub use self::service::EventService;
pub use self::verify::{ApplicationToken, TokenSet, VerifyError, VerifyErrorKind, VerifyToken};
