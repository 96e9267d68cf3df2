//! The conformance battery finds what is wrong with a store.
