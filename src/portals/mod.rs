//! Many portals: the tokens of each looked up, learned and forgotten.

mod install;
mod memory;
mod store;
mod token;

pub use self::install::InstallPolicy;
pub use self::memory::MemoryStore;
pub use self::store::TokenStore;
pub use self::token::{PortalToken, TokenKey, TokenKind};
