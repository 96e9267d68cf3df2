//! The key that seals the entries: from the environment, or from a file beside the inbox.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use tower_bitrix24::inbox::InboxKey;

use super::BoxError;

/// Reads the key. If there is none, makes one in a file that only its owner can read, and prints that.
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
    let describe = |error: std::io::Error| -> BoxError { format!("{path}: {error}").into() };
    if !Path::new(&path).exists() && create(&path).map_err(describe)? {
        eprintln!("made a key in {path}: keep it, and keep it apart from backups of the inbox");
    }
    let hex = std::fs::read_to_string(&path).map_err(describe)?;
    InboxKey::from_hex(hex.trim()).map_err(|error| format!("{path}: {error}").into())
}

/// Creates the file with a new key. Returns `false` if another process was first.
///
/// The key is on disk before the file has its name, so that no process reads half of it, and a crash
/// leaves no entry whose key is lost.
fn create(path: &str) -> Result<bool, std::io::Error> {
    let key = InboxKey::generate().to_hex();
    let temporary = format!("{path}.{}", &InboxKey::generate().to_hex()[..16]);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    // Unlike a rename, a link does not replace the key of another process.
    let linked = std::fs::hard_link(&temporary, path);
    std::fs::remove_file(&temporary)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    let parent = Path::new(path).parent();
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(true)
}
