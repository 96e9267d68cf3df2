//! Recipes: how the parts go together for what applications commonly need.

#[doc = include_str!("one_url.md")]
pub mod one_url {}

#[doc = include_str!("many_tokens.md")]
pub mod many_tokens {}

#[doc = include_str!("loops_and_duplicates.md")]
pub mod loops_and_duplicates {}

#[doc = include_str!("reverse_proxy.md")]
pub mod reverse_proxy {}
