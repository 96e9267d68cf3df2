//! The claims of an envelope or an install page, before anything is verified.

use crate::envelope::Envelope;
use crate::event::EventKind;
use crate::secret::Secret;

pub(super) const MAX_MEMBER_ID_LEN: usize = 128;
pub(super) const MAX_TOKEN_LEN: usize = 256;

pub(super) struct Claim {
    pub(super) member_id: Box<str>,
    pub(super) token: Secret,
    pub(super) kind: ClaimKind,
}

pub(super) enum ClaimKind {
    Event,
    Install(InstallClaim),
    /// ONAPPUSERREADY, which is sent with an installation, perhaps before ONAPPINSTALL.
    UserReady(InstallClaim),
    Uninstall {
        ts: Option<i64>,
    },
}

pub(super) struct InstallClaim {
    pub(super) time: InstallTime,
    pub(super) access_token: Option<Secret>,
    /// `false` for an update of an existing installation.
    pub(super) is_new_install: bool,
}

pub(super) enum InstallTime {
    /// By the portal's clock, if the event has a time.
    Portal(Option<i64>),
    /// The request has no time of its own.
    Now,
}

impl Claim {
    /// Returns `None` if no portal can be meant.
    pub(super) fn from_envelope(envelope: &Envelope) -> Option<Self> {
        // Invalid UTF-8 was replaced, so the id could also be another portal's.
        let member_id = envelope.member_id().filter(|id| !id.contains('\u{FFFD}'))?;
        let token = envelope.application_token()?;
        let token = std::str::from_utf8(&token).ok()?;
        if !is_storable(&member_id, MAX_MEMBER_ID_LEN) || !is_storable(token, MAX_TOKEN_LEN) {
            return None;
        }
        Some(Self {
            member_id: member_id.into(),
            token: Secret::new(token),
            kind: ClaimKind::from_envelope(envelope),
        })
    }
}

impl ClaimKind {
    fn from_envelope(envelope: &Envelope) -> Self {
        let ts = envelope.timestamp();
        let claim = |is_new_install| InstallClaim {
            time: InstallTime::Portal(ts),
            // Not that of `data`, which is for another endpoint.
            access_token: envelope.auth().access_token().cloned(),
            is_new_install,
        };
        match EventKind::from_code(&envelope.code()) {
            Some(EventKind::AppUserReady) => Self::UserReady(claim(true)),
            Some(EventKind::AppInstall) => Self::Install(claim(true)),
            Some(EventKind::AppUpdate) => Self::Install(claim(false)),
            Some(EventKind::AppUninstall) => Self::Uninstall { ts },
            _ => Self::Event,
        }
    }
}

/// Returns `true` if every store can keep the string.
pub(super) fn is_storable(string: &str, max_len: usize) -> bool {
    (1..=max_len).contains(&string.len()) && !string.chars().any(char::is_control)
}
