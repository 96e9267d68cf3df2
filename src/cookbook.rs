//! Recipes for common tasks.
//!
//! To test a handler, see the module `testing` (feature `testing`).

#[doc = include_str!("../docs/cookbook/existing_axum.md")]
pub mod existing_axum {}

#[doc = include_str!("../docs/cookbook/hyper.md")]
pub mod hyper {}

#[doc = include_str!("../docs/cookbook/other_frameworks.md")]
pub mod other_frameworks {}

#[doc = include_str!("../docs/cookbook/one_url.md")]
pub mod one_url {}

#[doc = include_str!("../docs/cookbook/many_tokens.md")]
pub mod many_tokens {}

#[doc = include_str!("../docs/cookbook/loops_and_duplicates.md")]
pub mod loops_and_duplicates {}

#[cfg(feature = "background")]
#[doc = include_str!("../docs/cookbook/graceful_shutdown.md")]
pub mod graceful_shutdown {}

#[cfg(feature = "inbox")]
#[doc = include_str!("../docs/cookbook/exactly_once.md")]
pub mod exactly_once {}

#[doc = include_str!("../docs/cookbook/reverse_proxy.md")]
pub mod reverse_proxy {}

#[doc = include_str!("../docs/cookbook/offline_events.md")]
pub mod offline_events {}
