//! Recipes: how the parts go together for what applications commonly need.
//!
//! How to test a handler is told by the module `testing`, which needs the feature of that name.

#[doc = include_str!("../docs/cookbook/existing_axum.md")]
pub mod existing_axum {}

#[doc = include_str!("../docs/cookbook/hyper.md")]
pub mod hyper {}

#[doc = include_str!("../docs/cookbook/one_url.md")]
pub mod one_url {}

#[doc = include_str!("../docs/cookbook/many_tokens.md")]
pub mod many_tokens {}

#[doc = include_str!("../docs/cookbook/loops_and_duplicates.md")]
pub mod loops_and_duplicates {}

#[doc = include_str!("../docs/cookbook/reverse_proxy.md")]
pub mod reverse_proxy {}

#[doc = include_str!("../docs/cookbook/offline_events.md")]
pub mod offline_events {}
