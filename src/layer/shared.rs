//! Settings shared by a layer, its services and their futures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::budget::Budget;
use super::path::{SelectedPath, canonical};
use crate::rejection::ResponsePolicy;

pub(super) struct Shared<V> {
    pub(super) verifier: Arc<V>,
    pub(super) paths: Vec<SelectedPath>,
    pub(super) predicates: Vec<Arc<Predicate>>,
    pub(super) body_limit: usize,
    pub(super) body_timeout: Option<Duration>,
    pub(super) budget: Arc<Budget>,
    /// For verified bodies that wait for the inner service.
    pub(super) verified_budget: Arc<Budget>,
    pub(super) callbacks: bool,
    pub(super) pass_other_callbacks: bool,
    pub(super) respond_to_probes: bool,
    pub(super) response_policy: ResponsePolicy,
}

pub(super) type Predicate = dyn Fn(&Parts) -> bool + Send + Sync;

impl<V> Shared<V> {
    pub(super) fn selects(&self, head: &Parts) -> bool {
        (self.paths.is_empty() || self.selects_path(head.uri.path()))
            && self.predicates.iter().all(|predicate| predicate(head))
    }

    fn selects_path(&self, path: &str) -> bool {
        let canonical = canonical(path);
        self.paths
            .iter()
            .any(|selected| selected.matches(&canonical))
    }
}

impl<V> Clone for Shared<V> {
    fn clone(&self) -> Self {
        Self {
            verifier: self.verifier.clone(),
            paths: self.paths.clone(),
            predicates: self.predicates.clone(),
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
