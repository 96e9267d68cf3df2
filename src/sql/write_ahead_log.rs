//! Makes SQLite's write-ahead log durable before a connection writes behind it.

use std::fs::OpenOptions;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::path::Path;

/// Writes the bytes of the log anew, and syncs them. Nothing else may write to it meanwhile.
///
/// If a sync fails, the system keeps in memory what did not reach the disk, and the next sync succeeds
/// without it. The commit has failed, but a connection that opens the file after all others were
/// closed reads it from memory as one that succeeded, and adds commits behind it. After a loss of power
/// SQLite would read the log until that gap.
pub(super) fn rewrite(log: &Path) -> Result<()> {
    let mut log = OpenOptions::new().read(true).write(true).open(log)?;
    let mut bytes = vec![0; 256 * 1024];
    let mut start = 0;
    loop {
        let len = log.read(&mut bytes)?;
        if len == 0 {
            break;
        }
        log.seek(SeekFrom::Start(start))?;
        log.write_all(&bytes[..len])?;
        start = log.stream_position()?;
    }
    log.sync_all()
}
