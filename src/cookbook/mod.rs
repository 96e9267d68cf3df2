//! Recipes: how the parts go together for what applications commonly need.
//!
//! How to test a handler is told by the module `testing`, which needs the feature of that name.

#[doc = include_str!("existing_axum.md")]
pub mod existing_axum {}

#[doc = include_str!("hyper.md")]
pub mod hyper {}

#[doc = include_str!("one_url.md")]
pub mod one_url {}

#[doc = include_str!("many_tokens.md")]
pub mod many_tokens {}

#[doc = include_str!("loops_and_duplicates.md")]
pub mod loops_and_duplicates {}

#[doc = include_str!("reverse_proxy.md")]
pub mod reverse_proxy {}

#[doc = include_str!("offline_events.md")]
pub mod offline_events {}
