//! The tests of the crate as a whole, in one binary: each file is a subject.
//!
//! Tests that count allocations or need a database are in other binaries.

mod background;
mod callback_routes;
mod callbacks;
mod catalogue;
mod common;
mod concurrency;
mod corpus;
mod examples;
mod extractors;
mod frameworks;
mod future_sizes;
mod inbox;
mod layer;
mod on_handled;
mod open_enums;
mod pages;
mod parsers;
mod php;
mod pitfalls;
mod portals;
mod real_events;
mod router;
mod secrets;
mod send;
mod smuggling;
#[cfg(feature = "telemetry")]
mod telemetry;
mod test_callbacks;
mod testing;
mod url_secret;
