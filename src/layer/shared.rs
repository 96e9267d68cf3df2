//! Settings shared by a layer, its services and their futures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::budget::Budget;
use super::path::{SelectedPath, canonical};
use super::url_secret::UrlSecret;
use crate::rejection::ResponsePolicy;

pub(super) struct Shared<V> {
    pub(super) verifier: Arc<V>,
    pub(super) paths: Vec<SelectedPath>,
    pub(super) predicates: Vec<Arc<Predicate>>,
    pub(super) requirements: Vec<Arc<Predicate>>,
    pub(super) url_secrets: Vec<UrlSecret>,
    pub(super) body_limit: usize,
    pub(super) body_timeout: Option<Duration>,
    pub(super) budget: Arc<Budget>,
    /// For verified bodies that wait for the inner service.
    pub(super) verified_budget: Arc<Budget>,
    pub(super) callbacks: Callbacks,
    pub(super) pass_other_callbacks: bool,
    pub(super) respond_to_probes: bool,
    pub(super) response_policy: ResponsePolicy,
}

/// The callbacks that the layer verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callbacks {
    Off,
    /// Those that an inbox stores, since nobody waits for the response.
    Stored,
    All,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Form,
    /// Collected only as a callback with a secret in the URL.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UrlSecretCheck {
    /// The layer has no secret.
    Unused,
    Verified,
    /// The request needs an application token instead.
    Missing,
    Rejected,
}

pub(super) type Predicate = dyn Fn(&Parts) -> bool + Send + Sync;

impl<V> Shared<V> {
    pub(super) fn selects(&self, head: &Parts) -> bool {
        (self.selects_every_path() || self.selects_path(head.uri.path()))
            && self.predicates.iter().all(|predicate| predicate(head))
    }

    /// A template alone selects as a path does. A secret in the query may stand in every URL.
    fn selects_every_path(&self) -> bool {
        let mut url_secrets = self.url_secrets.iter();
        self.paths.is_empty()
            && (self.url_secrets.is_empty() || !url_secrets.all(UrlSecret::is_in_path))
    }

    fn selects_path(&self, path: &str) -> bool {
        let mut paths = self.paths.iter();
        paths.any(|selected| selected.is_spelled(path)) || self.selects_canonical_path(path)
    }

    /// Compares the path in one spelling.
    #[cold]
    fn selects_canonical_path(&self, path: &str) -> bool {
        let canonical = canonical(path);
        let mut paths = self.paths.iter();
        let mut url_secrets = self.url_secrets.iter();
        paths.any(|selected| selected.matches(&canonical))
            || url_secrets.any(|secret| secret.selects(path, &canonical))
    }

    /// Returns `true` if the head may be accepted at all.
    pub(super) fn fulfills_requirements(&self, head: &Parts) -> bool {
        self.requirements.iter().all(|predicate| predicate(head))
    }

    pub(super) fn verify_url_secret(&self, head: &Parts) -> UrlSecretCheck {
        if self.url_secrets.is_empty() {
            return UrlSecretCheck::Unused;
        }
        // `any` would stop at the first secret that fits.
        let verified = self
            .url_secrets
            .iter()
            .map(|secret| secret.verify(&head.uri));
        if verified.fold(false, |any, next| any | next) {
            UrlSecretCheck::Verified
        } else if self.url_secrets.iter().any(UrlSecret::is_demanded) {
            UrlSecretCheck::Rejected
        } else {
            UrlSecretCheck::Missing
        }
    }
}

impl<V> Clone for Shared<V> {
    fn clone(&self) -> Self {
        Self {
            verifier: self.verifier.clone(),
            paths: self.paths.clone(),
            predicates: self.predicates.clone(),
            requirements: self.requirements.clone(),
            url_secrets: self.url_secrets.clone(),
            body_limit: self.body_limit,
            body_timeout: self.body_timeout,
            budget: self.budget.clone(),
            verified_budget: self.verified_budget.clone(),
            callbacks: self.callbacks,
            pass_other_callbacks: self.pass_other_callbacks,
            respond_to_probes: self.respond_to_probes,
            response_policy: self.response_policy.clone(),
        }
    }
}

/// Omits the verifier, because a user's own may hold tokens.
impl<V> fmt::Debug for Shared<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLayer")
            .field("paths", &self.paths)
            .field("predicates", &self.predicates.len())
            .field("requirements", &self.requirements.len())
            .field("url_secrets", &self.url_secrets)
            .field("body_limit", &self.body_limit)
            .field("body_timeout", &self.body_timeout)
            .field("body_budget", &self.budget.limit())
            .field("callbacks", &self.callbacks)
            .field("pass_other_callbacks", &self.pass_other_callbacks)
            .field("respond_to_probes", &self.respond_to_probes)
            .field("on_rejection", &self.response_policy)
            .finish_non_exhaustive()
    }
}
