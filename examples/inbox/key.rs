//! The key that seals the entries: from the environment, or from a file beside the inbox.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use tower_bitrix24::inbox::InboxKey;

use super::BoxError;

/// Reads the key. Makes one in a file of the owner's if there is none, and says so.
pub(crate) fn read(inbox: &str, is_url: bool) -> Result<InboxKey, BoxError> {
    if let Ok(hex) = std::env::var("BITRIX24_INBOX_KEY") {
        return InboxKey::from_hex(hex.trim())
            .map_err(|error| format!("BITRIX24_INBOX_KEY: {error}").into());
    }
    if is_url {
        return Err(
            "set BITRIX24_INBOX_KEY to 64 hex digits, the same on every machine: \
                    openssl rand -hex 32"
                .into(),
        );
    }
    let path = format!("{inbox}.key");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&path) {
        Ok(mut file) => {
            let key = InboxKey::generate();
            file.write_all(key.to_hex().as_bytes())?;
            // A key that is lost takes the entries with it, so it is on disk before they are.
            file.sync_all()?;
            let parent = Path::new(&path).parent();
            let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
            std::fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
            eprintln!("made a key in {path}: keep it, and keep it apart from backups of the inbox");
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let hex = std::fs::read_to_string(&path)?;
            InboxKey::from_hex(hex.trim()).map_err(|error| format!("{path}: {error}").into())
        }
        Err(error) => Err(format!("{path}: {error}").into()),
    }
}
